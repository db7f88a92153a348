"""Stored predictions: ``saved:FILE``, matched to the data set by id, never by order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from alignbench.arrays import Floats
from alignbench.datasets.base import Dataset
from alignbench.errors import InputError
from alignbench.markups import by_landmarks
from alignbench.matching import match_ids
from alignbench.predictors.base import Batch, Predictor
from alignbench.predictors.formats import read_saved


class SavedPredictor(Predictor):
    """Predictions from a file or folder.

    Their mark-up is the data set's where that has as many landmarks, else the registered one that
    has; it is known when the data set is. A face of the data set that is not stored counts as
    missed; stored faces that are not in the data set are counted in a note.
    """

    needs_images = False
    uses_boxes = False

    def __init__(self, path: Path) -> None:
        self._saved = read_saved(path)
        self.name = path.stem if path.is_file() else path.resolve().name
        self._path = path
        self._row: dict[str, int] = {}
        self._compared = ""

    def prepare(self, dataset: Dataset) -> None:
        landmarks = self._saved.points.shape[1]
        fits = landmarks == dataset.markup.landmarks
        self.markup = dataset.markup if fits else by_landmarks(landmarks, self._path)
        match = match_ids(self._saved.ids, dataset.ids, self._path)
        faces = zip(dataset.ids, match.rows.tolist(), strict=True)
        self._row = {name: row for name, row in faces if row >= 0}
        self._compared = match.compared

    def predict(self, batch: Batch) -> Floats:
        rows = np.array([self._row.get(name, -1) for name in batch.ids])
        return np.where((rows >= 0)[:, None, None], self._saved.points[rows], np.nan)

    def describe(self) -> dict[str, Any]:
        surplus = len(self._saved.ids) - len(self._row)
        return {
            "source": f"saved:{self._path.name}",
            "format": self._saved.format,
            "sha256": self._saved.digest(),
            "matched_by": self._compared,
            "notes": [f"{surplus:,} stored faces are not in the data set."] if surplus else [],
        }


def load(argument: str) -> SavedPredictor:
    """Stored predictions: saved:FILE."""
    path = Path(argument)
    if not path.exists():
        raise InputError(path, "no such file or folder", remedy="Check the name behind 'saved:'.")
    return SavedPredictor(path)
