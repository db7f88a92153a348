"""LAB as a trainable model and as a predictor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alignbench.markups import WFLW98, Markup
from alignbench.predictors.settings import Crop, CropSettings, Input, Output
from baselines.lab import network as networks
from baselines.lab.adversarial import Adversarial
from baselines.lab.boundaries import chains
from baselines.lab.loss import LABMethod, Loss, Targets
from baselines.model import Model, factory

LAB_CROP = Crop(boxes="rect", scale=1.19, of="mean", size=256, border=127)
"""LAB's test code fits the window to the true landmarks. On WFLW's test faces that window is 1.19
times the mean side of the annotated box (standard deviation 0.09); this crop needs no truth.
Outside the image the window is grey, as in that code."""


def _settings(options: Mapping[str, Any]) -> CropSettings:
    return CropSettings(
        markup=options.get("markup", WFLW98.name),
        crop=LAB_CROP.model_copy(update={"size": options.get("side", LAB_CROP.size)}),
        input=Input(colour="grey" if options.get("channels", 1) == 1 else "rgb", standardise=True),
        output=Output(kind="points", origin="edge"),
    )


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
