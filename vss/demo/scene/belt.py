"""The belt: an endless loop of rubber with parts on it, as flat as it would be rolled out.

The belt is made once. What changes from frame to frame, which stretch of it the camera sees and under what light, is
the scene's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vss.demo.scene.parts import CLASSES, Plane, draw_shape
from vss.demo.scene.shading import FINISHES, Sprite, shade

WIDTH = 300
"""Pixels across the belt."""

_GAP = 46
# Black, slate, green and grey rubber, BGR.
_RUBBERS = ((0.19, 0.195, 0.185), (0.28, 0.25, 0.22), (0.20, 0.29, 0.17), (0.33, 0.33, 0.32))


@dataclass(frozen=True, slots=True)
class Part:
    """One part where it lies.

    Attributes:
        class_id: Index into `CLASSES`.
        outline: (N, 2) float32, x along and y across the belt, pixels; x may pass the belt's length.
        uncovered: 0..1, how much of it no other part lies on.
    """

    class_id: int
    outline: NDArray[np.float32]
    uncovered: float


@dataclass(frozen=True, slots=True)
class Belt:
    """A belt rolled out, the start repeated at its end so that any window can be cut from it.

    Attributes:
        length: Pixels until it repeats.
        surface: (WIDTH, length + window, 4) uint8: BGR under even light, and how brightly each pixel flashes.
        parts: What lies on it.
    """

    length: int
    surface: NDArray[np.uint8]
    parts: tuple[Part, ...]


def make_belt(length: int, window: int, lamp: float, rng: np.random.Generator) -> Belt:
    """A belt with parts.

    Args:
        length: Pixels until it repeats.
        window: Most that is looked at at once, pixels.
        lamp: Where light comes from, radians.
        rng: For everything.
    """
    colour = _rubber(length, rng)
    gloss = np.full((WIDTH, length), 0.03, np.float32)
    owner = np.full((WIDTH, length), -1, np.int32)
    laid: list[tuple[int, Sprite, int, int]] = []
    for x, y in _places(length, rng):
        class_id = int(rng.integers(len(CLASSES)))
        name = CLASSES[class_id]
        finish = FINISHES[name][int(rng.integers(len(FINISHES[name])))]
        sprite = shade(draw_shape(name, rng), finish, lamp, rng)
        half = sprite.cover.shape[0] // 2
        y = int(np.clip(y, half - 8, WIDTH - half + 8))
        _lay(colour, gloss, owner, sprite, x - half, y - half, len(laid))
        laid.append((class_id, sprite, x - half, y - half))
    parts = tuple(_part(*entry, number, owner, length) for number, entry in enumerate(laid))
    surface = np.dstack([colour, gloss[:, :, None]])
    whole = np.concatenate([surface, surface[:, :window]], axis=1) if window <= length else np.tile(surface, (1, 3, 1))
    return Belt(length, (np.clip(whole, 0, 1) * 255).astype(np.uint8), parts)


def _rubber(length: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """(WIDTH, length, 3): fabric pressed into rubber, worn along the way of travel, dusty, stained, with one splice."""
    base = np.array(_RUBBERS[int(rng.integers(len(_RUBBERS)))], np.float32) * rng.uniform(0.85, 1.2)
    x = np.arange(length, dtype=np.float32)[None, :]
    y = np.arange(WIDTH, dtype=np.float32)[:, None]
    pitch = length / round(length / 5)
    weave = 0.035 * np.sin(2 * math.pi * (x / pitch + y / 5)) + 0.035 * np.sin(2 * math.pi * (x / pitch - y / 5))
    wear = cv2.GaussianBlur(rng.standard_normal((WIDTH, 1), dtype=np.float32), (0, 0), 1.2) * 0.07
    grain = rng.standard_normal((WIDTH, length), dtype=np.float32) * 0.05
    dust = sum(_blotches(length, size, rng) * share for size, share in ((90, 0.06), (37, 0.05), (15, 0.035), (6, 0.03)))
    brightness = 1 + weave + wear + grain + dust
    # The middle is polished by what it carried.
    brightness += 0.10 * np.exp(-(((y - WIDTH / 2) / (WIDTH * 0.3)) ** 2))
    for _ in range(int(rng.integers(4, 9))):
        _scratch(brightness, length, rng)
    _splice(brightness, int(rng.integers(length)), length)
    rubber = base[None, None, :] * brightness[:, :, None]
    spots = _blotches(length, 60, rng) + 0.6 * _blotches(length, 23, rng) + 0.4 * _blotches(length, 9, rng)
    dusty = np.clip(spots - 1.0, 0, 1.5)[:, :, None]
    colour: NDArray[np.float32] = rubber + dusty * np.array([0.055, 0.062, 0.066], np.float32)
    return colour


def _blotches(length: int, size: int, rng: np.random.Generator) -> Plane:
    """Smooth noise of unit spread that repeats after `length`."""
    rows, columns = max(3, WIDTH // size), max(3, length // size)
    coarse = rng.standard_normal((rows, columns), dtype=np.float32)
    wrapped = np.concatenate([coarse[:, -2:], coarse, coarse[:, :2]], axis=1)
    pad = round(2 * length / columns)
    fine = cv2.resize(wrapped, (length + 2 * pad, WIDTH), interpolation=cv2.INTER_CUBIC)
    return np.asarray(fine[:, pad : pad + length], np.float32)


def _scratch(brightness: Plane, length: int, rng: np.random.Generator) -> None:
    start, y = int(rng.integers(length)), float(rng.uniform(10, WIDTH - 10))
    long, drift = int(rng.integers(60, 320)), float(rng.uniform(-0.04, 0.04))
    along = np.arange(long)
    rows = np.clip(y + drift * along, 0, WIDTH - 1).astype(int)
    brightness[rows, (start + along) % length] += float(rng.uniform(0.12, 0.3))


def _splice(brightness: Plane, start: int, length: int) -> None:
    """Where the belt's ends were joined: a slanted seam."""
    rows = np.arange(WIDTH)
    for offset, change in ((-1, 0.16), (0, -0.4), (1, -0.4), (2, -0.16)):
        brightness[rows, (start + offset + (rows * 0.35).astype(int)) % length] += change


