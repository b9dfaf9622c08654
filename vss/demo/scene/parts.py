"""The parts on the belt, each as a height map: what it covers, and how high it stands above the belt.

A height map is all that `shading.py` needs to make metal of it, so a new kind of part is one function here.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

CLASSES = ("gear", "bolt", "nut", "bracket", "washer")

# Shapes are drawn this much larger than they appear, and made smaller at the end: that is their antialiasing.
OVERSAMPLING = 3
# Room around a part for its shadow, belt pixels.
_MARGIN = 14

Plane = NDArray[np.float32]
"""(H, W) float32."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A part lying on the belt, seen from above.

    Attributes:
        cover: (S, S) float32, 0..1, how much of each pixel it covers, oversampled.
        height: (S, S) float32, pixels above the belt, oversampled as well.
        grain: Direction in which its surface was ground, radians; None when it was not.
    """

    cover: Plane
    height: Plane
    grain: float | None


def draw_shape(name: str, rng: np.random.Generator) -> Shape:
    """A part of the class with its own size, proportions and rotation."""
    return _SHAPES[name](rng)


class _Canvas:
    """A square to draw on in units of belt pixels with the origin in its middle, turned by an angle."""

    def __init__(self, reach: float, angle: float) -> None:
        self.half = math.ceil((reach + _MARGIN) * OVERSAMPLING)
        self.angle = angle
        side = 2 * self.half
        offsets = (np.arange(side, dtype=np.float32) - self.half + 0.5) / OVERSAMPLING
        cos, sin = math.cos(angle), math.sin(angle)
        self.along = offsets[None, :] * cos + offsets[:, None] * sin
        self.across = -offsets[None, :] * sin + offsets[:, None] * cos
        self.radius = np.hypot(self.along, self.across)

    def polygon(self, points: NDArray[np.float64]) -> NDArray[np.uint8]:
        """A filled polygon; points (N, 2) as along, across."""
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        turned = points @ np.array([[cos, sin], [-sin, cos]])
        mask = np.zeros((2 * self.half, 2 * self.half), np.uint8)
        pixels = np.round((turned * OVERSAMPLING + self.half) * 16).astype(np.int32)
        cv2.fillPoly(mask, [pixels], 255, cv2.LINE_AA, shift=4)
        return mask

    def disc(self, radius: float, along: float = 0.0, across: float = 0.0) -> NDArray[np.uint8]:
        """A filled disc."""
        distance = np.hypot(self.along - along, self.across - across)
        cover: NDArray[np.uint8] = (np.clip((radius - distance) * OVERSAMPLING + 0.5, 0, 1) * 255).astype(np.uint8)
        return cover


def _plate(mask: NDArray[Any], thickness: float, bevel: float) -> Plane:
    """Height of a flat piece whose edges fall off over `bevel` pixels."""
    inside = cv2.distanceTransform((mask > 127).astype(np.uint8), cv2.DIST_L2, 5) / OVERSAMPLING
    slope = np.clip(inside / bevel, 0, 1)
    height: Plane = (thickness * np.sqrt(1 - (1 - slope) ** 2)).astype(np.float32)
    return height


def _shape(mask: NDArray[Any], height: NDArray[Any], grain: float | None) -> Shape:
    return Shape((mask / np.float32(255)).astype(np.float32), height.astype(np.float32), grain)


def _without(mask: NDArray[Any], hole: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.subtract(mask, hole), np.uint8)


def _ring(sides: int, radius: float, turn: float = 0.0) -> NDArray[np.float64]:
    angles = turn + np.arange(sides) * 2 * math.pi / sides
    return np.stack([np.cos(angles), np.sin(angles)], axis=1) * radius


def _gear(rng: np.random.Generator) -> Shape:
    radius = rng.uniform(25, 34)
    teeth = int(rng.integers(14, 23))
    depth = 0.15 * radius
    canvas = _Canvas(radius, rng.uniform(0, 2 * math.pi))
    # Four corners a tooth: foot, tip, tip, foot.
    phase = np.array([-0.32, -0.16, 0.16, 0.32])
    radii = np.array([radius - depth, radius, radius, radius - depth])
    angles = (np.arange(teeth)[:, None] + phase[None, :]).ravel() * 2 * math.pi / teeth
    outline = np.stack([np.cos(angles), np.sin(angles)], axis=1) * np.tile(radii, teeth)[:, None]
    mask = canvas.polygon(outline)
    bore, hub, rim = radius * rng.uniform(0.16, 0.22), radius * 0.38, radius * 0.68
    mask = _without(mask, canvas.disc(bore))
    height = _plate(mask, 7.0, 1.4)
    spokes = int(rng.integers(0, 3)) * 3
    # Between hub and rim the web lies lower, and may be pierced.
    web = (canvas.radius > hub) & (canvas.radius < rim)
    height = np.where(web, np.minimum(height, 3.6), height).astype(np.float32)
    for along, across in _ring(spokes, (hub + rim) / 2) if spokes else ():
        hole = canvas.disc((rim - hub) * 0.42, along, across)
        mask = _without(mask, hole)
    height = np.where(mask > 127, height, 0).astype(np.float32)
    return _shape(mask, cv2.GaussianBlur(height, (0, 0), 0.9), grain=None)


def _bolt(rng: np.random.Generator) -> Shape:
    shaft = rng.uniform(34, 50)
    thick = rng.uniform(5.0, 6.6)
    head_long, head_half = thick * 1.35, thick * 1.95
    reach = (shaft + head_long) / 2
    canvas = _Canvas(reach + 2, rng.uniform(0, 2 * math.pi))
    start, neck = -reach, -reach + head_long
    end = reach
    tip = thick * 0.45
    body = canvas.polygon(
        np.array(
            [
                [neck - 1, -thick],
                [end - tip, -thick],
                [end, -thick * 0.6],
                [end, thick * 0.6],
                [end - tip, thick],
                [neck - 1, thick],
            ]
        )
    )
    chamfer = head_half * 0.16
    head = canvas.polygon(
        np.array(
            [
                [start + chamfer, -head_half],
                [neck, -head_half],
                [neck, head_half],
                [start + chamfer, head_half],
                [start, head_half * 0.72],
                [start, -head_half * 0.72],
            ]
        )
    )
    round_body = np.sqrt(np.clip(thick**2 - canvas.across**2, 0, None)) + thick * 0.4
    # Threads run round the shaft at a slight slant, from some way behind the head.
    pitch = rng.uniform(2.3, 3.0)
    threaded = np.clip((canvas.along - (neck + shaft * rng.uniform(0.05, 0.35))) / 2, 0, 1)
    threads = np.cos(2 * math.pi * (canvas.along + 0.16 * canvas.across) / pitch)
    height = np.where(body > 127, round_body + 0.42 * threads * threaded, 0)
    # A hexagonal head on its side: one facet up, one falling off to either side.
    facet = np.interp(np.abs(canvas.across), [0, head_half * 0.5, head_half], [1.0, 1.0, 0.45]) * head_half
    height = np.where(head > 127, facet, height).astype(np.float32)
    return _shape(cv2.max(body, head), cv2.GaussianBlur(height, (0, 0), 0.8), grain=canvas.angle)


def _nut(rng: np.random.Generator) -> Shape:
    radius = rng.uniform(15, 20)
    canvas = _Canvas(radius, rng.uniform(0, 2 * math.pi))
    mask = canvas.polygon(_ring(6, radius))
    bore = radius * rng.uniform(0.46, 0.54)
    mask = _without(mask, canvas.disc(bore))
    height = _plate(mask, 7.5, 1.0)
    # Corners are turned off at 30 degrees, and the bore is countersunk.
    height = np.minimum(height, 7.5 - np.clip(canvas.radius - radius * 0.86, 0, None) * 0.9)
    height = np.minimum(height, 5.0 + np.clip(canvas.radius - bore, 0, None) * 1.1)
    height = np.where(mask > 127, height, 0).astype(np.float32)
    return _shape(mask, cv2.GaussianBlur(height, (0, 0), 0.8), grain=rng.uniform(0, math.pi))


def _bracket(rng: np.random.Generator) -> Shape:
    long, short, wide = rng.uniform(52, 66), rng.uniform(34, 44), rng.uniform(15, 19)
    canvas = _Canvas(math.hypot(long, short) / 2 + 2, rng.uniform(0, 2 * math.pi))
    left, top = -long / 2, -short / 2
    sign = rng.choice([-1.0, 1.0])
    outline = np.array(
        [
            [left, top],
            [left + long, top],
            [left + long, top + wide],
            [left + wide, top + wide],
            [left + wide, top + short],
            [left, top + short],
        ]
    ) * np.array([1.0, sign])
    corners = canvas.polygon(outline)
    # Rounded corners: shrink and grow again.
    size = 2 * round(4 * OVERSAMPLING) + 1
    mask = cv2.morphologyEx(corners, cv2.MORPH_OPEN, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)))
    hole = wide * rng.uniform(0.22, 0.28)
    middle = top + wide / 2
    for along, across in (
        (left + long - wide * 0.6, middle),
        (left + long - wide * 1.7, middle),
        (left + wide / 2, top + short - wide * 0.55),
    ):
        mask = _without(mask, canvas.disc(hole, along, across * sign))
    height = _plate(mask, 3.6, 0.9)
    return _shape(mask, cv2.GaussianBlur(height, (0, 0), 0.8), grain=canvas.angle)


def _washer(rng: np.random.Generator) -> Shape:
    radius = rng.uniform(13, 19)
    canvas = _Canvas(radius, rng.uniform(0, 2 * math.pi))
    mask = _without(canvas.disc(radius), canvas.disc(radius * rng.uniform(0.46, 0.56)))
    height = _plate(mask, 2.2, 1.0)
    return _shape(mask, cv2.GaussianBlur(height, (0, 0), 0.7), grain=rng.uniform(0, math.pi))


_SHAPES: dict[str, Callable[[np.random.Generator], Shape]] = {
    "gear": _gear,
    "bolt": _bolt,
    "nut": _nut,
    "bracket": _bracket,
    "washer": _washer,
}
