"""Makes metal of a height map: normals, a lamp, and what a room of strip lights looks like in a polished surface."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vss.demo.scene.parts import OVERSAMPLING, Plane, Shape

Colour = NDArray[np.float32]
"""(3,) float32 BGR, 0..1."""


@dataclass(frozen=True, slots=True)
class Finish:
    """How a surface answers light.

    Attributes:
        colour: Of the metal itself.
        mirror: 0..1, how much of the room it shows.
        gloss: 0..1, how bright lamps above the belt flash in it.
        roughness: Spread of its normals, radians.
    """

    colour: Colour
    mirror: float
    gloss: float
    roughness: float


def _bgr(blue: float, green: float, red: float) -> Colour:
    return np.array([blue, green, red], np.float32)


FINISHES: dict[str, tuple[Finish, ...]] = {
    "gear": (
        Finish(_bgr(0.56, 0.56, 0.55), 0.55, 0.5, 0.10),
        Finish(_bgr(0.34, 0.35, 0.36), 0.35, 0.35, 0.14),
        Finish(_bgr(0.33, 0.58, 0.72), 0.45, 0.5, 0.10),
    ),
    "bolt": (Finish(_bgr(0.62, 0.62, 0.61), 0.6, 0.6, 0.08), Finish(_bgr(0.26, 0.26, 0.27), 0.35, 0.45, 0.1)),
    "nut": (Finish(_bgr(0.60, 0.60, 0.60), 0.6, 0.6, 0.08), Finish(_bgr(0.38, 0.64, 0.76), 0.5, 0.6, 0.08)),
    "bracket": (
        Finish(_bgr(0.66, 0.67, 0.66), 0.4, 0.35, 0.16),
        Finish(_bgr(0.47, 0.63, 0.68), 0.4, 0.4, 0.15),
        Finish(_bgr(0.55, 0.38, 0.20), 0.12, 0.25, 0.05),
    ),
    "washer": (Finish(_bgr(0.66, 0.66, 0.65), 0.55, 0.5, 0.12), Finish(_bgr(0.36, 0.50, 0.70), 0.5, 0.5, 0.1)),
}


@dataclass(frozen=True, slots=True)
class Sprite:
    """A part as it lies on the belt under the scene's lamp.

    Attributes:
        colour: (S, S, 3) float32 BGR, 0..1.
        gloss: (S, S) float32, 0..1, how brightly it flashes under a lamp.
        cover: (S, S) float32, 0..1.
        shadow: (S, S) float32, 0..1, how much of the light it takes from what lies below.
    """

    colour: NDArray[np.float32]
    gloss: Plane
    cover: Plane
    shadow: Plane


def shade(shape: Shape, finish: Finish, lamp: float, rng: np.random.Generator) -> Sprite:
    """Lights a part.

    Args:
        shape: What it is.
        finish: What it is made of.
        lamp: Direction the light comes from, radians in the picture's plane.
        rng: For scratches, stains and the grain of the surface.
    """
    normal_x, normal_y = _normals(shape, finish, rng)
    # A lamp at 50 degrees above the belt.
    light_x, light_y, light_z = math.cos(lamp) * 0.64, math.sin(lamp) * 0.64, 0.77
    normal_z = 1 / np.sqrt(1 + normal_x**2 + normal_y**2)
    diffuse = np.clip((normal_x * light_x + normal_y * light_y + light_z) * normal_z, 0, 1)
    room = _room(normal_x * normal_z, normal_y * normal_z, lamp)
    brightness = (1 - finish.mirror) * (0.25 + 0.85 * diffuse) + finish.mirror * room
    # The half vector between lamp and a camera straight above.
    half_z = math.sqrt((1 + light_z) / 2)
    half = np.clip((normal_x * light_x + normal_y * light_y) / (2 * half_z) + half_z, 0, None) * normal_z
    flash = np.clip(half, 0, 1) ** 60 * finish.gloss
    stains = _stains(shape.cover.shape[0], rng)
    colour = finish.colour[None, None, :] * (brightness * stains)[:, :, None] + flash[:, :, None] * 0.75
    gloss = np.clip(normal_z, 0, 1) ** 8 * finish.gloss * stains
    return Sprite(
        colour=_smaller(np.clip(colour, 0, 1).astype(np.float32)),
        gloss=_smaller(gloss.astype(np.float32)),
        cover=_smaller(shape.cover),
        shadow=_shadow(shape, lamp),
    )


def _normals(shape: Shape, finish: Finish, rng: np.random.Generator) -> tuple[Plane, Plane]:
    """Slopes in x and y (minus the height's gradient), roughened along the grain."""
    slope_x = -cv2.Sobel(shape.height, cv2.CV_32F, 1, 0, ksize=3) / 8 * OVERSAMPLING
    slope_y = -cv2.Sobel(shape.height, cv2.CV_32F, 0, 1, ksize=3) / 8 * OVERSAMPLING
    side = shape.cover.shape[0]
    noise = rng.standard_normal((side, side), dtype=np.float32)
    if shape.grain is None:
        noise = np.asarray(cv2.GaussianBlur(noise, (0, 0), 1.2), np.float32) * 3
        return slope_x + noise * finish.roughness, slope_y + noise[::-1] * finish.roughness
    # Grinding leaves long scratches in one direction: they tilt the surface across it.
    kernel = _line_kernel(19, shape.grain)
    noise = np.asarray(cv2.filter2D(noise, -1, kernel), np.float32) * 4
    across_x, across_y = -math.sin(shape.grain), math.cos(shape.grain)
    return slope_x + noise * finish.roughness * across_x, slope_y + noise * finish.roughness * across_y


def _line_kernel(length: int, angle: float) -> Plane:
    kernel = np.zeros((length, length), np.float32)
    middle = length // 2
    reach_x, reach_y = math.cos(angle) * middle, math.sin(angle) * middle
    cv2.line(
        kernel,
        (round(middle - reach_x), round(middle - reach_y)),
        (round(middle + reach_x), round(middle + reach_y)),
        1.0,
    )
    line: Plane = (kernel / kernel.sum()).astype(np.float32)
    return line


def _room(normal_x: Plane, normal_y: Plane, lamp: float) -> Plane:
    """Brightness of what a mirror with this normal shows: a dim hall, a light ceiling, two strip lights."""
    toward = normal_x * math.cos(lamp) + normal_y * math.sin(lamp)
    strips = np.exp(-(((toward - 0.32) / 0.10) ** 2)) * 1.25 + np.exp(-(((toward + 0.45) / 0.08) ** 2)) * 0.6
    ceiling = 0.72 + 0.35 * toward
    floor = np.clip((np.hypot(normal_x, normal_y) - 0.75) / 0.25, 0, 1)
    room: Plane = (np.clip(ceiling + strips, 0.1, 2.0) * (1 - 0.75 * floor)).astype(np.float32)
    return room


def _stains(side: int, rng: np.random.Generator) -> Plane:
    """0.8..1, oil and dust in soft blotches."""
    coarse = rng.uniform(0.8, 1.08, (7, 7)).astype(np.float32)
    stains: Plane = np.clip(cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC), 0.75, 1.08)
    return stains


def _shadow(shape: Shape, lamp: float) -> Plane:
    """Where the part keeps light from the belt: close around it, and away from the lamp as far as it is high."""
    height = float(shape.height.max()) * OVERSAMPLING
    cast = np.zeros_like(shape.cover)
    for step in range(1, 5):
        reach = height * 0.85 * step / 4
        move = np.array([[1, 0, -math.cos(lamp) * reach], [0, 1, -math.sin(lamp) * reach]], np.float32)
        shifted = cv2.warpAffine(shape.cover, move, shape.cover.shape[::-1])
        cast = np.maximum(cast, shifted * (shape.height.max() > 0))
    contact = cv2.GaussianBlur(shape.cover, (0, 0), 2.2 * OVERSAMPLING)
    soft = cv2.GaussianBlur(cast, (0, 0), 0.9 * OVERSAMPLING)
    return _smaller(np.clip(0.35 * contact + 0.42 * soft, 0, 0.72).astype(np.float32))


def _smaller(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    size = plane.shape[0] // OVERSAMPLING
    return np.asarray(cv2.resize(plane, (size, size), interpolation=cv2.INTER_AREA), np.float32)
