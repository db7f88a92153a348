"""Drawing the targets a network is trained on: heatmaps (N, L, H, W), boundary maps (N, M, H, W).

Landmarks are (N, L, 2), x and y, in 0-based pixel-centre coordinates of the map itself;
:func:`to_heatmap` takes them there from the crop. A chain is a list of landmarks that a boundary
runs through.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from alignbench.arrays import Bools, Floats, Ints

Drawn = NDArray[np.float32]
Chains = Iterable[Sequence[int]]

WINDOW = 7
"""Side, in pixels, of the window a landmark is drawn in."""


def to_heatmap(points: Floats, heatmap: int, crop: int) -> Floats:
    """Coordinates of a square crop as coordinates of a heatmap of it.

    The inverse of :func:`alignbench.heatmaps.to_crop`.
    """
    return (points + 0.5) * (heatmap / crop) - 0.5


def gaussians(points: Floats, size: int, sigma: float = 1.75, *, subpixel: bool = False) -> Drawn:
    """Landmark targets (N, L, size, size): a Gaussian of peak 1 in a window of 7 x 7 pixels.

    As AWing's code draws them, whose sigma of 1.75 pixels of a 64 x 64 map is the default. The
    middle of the Gaussian is the pixel that holds the landmark, or with ``subpixel`` the landmark
    itself, so that a decoder can find it to a fraction of a pixel. A window that leaves the map
    is cut off; a landmark far outside leaves an empty map.
    """
    pixel, ((rows, inside_y), (columns, inside_x)) = _windows(points, size)
    offset = points - pixel if subpixel else np.zeros((1, 1, 2))
    reach = np.arange(WINDOW) - WINDOW // 2
    profile = np.exp(-0.5 * ((reach - offset[..., None]) / sigma) ** 2).astype(np.float32)
    values = profile[..., 1, :, None] * profile[..., 0, None, :]
    maps = np.zeros((*points.shape[:2], size, size), np.float32)
    where = rows[..., :, None] * size + columns[..., None, :]
    where += np.arange(maps.shape[0] * maps.shape[1]).reshape(*points.shape[:2], 1, 1) * size**2
    inside = inside_y[..., :, None] & inside_x[..., None, :]
    flat = maps.reshape(-1)
    if inside.all():
        flat[where] = values
    else:
        flat[where[inside]] = np.broadcast_to(values, where.shape)[inside]
    return maps


def _windows(points: Floats, size: int) -> tuple[Floats, list[tuple[Ints, Bools]]]:
    """The pixel that holds each point, and the rows and columns around it with which are there."""
    # Far points stay far, but whole numbers.
    pixel = np.floor(np.clip(points, -size, 2 * size) + 0.5)
    around = pixel.astype(np.int64)[..., None] + (np.arange(WINDOW) - WINDOW // 2)
    there = (around >= 0) & (around < size)
    return pixel, [(around[..., axis, :], there[..., axis, :]) for axis in (1, 0)]


def blurred_boundaries(points: Floats, chains: Chains, size: int, sigma: float = 1.0) -> Drawn:
    """PropNet's boundary targets (N, M, size, size).

    Straight segments between consecutive landmarks of each chain, one pixel wide, blurred by a
    Gaussian and divided by their maximum, so that the ridge is 1. (The paper says segments and
    Gaussian; the width, sigma and scale are ours.)
    """
    maps = _blur(_drawn(points, chains, size), sigma)
    maps /= np.maximum(maps.max(axis=(2, 3), keepdims=True), np.finfo(np.float32).tiny)
    return maps


def distance_boundaries(points: Floats, chains: Chains, size: int, sigma: float = 1.0) -> Drawn:
    """LAB's boundary targets (N, M, size, size).

    ``exp(-d^2 / 2 sigma^2)`` of the distance d to the boundary's pixels, 0 from 3 sigma on; a
    boundary of one landmark is a disc of radius 2.
    """
    chains = [list(chain) for chain in chains]
    lines = _drawn(points, chains, size)
    if dots := [k for k, chain in enumerate(chains) if len(chain) == 1]:
        lines[:, dots] = _near(lines[:, dots], radius=2)
    return _profile(lines, sigma)


def merged_boundary(points: Floats, chains: Chains, size: int, sigma: float = 1.0) -> Drawn:
    """AWing's boundary target (N, 1, size, size): all boundaries in one map.

    A spline through the pixels of each chain's landmarks, 100 samples of it as pixels, and of
    these :func:`distance_boundaries`' profile.
    """
    lines = np.zeros((len(points), 1, size, size), np.float32)
    pixels = np.floor(points + 0.5)
    for chain in chains:
        curve = _spline(pixels[:, list(chain)], samples=100)
        _mark(lines, np.zeros(curve.shape[:2], np.int64), np.floor(curve + 0.5))
    return _profile(lines, sigma)


def _drawn(points: Floats, chains: Chains, size: int) -> Drawn:
    """Chains as lines of ones, one pixel wide, (N, M, size, size)."""
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
    _mark_flat(lines, face * len(chains) + boundary[which], pixels)
    return lines


def _mark(lines: Drawn, boundary: Ints, pixels: Floats) -> None:
    """Set pixels (N, S, 2) of the maps ``boundary`` (N, S) of each face to 1."""
    face = np.arange(len(lines))[:, None] * lines.shape[1]
    _mark_flat(lines, (face + boundary).reshape(-1), pixels.reshape(-1, 2))


def _mark_flat(lines: Drawn, index: Ints, pixels: Floats) -> None:
    """Set pixels (P, 2) to 1, each of the map that stands at ``index`` (P,) in (N * M)."""
    size = lines.shape[-1]
    x, y = pixels.T.astype(np.int64)
    inside = (x >= 0) & (x < size) & (y >= 0) & (y < size)
    lines.reshape(-1)[((index * size + y) * size + x)[inside]] = 1


def _blur(maps: Drawn, sigma: float) -> Drawn:
    """Gaussian blur of each map, with nothing outside it."""
    reach = int(np.ceil(3 * sigma))
    kernel = 2 * reach + 1
    return _as_one_image(
        maps,
        reach,
        lambda image: cv2.GaussianBlur(
            image, (kernel, kernel), sigma, borderType=cv2.BORDER_CONSTANT
        ),
    )


def _near(lines: Drawn, radius: int) -> Drawn:
    """Ones within ``radius`` pixels of the set ones."""
    reach = np.arange(-radius, radius + 1)
    disc = (reach[:, None] ** 2 + reach**2 <= radius**2).astype(np.uint8)
    return _as_one_image(lines, radius, lambda image: cv2.dilate(image, disc))


def _as_one_image(maps: Drawn, gap: int, change: Callable[[Drawn], Any]) -> Drawn:
    """Filter maps as one image, in which they stand below each other with gaps of zeros."""
    n, m, size, _ = maps.shape
    tall = np.zeros((n * m, size + gap, size), np.float32)
    tall[:, :size] = maps.reshape(-1, size, size)
    changed = np.asarray(change(tall.reshape(-1, size))).reshape(tall.shape)
    return np.ascontiguousarray(changed[:, :size]).reshape(maps.shape)


def _profile(lines: Drawn, sigma: float) -> Drawn:
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


def _spline(points: Floats, samples: int) -> Floats:
    """Samples (N, samples, 2) of the spline through points (N, K, 2), evenly along its parameter.

    Of degree 3, or K - 1 where that is less; the parameter is the length of the polygon so far;
    no knot at the last but one point of either end. As FITPACK's ``splprep`` with s = 0 gives it.
    """
    count = points.shape[1]
    if count == 1:
        return points.repeat(samples, axis=1)
    degree = min(3, count - 1)
    # Landmarks on the same pixel would leave the parameter standing still.
    lengths = np.maximum(np.linalg.norm(np.diff(points, axis=1), axis=2), 0.01)
    u = np.concatenate([np.zeros((len(points), 1)), np.cumsum(lengths, axis=1)], axis=1)
    inner = u[:, 2:-2] if degree == 3 else u[:, :0]
    ends = np.ones(degree + 1)
    knots = np.concatenate([u[:, :1] * ends, inner, u[:, -1:] * ends], axis=1)
    at = np.linspace(0, 1, samples) * u[:, -1:]
    coefficients = np.linalg.solve(_b_splines(u, knots, degree), points)
    return np.asarray(_b_splines(at, knots, degree) @ coefficients)


def _b_splines(at: Floats, knots: Floats, degree: int) -> Floats:
    """B-splines (N, S, K) over knots (N, K + degree + 1), at (N, S): the Cox-de Boor recursion."""
    x, t = at[..., None], knots[:, None, :]
    # The last interval that is not empty holds its right end too.
    last = t[..., -1:]
    values = ((t[..., :-1] <= x) & ((x < t[..., 1:]) | ((x >= last) & (t[..., 1:] == last)))) & (
        t[..., :-1] < t[..., 1:]
    )
    values = values.astype(np.float64)
    for order in range(1, degree + 1):
        width = t[..., order:] - t[..., :-order]
        slope = np.divide(1.0, width, where=width > 0, out=np.zeros_like(width))
        rising = (x - t[..., : -order - 1]) * slope[..., :-1] * values[..., :-1]
        falling = (t[..., order + 1 :] - x) * slope[..., 1:] * values[..., 1:]
        values = rising + falling
    return np.asarray(values)
