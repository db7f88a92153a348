"""AWing's loss: Adaptive Wing over landmarks and boundaries, with weighted pixels."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional as F  # noqa: N812 (its usual name)

from baselines.adaptive_wing import map_loss
from baselines.model import Table


class Loss(Table):
    """Table ``[loss]`` of a recipe: AWing's loss has no keys."""


def weight_map(target: Tensor, *, weight: float = 10.0, threshold: float = 0.2) -> Tensor:
    """Weighted loss map of AWing (its eq. 7): ``weight + 1`` on the foreground, 1 elsewhere.

    The foreground is where the target, dilated by 3 x 3 pixels, is ``threshold`` or more.
    """
    dilated = F.max_pool2d(target, 3, stride=1, padding=1)
    return 1 + weight * (dilated >= threshold)


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
