"""Triangles to pixels: which triangle is in front at each pixel, and where in it.

Written over all pixel rows of all triangles at once: where a row enters and leaves a triangle
follows from the barycentric weights. Triangles are small, so the nearest one is found by painting
them from far to near.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alignbench.arrays import Floats, Ints

Singles = NDArray[np.float32]

_EDGE = 1e-3
"""How far a triangle reaches beyond its edges, in weights, so that none leaves a gap."""

_SMALLEST, _FLAT = 1e-3, 1e-7
"""Triangles smaller than this are not drawn; edges flatter than this are level."""


@dataclass(frozen=True)
class Fragments:
    """What is seen of a mesh.

    Attributes
    ----------
    pixels
        (P,) flat indices of covered pixels.
    corners
        (P, 3) vertices of the triangle in front.
    weights
        (P, 3) barycentric weights of those vertices.
    """

    pixels: Ints
    corners: Ints
    weights: Singles

    def blend(self, values: Singles) -> Singles:
        """Values (V, C) of vertices, interpolated at the covered pixels (P, C)."""
        blend = values[self.corners[:, 0]] * self.weights[:, :1]
        blend += values[self.corners[:, 1]] * self.weights[:, 1:2]
        blend += values[self.corners[:, 2]] * self.weights[:, 2:]
        return blend


def rasterise(projected: Floats, triangles: Ints, side: int) -> Fragments:
    """What is seen of triangles (T, 3) with vertices (V, 3) in pixels and depth.

    A triangle is seen if its corners run clockwise in the image (y down).
    """
    points = projected[:, :2].astype(np.float32)
    first, second, third = (points[triangles[:, k]] for k in range(3))
    to_second, to_third = second - first, third - first
    size = to_second[:, 0] * to_third[:, 1] - to_second[:, 1] * to_third[:, 0]
    drawn = np.flatnonzero(size > _SMALLEST)
    depth = projected[triangles[drawn], 2].sum(axis=1)
    drawn = drawn[np.argsort(depth, kind="stable")]  # from far to near
    first, size = first[drawn], size[drawn, None]
    # Barycentric weights of second and third corner are linear in x and y; so is the first's.
    slope_second = np.stack([to_third[drawn, 1], -to_third[drawn, 0]], axis=1) / size
    slope_third = np.stack([-to_second[drawn, 1], to_second[drawn, 0]], axis=1) / size

    owner, rows = _rows(first, second[drawn], third[drawn], side)
    down = rows.astype(np.float32) - first[owner, 1]
    low, high = np.full_like(down, -np.inf), np.full_like(down, np.inf)
    slope_first = -slope_second - slope_third
    for slope, start in ((slope_first, 1.0), (slope_second, 0.0), (slope_third, 0.0)):
        # A weight must be at least -_EDGE: a lower or an upper limit on x.
        along, across = slope[owner].T
        flat = np.abs(along) < _FLAT
        limit = (np.float32(-_EDGE - start) - across * down) / np.where(flat, 1, along)
        low = np.maximum(low, np.where(along >= _FLAT, limit, -np.inf))
        high = np.minimum(high, np.where(along <= -_FLAT, limit, np.inf))
    left = np.ceil(low + first[owner, 0]).clip(0, side).astype(np.int32)
    right = np.floor(high + first[owner, 0]).clip(-1, side - 1).astype(np.int32)
    lengths = (right - left + 1).clip(0)

    span = np.repeat(np.arange(len(owner), dtype=np.int32), lengths)
    x = np.arange(len(span), dtype=np.int32)
    x += np.repeat(left - np.cumsum(lengths, dtype=np.int32) + lengths, lengths)
    front = np.full(side * side, -1, np.int32)
    front[rows[span] * side + x] = np.arange(len(span), dtype=np.int32)  # the last is the nearest
    pixels = np.flatnonzero(front >= 0)
    chosen = front[pixels]

    spans = span[chosen]
    triangle = owner[spans]
    dx, dy = x[chosen].astype(np.float32) - first[triangle, 0], down[spans]
    of_second = slope_second[triangle, 0] * dx + slope_second[triangle, 1] * dy
    of_third = slope_third[triangle, 0] * dx + slope_third[triangle, 1] * dy
    weights = np.stack([1 - of_second - of_third, of_second, of_third], axis=1)
    return Fragments(pixels, triangles[drawn[triangle]], weights)


def _rows(first: Singles, second: Singles, third: Singles, side: int) -> tuple[Ints, Ints]:
    """The pixel rows that triangles cross: the triangle's number and the row, each (R,)."""
    ys = first[:, 1], second[:, 1], third[:, 1]
    top = np.ceil(np.minimum(np.minimum(*ys[:2]), ys[2])).clip(0, side).astype(np.int32)
    bottom = np.floor(np.maximum(np.maximum(*ys[:2]), ys[2])).clip(-1, side - 1).astype(np.int32)
    counts = (bottom - top + 1).clip(0)
    owner = np.repeat(np.arange(len(first), dtype=np.int32), counts)
    rows = np.arange(len(owner), dtype=np.int32)
    rows += np.repeat(top - np.cumsum(counts, dtype=np.int32) + counts, counts)
    return np.asarray(owner), np.asarray(rows)
