"""A finished run, in memory or read back from its folder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import ValidationError

from alignbench.arrays import BLOCK, Bools, Floats, Ints, full, join
from alignbench.exceptions import InputError, unknown, visible
from alignbench.io.files import require_regular, sha256
from alignbench.io.notation import parse_json
from alignbench.io.npz import open_archive
from alignbench.markups import Markup
from alignbench.metrics import Measure, usual_measures
from alignbench.metrics.errors import normaliser_names
from alignbench.metrics.measure import threshold_suffix
from alignbench.runs.measure import bind_measures, cluster_numbers, metric_rows
from alignbench.runs.record import MetricRow, RunRecord, StoredMeasure
from alignbench.stats import Bootstrap

RECORD = "run.json"
METRICS = "metrics.json"
PREDICTIONS = "predictions.npz"
FACES = "faces.csv"
BREAKDOWN = "breakdown.csv"
RESULTS = (METRICS, FACES, BREAKDOWN, PREDICTIONS)
"""Files whose hashes stand in the record."""
UNFINISHED = ".unfinished"

_ROUNDING = 1e-9
"""Largest relative difference of a stored value from the one that follows from the errors."""


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
        A row for each face: id, image (the source image, or what else was sampled), membership
        (0/1) of each subset, error by normaliser as a fraction (NaN for a missed face).
    breakdown
        NME in percent by landmark, region and visibility.
    ids, points
        The predicted faces (missed ones are not among them) and their landmarks (M, L, 2), in the
        data set's mark-up, 0-based image pixels.
    folder
        Where it is stored; None if it is not.
    read_back
        Whether :func:`evaluate` read the finished run from its folder instead of running it.
    """

    record: RunRecord
    metrics: tuple[MetricRow, ...]
    faces: pd.DataFrame
    breakdown: pd.DataFrame
    ids: tuple[str, ...]
    points: Floats
    folder: Path | None = None
    read_back: bool = False

    def __repr__(self) -> str:
        record = self.record
        rows = [(measure, self.row(measure)) for measure in self._shown()]
        values = ", ".join(f"{m.title}{_at(m)} {_text(m, row.value)}" for m, row in rows)
        return visible(
            f"Run({record.model.name} on {record.dataset.title}: {len(self.faces):,} faces, "
            f"{values}; {record.dataset.normalisers[0]})"
        )

    def _repr_html_(self) -> str:
        """The usual measures of every subset, with intervals, for a notebook."""
        measures = self._shown()
        rows = {
            subset: [f"{self.row(measures[0], subset).faces:,}"]
            + [_interval_text(measure, self.row(measure, subset)) for measure in measures]
            for subset in self.subsets
        }
        columns = ["faces", *(measure.heading for measure in measures)]
        table = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
        dataset = self.record.dataset
        lacking = "" if dataset.complete else f" INCOMPLETE: {'; '.join(dataset.incomplete)}."
        title = (
            f"{self.record.model.name} on {dataset.title}. Normaliser: {dataset.normalisers[0]}. "
            f"[low, high]: {100 * self.record.statistics.confidence:.4g} % intervals.{lacking}"
        )
        return f"<p>{escape(visible(title))}</p>{table.to_html(border=0)}"

    def to_frame(self) -> pd.DataFrame:
        """The measures as a table.

        Returns
        -------
        pandas.DataFrame
            A row for each subset, normaliser and measure: subset, faces, norm, metric, threshold,
            value, ci_low and ci_high. NME and FR are in percent, AUC is a fraction; the interval is
            the run's, usually of 95 %.
        """
        return pd.DataFrame([row.model_dump() for row in self.metrics])

    def _shown(self) -> tuple[Measure, ...]:
        return usual_measures(self.record.dataset.threshold)

    @cached_property
    def markup(self) -> Markup:
        """The mark-up of the landmarks, from the record."""
        return self.record.dataset.markup.to_markup()

    @property
    def normalisers(self) -> tuple[str, ...]:
        """Every normaliser the run has errors by."""
        return _norms(self.record)

    @property
    def measures(self) -> tuple[Measure, ...]:
        """The measures it was asked for; one whose package is not installed has its rows alone."""
        return tuple(block.to_measure() for block in self.record.statistics.measures)

    @property
    def subsets(self) -> list[str]:
        """Names of the subsets, ``full`` first."""
        return list(self.record.dataset.subsets)

    @property
    def bootstrap(self) -> Bootstrap:
        """How its intervals were made."""
        settings = self.record.statistics
        return Bootstrap(settings.replicates, settings.confidence, settings.seed)

    @cached_property
    def clusters(self) -> Ints:
        """The source image, or other cluster, (N,) of each face, as a number from 0."""
        return cluster_numbers(self.faces["image"].tolist())

    def row(self, measure: Measure, subset: str = "full") -> MetricRow:
        """The row of a measure on a subset; its normaliser defaults to the data set's usual one.

        A measure the run did not store is computed from its faces, with the same intervals; it has
        no value where the package of the measure is not installed.

        Returns
        -------
        MetricRow
            ``value`` with its interval ``ci_low`` and ``ci_high``, in the measure's unit (percent
            for NME and FR, a fraction for AUC), and the number of ``faces``.

        Raises
        ------
        InputError
            If there is no such subset or normaliser.
        """
        norm = measure.normaliser or self.record.dataset.normalisers[0]
        key = (subset, norm, measure.name, measure.threshold)
        for row in self.metrics:
            if (row.subset, row.norm, row.metric, row.threshold) == key:
                return row
        errors, members = {norm: self.errors(norm)}, {subset: self.members(subset)}
        if isinstance(measure, StoredMeasure):
            return MetricRow(
                subset=subset, faces=int(members[subset].sum()), norm=norm, metric=measure.name,
                threshold=measure.threshold, value=None, ci_low=None, ci_high=None,
            )  # fmt: skip
        bound = [measure.with_normaliser(norm)]
        (row,) = metric_rows(bound, errors, members, self.clusters, self.bootstrap)
        return row

    def members(self, subset: str) -> Bools:
        """Which faces (N,) are in a subset; InputError if there is no such subset."""
        if subset not in self.subsets:
            raise unknown(f"subset of {self.record.dataset.name}", subset, self.subsets)
        return (self.faces[subset] == 1).to_numpy(np.bool_)

    def errors(self, normaliser: str, subset: str = "full") -> Floats:
        """Error of each face of a subset, by a normaliser.

        Returns
        -------
        Floats
            (F,) for the F faces of the subset, in the order of ``faces``: fractions of the
            normaliser, infinite for a missed face.

        Raises
        ------
        InputError
            If the run has no such normaliser or subset.
        """
        if normaliser not in self.normalisers:
            raise unknown("normaliser", normaliser, self.normalisers)
        errors = self.faces.loc[self.members(subset), normaliser].to_numpy(np.float64)
        return np.where(np.isnan(errors), np.inf, errors)

    def all_points(self) -> Floats:
        """Landmarks (N, L, 2) of every face, in the order of ``faces``; NaN for a missed one."""
        points = full((len(self.faces), *self.points.shape[1:]), np.nan)
        place = {name: row for row, name in enumerate(self.faces["id"])}
        points[[place[name] for name in self.ids]] = self.points
        return points


