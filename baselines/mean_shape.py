"""The mean face laid into the box: the lower bound any model that looks at images must beat."""

from __future__ import annotations

import json
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from alignbench import Batch, Dataset, InputError, Predictor
from alignbench.arrays import Floats, plausible
from alignbench.boxes import boxes_of, default_protocol
from alignbench.io.files import sha256
from alignbench.io.notation import parse_json
from alignbench.markups import by_landmarks
from alignbench.predictors.facts import ModelFacts

WEIGHTS = "mean-shape.safetensors"
DRAWN = ModelFacts(
    points="98",
    weights="shipped",
    licence="MIT",
    trained_on="",
    seen=(("synthetic", "train"),),
)


def fit(dataset: Dataset) -> Floats:
    """The mean shape (L, 2) of a data set in units of its default boxes: (0, 0) to (1, 1).

    Each landmark is the mean over the faces that have it annotated.
    """
    corner, extent = _split(boxes_of(dataset, default_protocol(dataset)))
    return np.asarray(np.nanmean((dataset.points - corner) / extent, axis=0))


def describe_fit(dataset: Dataset) -> str:
    """What a baseline was fitted on, with a warning where that was no real face."""
    where = f"fitted on {dataset.name} {dataset.split} ({len(dataset):,} faces)"
    drawn = ", which are drawn: its numbers on other data mean nothing"
    return where + (drawn if dataset.name == "synthetic" else "")


def save(path: Path, dataset: Dataset) -> None:
    """Fit the mean shape, and write it with a note on its origin."""
    source = {
        "dataset": dataset.name, "split": dataset.split, "fingerprint": dataset.fingerprint(),
        "boxes": default_protocol(dataset), "note": describe_fit(dataset),
    }  # fmt: skip
    save_file({"shape": fit(dataset)}, path, {"fitted_on": json.dumps(source, sort_keys=True)})


class MeanShape(Predictor):
    """Places a mean shape in each box. Looks at no image.

    Raises InputError if the file holds no mean shape.
    """

    name = "mean-shape"
    needs_images = False

    def __init__(self, path: Path) -> None:
        try:
            with safe_open(path, framework="numpy") as stored:
                self._shape = stored.get_tensor("shape")
                self._fitted_on = parse_json(stored.metadata()["fitted_on"])
            if self._shape.shape[1:] != (2,) or not plausible(self._shape).all():
                raise ValueError(f"a shape {self._shape.shape}")
            self._note = str(self._fitted_on["note"])
            if (boxes := self._fitted_on["boxes"]) not in ("rect", "tight"):
                raise ValueError(f"boxes {boxes!r}")
        except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
            raise InputError(
                path, f"no mean shape ({error})", "a file that baselines.mean_shape.save wrote"
            ) from error
        self.markup = by_landmarks(len(self._shape), path)
        self.boxes = boxes
        self._weights = sha256(path)

    def predict(self, batch: Batch) -> Floats:
        corner, extent = _split(batch.boxes)
        return np.asarray(corner + self._shape * extent)

    def describe(self) -> dict[str, Any]:
        return {
            "source": "mean-shape",
            "weights_sha256": self._weights,
            "fitted_on": self._fitted_on,
            "notes": [f"A mean shape that looks at no image, {self._note}."],
        }


def _split(boxes: Floats) -> tuple[Floats, Floats]:
    """Corner and extent (N, 1, 2) of boxes (N, 4)."""
    return boxes[:, None, :2], boxes[:, None, 2:] - boxes[:, None, :2]


def load(weights: Path | None = None) -> MeanShape:
    """The mean face in the box, of drawn faces; looks at no image."""
    if weights is not None:
        return MeanShape(weights)
    with as_file(files("baselines") / "weights" / WEIGHTS) as path:
        return MeanShape(path)


load.facts = DRAWN  # type: ignore[attr-defined]
