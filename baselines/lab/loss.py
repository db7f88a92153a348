"""What LAB learns: boundary maps in its estimator, landmarks in its regressor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 (its usual name)

from alignbench.arrays import Floats
from baselines.drawing import Chains, Drawn, draw_lines, fade, filter_maps, to_heatmap
from baselines.lab.network import LABOutput
from baselines.model import STRIDE, Faces, Table

_DOT = 2
"""Radius, in pixels, of a boundary of one landmark."""


class Targets(Table):
    """Table ``[targets]`` of a recipe: sigma of a boundary, in pixels of the map."""

    boundary_sigma: float = Field(default=1.0, gt=0)


class Loss(Table):
    """Table ``[loss]`` of a recipe: the weight of the landmarks."""

    regressor: float = Field(default=1.0, ge=0)


@dataclass(frozen=True)
class LABMethod:
    """Boundary maps for the estimator, landmarks in pixels for the regressor."""

    chains: Sequence[Sequence[int]]
    targets: Targets
    weights: Loss
    attributes: Sequence[str] = ()

    def draw(self, points: Floats, size: int) -> dict[str, Drawn]:
        """Maps ``boundaries``."""
        side = size // STRIDE
        points = to_heatmap(points, side, size)
        sigma = self.targets.boundary_sigma
        return {"boundaries": draw_distance_boundaries(points, self.chains, side, sigma)}

    def loss(self, output: LABOutput, faces: Faces) -> Tensor:
        """Estimator's and weighted regressor's loss of a batch."""
        points = self.window_pixels(output, faces)
        maps = estimator_loss(output.boundaries, faces.maps["boundaries"])
        return maps + self.weights.regressor * regressor_loss(points, faces.points)

    @staticmethod
    def window_pixels(output: LABOutput, faces: Faces) -> Tensor:
        """Landmarks (B, L, 2) in pixels of the window, from fractions that count from its edge."""
        return output.points * faces.images.shape[-1] - 0.5


def draw_distance_boundaries(
    points: Floats, chains: Chains, size: int, sigma: float = 1.0
) -> Drawn:
    """LAB's boundary targets (N, M, size, size).

    ``exp(-d^2 / 2 sigma^2)`` of the distance d to the boundary's pixels, 0 from 3 sigma on; a
    boundary of one landmark is a disc of radius 2.
    """
    chains = [list(chain) for chain in chains]
    lines = draw_lines(points, chains, size)
    if dots := [k for k, chain in enumerate(chains) if len(chain) == 1]:
        reach = np.arange(-_DOT, _DOT + 1)
        disc = (reach[:, None] ** 2 + reach**2 <= _DOT**2).astype(np.uint8)
        lines[:, dots] = filter_maps(lines[:, dots], _DOT, lambda image: cv2.dilate(image, disc))
    return fade(lines, sigma)


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
