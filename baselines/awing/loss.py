"""What AWing learns: landmarks and one map of all boundaries, with weighted pixels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from alignbench.arrays import Floats
from alignbench.markups import Indices, Markup
from baselines.drawing import Chains, Drawn, fade, mark
from baselines.landmark_maps import map_loss
from baselines.model import Table

_LEFT_OUT = {"wflw98": ("left_brow_lower", "right_brow_lower"), "cofw29": ("nose_upper", "chin")}
"""Chains that AWing does not draw, by mark-up."""
_SAMPLES = 100
"""Points of the spline along a boundary."""


def chains(markup: Markup) -> dict[str, Indices]:
    """The boundaries of a mark-up that AWing draws: all, except those it is known to leave out."""
    left_out = _LEFT_OUT.get(markup.name, ())
    return {name: chain for name, chain in markup.chains.items() if name not in left_out}


def draw_merged_boundary(points: Floats, chains: Chains, size: int, sigma: float = 1.0) -> Drawn:
    """AWing's boundary target (N, 1, size, size): all boundaries in one map.

    A spline through the pixels of each chain's landmarks, 100 samples of it as pixels, and around
    them the profile of :func:`baselines.drawing.fade`.
    """
    lines = np.zeros((len(points), 1, size, size), np.float32)
    pixels = np.floor(points + 0.5)
    face = np.arange(len(points)).repeat(_SAMPLES)
    for chain in chains:
        curve = _spline(pixels[:, list(chain)], _SAMPLES)
        mark(lines, face, np.floor(curve + 0.5).reshape(-1, 2))
    return fade(lines, sigma)


def _spline(points: Floats, samples: int) -> Floats:
    """Samples (N, samples, 2) of the spline through points (N, K, 2), evenly along its parameter.

    The spline of FITPACK's ``splprep`` with s = 0: its degree is 3, or K - 1 where that is less;
    its parameter is the length of the polygon up to the point; the last but one point of either
    end is no knot.
    """
    count = points.shape[1]
    if count == 1:
        return points.repeat(samples, axis=1)
    degree = min(3, count - 1)
    # With landmarks on the same pixel, the parameter would not increase.
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


class Loss(Table):
    """Table ``[loss]`` of a recipe: AWing's loss has no keys."""


def weight_map(target: Tensor, *, weight: float = 10.0, threshold: float = 0.2) -> Tensor:
    """Weighted loss map of AWing (its eq. 7): ``weight + 1`` on the foreground, 1 elsewhere.

    The foreground is where the target, dilated by 3 x 3 pixels, is ``threshold`` or more.
    """
    near = target >= threshold
    # In two steps, each along an axis: a maximum over 3 x 3 pixels takes ten times as long.
    for axis in (-1, -2):
        dilated, most = near.clone(), near.shape[axis] - 1
        dilated.narrow(axis, 1, most).logical_or_(near.narrow(axis, 0, most))
        dilated.narrow(axis, 0, most).logical_or_(near.narrow(axis, 1, most))
        near = dilated
    return 1 + weight * near


def awing_loss(
    heatmaps: Sequence[Tensor],
    boundaries: Sequence[Tensor],
    heatmap_target: Tensor,
    boundary_target: Tensor | None,
) -> Tensor:
    """AWing's loss, a scalar: every stage's heatmaps and merged boundary map, pixels weighted."""
    loss = map_loss(heatmaps, heatmap_target, weights=weight_map(heatmap_target))
    if boundary_target is not None:
        loss = loss + map_loss(boundaries, boundary_target, weights=weight_map(boundary_target))
    return loss
