"""How good a network is so far: what ``alignbench run`` would find, without its record."""

from __future__ import annotations

import copy
from typing import NamedTuple

import torch
from lightning_fabric import Fabric
from torch import nn

from alignbench.arrays import Floats
from alignbench.backends.build import Execution
from alignbench.boxes import choose_boxes
from alignbench.datasets.base import Dataset
from alignbench.distributed import current_ranks
from alignbench.metrics import parse_measure
from alignbench.metrics.errors import distances, face_errors, normalisers
from alignbench.metrics.measure import threshold_suffix
from alignbench.predictors.network import NetworkPredictor
from alignbench.predictors.settings import CropSettings
from alignbench.runs.predict import predict_points


class Score(NamedTuple):
    """NME and FR in percent and AUC, by the data set's first normaliser and its threshold."""

    nme: float
    fr: float
    auc: float


def validate(network: nn.Module, settings: CropSettings, dataset: Dataset, fabric: Fabric) -> Score:
    """Score of a network, in fp32, the same on every process.

    The processes share the faces. The network itself stays as it is: a copy is evaluated.
    """
    if fabric.world_size > 1:
        # Each process's batch normalisation has seen its own faces; the first one's is saved.
        for buffer in network.buffers():
            torch.distributed.broadcast(buffer, src=0)
    execution = Execution(device=str(fabric.device))
    predictor = NetworkPredictor("training", settings, copy.deepcopy(network), {}, execution)
    used = choose_boxes(dataset, dataset, predictor, None, 1.0)
    return score(predict_points(predictor, dataset, used, ranks=current_ranks()).points, dataset)


def score(points: Floats, dataset: Dataset) -> Score:
    """NME, FR and AUC of landmarks (N, L, 2)."""
    scales = normalisers(dataset.points, dataset.markup, dataset.ids)
    errors = face_errors(distances(points, dataset.points), scales[dataset.normalisers[0]])
    at = threshold_suffix(dataset.threshold)
    return Score(*(parse_measure(name).value(errors) for name in ("nme", f"fr{at}", f"auc{at}")))
