"""A finished run, in memory or read back from its folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import ValidationError

from alignbench import arrays
from alignbench.arrays import Floats, Ints
from alignbench.errors import InputError, unknown
from alignbench.io import npz as archives
from alignbench.io.notation import parse_json
from alignbench.markups import load_markup
from alignbench.metrics import Measure
from alignbench.metrics.errors import normaliser_names
from alignbench.runs.measure import cluster_numbers, metric_rows
from alignbench.runs.record import MetricRow, RunRecord
from alignbench.stats import Bootstrap

RECORD = "run.json"
METRICS = "metrics.json"
PREDICTIONS = "predictions.npz"
FACES = "faces.csv"
BREAKDOWN = "breakdown.csv"
UNFINISHED = ".unfinished"


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
        A row a face: id, source image, membership (0/1) of each subset, error in percent by
        normaliser (none for a missed face).
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

        A measure the run did not store is computed from its faces, with the same intervals.

        Raises
        ------
        InputError
            If there is no such subset or normaliser.
        """
        norm = measure.normaliser or self.record.dataset.normalisers[0]
        wanted = (subset, norm, measure.name, measure.threshold)
        for row in self.metrics:
            if (row.subset, row.norm, row.metric, row.threshold) == wanted:
                return row
        errors = {norm: self.errors(norm)}
        if subset not in self.subsets:
            raise unknown(f"subset of {self.record.dataset.name}", subset, self.subsets)
        settings = self.record.statistics
        (row,) = metric_rows(
            [measure.with_normaliser(norm)],
            errors,
            {subset: (self.faces[subset] == 1).to_numpy()},
            self.clusters,
            Bootstrap(settings.replicates, settings.confidence, settings.seed),
        )
        return row

    def errors(self, normaliser: str, subset: str = "full") -> Floats:
        """Error of each face of a subset, a fraction; infinite for a missed face.

        Raises
        ------
        InputError
            If the run has no such normaliser or subset.
        """
        norms = normaliser_names(load_markup(self.record.dataset.markup))
        if normaliser not in norms:
            raise unknown("normaliser", normaliser, norms)
        if subset not in self.subsets:
            raise unknown(f"subset of {self.record.dataset.name}", subset, self.subsets)
        chosen = self.faces.loc[self.faces[subset] == 1, normaliser].to_numpy(np.float64)
        # Rounded, because e * 100 / 100 need not be e, which matters for a face at a threshold.
        return np.where(np.isnan(chosen), np.inf, np.round(chosen / 100, 15))

    def all_points(self) -> Floats:
        """Landmarks (N, L, 2) of every face, in the order of ``faces``; NaN for a missed one."""
        points = arrays.full((len(self.faces), *self.points.shape[1:]), np.nan)
        place = {name: row for row, name in enumerate(self.faces["id"])}
        points[[place[name] for name in self.ids]] = self.points
        return points

    @property
    def clusters(self) -> Ints:
        """The source image (N,) of each face, as a number from 0."""
        return cluster_numbers(self.faces["image"].tolist())

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
    if folder.is_file():
        raise InputError(folder, "not a run", "a folder that `alignbench run` wrote")
    if not (folder / RECORD).exists() and (folder / UNFINISHED / RECORD).exists():
        raise InputError(
            folder, "the run is not finished", remedy="Start it again: it goes on where it stopped."
        )
    record = read_record(folder)
    readers: dict[str, Callable[[Path], Any]] = {
        METRICS: _read_metrics,
        FACES: lambda path: _read_faces(path, record),
        BREAKDOWN: lambda path: _read_breakdown(path, record),
        PREDICTIONS: lambda path: _read_predictions(path, record),
    }
    found = {}
    for name, read in readers.items():
        try:
            found[name] = read(folder / name)
        except (OSError, ValueError, TypeError, KeyError, OverflowError) as error:
            raise InputError(
                folder / name, f"damaged ({error})", remedy="Run it again with --fresh."
            ) from error
    strange = {row.subset for row in found[METRICS]} - set(found[FACES].columns)
    if strange:
        raise InputError(folder / METRICS, f"damaged (no subset {min(strange)!r} in {FACES})")
    ids, points = found[PREDICTIONS]
    return Run(record, found[METRICS], found[FACES], found[BREAKDOWN], ids, points, folder)


