"""State dicts: the weights alone, for a network of the registry."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from vss.errors import ConfigError, ModelError, ModelUnsafe, ModelUnsupported
from vss.model_store.architectures.registry import Architecture, cifar_names, find_architecture
from vss.model_store.backends.torch_files.network import Network, corrupt, torch_runtime
from vss.model_store.manifest import InputSpec
from vss.model_store.resolve import ModelRef

# Where training programs keep the weights beside their optimiser's state; averaged weights are the better ones.
_WRAPPERS: Final = ("state_dict_ema", "model_ema", "state_dict", "model_state_dict", "model")
# What DataParallel and torch.compile put before every name.
_PREFIXES: Final = ("module.", "_orig_mod.")
_NOT_WEIGHTS: Final = ("n_averaged",)
_SHOWN: Final = 3


def read_state_dict(ref: ModelRef, _device: str = "cpu") -> Network:
    """Loads a state dict into the network that the manifest names, on the CPU.

    Raises:
        ModelCorrupt: It cannot be read.
        ModelUnsafe: It holds more than tensors, so that loading it would run code.
        ModelUnsupported: It is no state dict, its architecture is not given, or does not fit.
        ConfigError: The architecture is unknown, or the labels are not as many as its classes.
    """
    weights = read_weights(ref.file)
    name = ref.manifest.architecture
    if name is None:
        raise ModelUnsupported(
            f"{ref.file.name} holds weights; which network they belong to is not in it",
            fix=f"name it as `architecture` in model.yaml: {cifar_names()[0]} or a name of torchvision (resnet18, …)",
        )
    architecture = find_architecture(name)
    classes = _class_count(weights)
    labels = ref.manifest.labels
    if labels is not None and classes is not None and len(labels) != classes:
        raise ConfigError(
            f"the model tells {classes} classes apart, model.yaml names {len(labels)}",
            fix="correct labels in model.yaml",
        )
    module = architecture.build(classes or len(labels or ()) or 1, weights.keys())
    _fill(module, weights, ref.file, name)
    metadata = {"architecture": name, "task": "classify"}
    if classes is not None and classes == len(architecture.categories):
        metadata["names"] = str(dict(enumerate(architecture.categories)))
    dtype = next((tensor.dtype for tensor in weights.values() if tensor.is_floating_point()), None)
    return Network(module.eval(), "state_dict", _input_shape(ref.manifest.input, architecture), dtype, metadata)


def read_weights(file: Path) -> Mapping[str, Any]:
    """The tensors of a state dict by name, on the CPU.

    Raises:
        ModelCorrupt: It cannot be read.
        ModelUnsafe: It holds more than tensors.
        ModelUnsupported: There is no state dict in it.
    """
    torch = torch_runtime()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about formats of old, which are read all the same
            # Mapped, the file's pages are read once, into the network. Files from before PyTorch 1.6 cannot be.
            held = torch.load(file, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(file))
    except Exception as error:  # the loader's errors share no class but this
        raise _translate(error, file) from error
    weights = _unwrapped(held)
    if not weights:
        raise ModelUnsupported(
            f"{file.name} holds no state dict", fix="save the weights: torch.save(model.state_dict(), FILE)"
        )
    return weights


def _unwrapped(held: Any) -> dict[str, Any]:
    torch = torch_runtime()
    if not isinstance(held, dict):
        return {}
    for wrapper in _WRAPPERS:
        inner = held.get(wrapper)
        if isinstance(inner, dict) and any(isinstance(value, torch.Tensor) for value in inner.values()):
            held = inner
            break
    weights = {str(name): value for name, value in held.items() if isinstance(value, torch.Tensor)}
    for prefix in _PREFIXES:
        weights = {name.removeprefix(prefix): value for name, value in weights.items()}
    return {name: value for name, value in weights.items() if name not in _NOT_WEIGHTS}


def _class_count(weights: Mapping[str, Any]) -> int | None:
    """Rows of the last weight that is a matrix or a kernel: the classifier, which is registered last."""
    matrices = [tensor for name, tensor in weights.items() if name.endswith("weight") and tensor.ndim >= 2]
    return int(matrices[-1].shape[0]) if matrices else None


def _fill(module: Any, weights: Mapping[str, Any], file: Path, architecture: str) -> None:
    # Batch norm counts its batches for training alone; weights from before PyTorch 0.4.1 lack the count.
    try:
        result = module.load_state_dict(weights, strict=False)
    except RuntimeError as error:
        first = str(error).strip().splitlines()[1:2] or [str(error)]
        raise _unfit(file, architecture, first[0].strip()[:200]) from error
    missing = [name for name in result.missing_keys if not name.endswith("num_batches_tracked")]
    reasons = [
        f"{what} {', '.join(names[:_SHOWN])}" + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
        for what, names in (("it lacks", missing), ("it has besides", result.unexpected_keys))
        if names
    ]
    if reasons:
        raise _unfit(file, architecture, "; ".join(reasons))


def _input_shape(spec: InputSpec, architecture: Architecture) -> tuple[int | None, ...]:
    return None, 3, spec.height or architecture.side, spec.width or architecture.side


def _unfit(file: Path, architecture: str, reason: str) -> ModelUnsupported:
    return ModelUnsupported(
        f"the weights in {file.name} are not those of {architecture}: {reason}",
        fix="correct architecture in model.yaml",
    )


def _translate(error: Exception, file: Path) -> ModelError:
    text = str(error)
    # The restricted unpickler says so of every name that is neither a tensor nor a plain container.
    if "GLOBAL " in text or "Unsupported class" in text or "Trying to call reduce" in text:
        named = text.partition("GLOBAL ")[2].split(" ")[0]
        return ModelUnsafe(
            f"{file.name} holds more than weights{f' ({named})' if named else ''}: loading it could run code",
            fix="save the weights alone, torch.save(model.state_dict(), FILE), or export the model to ONNX",
        )
    return corrupt(file, error)
