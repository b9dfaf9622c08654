"""A made-up but real-looking fixed camera over a conveyor belt, with the truth about every part it shows.

Everything follows from the seed. A frame is a function of its number alone, and the last frame of a loop leads into its
first, so a clip of one loop can run for ever.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vss.demo.scene.belt import WIDTH, Belt, make_belt
from vss.demo.scene.light import Light
from vss.demo.scene.parts import CLASSES
from vss.demo.scene.surroundings import make_rollers, make_surroundings

Frame = NDArray[np.uint8]
"""(H, W, 3) uint8 BGR."""


@dataclass(frozen=True, slots=True)
class TrueObject:
    """A part in a frame.

    Attributes:
        class_: One of `CLASSES`.
        bbox: x1, y1, x2, y2 in pixels, cut at the frame's edges.
        visible: 0..1, how much of it is inside the frame and not below another part.
    """

    class_: str
    bbox: tuple[float, float, float, float]
    visible: float


@dataclass(frozen=True, slots=True)
class _View:
    """Where the camera stands: the same for all frames of a scene."""

    quad: NDArray[np.float32]
    window: int
    homography: NDArray[np.float64]


class Scene:
    """One camera over one belt.

    Args:
        seed: Decides belt, parts, light and camera.
        width: Pixels of a frame.
        height: Pixels of a frame.
        fps: Frames a second.
        loop_s: Seconds until the scene repeats.
    """

    def __init__(
        self, seed: int, *, width: int = 640, height: int = 384, fps: float = 15.0, loop_s: float = 12.0
    ) -> None:
        rng = np.random.default_rng([seed, 0xBE17])
        self.width, self.height = width, height
        self.frames_in_loop = max(1, round(loop_s * fps))
        self._seed = seed
        self._view = _view(width, height, rng)
        speed = float(rng.uniform(75, 120))
        length = max(self._view.window, round(speed * loop_s))
        self._lamp = float(rng.uniform(0, 2 * math.pi))
        self._belt: Belt = make_belt(length, self._view.window, self._lamp, rng)
        # A roller of 14 pixels' radius turns as fast as the belt runs.
        turns = round(length / (2 * math.pi * 14) * 6)
        self._rollers, humps = make_rollers(width, self._view.quad, turns, rng)
        still = make_surroundings(width, height, self._view.quad, self._rollers, rng)
        self._still = (np.clip(still, 0, 1) * 255).astype(np.uint8)
        self._belt_weight = self._belt_cover()
        self._light = Light(width, height, humps, rng)
        # Sensor noise is drawn once, larger than a frame; each frame takes another piece of it.
        self._noise = (
            rng.standard_normal((height + 64, width + 64, 3), dtype=np.float32) * rng.uniform(2.0, 4.0)
        ).astype(np.int16)
        self._blur = float(rng.uniform(0.55, 0.8))

    def frame(self, number: int) -> tuple[Frame, list[TrueObject]]:
        """The frame of that number (any integer; it repeats after `frames_in_loop`) and what it shows."""
        number %= self.frames_in_loop
        rng = np.random.default_rng([self._seed, 0xF2A3E, number])
        phase = number / self.frames_in_loop
        homography, start = self._at(phase, rng)
        return self._draw(phase, homography, start, rng), self._truth(homography, start)

    def _at(self, phase: float, rng: np.random.Generator) -> tuple[NDArray[np.float64], int]:
        """Belt pixels, counted from `start`, to the frame's, with the shake of the machine in it."""
        # The belt runs from left to right, so the window goes the other way.
        position = (1 - phase) % 1.0 * self._belt.length
        start = int(position)
        shift = np.eye(3)
        shift[0, 2] = -(position - start)
        shake = np.eye(3)
        shake[:2, 2] = rng.normal(0, 0.18, 2)
        return shake @ self._view.homography @ shift, start

    def _draw(self, phase: float, homography: NDArray[np.float64], start: int, rng: np.random.Generator) -> Frame:
        window = self._belt.surface[:, start : start + self._view.window]
        size = (self.width, self.height)
        seen = cv2.warpPerspective(window, homography, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        colour = np.ascontiguousarray(seen[:, :, :3])
        gloss = np.ascontiguousarray(seen[:, :, 3])
        blended = cv2.blendLinear(colour, self._still, self._belt_weight, 1 - self._belt_weight)
        picture = np.asarray(blended, np.uint8)
        for roller in self._rollers:
            roller.draw(picture, phase)
        lit = cv2.multiply(picture, self._light.on(phase), dtype=cv2.CV_8U)
        flash = cv2.multiply(gloss, self._light.flashes(phase), dtype=cv2.CV_8U)
        lit = cv2.add(lit, cv2.merge([flash, flash, flash]))
        soft = cv2.GaussianBlur(lit, (3, 3), self._blur)
        y, x = (int(value) for value in rng.integers(0, 64, 2))
        noisy = cv2.add(soft, self._noise[y : y + self.height, x : x + self.width], dtype=cv2.CV_8U)
        return np.asarray(noisy, np.uint8)

    def _truth(self, homography: NDArray[np.float64], start: int) -> list[TrueObject]:
        objects = []
        for part in self._belt.parts:
            # It may be seen before the seam, behind it, or both.
            for lap in (-1, 0, 1):
                outline = part.outline + np.array([lap * self._belt.length - start, 0], np.float32)
                if outline[:, 0].max() < 0 or outline[:, 0].min() > self._view.window:
                    continue
                points = cv2.perspectiveTransform(outline[None].astype(np.float64), homography)[0]
                if (found := self._seen(points)) is not None:
                    box, inside = found
                    objects.append(TrueObject(CLASSES[part.class_id], box, inside * part.uncovered))
        return objects

    def _seen(self, points: NDArray[np.float64]) -> tuple[tuple[float, float, float, float], float] | None:
        """The box of an outline cut to the frame and the share of the box that is left; None when nothing is."""
        (x1, y1), (x2, y2) = points.min(axis=0), points.max(axis=0)
        left, top = max(0.0, float(x1)), max(0.0, float(y1))
        right, bottom = min(float(self.width), float(x2)), min(float(self.height), float(y2))
        if right - left < 2 or bottom - top < 2:
            return None
        return (left, top, right, bottom), (right - left) * (bottom - top) / float((x2 - x1) * (y2 - y1))

    def _belt_cover(self) -> NDArray[np.float32]:
        """(H, W) float32, 1 where the belt is."""
        mask = np.zeros((self.height, self.width), np.uint8)
        cv2.fillConvexPoly(mask, np.round(self._view.quad * 16).astype(np.int32), 255, cv2.LINE_AA, 4)
        return (mask / np.float32(255)).astype(np.float32)


def _view(width: int, height: int, rng: np.random.Generator) -> _View:
    """A camera above the belt that looks a little across it: the far edge is smaller."""
    far, near = rng.uniform(0.17, 0.23) * height, rng.uniform(0.84, 0.90) * height
    tilt = rng.uniform(-5, 5)
    window = round(WIDTH * width / (near - far) * 1.16)
    shrink = rng.uniform(0.05, 0.09) * width
    # Wider than the picture, so that parts come in and go out at its edges.
    left, right = -0.07 * width, 1.07 * width
    quad = np.array(
        [
            [left + shrink * 0.6, far - tilt],
            [right - shrink * 0.6, far + tilt],
            [right + shrink * 0.6, near + tilt],
            [left - shrink * 0.6, near - tilt],
        ],
        np.float32,
    )
    flat = np.array([[0, 0], [window, 0], [window, WIDTH], [0, WIDTH]], np.float32)
    return _View(quad, window, np.asarray(cv2.getPerspectiveTransform(flat, quad), np.float64))