def _places(length: int, rng: np.random.Generator) -> list[tuple[int, int]]:
    """Middles of parts, most of them apart, some so close that one lies partly on another."""
    wanted = round(length / 1000 * rng.uniform(17, 28))
    places: list[tuple[int, int]] = []
    for _ in range(wanted * 12):
        if len(places) == wanted:
            break
        x, y = int(rng.integers(length)), int(rng.integers(24, WIDTH - 24))
        gap = _GAP * (0.62 if rng.random() < 0.25 else 1.35)
        if all(math.hypot((x - a + length / 2) % length - length / 2, y - b) > gap for a, b in places):
            places.append((x, y))
    return places


def _lay(colour: Plane, gloss: Plane, owner: NDArray[np.int32], sprite: Sprite, x: int, y: int, number: int) -> None:
    """Puts a part on the belt, over the belt's seam where it lies there."""
    side, length = sprite.cover.shape[0], colour.shape[1]
    columns = np.arange(x, x + side) % length
    first, last = max(0, y), min(WIDTH, y + side)
    rows = slice(first - y, last - y)
    where = np.ix_(np.arange(first, last), columns)
    cover, shadow = sprite.cover[rows], sprite.shadow[rows]
    lit = colour[where] * (1 - shadow * (1 - cover))[:, :, None]
    colour[where] = lit * (1 - cover)[:, :, None] + sprite.colour[rows] * cover[:, :, None]
    gloss[where] = gloss[where] * (1 - shadow) * (1 - cover) + sprite.gloss[rows] * cover
    owner[where] = np.where(cover > 0.5, number, owner[where])


def _part(class_id: int, sprite: Sprite, x: int, y: int, number: int, owner: NDArray[np.int32], length: int) -> Part:
    mask = (sprite.cover > 0.5).astype(np.uint8)
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    points = np.concatenate([contour.reshape(-1, 2) for contour in contours]).astype(np.float32)
    hull = cv2.convexHull(points).reshape(-1, 2)
    # Contours run through pixel centres, half a pixel inside the edge.
    middle = hull.mean(axis=0)
    hull = hull + np.sign(hull - middle) * 0.5 + 0.5 + np.array([x % length, y], np.float32)
    left = int((owner == number).sum())
    return Part(class_id, hull.astype(np.float32), min(1.0, left / max(1, int(mask.sum()))))
