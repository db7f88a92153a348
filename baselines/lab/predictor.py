"""LAB as a trainable model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alignbench.markups import WFLW98, Markup
from alignbench.predictors.settings import CropSettings, Input, Output
from baselines.crops import LAB_CROP
from baselines.lab import network as networks
from baselines.lab.adversarial import Adversarial
from baselines.lab.boundaries import chains
from baselines.lab.loss import LABMethod, Loss, Targets
from baselines.model import Model


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
    network=networks.LAB,
    settings=_settings,
    targets=Targets,
    loss=Loss,
    method=_method,
    second_stage=Adversarial,
)
