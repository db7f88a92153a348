"""Drawing that the targets of several models share.

Maps are (N, M, H, W). Landmarks are (N, L, 2), x and y, in 0-based pixel-centre coordinates of the
map. A chain is a list of the landmarks that a boundary runs through.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alignbench.arrays import Floats, Ints

Drawn = NDArray[np.float32]
Chains = Iterable[Sequence[int]]


def to_heatmap(points: Floats, heatmap: int, crop: int) -> Floats:
    """Coordinates of a square crop as coordinates of a heatmap of it.

    The inverse of :func:`alignbench.heatmaps.to_crop`.
    """
    return (points + 0.5) * (heatmap / crop) - 0.5


def draw_lines(points: Floats, chains: Chains, size: int) -> Drawn:
    """Maps (N, M, size, size) of chains as lines of ones, one pixel wide."""
    chains = [list(chain) for chain in chains]
    # A chain of one landmark is a segment from it to itself.
    start = np.concatenate([chain[:-1] or chain for chain in chains])
    end = np.concatenate([chain[1:] or chain for chain in chains])
    boundary = np.repeat(np.arange(len(chains)), [max(len(chain) - 1, 1) for chain in chains])
    lines = np.zeros((len(points), len(chains), size, size), np.float32)
    # A line far outside would be long; what lies beyond this border is not seen.
    a, b = (np.clip(points[:, index], -size, 2 * size).reshape(-1, 2) for index in (start, end))
    # Pixels of a segment: as many steps as its longer side, so that none is left out.
    steps = np.ceil(np.abs(b - a).max(axis=1)).astype(np.int64)
    segment = np.repeat(np.arange(len(a)), steps + 1)
    first = np.cumsum(steps + 1) - (steps + 1)
    at = (np.arange(len(segment)) - first[segment]) / np.maximum(steps, 1)[segment]
    pixels = np.floor(a[segment] + at[:, None] * (b - a)[segment] + 0.5)
    face, which = np.divmod(segment, len(boundary))
    mark(lines, face * len(chains) + boundary[which], pixels)
    return lines


def mark(lines: Drawn, index: Ints, pixels: Floats) -> None:
    """Set pixels (P, 2) to 1, each in the map at place ``index`` (P,) of the N * M maps."""
    size = lines.shape[-1]
    x, y = pixels.T.astype(np.int64)
    inside = (x >= 0) & (x < size) & (y >= 0) & (y < size)
    lines.reshape(-1)[((index * size + y) * size + x)[inside]] = 1


def filter_maps(maps: Drawn, gap: int, change: Callable[[Drawn], Any]) -> Drawn:
    """Filter maps (N, M, size, size) in one call, as one tall image with gaps of zeros."""
    n, m, size, _ = maps.shape
    tall = np.zeros((n * m, size + gap, size), np.float32)
    tall[:, :size] = maps.reshape(-1, size, size)
    changed = np.asarray(change(tall.reshape(-1, size))).reshape(tall.shape)
    return np.ascontiguousarray(changed[:, :size]).reshape(maps.shape)


def fade(lines: Drawn, sigma: float) -> Drawn:
    """exp(-d^2 / 2 sigma^2) of the distance to the nearest set pixel, 0 from 3 sigma on.

    The largest value that any set pixel gives is the value at the nearest one, and the Gaussian
    is a product over the axes: two passes give the exact distance transform.
    """
    reach = int(np.ceil(3 * sigma)) - 1
    weights = np.exp(-0.5 * (np.arange(reach + 1) / sigma) ** 2).astype(np.float32)
    maps = lines
    for axis in (3, 2):
        spread = maps.copy()
        source, target = np.moveaxis(maps, axis, 0), np.moveaxis(spread, axis, 0)
        for step in range(1, reach + 1):
            faded = source * weights[step]
            np.maximum(target[step:], faded[:-step], out=target[step:])
            np.maximum(target[:-step], faded[step:], out=target[:-step])
        maps = spread
    maps[maps <= np.exp(-4.5) * (1 + 1e-6)] = 0
    return maps
