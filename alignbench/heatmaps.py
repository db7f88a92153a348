"""Decoding heatmaps (N, L, H, W) to landmarks (N, L, 2).

Landmarks are x and y in 0-based pixel-centre coordinates of the map itself; :func:`to_crop` takes
them to the crop the network saw.
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

    Newell et al., ECCV 2016, and most heatmap papers since. A peak on the border of the map stays
    where it is, on both axes; so does one between equal neighbours.
    """
    return _refine(maps, lambda before, _, after: np.sign(after - before) / 4)


def parabola(maps: Maps) -> Floats:
    """The peak of the parabola through the logarithms of the highest pixel and its neighbours.

    Each axis is treated by itself; exact for a Gaussian. This is DARK (Zhang et al., CVPR 2020)
    without its smoothing and its mixed derivative. A peak on the border of the map does not move,
    nor does one on an axis where a neighbour is not above zero.
    """

    def vertex(before: Floats, peak: Floats, after: Floats) -> Floats:
        positive = (before > 0) & (after > 0)
        left, middle, right = (
            np.log(np.where(positive, value, 1.0)) for value in (before, peak, after)
        )
        bend = 2 * middle - left - right
        flat = bend <= 0  # all three are the same
        return np.where(flat, 0.0, (right - left) / (2 * np.where(flat, 1.0, bend)))

    return _refine(maps, vertex)


def _refine(maps: Maps, shift: Callable[[Floats, Floats, Floats], Floats]) -> Floats:
    """The highest pixel, moved on each axis by a function of the values before, at and after it.

    The function takes both axes at once, x first: arrays (2, N, L), and (N, L) for the value at it.
    """
    n, landmarks, height, width = maps.shape
    flat = maps.reshape(n, landmarks, height * width)
    peak = flat.argmax(axis=2)
    y, x = np.divmod(peak, width)
    inside = (x > 0) & (x < width - 1) & (y > 0) & (y < height - 1)
    # Inside the border both neighbours exist; on it the peak is compared with itself.
    step = np.multiply.outer([1, width], inside)
    pixels = flat.reshape(-1)
    at = peak + np.arange(0, pixels.size, height * width).reshape(n, landmarks)
    values = (pixels[place].astype(np.float64) for place in (at - step, at, at + step))
    shift_x, shift_y = shift(*values)
    return np.stack([x + shift_x, y + shift_y], axis=2)


def soft_argmax(maps: Maps) -> Floats:
    """Centre of mass of each map, negative values counted as 0; the middle of an empty map."""
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
    "parabola": parabola,
    "soft-argmax": soft_argmax,
}


def to_crop(points: Floats, heatmap: int, crop: int) -> Floats:
    """Heatmap coordinates as coordinates of the square crop they were computed from.

    Pixel centres to pixel centres: a heatmap pixel covers ``crop / heatmap`` crop pixels.
    """
    stride = crop / heatmap
    return (points + 0.5) * stride - 0.5
