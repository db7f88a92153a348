"""Anything that can be evaluated: a predictor, a name, a function, or an array of landmarks."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from alignbench.arrays import Floats
from alignbench.datasets.base import Dataset
from alignbench.exceptions import InputError
from alignbench.markups import by_landmarks
from alignbench.predictors.base import Batch, Predictor
from alignbench.predictors.guard import check_landmarks
from alignbench.predictors.registry import FunctionPredictor, load_predictor


class ArrayPredictor(Predictor):
    """Landmarks (N, L, 2) of a data set's N faces, in its order, whatever model gave them.

    NaN in all landmarks of a face stands for a missed face. The mark-up is the data set's if that
    has L landmarks, else the registered mark-up with L landmarks.
    """

    name = "array"
    needs_images = False
    uses_boxes = False

    def __init__(self, landmarks: Any) -> None:
        self._landmarks = landmarks
        self._points = np.empty((0, 0, 2))
        self._rows: dict[str, int] = {}

    def prepare(self, dataset: Dataset) -> None:
        try:
            shape = tuple(np.shape(self._landmarks))
        except ValueError as error:
            raise InputError(
                "array of landmarks", "a list of arrays of different shapes",
                f"({len(dataset)}, L, 2)", "Join batches with numpy.concatenate or torch.cat.",
            ) from error  # fmt: skip
        if len(shape) < 2 or shape[0] != len(dataset):
            raise InputError(
                "array of landmarks", f"shape {shape}",
                f"({len(dataset)}, L, 2): a row for each face of {dataset.name} {dataset.split}",
                "Give the landmarks in the order of dataset.ids.",
            )  # fmt: skip
        same = shape[1] == dataset.markup.landmarks
        self.markup = dataset.markup if same else by_landmarks(shape[1], "array of landmarks")
        self._points = check_landmarks(
            self._landmarks, dataset.ids, self.markup.landmarks, self.name
        )
        self._rows = {face: row for row, face in enumerate(dataset.ids)}

    def predict(self, batch: Batch) -> Floats:
        return self._points[[self._rows[face] for face in batch.ids]]

    def describe(self) -> dict[str, Any]:
        digest = hashlib.sha256(np.ascontiguousarray(self._points).data).hexdigest()
        return {"source": "array", "sha256": digest}


def as_predictor(model: object) -> Predictor:
    """A predictor for anything that can be evaluated.

    Parameters
    ----------
    model
        A :class:`Predictor`; a name, as :func:`alignbench.load_predictor` takes it; a function of
        (images, boxes) that gives landmarks (B, L, 2); or landmarks (N, L, 2) of all faces of the
        data set, as an array or a tensor.

    Raises
    ------
    InputError
        If it is none of these, or the name is unknown.
    """
    if isinstance(model, Predictor):
        return model
    if isinstance(model, str):
        return load_predictor(model)
    if hasattr(model, "shape") or isinstance(model, list | tuple):
        return ArrayPredictor(model)
    if callable(model) and not isinstance(model, type):
        return FunctionPredictor(getattr(model, "__name__", type(model).__name__), model)
    raise InputError(
        "model", f"a {type(model).__name__}",
        "a Predictor, a name, a function of (images, boxes), or landmarks (N, L, 2)",
    )  # fmt: skip