def _at(measure: Measure) -> str:
    return threshold_suffix(measure.threshold)


def _text(measure: Measure, value: float | None) -> str:
    """A value as papers print it, with its unit."""
    return "none" if value is None else f"{value:.{measure.digits}f} {measure.unit}".rstrip()


def _interval_text(measure: Measure, row: MetricRow) -> str:
    """A value and its interval, without the unit, which stands in the heading."""
    if row.value is None or row.ci_low is None or row.ci_high is None:
        return "–" if row.value is None else f"{row.value:.{measure.digits}f}"
    value, low, high = (f"{x:.{measure.digits}f}" for x in (row.value, row.ci_low, row.ci_high))
    return f"{value} [{low}, {high}]"


def load_run(path: str | Path) -> Run:
    """Read a run from its folder (or its ``run.json``), and check it.

    Its files must be those that the run wrote, errors finite and not negative, ids unique, and
    the stored values must follow from the errors.

    Returns
    -------
    Run
        The run; :meth:`Run.row` reads a number from it, :meth:`Run.to_frame` all of them.

    Raises
    ------
    InputError
        If there is no finished run, or a file of it is missing, edited or damaged.
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
    for name in RESULTS:
        check_digest(folder, record, name)
    with _name_damaged_file(folder / FACES) as path:
        faces = _read_faces(path, record)
    with _name_damaged_file(folder / PREDICTIONS) as path:
        ids, points = _read_predictions(path, record, faces)
    with _name_damaged_file(folder / BREAKDOWN) as path:
        breakdown = _read_breakdown(path, record)
    with _name_damaged_file(folder / METRICS):
        run = Run(record, read_metrics(folder), faces, breakdown, ids, points, folder)
        _check_metrics(run)
    return run


def check_digest(folder: Path, record: RunRecord, name: str) -> None:
    """Raise InputError unless a file of a run is the one that the run wrote."""
    path = folder / name
    try:
        require_regular(path)
        digest = sha256(path)
    except OSError as error:
        raise _damage_error(path, f"cannot be read ({error.strerror or error})") from error
    if digest != record.files.get(name):
        raise _damage_error(path, "is not the file that the run wrote: it was edited or damaged")


def read_metrics(folder: Path) -> tuple[MetricRow, ...]:
    """The rows of a run's ``metrics.json``; raises ValueError if they are none."""
    rows = parse_json((folder / METRICS).read_text(encoding="utf-8"))
    if not isinstance(rows, list) or not rows:
        raise ValueError("not a list of rows")
    return tuple(MetricRow.model_validate(row) for row in rows)


