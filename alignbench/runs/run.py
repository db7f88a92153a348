"""A finished run, in memory or read back from its folder."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import ValidationError

from alignbench.arrays import Floats
from alignbench.errors import InputError, unknown
from alignbench.markups import MARKUPS
from alignbench.metrics import Measure
from alignbench.metrics.errors import normaliser_names
from alignbench.runs.record import MetricRow, RunRecord

RECORD = "run.json"
METRICS = "metrics.json"
PREDICTIONS = "predictions.npz"
FACES = "faces.csv"
BREAKDOWN = "breakdown.csv"


@dataclass(frozen=True, eq=False)
class Run:
    """A run: its record, numbers and landmarks.

    Attributes
    ----------
    record
        What was run on what, and how.
    metrics
        A row for each subset, normaliser and measure.
    faces
        A row a face: id, membership (0/1) of each subset, error in percent by normaliser (none
        for a missed face).
    breakdown
        NME in percent by landmark, region and visibility.
    ids, points
        The predicted faces (missed ones are not among them) and their landmarks (M, L, 2), in the
        data set's mark-up, 0-based image pixels.
    folder
        Where it is stored; None if it is not.
    read_back
        Whether :func:`evaluate` found it finished in its folder instead of running it.
    """

    record: RunRecord
    metrics: tuple[MetricRow, ...]
    faces: pd.DataFrame
    breakdown: pd.DataFrame
    ids: tuple[str, ...]
    points: Floats
    folder: Path | None = None
    read_back: bool = False

    def row(self, measure: Measure, subset: str = "full") -> MetricRow:
        """The row of a measure on a subset; its normaliser defaults to the data set's usual one.

        Raises
        ------
        InputError
            If the run has no such row; says which there are.
        """
        norm = measure.normaliser or self.record.dataset.normalisers[0]
        wanted = (subset, norm, measure.name, measure.threshold)
        for row in self.metrics:
            if (row.subset, row.norm, row.metric, row.threshold) == wanted:
                return row
        if subset not in self.subsets:
            raise unknown(f"subset of {self.record.dataset.name}", subset, self.subsets)
        raise InputError(
            f"run {self.record.model.name}",
            f"has no {measure.with_normaliser(norm)}",
            ", ".join(self.record.statistics.measures),
            "Run it again with --measure, --fresh.",
        )

    def errors(self, normaliser: str, subset: str = "full") -> Floats:
        """Error of each face of a subset, a fraction; infinite for a missed face.

        Raises
        ------
        InputError
            If the run has no such normaliser or subset.
        """
        norms = normaliser_names(MARKUPS[self.record.dataset.markup])
        if normaliser not in norms:
            raise unknown("normaliser", normaliser, norms)
        if subset not in self.subsets:
            raise unknown(f"subset of {self.record.dataset.name}", subset, self.subsets)
        chosen = self.faces.loc[self.faces[subset] == 1, normaliser].to_numpy(np.float64)
        return np.where(np.isnan(chosen), np.inf, chosen / 100)

    @property
    def subsets(self) -> list[str]:
        """Names of the subsets, ``full`` first."""
        return list(dict.fromkeys(row.subset for row in self.metrics))


def load_run(path: str | Path) -> Run:
    """Read a run from its folder (or its ``run.json``).

    Raises
    ------
    InputError
        If there is no finished run, or a file of it is missing or damaged.
    """
    folder = Path(path)
    if folder.name == RECORD:
        folder = folder.parent
    record = read_record(folder)
    if record.status != "complete":
        raise InputError(
            folder, "the run is not finished", remedy="Start it again: it goes on where it stopped."
        )
    try:
        rows = json.loads((folder / METRICS).read_text(encoding="utf-8"))
        metrics = tuple(MetricRow.model_validate(row) for row in rows)
        faces = _read_csv(folder / FACES, text=["id"], whole=list({r.subset for r in metrics}))
        breakdown = _read_csv(folder / BREAKDOWN, text=["kind", "name", "norm"], whole=["faces"])
        with np.load(folder / PREDICTIONS, allow_pickle=False) as stored:
            ids, points = tuple(stored["ids"].tolist()), stored["points"]
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            folder, f"damaged run ({error})", remedy="Run it again with --fresh."
        ) from error
    return Run(record, metrics, faces, breakdown, ids, points, folder)


def _read_csv(path: Path, text: list[str], whole: list[str]) -> pd.DataFrame:
    """A CSV file with its numbers to the last bit, which pandas' own parser does not promise."""
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    for name in frame.columns.difference(text):
        numbers = [float(value) if value else np.nan for value in frame[name]]
        frame[name] = np.array(numbers, dtype=np.int64 if name in whole else np.float64)
    return frame


def read_record(folder: Path) -> RunRecord:
    """The record of a run's folder; raises InputError if there is none or it is damaged."""
    path = folder / RECORD
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8"))
        return RunRecord.model_validate(content)
    except FileNotFoundError as error:
        raise InputError(
            folder, f"no run: {RECORD} is not there", "a folder that `alignbench run` wrote"
        ) from error
    except (OSError, ValueError, ValidationError) as error:
        raise InputError(
            path, f"damaged record ({error})", remedy="Run it again with --fresh."
        ) from error
