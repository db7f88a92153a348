"""AWing as a trainable model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from alignbench.arrays import Floats
from alignbench.exceptions import InputError
from alignbench.markups import Markup
from baselines.awing.checkpoint import adapt
from baselines.awing.loss import Loss, awing_loss, chains, draw_merged_boundary
from baselines.awing.network import AWing, AWingOutput
from baselines.drawing import Drawn
from baselines.landmark_maps import MapTargets, settings
from baselines.model import Faces, Model


@dataclass(frozen=True)
class AWingMethod:
    """Gaussians, one map of all boundaries and the weighted loss."""

    chains: Sequence[Sequence[int]]
    targets: MapTargets
    attributes: Sequence[str] = ()

    def draw(self, points: Floats, size: int) -> dict[str, Drawn]:
        """Maps ``landmarks`` and ``boundaries``."""
        return self.targets.draw(points, size, self.chains, draw_merged_boundary)

    def loss(self, output: AWingOutput, faces: Faces) -> Tensor:
        """:func:`awing_loss` of a batch."""
        maps = faces.maps
        return awing_loss(
            output.heatmaps, output.boundaries, maps["landmarks"], maps.get("boundaries")
        )


def _method(network: AWing, markup: Markup, targets: MapTargets, loss: Loss) -> AWingMethod:
    boundaries = list(chains(markup).values()) if network.boundary else []
    if network.boundary and not boundaries:
        raise InputError(
            f"mark-up {markup.name!r}", "has no chains for AWing's boundary map",
            remedy="Set network.boundary to false.",
        )  # fmt: skip
    return AWingMethod(boundaries, targets)


AWING = Model(
    name="awing",
    network=AWing,
    settings=settings,
    targets=MapTargets,
    loss=Loss,
    method=_method,
    adapt=adapt,
)
