"""Preprocessing as the formulas say it, in doubles and without a library of images: what ours must equal."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def antialiased(image: NDArray[np.uint8], width: int, height: int) -> NDArray[np.float64]:
    """Pillow's bilinear scaling, which torchvision uses: a triangle over all pixels below it. Shape (h, w, 3)."""
    down, across = _triangles(image.shape[0], height), _triangles(image.shape[1], width)
    result: NDArray[np.float64] = np.einsum("ij,jkc,lk->ilc", down, image.astype(np.float64), across, optimize=True)
    return result


def prepared(
    image: NDArray[np.uint8],
    side: int,
    resize: int,
    *,
    mean: tuple[float, float, float] = IMAGENET_MEAN,
    std: tuple[float, float, float] = IMAGENET_STD,
) -> NDArray[np.float64]:
    """Of a BGR picture torchvision's `Resize`, `CenterCrop`, `ToTensor` and `Normalize`, RGB. Shape (3, side, side)."""
    height, width = image.shape[:2]
    shorter = min(width, height)
    scaled = antialiased(image, int(resize * width / shorter), int(resize * height / shorter))
    top, left = (round((length - side) / 2.0) for length in scaled.shape[:2])
    rgb = scaled[top : top + side, left : left + side, ::-1].transpose(2, 0, 1) / 255
    normal: NDArray[np.float64] = (rgb - np.array(mean)[:, None, None]) / np.array(std)[:, None, None]
    return normal


def _triangles(source: int, target: int) -> NDArray[np.float64]:
    factor = source / target
    centres = (np.arange(target) + 0.5) * factor
    away = np.abs(np.arange(source)[None] + 0.5 - centres[:, None]) / max(factor, 1.0)
    weights = np.maximum(0.0, 1.0 - away)
    normal: NDArray[np.float64] = weights / weights.sum(axis=1, keepdims=True)
    return normal
