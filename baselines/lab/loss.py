"""LAB's losses of its estimator and its regressor."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 (its usual name)

from baselines.model import Table


class Loss(Table):
    """Table ``[loss]`` of a recipe: the weight of the landmarks."""

    regressor: float = Field(default=1.0, ge=0)


def estimator_loss(boundaries: Sequence[Tensor], target: Tensor) -> Tensor:
    """LAB's estimator, a scalar: half the squared error of each stage's maps, mean over faces."""
    return torch.stack(
        [0.5 * (maps - target).square().sum(dim=(1, 2, 3)).mean() for maps in boundaries]
    ).sum()


def regressor_loss(points: Tensor, target: Tensor, *, beta: float = 1.0) -> Tensor:
    """LAB's regressor, a scalar: smooth L1 of landmarks (B, L, 2), in pixels, summed over them.

    The paper does not name its distance. The square turns linear at ``beta``.
    """
    loss = F.smooth_l1_loss(points, target, reduction="none", beta=beta)
    return loss.sum(dim=(1, 2)).mean()
