"""Predictors: whatever turns images and boxes into landmarks, behind one interface."""

from __future__ import annotations

from alignbench.predictors.base import Batch, Predictor
from alignbench.predictors.registry import RANDOM_IF_TAKEN, load_predictor, predictor_names

__all__ = ["RANDOM_IF_TAKEN", "Batch", "Predictor", "load_predictor", "predictor_names"]
