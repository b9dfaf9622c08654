"""What stands still around the belt: the floor, the frame with its rails and rollers, the light on it all."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.float32]
"""(H, W, 3) float32 BGR, 0..1."""


@dataclass(frozen=True, slots=True)
class Roller:
    """The end of a roller's axle in the near rail.

    Attributes:
        x: Of its middle, pixels.
        y: Of its middle, pixels.
        radius: Pixels.
        turns: Sixths of a turn in a loop: a hexagonal axle then looks at the end as it did at the start.
    """

    x: float
    y: float
    radius: float
    turns: int

    def draw(self, picture: NDArray[np.uint8], phase: float) -> None:
        """Draws the axle as it stands at that part (0..1) of the loop."""
        angles = (phase * self.turns + np.arange(6)) * math.pi / 3
        for reach, tone in ((0.62, 60), (0.52, 168)):
            corners = (
                np.array([self.x, self.y]) + np.stack([np.cos(angles), np.sin(angles)], axis=1) * self.radius * reach
            )
            cv2.fillPoly(picture, [np.round(corners * 16).astype(np.int32)], (tone, tone, tone), cv2.LINE_AA, 4)
        mark = np.array([self.x, self.y]) + np.array([np.cos(angles[0]), np.sin(angles[0])]) * self.radius * 0.26
        cv2.circle(picture, _sixteenths(*mark), round(self.radius * 2), (40, 40, 40), -1, cv2.LINE_AA, 4)


def make_rollers(
    width: int, quad: NDArray[np.float32], turns: int, rng: np.random.Generator
) -> tuple[tuple[Roller, ...], NDArray[np.float32]]:
    """The rollers' ends in the near rail, and (width,) float32 how much lighter the belt is where it runs over them."""
    (right_x, right_y), (left_x, left_y) = quad[2].astype(float), quad[3].astype(float)
    spacing = float(rng.uniform(0.30, 0.38)) * width
    offset = float(rng.uniform(0.05, 0.3)) * width
    middles = [offset + step * spacing for step in range(-1, 5)]
    x = np.arange(width, dtype=np.float32)
    hump = sum(
        np.exp(-(((x - at) / (0.045 * width)) ** 2)) - 0.6 * np.exp(-(((x - at - 0.07 * width) / (0.05 * width)) ** 2))
        for at in middles
    )
    rollers = tuple(
        Roller(at, left_y + (at - left_x) / (right_x - left_x) * (right_y - left_y) + 14.5, 10.5, turns)
        for at in middles
        if -20 < at < width + 20
    )
    return rollers, (0.055 * np.asarray(hump)).astype(np.float32)


def make_surroundings(
    width: int, height: int, quad: NDArray[np.float32], rollers: tuple[Roller, ...], rng: np.random.Generator
) -> Picture:
    """The picture without the belt.

    Args:
        width: Pixels.
        height: Pixels.
        quad: (4, 2) corners of the belt: far left, far right, near right, near left; may lie outside the picture.
        rollers: Whose bearings are in the near rail.
        rng: For colours, stains and where things stand.
    """
    picture = _floor(width, height, rng)
    far_left, far_right, near_right, near_left = quad.astype(np.float64)
    _rail(picture, far_left, far_right, thick=20, toward=-1, rng=rng)
    _rail(picture, near_left, near_right, thick=30, toward=1, rng=rng)
    for roller in rollers:
        for size, tone in ((1.15, 0.10), (1.0, 0.36), (0.84, 0.20), (0.76, 0.30)):
            middle, radius = _sixteenths(roller.x, roller.y), round(roller.radius * size * 16)
            cv2.circle(picture, middle, radius, (tone * 1.02, tone, tone * 0.96), -1, cv2.LINE_AA, 4)
    return picture


