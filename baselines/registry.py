"""The models that a recipe can train, by name."""

from __future__ import annotations

from baselines.awing.predictor import AWING
from baselines.lab.predictor import LAB
from baselines.propnet.predictor import PROPNET

MODELS = {model.name: model for model in (PROPNET, AWING, LAB)}
