"""What PropNet learns: landmarks and boundaries, with a focal factor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import cv2
import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from alignbench.arrays import Floats
from baselines.drawing import Chains, Drawn, draw_lines, filter_maps
from baselines.landmark_maps import map_loss
from baselines.model import Table
from baselines.whole_batch import processes, sum_over_processes

FocalReading = Literal["printed", "per-sample", "none"]


class Loss(Table):
    """Table ``[loss]`` of a recipe: how the focal factor is read, and the boundaries' weight."""

    focal: FocalReading = "none"
    beta: float = Field(default=0.5, ge=0)


def draw_blurred_boundaries(points: Floats, chains: Chains, size: int, sigma: float = 1.0) -> Drawn:
    """PropNet's boundary targets (N, M, size, size).

    Straight segments between consecutive landmarks of each chain, one pixel wide, blurred by a
    Gaussian and divided by the map's maximum. 1 is reached where the line bends most; at WFLW's
    landmarks the value is 0.81 on average. (The paper names segments and Gaussian; width, sigma
    and scale are ours.)
    """
    reach = int(np.ceil(3 * sigma))
    kernel = (2 * reach + 1, 2 * reach + 1)
    maps = filter_maps(
        draw_lines(points, chains, size),
        reach,
        lambda image: cv2.GaussianBlur(image, kernel, sigma, borderType=cv2.BORDER_CONSTANT),
    )
    maps /= np.maximum(maps.max(axis=(2, 3), keepdims=True), np.finfo(np.float32).tiny)
    return maps


def focal_factor(attributes: Tensor, reading: FocalReading = "printed") -> Tensor:
    """Weight (B,) of each face: the focal factor of PropNet's eq. 2, summed over attributes.

    For attribute c, which S of the batch's N faces have, the term is 1 if S is 0, else N / S. If
    several processes share a batch, S and N are those of the whole batch.

    ``printed``
        The equation as it stands. No face occurs in it, so that all faces of a batch have the
        same weight.
    ``per-sample``
        N / S for the faces that have the attribute, 1 for the others, which is what the paper's
        prose says (a weight on every sample that stresses the difficult ones).
    ``none``
        1, for data without attributes, such as 300W and COFW, whose labels were not published.
        The default of a recipe.
    """
    if reading == "none":
        return attributes.new_ones(len(attributes))
    faces = len(attributes) * processes()
    with_it = sum_over_processes(attributes.sum(dim=0))
    factor = torch.where(with_it > 0, faces / with_it.clamp(min=1), 1.0)
    if reading == "printed":
        return factor.sum().expand(len(attributes))
    return torch.where(attributes > 0, factor, 1.0).sum(dim=1)


def propnet_loss(
    heatmaps: Sequence[Tensor],
    boundaries: Sequence[Tensor],
    heatmap_target: Tensor,
    boundary_target: Tensor | None,
    *,
    attributes: Tensor | None = None,
    focal: FocalReading = "printed",
    beta: float = 0.5,
) -> Tensor:
    """PropNet's loss, a scalar: landmarks + beta boundaries (its eqs. 3 to 5), every stage.

    Without attributes the focal factor is 1 (300W and COFW, or the ablation's plain AWing).
    Without boundary target there is no second term (a network without propagation).
    The paper does not say whether a map's pixels are summed or averaged, nor how stages are
    weighted. Here they are averaged, and all stages weigh the same.
    """
    faces = None if attributes is None else focal_factor(attributes, focal)
    loss = map_loss(heatmaps, heatmap_target, faces=faces)
    if boundary_target is not None:
        loss = loss + beta * map_loss(boundaries, boundary_target, faces=faces)
    return loss
