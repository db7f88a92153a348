"""LAB as a trainable model and as a predictor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import Field
from torch import Tensor

from alignbench.arrays import Floats
from alignbench.markups import WFLW98, Markup
from alignbench.predictors.settings import Crop, CropSettings, Input, Output
from baselines.drawing import Drawn, to_heatmap
from baselines.lab import network as networks
from baselines.lab.adversarial import Adversarial
from baselines.lab.boundaries import chains
from baselines.lab.loss import Loss, estimator_loss, regressor_loss
from baselines.lab.network import LABOutput
from baselines.lab.targets import distance_boundaries
from baselines.model import STRIDE, Faces, Model, Table, factory

LAB_CROP = Crop(boxes="rect", scale=1.19, of="mean", size=256)
"""LAB's test code fits the window to the true landmarks. On WFLW's test faces that window is 1.19
times the mean side of the annotated box (standard deviation 0.09); this crop needs no truth."""


def _settings(options: Mapping[str, Any]) -> CropSettings:
    return CropSettings(
        markup=options.get("markup", WFLW98.name),
        crop=LAB_CROP.model_copy(update={"size": options.get("side", LAB_CROP.size)}),
        input=Input(colour="grey" if options.get("channels", 1) == 1 else "rgb", standardise=True),
        output=Output(kind="points", origin="edge"),
    )


class Targets(Table):
    """Table ``[targets]`` of a recipe: sigma of a boundary, in pixels of the map."""

    boundary_sigma: float = Field(default=1.0, gt=0)


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
        return {"boundaries": distance_boundaries(points, self.chains, side, sigma)}

    def loss(self, output: LABOutput, faces: Faces) -> Tensor:
        """Estimator's and weighted regressor's loss of a batch."""
        points = self.window_pixels(output, faces)
        return estimator_loss(
            output.boundaries, faces.maps["boundaries"]
        ) + self.weights.regressor * regressor_loss(points, faces.points)

    @staticmethod
    def window_pixels(output: LABOutput, faces: Faces) -> Tensor:
        """Landmarks (B, L, 2) in pixels of the window, of fractions from its edge."""
        return output.points * faces.images.shape[-1] - 0.5


def _method(network: networks.LAB, markup: Markup, targets: Targets, loss: Loss) -> LABMethod:
    return LABMethod(list(chains(markup).values()), targets, loss)


LAB = Model(
    name="lab",
    about="LAB (Wu et al., CVPR 2018): boundary heatmaps, then landmarks; options after ':'.",
    network=networks.LAB,
    settings=_settings,
    targets=Targets,
    loss=Loss,
    method=_method,
    second_stage=Adversarial,
)

lab, lab_mini = factory(LAB), factory(LAB, mini=True)