def _norms(record: RunRecord) -> tuple[str, ...]:
    return normaliser_names(record.dataset.markup.to_markup(), record.dataset.scales)


def _damage_error(path: Path, what: str) -> InputError:
    return InputError(path, what, remedy="Run it again with --fresh.")


@contextmanager
def _name_damaged_file(path: Path) -> Iterator[Path]:
    """Turn whatever a damaged file raises into one message about it."""
    try:
        yield path
    except InputError:
        raise
    except Exception as error:  # pandas and NumPy raise many kinds for a damaged file
        raise _damage_error(path, f"damaged ({error})") from error


def _read_faces(path: Path, record: RunRecord) -> pd.DataFrame:
    dataset = record.dataset
    norms = _norms(record)
    faces = _read_csv(path, ("id", "image"), dataset.subsets, norms)
    if len(faces) != dataset.faces:
        raise ValueError(f"it has {len(faces)} faces, but the record says {dataset.faces}")
    if not faces["id"].is_unique:
        raise ValueError(f"id {faces['id'][faces['id'].duplicated()].iloc[0]!r} occurs twice")
    if not np.isin(faces[list(dataset.subsets)], (0, 1)).all():
        raise ValueError("membership of a subset is neither 0 nor 1")
    errors = faces[list(norms)].to_numpy()
    missed = np.isnan(errors)
    if np.isinf(errors).any() or (errors < 0).any():
        raise ValueError("an error is infinite or negative")
    some, every = missed.any(axis=1), missed.all(axis=1)
    if (some != every).any() or every.sum() != record.missed:
        raise ValueError(f"{some.sum()} faces lack errors, but the record says {record.missed}")
    return faces


def _read_breakdown(path: Path, record: RunRecord) -> pd.DataFrame:
    rows = _read_csv(path, ("kind", "name", "norm"), ("faces",), ("nme", "ci_low", "ci_high"))
    markup = record.dataset.markup
    for norm in _norms(record):
        landmarks = int(((rows["kind"] == "landmark") & (rows["norm"] == norm)).sum())
        if landmarks != markup.landmarks:
            expected = f"but the record says {markup.landmarks}"
            raise ValueError(f"it has {landmarks} landmarks under {norm}, {expected}")
    if not (rows["nme"].isna() | np.isfinite(rows["nme"]) & (rows["nme"] >= 0)).all():
        raise ValueError("an NME is infinite or negative")
    return rows


