"""Room for a classifier's pictures as bytes, for a model that scales them on its device."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vss.codecs.images import Image
from vss.model_store.tasks.classification.cutter import Cutter, Preparation


class ClassificationPixels:
    """Room for one batch of pictures, reused (see `Inputs`).

    Args:
        preparation: How pictures are scaled and cut; their values are the model's to see to.
        slots: How many pictures.

    Attributes:
        batch: Shape (slots, height, width, 3), uint8, blue, green, red.
    """

    def __init__(self, preparation: Preparation, slots: int) -> None:
        crop = preparation.crop
        self.batch: NDArray[Any] = np.zeros((slots, crop.height, crop.width, 3), np.uint8)
        self._cutters = [Cutter(preparation) for _ in range(slots)]

    def write(self, slot: int, image: Image, source_wh: tuple[int, int]) -> None:
        """See `Inputs.write`."""
        self.batch[slot] = self._cutters[slot].cut(image, source_wh)
