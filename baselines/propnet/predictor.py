"""PropNet as a trainable model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from alignbench.arrays import Floats
from alignbench.formats.face_list import ATTRIBUTES
from alignbench.markups import Markup
from baselines.drawing import Drawn
from baselines.landmark_maps import MapTargets, settings
from baselines.model import Faces, Model
from baselines.propnet.loss import Loss, draw_blurred_boundaries, propnet_loss
from baselines.propnet.network import PropNet, PropNetOutput


@dataclass(frozen=True)
class PropNetMethod:
    """Gaussians, blurred boundaries and the focal loss."""

    chains: Sequence[Sequence[int]]
    targets: MapTargets
    weights: Loss

    @property
    def attributes(self) -> Sequence[str]:
        """The attributes of WFLW, of which the focal factor is made."""
        return () if self.weights.focal == "none" else ATTRIBUTES

    def draw(self, points: Floats, size: int) -> dict[str, Drawn]:
        """Maps ``landmarks`` and ``boundaries``."""
        return self.targets.draw(points, size, self.chains, draw_blurred_boundaries)

    def loss(self, output: PropNetOutput, faces: Faces) -> Tensor:
        """:func:`propnet_loss` of a batch."""
        attributes = faces.attributes if self.attributes else None
        return propnet_loss(
            output.heatmaps, output.boundaries, faces.maps["landmarks"],
            faces.maps.get("boundaries"), attributes=attributes, focal=self.weights.focal,
            beta=self.weights.beta,
        )  # fmt: skip


def _method(network: PropNet, markup: Markup, targets: MapTargets, loss: Loss) -> PropNetMethod:
    # Nothing reads the last attention. Without a gradient it would block several processes.
    for attention in network.attentions[-1:]:
        attention.requires_grad_(False)
    return PropNetMethod(network.chains, targets, loss)


PROPNET = Model(
    name="propnet",
    network=PropNet,
    settings=settings,
    targets=MapTargets,
    loss=Loss,
    method=_method,
)