def _read_metrics(path: Path) -> tuple[MetricRow, ...]:
    rows = parse_json(path.read_text(encoding="utf-8"))
    if not isinstance(rows, list) or not rows:
        raise ValueError("not a list of rows")
    return tuple(MetricRow.model_validate(row) for row in rows)


def _read_faces(path: Path, record: RunRecord) -> pd.DataFrame:
    norms = normaliser_names(load_markup(record.dataset.markup))
    head = pd.read_csv(path, dtype=str, nrows=0).columns
    missing = {"id", "image", *norms} - set(head)
    if missing:
        raise ValueError(f"no column {sorted(missing)[0]}")
    subsets = [name for name in head if name not in ("id", "image", *norms)]
    faces = _read_csv(path, text=["id", "image"], whole=subsets)
    if len(faces) != record.dataset.faces:
        raise ValueError(f"{len(faces)} faces, {record.dataset.faces} by its record")
    return faces


def _read_breakdown(path: Path, record: RunRecord) -> pd.DataFrame:
    rows = _read_csv(path, text=["kind", "name", "norm"], whole=["faces"])
    if missing := {"nme", "ci_low", "ci_high"} - set(rows.columns):
        raise ValueError(f"no column {min(missing)}")
    markup = load_markup(record.dataset.markup)
    for norm in normaliser_names(markup):
        found = int(((rows["kind"] == "landmark") & (rows["norm"] == norm)).sum())
        if found != markup.landmarks:
            raise ValueError(f"{found} landmarks under {norm}, {markup.landmarks} by its record")
    return rows


def _read_predictions(path: Path, record: RunRecord) -> tuple[tuple[str, ...], Floats]:
    wanted = record.dataset.faces - record.missed
    landmarks = load_markup(record.dataset.markup).landmarks
    with archives.open_archive(path, "ids", "points") as (names, points):
        if names.shape != (wanted,) or points.shape != (wanted, landmarks, 2):
            shapes = f"{names.shape} ids, {points.shape} points"
            raise ValueError(f"{shapes}; {wanted} faces by its record")
        if names.dtype.kind != "U" or points.dtype != np.float64:
            raise ValueError(f"ids are {names.dtype}, points {points.dtype}")
        return (
            tuple(name for rows in names.rows() for name in rows.tolist()),
            arrays.join(points.rows()),
        )


def _read_csv(path: Path, text: list[str], whole: list[str]) -> pd.DataFrame:
    """A CSV file with its numbers to the last bit, which pandas' own parser does not promise."""
    if missing := {*text, *whole} - set(pd.read_csv(path, dtype=str, nrows=0).columns):
        raise ValueError(f"no column {min(missing)}")
    frames = []
    # In blocks, because texts take ten times the memory of numbers.
    with pd.read_csv(path, dtype=str, keep_default_na=False, chunksize=arrays.BLOCK) as blocks:
        for frame in blocks:
            for name in frame.columns.difference(text):
                numbers = [float(value) if value else np.nan for value in frame[name]]
                frame[name] = np.array(numbers, dtype=np.int64 if name in whole else np.float64)
            frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def read_record(folder: Path) -> RunRecord:
    """The record of a run's folder; raises InputError if there is none or it is no record."""
    path = folder / RECORD
    try:
        content: Any = parse_json(path.read_text(encoding="utf-8"))
        return RunRecord.model_validate(content)
    except FileNotFoundError as error:
        raise InputError(
            folder, f"no run: {RECORD} is not there", "a folder that `alignbench run` wrote"
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise InputError(
            path,
            f"not a record of this version's schema ({key}: {first['msg']})",
            remedy="It is damaged, of another program or of another version: remove the folder.",
        ) from error
    except (OSError, ValueError) as error:
        raise InputError(
            path, f"not a record ({error})", "what `alignbench run` wrote", "Remove the folder."
        ) from error