def _floor(width: int, height: int, rng: np.random.Generator) -> Picture:
    tone = np.array([0.40, 0.42, 0.43], np.float32) * rng.uniform(0.7, 1.1)
    noise: NDArray[Any] = np.zeros((height, width), np.float32) + sum(
        cv2.resize(
            rng.standard_normal((height // size + 2, width // size + 2)).astype(np.float32),
            (width, height),
            interpolation=cv2.INTER_CUBIC,
        )
        * strength
        for size, strength in ((97, 0.07), (31, 0.05), (11, 0.04), (3, 0.05))
    )
    floor = tone[None, None, :] * (1 + noise)[:, :, None]
    # A painted safety line, out of focus.
    line = np.array([0.12, 0.55, 0.68], np.float32) * rng.uniform(0.6, 1.0)
    y = float(rng.uniform(8, 26))
    mask = np.zeros((height, width), np.float32)
    cv2.line(mask, (-20, round(y)), (width + 20, round(y + rng.uniform(-9, 9))), 1.0, 9, cv2.LINE_AA)
    mask = np.asarray(cv2.GaussianBlur(mask, (0, 0), 2.2)[:, :, None] * 0.8, np.float32)
    floor = floor * (1 - mask) + line * mask
    # A leg of the frame and its shadow, at the near side.
    x = round(rng.uniform(0.1, 0.9) * width)
    cv2.rectangle(floor, (x - 14, height - 40), (x + 14, height), (0.10, 0.10, 0.11), -1)
    return np.asarray(cv2.GaussianBlur(floor.astype(np.float32), (0, 0), 1.8), np.float32)


def _rail(
    picture: Picture,
    left: NDArray[np.float64],
    right: NDArray[np.float64],
    *,
    thick: float,
    toward: int,
    rng: np.random.Generator,
) -> None:
    """An aluminium profile along an edge of the belt, with its groove, its bolts and a dark gap to the belt."""
    height, width = picture.shape[:2]
    x = np.arange(width, dtype=np.float32)
    edge = left[1] + (x - left[0]) / (right[0] - left[0]) * (right[1] - left[1])
    depth = (np.arange(height, dtype=np.float32)[:, None] - edge[None, :]) * toward
    depth = depth.astype(np.float32)
    across = depth / thick
    brushed = cv2.GaussianBlur(rng.standard_normal((height, width)).astype(np.float32), (0, 0), sigmaX=14, sigmaY=0.4)
    stops = [-0.06, 0.0, 0.06, 0.14, 0.22, 0.40, 0.44, 0.56, 0.60, 0.86, 0.93, 1.0]
    tones = [0.03, 0.03, 0.30, 0.74, 0.60, 0.56, 0.16, 0.13, 0.52, 0.48, 0.66, 0.22]
    tone = np.interp(across, stops, tones).astype(np.float32) * (1 + 0.35 * brushed)
    tint = np.array([1.0, 0.985, 0.95], np.float32) * rng.uniform(0.85, 1.05)
    mask = np.clip(np.minimum(depth + 1.2, thick - depth + 0.5), 0, 1)[:, :, None]
    # Its shadow on the floor behind it.
    shade = np.exp(-np.clip(depth - thick, 0, None) / (thick * 0.5)) * (depth > 0) * 0.6
    picture *= (1 - shade)[:, :, None]
    picture[:] = picture * (1 - mask) + tone[:, :, None] * tint * mask
    spacing = rng.uniform(110, 150)
    offset = rng.uniform(0, spacing)
    for step in range(-1, math.ceil(width / spacing) + 1):
        at = offset + step * spacing
        row = float(np.interp(at, x, edge)) + toward * thick * 0.73
        _bolt_head(picture, at, row, thick * 0.13, rng)


def _bolt_head(picture: Picture, x: float, y: float, radius: float, rng: np.random.Generator) -> None:
    """A socket screw, drawn twice as large as the pixels allow and blurred by its edge."""
    turn = float(rng.uniform(0, math.pi / 3))
    for size, tone in ((1.35, 0.14), (1.0, 0.58), (0.9, 0.42)):
        cv2.circle(picture, _sixteenths(x, y), round(radius * size * 16), (tone, tone, tone), -1, cv2.LINE_AA, 4)
    angles = turn + np.arange(6) * math.pi / 3
    corners = np.stack([x + np.cos(angles) * radius * 0.5, y + np.sin(angles) * radius * 0.5], axis=1)
    cv2.fillPoly(picture, [np.round(corners * 16).astype(np.int32)], (0.07, 0.07, 0.07), cv2.LINE_AA, 4)


def _sixteenths(x: float, y: float) -> tuple[int, int]:
    """Pixels as OpenCV's drawing takes them with `shift=4`."""
    return round(x * 16), round(y * 16)
