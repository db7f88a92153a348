"""What PropNet and AWing share: how they see a face, the maps they learn and the loss of a map.

Unless a docstring says otherwise, a loss is elementwise, so that it can be weighted before its
mean is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from pydantic import Field
from torch import Tensor
from torch.autograd.function import once_differentiable

from alignbench.arrays import Bools, Floats, Ints
from alignbench.markups import WFLW98
from alignbench.predictors.settings import CropSettings, Decoder, Input, Output
from baselines.crops import AWING_CROP
from baselines.drawing import Drawn, to_heatmap
from baselines.model import STRIDE, Table

_ALPHA, _OMEGA, _EPSILON, _THETA = 2.1, 14.0, 1.0, 0.5
"""The constants of Adaptive Wing in both papers."""

WINDOW = 7
"""Side, in pixels, of the square in which a landmark is drawn."""


def settings(options: Mapping[str, Any]) -> CropSettings:
    """Crop, colours and decoding of AWing; PropNet has the same, because its paper has none."""
    return CropSettings(
        markup=options.get("markup", WFLW98.name),
        crop=AWING_CROP,
        input=Input(colour="rgb"),
        output=Output(kind="heatmaps", decoder="quarter"),
    )


class MapTargets(Table):
    """Table ``[targets]`` of a recipe, in pixels of the map.

    ``sigma`` of a landmark's Gaussian, whose middle is the landmark itself if ``subpixel``, else
    the pixel that holds it; ``boundary_sigma`` of a boundary; ``decoder`` as in
    :class:`alignbench.predictors.settings.Output`.
    """

    sigma: float = Field(default=1.75, gt=0)
    subpixel: bool = False
    boundary_sigma: float = Field(default=1.0, gt=0)
    decoder: Decoder = "quarter"

    def draw(
        self,
        points: Floats,
        size: int,
        chains: Sequence[Sequence[int]],
        draw_boundaries: Callable[..., Drawn],
    ) -> dict[str, Drawn]:
        """Maps of landmarks (B, L, 2) of a window, and of boundaries where there are chains."""
        side = size // STRIDE
        points = to_heatmap(points, side, size)
        maps = {"landmarks": gaussians(points, side, self.sigma, subpixel=self.subpixel)}
        if chains:
            maps["boundaries"] = draw_boundaries(points, chains, side, self.boundary_sigma)
        return maps


def gaussians(points: Floats, size: int, sigma: float = 1.75, *, subpixel: bool = False) -> Drawn:
    """Landmark targets (N, L, size, size): a Gaussian of peak 1 in a window of 7 x 7 pixels.

    They are drawn as in AWing's code, whose sigma of 1.75 pixels of a 64 x 64 map is the default.
    The middle of the Gaussian is the pixel that holds the landmark, or with ``subpixel`` the
    landmark itself, so that a decoder can find it to a fraction of a pixel. A window that leaves
    the map is cut off; a landmark far outside leaves an empty map.
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
    """The pixel that holds each point; rows and columns around it, and which are on the map."""
    # Points far outside stay outside, but near enough for whole numbers.
    pixel = np.floor(np.clip(points, -size, 2 * size) + 0.5)
    around = pixel.astype(np.int64)[..., None] + (np.arange(WINDOW) - WINDOW // 2)
    inside = (around >= 0) & (around < size)
    return pixel, [(around[..., axis, :], inside[..., axis, :]) for axis in (1, 0)]


def adaptive_wing(
    predicted: Tensor,
    target: Tensor,
    *,
    alpha: float = _ALPHA,
    omega: float = _OMEGA,
    epsilon: float = _EPSILON,
    theta: float = _THETA,
) -> Tensor:
    """Adaptive Wing loss (Wang et al., ICCV 2019, eq. 3; PropNet eq. 1), elementwise.

    With d the distance and y the target: ``omega ln(1 + (d / epsilon)^(alpha - y))`` where d is
    below theta, ``A d - C`` beyond; A and C make value and slope continuous at theta. The target
    is a constant: no gradient goes to it.
    """
    loss: Tensor = _AdaptiveWing.apply(  # type: ignore[no-untyped-call]
        predicted, target.detach(), alpha, omega, epsilon, theta
    )
    return loss


class _AdaptiveWing(torch.autograd.Function):
    """Adaptive Wing loss with its slope written out.

    Beyond theta the loss is its tangent at theta, as A and C require. The curve and its slope at
    the distance, cut at theta, give both parts. Autograd would compute several powers and
    logarithms of every pixel, which took as long as a narrow network; this computes one of each.
    """

    @staticmethod
    def forward(
        ctx: Any,
        predicted: Tensor,
        target: Tensor,
        alpha: float,
        omega: float,
        epsilon: float,
        theta: float,
    ) -> Tensor:
        difference = predicted - target
        distance = difference.abs()
        cut = distance.clamp(max=theta)
        exponent = alpha - target
        power = (cut / epsilon).pow_(exponent)
        # The exponent is more than 1, so that the slope goes to 0 with the distance.
        least = torch.finfo(cut.dtype).tiny
        slope = exponent.mul_(power).mul_(omega).div_((power + 1).mul_(cut.clamp(min=least)))
        beyond = distance.sub_(cut).mul_(slope)
        ctx.save_for_backward(slope.copysign_(difference))
        return beyond.add_(power.log1p_(), alpha=omega)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (slope,) = ctx.saved_tensors
        return gradient * slope, None, None, None, None, None


def map_loss(
    predicted: Sequence[Tensor],
    target: Tensor,
    *,
    weights: Tensor | None = None,
    faces: Tensor | None = None,
) -> Tensor:
    """Adaptive Wing over the maps of all stages, a scalar.

    Mean over a map's pixels, sum over its maps and over the stages, mean over faces.

    Parameters
    ----------
    predicted
        Maps (B, K, h, w) of each stage.
    weights
        Weight of each pixel (B, K, h, w).
    faces
        Weight of each face (B,).
    """
    total = target.new_zeros(len(target))
    for maps in predicted:
        loss = adaptive_wing(maps, target)
        if weights is not None:
            loss = loss * weights
        total = total + loss.mean(dim=(2, 3)).sum(dim=1)
    return (total if faces is None else total * faces).mean()
