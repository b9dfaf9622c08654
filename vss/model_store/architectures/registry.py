"""From the `architecture` of a manifest to an empty network that a state dict fits."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Final

from vss.errors import ConfigError

_CIFAR_DEPTHS: Final = (20, 32, 44, 56, 110)
_CIFAR_SIDE: Final = 32
# The two of torchvision with classifiers beside the main one, which serve training; a state dict may lack them.
_WITH_AUXILIARY: Final = ("googlenet", "inception_v3")


@dataclass(frozen=True, slots=True)
class Architecture:
    """A family of networks that differ in the number of their classes.

    Attributes:
        name: As a manifest spells it.
        build: Makes one with untrained weights: from the number of classes and the names of the state dict.
        side: Width and height of the input it is trained with, pixels; None where that is not known.
        categories: Names of the classes of its published weights.
    """

    name: str
    build: Callable[[int, Collection[str]], Any]
    side: int | None
    categories: tuple[str, ...] = ()


def find_architecture(name: str) -> Architecture:
    """The architecture of that name. Needs torch.

    Raises:
        ConfigError: There is none, or it is torchvision's and that is not installed; names the nearest.
    """
    depth = _cifar_depth(name)
    if depth is not None:
        return _cifar(name, depth)
    try:
        import torchvision
    except ImportError as error:
        raise ConfigError(
            f"architecture {name!r}: torchvision is not installed", fix="pip install 'vss-fleet[torch]'"
        ) from error
    if name in torchvision.models.list_models(module=torchvision.models):
        return _torchvision(name)
    known = [*cifar_names(), *torchvision.models.list_models(module=torchvision.models)]
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.0)
    raise ConfigError(f"unknown architecture {name!r}", fix=f"did you mean {near[0]}?")


def cifar_names() -> tuple[str, ...]:
    """Names of the networks that we bring ourselves."""
    return tuple(f"resnet{depth}-cifar" for depth in _CIFAR_DEPTHS)


def _cifar_depth(name: str) -> int | None:
    return dict(zip(cifar_names(), _CIFAR_DEPTHS, strict=True)).get(name)


def _cifar(name: str, depth: int) -> Architecture:
    def build(classes: int, _names: Collection[str]) -> Any:
        from vss.model_store.architectures.cifar_resnet import CifarResNet

        return CifarResNet((depth - 2) // 6, classes)

    return Architecture(name, build, _CIFAR_SIDE)


def _torchvision(name: str) -> Architecture:
    import torchvision

    def build(classes: int, names: Collection[str]) -> Any:
        options: dict[str, Any] = {}
        if name in _WITH_AUXILIARY:
            options["init_weights"] = False
            options["aux_logits"] = any(key.lower().startswith("aux") for key in names)
        return torchvision.models.get_model(name, weights=None, num_classes=classes, **options)

    # What torchvision knows of its own weights, without fetching them. A user's may be trained at another size, which
    # `input.width` and `input.height` of the manifest then say.
    weights = torchvision.models.get_model_weights(name).DEFAULT
    side = getattr(weights.transforms, "keywords", {}).get("crop_size")
    return Architecture(name, build, side, tuple(weights.meta.get("categories", ())))
