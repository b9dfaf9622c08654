"""Where a picture lies in a classifier's input: scaled by its shorter side, then cut out of the centre."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from vss.errors import ConfigError
from vss.model_store.manifest import InputSpec

# ResNets and most EfficientNets are judged on 224 pixels out of 256. Models for thumbnails, such as those for CIFAR's
# 32, are judged on the whole of them.
_MARGIN: Final = 8 / 7
_THUMBNAIL: Final = 128


@dataclass(frozen=True, slots=True)
class Placement:
    """A picture before its centre is cut out.

    Attributes:
        width: It is scaled to, pixels.
        height: It is scaled to, pixels.
        left: Of what is cut out, pixels of the scaled picture.
        top: Of what is cut out, pixels of the scaled picture.
    """

    width: int
    height: int
    left: int
    top: int


@dataclass(frozen=True, slots=True)
class CentreCrop:
    """How pictures are scaled and cut.

    Attributes:
        width: Of the input, pixels.
        height: Of the input, pixels.
        resize: What the shorter side is scaled to, pixels; of an input that is no square the side that covers it, so
            that the picture always fills it.
        as_is: Whether a picture that has the input's size is taken as it is.
    """

    width: int
    height: int
    resize: int
    as_is: bool

    def place(self, width: int, height: int) -> Placement:
        """Where a picture of that size lies.

        Rounded as torchvision's `Resize` and `CenterCrop` do: the longer side cut off, the place to the nearest even.
        """
        if self.as_is and (width, height) == (self.width, self.height):
            return Placement(width, height, 0, 0)
        # Of a square input both are `resize`.
        least = min(self.width, self.height)
        over_width, over_height = self.resize * self.width / least, self.resize * self.height / least
        if over_width / width >= over_height / height:
            scaled = round(over_width), max(round(over_height), int(over_width * height / width))
        else:
            scaled = max(round(over_width), int(over_height * width / height)), round(over_height)
        return Placement(*scaled, round((scaled[0] - self.width) / 2), round((scaled[1] - self.height) / 2))


def centre_crop(spec: InputSpec, width: int, height: int, *, whole: bool) -> CentreCrop:
    """The crop that a manifest asks for.

    Args:
        spec: Of the manifest.
        width: Of the input, pixels.
        height: Of the input, pixels.
        whole: Whether nothing is cut off where the manifest does not say.

    Raises:
        ConfigError: The picture would be scaled to less than the input.
    """
    shorter = min(width, height)
    if spec.resize is None:
        margin = 1.0 if whole or shorter < _THUMBNAIL else _MARGIN
        return CentreCrop(width, height, round(shorter * margin), as_is=True)
    if spec.resize < shorter:
        raise ConfigError(
            f"input.resize is {spec.resize}, less than the model's input of {width}x{height}",
            fix=f"give at least {shorter} as input.resize in model.yaml",
        )
    return CentreCrop(width, height, spec.resize, as_is=False)
