"""Decoding heatmaps to landmarks.

Heatmaps are (N, L, H, W). Decoded landmarks are (N, L, 2), x and y, in 0-based pixel-centre
coordinates of the heatmap itself; :func:`to_crop` takes them to the crop the network saw.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from alignbench.arrays import Floats

Maps = NDArray[np.floating]


def argmax(maps: Maps) -> Floats:
    """The highest pixel of each map; the first one, row by row, where several are highest."""
    n, landmarks, _, width = maps.shape
    peak = maps.reshape(n, landmarks, -1).argmax(axis=2)
    return np.stack([peak % width, peak // width], axis=2).astype(np.float64)


def quarter(maps: Maps) -> Floats:
    """The highest pixel, moved a quarter of a pixel towards its higher neighbour on each axis.

    Newell et al., ECCV 2016, and most heatmap papers since. A peak on the border of the map and
    equal neighbours move nothing.
    """
    n, landmarks, height, width = maps.shape
    flat = maps.reshape(n, landmarks, height * width)
    peak = flat.argmax(axis=2)
    x, y = peak % width, peak // width

    def towards(step: int, inside: NDArray[np.bool_]) -> Floats:
        # Off the border both neighbours exist; on it the peak is compared with itself.
        offset = np.where(inside, step, 0)
        after = np.take_along_axis(flat, (peak + offset)[..., None], axis=2)[..., 0]
        before = np.take_along_axis(flat, (peak - offset)[..., None], axis=2)[..., 0]
        return np.sign(after - before).astype(np.float64) / 4

    shift_x = towards(1, (x > 0) & (x < width - 1))
    shift_y = towards(width, (y > 0) & (y < height - 1))
    return np.stack([x + shift_x, y + shift_y], axis=2)


def soft_argmax(maps: Maps) -> Floats:
    """Centre of mass of each map, negative values counted as none; the middle of an empty map."""
    _, _, height, width = maps.shape
    weight = np.maximum(maps, 0).astype(np.float64)
    total = weight.sum(axis=(2, 3))
    empty = total == 0
    total = np.where(empty, 1.0, total)
    x = weight.sum(axis=2) @ np.arange(width) / total
    y = weight.sum(axis=3) @ np.arange(height) / total
    x, y = np.where(empty, (width - 1) / 2, x), np.where(empty, (height - 1) / 2, y)
    return np.stack([x, y], axis=2)


DECODERS: dict[str, Callable[[Maps], Floats]] = {
    "argmax": argmax,
    "quarter": quarter,
    "soft-argmax": soft_argmax,
}


def to_crop(points: Floats, heatmap: int, crop: int) -> Floats:
    """Heatmap coordinates as coordinates of the square crop they were computed from.

    Pixel centres to pixel centres: a heatmap pixel covers ``crop / heatmap`` crop pixels.
    """
    stride = crop / heatmap
    return (points + 0.5) * stride - 0.5