def _read_predictions(
    path: Path, record: RunRecord, faces: pd.DataFrame
) -> tuple[tuple[str, ...], Floats]:
    predicted = faces["id"][~faces[record.dataset.normalisers[0]].isna()].tolist()
    shape = (len(predicted), record.dataset.markup.landmarks, 2)
    with open_archive(path, "ids", "points") as (names, points):
        if names.shape != shape[:1] or points.shape != shape:
            shapes = f"ids {names.shape} and points {points.shape}"
            raise ValueError(f"it has {shapes}, but the record says points {shape}")
        if names.dtype.kind != "U" or points.dtype != np.float64:
            raise ValueError(f"ids are {names.dtype}, points {points.dtype}")
        ids = [name for rows in names.rows() for name in rows.tolist()]
        if ids != predicted:
            raise ValueError(f"its ids are not those of the faces with an error in {FACES}")
        return tuple(ids), join(points.rows())


def _check_metrics(run: Run) -> None:
    """Raise ValueError unless the rows are complete and their values follow from the errors."""
    bound = bind_measures(run.measures, run.normalisers)
    rows = {(row.subset, row.norm, row.metric, row.threshold): row for row in run.metrics}
    keys = [(s, str(m.normaliser), m.name, m.threshold) for s in run.subsets for m in bound]
    if set(keys) != rows.keys() or len(rows) != len(run.metrics):
        raise ValueError("rows are missing, surplus or duplicated")
    errors = {norm: run.errors(norm) for norm in run.normalisers}
    for subset in run.subsets:
        inside = run.members(subset)
        for measure in bound:
            row = rows[subset, str(measure.normaliser), measure.name, measure.threshold]
            if row.faces != int(inside.sum()):
                faces = f"it has {row.faces} faces of {subset}"
                raise ValueError(f"{faces}, but {FACES} has {int(inside.sum())}")
            if not isinstance(measure, StoredMeasure):
                _check_value(row, measure.value(errors[str(measure.normaliser)][inside]))


def _check_value(row: MetricRow, value: float) -> None:
    stored = np.nan if row.value is None else row.value
    if not np.isclose(stored, value, rtol=_ROUNDING, atol=_ROUNDING, equal_nan=True):
        raise ValueError(
            f"{row.metric} on {row.subset} by {row.norm} is {row.value}, {value:.9g} by {FACES}"
        )
    ends = row.ci_low, row.ci_high
    if (ends[0] is None) != (ends[1] is None) or (None not in ends and ends[0] > ends[1]):  # type: ignore[operator]
        raise ValueError(f"interval {ends} of {row.metric} on {row.subset} by {row.norm}")


def _read_csv(
    path: Path, text: Iterable[str], whole: Iterable[str], numbers: Iterable[str]
) -> pd.DataFrame:
    """A CSV file of these columns with its numbers to the last bit; an empty cell is NaN."""
    text, whole, numbers = list(text), list(whole), list(numbers)
    columns = [*text, *whole, *numbers]
    frames = []
    # In blocks, because texts take ten times the memory of numbers.
    with pd.read_csv(path, dtype=str, keep_default_na=False, chunksize=BLOCK) as parts:
        for frame in parts:
            if list(frame.columns) != columns:
                raise ValueError(f"columns {list(frame.columns)}, expected {columns}")
            for name in [*whole, *numbers]:
                values = [float(value) if value else np.nan for value in frame[name]]
                frame[name] = np.array(values, np.int64 if name in whole else np.float64)
            frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def read_record(folder: Path) -> RunRecord:
    """The record of a run's folder; raises InputError if there is none or it is no record."""
    path = folder / RECORD
    try:
        require_regular(path)
        content: Any = parse_json(path.read_text(encoding="utf-8"))
        return RunRecord.model_validate(content)
    except FileNotFoundError as error:
        raise InputError(
            folder, f"no run: {RECORD} is missing", "a folder that `alignbench run` wrote"
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise InputError(
            path, f"not a record of this version's schema ({key}: {first['msg']})",
            remedy="Another program or version wrote it, or it is damaged: run the model again "
            "into another folder, or remove this one.",
        ) from error  # fmt: skip
    except InputError:
        raise
    except (OSError, ValueError) as error:
        raise InputError(
            path, f"not a record ({error})", "what `alignbench run` wrote", "Remove the folder."
        ) from error
