"""The light on a scene, which changes slowly and is at a loop's end what it was at its start."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray


class Light:
    """How bright each place is, and how that changes: daylight, lamps, somebody who walks by.

    Args:
        width: Pixels of a frame.
        height: Pixels of a frame.
        humps: (width,) float32, how much lighter each column is for the rollers below the belt.
        rng: For where lamps hang and what moves when.
    """

    def __init__(self, width: int, height: int, humps: NDArray[np.float32], rng: np.random.Generator) -> None:
        self._size = (width, height)
        self._coarse = (width // 16, height // 16)
        columns, rows = self._coarse
        self._x = np.linspace(-1, 1, columns, dtype=np.float32)[None, :]
        self._y = np.linspace(-1, 1, rows, dtype=np.float32)[:, None]
        vignette = 1 - rng.uniform(0.16, 0.30) * (self._x**2 + 0.7 * self._y**2)
        slope = 1 + rng.uniform(-0.16, 0.16) * self._x + rng.uniform(-0.1, 0.1) * self._y
        x, y = rng.uniform(-0.5, 0.5, 2)
        pool = 0.28 * np.exp(-(((self._x - x) / 0.7) ** 2) - ((self._y - y) / 0.9) ** 2)
        on_belt = cv2.resize(humps[None, :], (columns, 1), interpolation=cv2.INTER_AREA)
        self._still = ((vignette * slope + pool) * (1 + on_belt)).astype(np.float32)
        self._tint = (1 + rng.normal(0, 0.035, 3)).astype(np.float32)
        self._level = float(rng.uniform(0.9, 1.3))
        # Whole numbers of swings, so that the end of a loop meets its start.
        self._swings = [
            (int(rng.integers(1, 4)), float(rng.uniform(0, 2 * math.pi)), float(rng.uniform(0.02, 0.09)))
            for _ in range(3)
        ]
        self._passer = (float(rng.uniform(0, 1)), float(rng.uniform(0.1, 0.3)), float(rng.choice([-1, 1])))
        # Strip lights above the belt, seen only in what shines.
        self._strips = [
            (float(rng.uniform(-0.9, 0.9)), float(rng.uniform(0.05, 0.12)), float(rng.uniform(0.5, 1.0)))
            for _ in range(2)
        ]

    def on(self, phase: float) -> NDArray[np.float32]:
        """(H, W, 3) float32, what colours are multiplied with."""
        swing = sum(size * math.sin(2 * math.pi * turns * phase + at) for turns, at, size in self._swings)
        start, depth, side = self._passer
        walked = ((phase - start) % 1.0) * 7 - 3.5
        passer = depth * np.exp(-(((self._x + 0.25 * self._y - side * walked) / 0.42) ** 2))
        warm = np.array([1 - 0.05 * swing * 4, 1.0, 1 + 0.05 * swing * 4], np.float32)
        coarse = (self._still - passer)[:, :, None] * (self._level * (1 + swing)) * self._tint * warm
        return self._fine(coarse)

    def flashes(self, phase: float) -> NDArray[np.float32]:
        """(H, W) float32, how much of a surface's gloss is seen."""
        flash = np.zeros_like(self._still) + sum(
            strength * np.exp(-(((self._x + 0.15 * self._y - at) / width) ** 2)) for at, width, strength in self._strips
        )
        flash = flash * (0.8 + 0.2 * math.sin(2 * math.pi * phase))
        return self._fine(flash)

    def _fine(self, coarse: NDArray[Any]) -> NDArray[np.float32]:
        resized = cv2.resize(coarse.astype(np.float32), self._size, interpolation=cv2.INTER_LINEAR)
        return np.asarray(resized, np.float32)
