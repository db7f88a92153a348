"""What each model learns: the maps it is shown, and its loss.

A method is picked by the model's name. Landmarks are (B, L, 2) in pixels of the window (S, S);
maps are (B, K, S / 4, S / 4).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from alignbench.arrays import Floats
from alignbench.markups import Markup
from baselines import losses, targets
from baselines.awing.network import AWing, AWingOutput
from baselines.awing.targets import chains as awing_chains
from baselines.lab.boundaries import chains as lab_chains
from baselines.lab.network import LABOutput
from baselines.propnet.network import PropNet, PropNetOutput
from baselines.training.recipe import Recipe

STRIDE = 4
"""Pixels of the window that are one of a map, in all three networks."""


class Faces(NamedTuple):
    """A batch of training faces.

    Attributes
    ----------
    indices
        (B,) places in the data set.
    images
        (B, C, S, S), what the network sees.
    points
        (B, L, 2) true landmarks in pixels of the window, float32.
    attributes
        (B, A) of zeros and ones; A is 0 where the loss does not ask for them.
    maps
        What :meth:`Method.draw` drew, by name.
    """

    indices: Tensor
    images: Tensor
    points: Tensor
    attributes: Tensor
    maps: dict[str, Tensor]


class Method(Protocol):
    """Targets and loss of one model."""

    def draw(self, points: Floats, size: int) -> dict[str, targets.Drawn]:
        """Target maps by name of landmarks (B, L, 2) in pixels of a window of ``size``."""
        ...

    def loss(self, output: Any, faces: Faces) -> Tensor:
        """The loss, a scalar, of the network's output."""
        ...


@dataclass(frozen=True)
class Landmarks:
    """How landmarks are drawn, each in a map of its own."""

    sigma: float
    subpixel: bool

    def draw(self, points: Floats, side: int) -> targets.Drawn:
        """Maps (B, L, side, side) of landmarks (B, L, 2) in their pixels."""
        return targets.gaussians(points, side, self.sigma, subpixel=self.subpixel)


def _landmarks_and_boundaries(
    points: Floats,
    size: int,
    landmarks: Landmarks,
    chains: Sequence[Sequence[int]],
    draw: Callable[..., targets.Drawn],
) -> dict[str, targets.Drawn]:
    """Maps of landmarks and, where there are chains, of boundaries."""
    side = size // STRIDE
    points = targets.to_heatmap(points, side, size)
    maps = {"landmarks": landmarks.draw(points, side)}
    if chains:
        maps["boundaries"] = draw(points, chains, side)
    return maps


@dataclass(frozen=True)
class PropNetMethod:
    """PropNet's: Gaussians, blurred boundaries and its focal Wing loss."""

    chains: Sequence[Sequence[int]]
    landmarks: Landmarks
    boundary_sigma: float
    focal: losses.FocalReading
    beta: float

    def draw(self, points: Floats, size: int) -> dict[str, targets.Drawn]:
        draw = partial(targets.blurred_boundaries, sigma=self.boundary_sigma)
        return _landmarks_and_boundaries(points, size, self.landmarks, self.chains, draw)

    def loss(self, output: PropNetOutput, faces: Faces) -> Tensor:
        return losses.propnet_loss(
            output.heatmaps,
            output.boundaries,
            faces.maps["landmarks"],
            faces.maps.get("boundaries"),
            attributes=None if self.focal == "none" else faces.attributes,
            focal=self.focal,
            beta=self.beta,
        )


@dataclass(frozen=True)
class AWingMethod:
    """AWing's: Gaussians, one map of all boundaries and its weighted loss."""

    chains: Sequence[Sequence[int]]
    landmarks: Landmarks
    boundary_sigma: float

    def draw(self, points: Floats, size: int) -> dict[str, targets.Drawn]:
        draw = partial(targets.merged_boundary, sigma=self.boundary_sigma)
        return _landmarks_and_boundaries(points, size, self.landmarks, self.chains, draw)

    def loss(self, output: AWingOutput, faces: Faces) -> Tensor:
        return losses.awing_loss(
            output.heatmaps,
            output.boundaries,
            faces.maps["landmarks"],
            faces.maps.get("boundaries"),
        )


@dataclass(frozen=True)
class LABMethod:
    """LAB's: boundary maps for the estimator, landmarks in pixels for the regressor."""

    chains: Sequence[Sequence[int]]
    boundary_sigma: float
    regressor: float

    def draw(self, points: Floats, size: int) -> dict[str, targets.Drawn]:
        side = size // STRIDE
        points = targets.to_heatmap(points, side, size)
        return {
            "boundaries": targets.distance_boundaries(
                points, self.chains, side, self.boundary_sigma
            )
        }

    def loss(self, output: LABOutput, faces: Faces) -> Tensor:
        points = window_pixels(output, faces)
        return losses.estimator_loss(
            output.boundaries, faces.maps["boundaries"]
        ) + self.regressor * losses.regressor_loss(points, faces.points)


def window_pixels(output: LABOutput, faces: Faces) -> Tensor:
    """LAB's landmarks (B, L, 2), which are fractions from the window's edge, in its pixels."""
    return output.points * faces.images.shape[-1] - 0.5


def _landmarks(recipe: Recipe) -> Landmarks:
    return Landmarks(recipe.targets.sigma, recipe.targets.subpixel)


def _propnet(recipe: Recipe, markup: Markup, network: nn.Module) -> Method:
    assert isinstance(network, PropNet)
    # Nothing looks at the last attention: without a gradient it would hold up several processes.
    for attention in network.attentions[-1:]:
        attention.requires_grad_(False)
    return PropNetMethod(
        network.chains,
        _landmarks(recipe),
        recipe.targets.boundary_sigma,
        recipe.loss.focal,
        recipe.loss.beta,
    )


def _awing(recipe: Recipe, markup: Markup, network: nn.Module) -> Method:
    assert isinstance(network, AWing)
    chains = list(awing_chains(markup).values()) if network.boundary else []
    return AWingMethod(chains, _landmarks(recipe), recipe.targets.boundary_sigma)


def _lab(recipe: Recipe, markup: Markup, network: nn.Module) -> Method:
    return LABMethod(
        list(lab_chains(markup).values()), recipe.targets.boundary_sigma, recipe.loss.regressor
    )


METHODS: dict[str, Callable[[Recipe, Markup, nn.Module], Method]] = {
    "propnet": _propnet,
    "awing": _awing,
    "lab": _lab,
}


def effective_boundaries(
    output: LABOutput, faces: Faces, chains: Sequence[Sequence[int]], theta: float, delta: float
) -> Tensor:
    """Which estimated boundaries (B, 13) led to landmarks near the truth."""
    with torch.no_grad():
        return losses.boundary_effectiveness(
            window_pixels(output, faces), faces.points, chains, theta=theta, delta=delta
        )
