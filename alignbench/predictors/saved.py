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
from alignbench.predictors.base import Batch, Predictor, sha256
from alignbench.predictors.saved_formats import read_saved


class SavedPredictor(Predictor):
    """Predictions from a file or folder.

    A face of the data set that is not in the file counts as missed; a face in the file that is
    not in the data set is counted as surplus. Both numbers stand in the record.
    """

    needs_images = False
    uses_boxes = False

    def __init__(self, path: Path) -> None:
        saved = read_saved(path)
        self.name = path.stem if path.is_file() else path.name
        self.markup = by_landmarks(saved.points.shape[1], path)
        self._path, self._saved = path, saved
        self._row: dict[str, int] = {}
        self._surplus = 0

    def prepare(self, dataset: Dataset) -> None:
        rows = match_ids(self._saved.ids, dataset.ids, self._path)
        self._row = {
            name: int(row) for name, row in zip(dataset.ids, rows, strict=True) if row >= 0
        }
        self._surplus = len(self._saved.ids) - len(self._row)

    def predict(self, batch: Batch) -> Floats:
        rows = np.array([self._row.get(name, -1) for name in batch.ids])
        return np.where((rows >= 0)[:, None, None], self._saved.points[rows], np.nan)

    def describe(self) -> dict[str, Any]:
        notes = [f"{self._surplus} stored faces are not in the data set."] if self._surplus else []
        digest = sha256(self._path) if self._path.is_file() else self._saved.digest()
        return {
            "source": f"saved:{self._path.name}",
            "format": self._saved.format,
            "weights_sha256": digest,
            "notes": notes,
        }


def load(argument: str) -> SavedPredictor:
    """Stored predictions: saved:FILE."""
    path = Path(argument)
    if not path.exists():
        raise InputError(path, "no such file or folder", remedy="Check the name behind 'saved:'.")
    return SavedPredictor(path)
