"""Pictures to calibrate and to judge with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from vss.errors import BadRecord, ConfigError
from vss.model_store.evaluation.average_precision import TrueBox
from vss.model_store.runner.picture import Picture
from vss.model_store.tasks.task import PictureTask

_CALIBRATION_SHARE: Final = 0.25


@dataclass(frozen=True, slots=True)
class Sample:
    """A picture.

    Attributes:
        name: Tells it from the others.
        picture: How to get at its pixels.
        truth: Labelled objects; None where there are no labels.
    """

    name: str
    picture: Picture
    truth: tuple[TrueBox, ...] | None = None


@dataclass(frozen=True, slots=True)
class Split:
    """Which pictures do what.

    Attributes:
        calibration: Those the ranges are taken from.
        unseen: Those that are only judged with; empty where there is one picture alone.
    """

    calibration: tuple[Sample, ...]
    unseen: tuple[Sample, ...]

    @property
    def all(self) -> tuple[Sample, ...]:
        """Both."""
        return self.calibration + self.unseen


def split(samples: Sequence[Sample], *, seed: int) -> Split:
    """Draws a quarter of the pictures to calibrate with.

    Args:
        samples: All of them.
        seed: The same one draws the same pictures.

    Raises:
        ConfigError: There are none.
    """
    if not samples:
        raise ConfigError("there is no picture to calibrate with", fix="name a folder, video or topic that has some")
    count = max(1, round(len(samples) * _CALIBRATION_SHARE))
    order = np.random.default_rng(seed).permutation(len(samples))
    drawn, rest = sorted(order[:count]), sorted(order[count:])
    return Split(tuple(samples[i] for i in drawn), tuple(samples[i] for i in rest))


def model_inputs(
    task: PictureTask[Any], samples: Sequence[Sample], fixed_batch: int | None
) -> Iterator[NDArray[np.float32]]:
    """Inputs of a model as its task makes them, one picture a call or as many as the model must have.

    Yields:
        Shape (batch, *input); it may be kept.

    Raises:
        ConfigError: A picture cannot be decoded.
    """
    batch = fixed_batch or 1
    for start in range(0, len(samples), batch):
        inputs = task.inputs(batch)
        for slot in range(batch):
            # What a last call lacks is made up of its pictures once more.
            sample = samples[start + slot % min(batch, len(samples) - start)]
            picture = sample.picture
            try:
                image = picture.load(task.decode_wh(picture.width, picture.height))
            except BadRecord as error:
                raise ConfigError(f"{sample.name} cannot be read: {error}", fix="remove or repair it") from error
            inputs.write(slot, image, (picture.width, picture.height))
        yield inputs.batch
