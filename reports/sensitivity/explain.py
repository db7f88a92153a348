"""Find the protocol under which a run gives a published number.

Every protocol that a stored run allows is tried: normaliser, subset, threshold, convention, and a
number that was cut instead of rounded. Boxes and training cannot be changed afterwards.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from alignbench import Run, parse_measure
from alignbench.arrays import Bools, Floats
from alignbench.datasets import dataset_names
from alignbench.exceptions import InputError
from alignbench.metrics import compat
from alignbench.metrics.errors import distances, face_errors, is_annotated, normalisers
from reports.printed import Printed, parse
from reports.published import NOT_STATED, PublishedCell, collection, select
from reports.published.reading import NORMALISERS, threshold_text
from reports.sensitivity.stored import CONVENTIONS, THRESHOLDS, find_truth
from reports.tables import Number, Record, Row, Table

_SHOWN = 5
"""Number of the nearest ones that are shown if no protocol gives the published number."""
_USUAL = {"nme": "mean over faces", "fr": "exact", "auc": "exact"}


@dataclass(frozen=True)
class Attempt:
    """A number that a run has under one protocol.

    ``changes`` says in what the protocol differs from the published one. ``fits`` is ``rounded`` if
    the number rounds to the published one, ``cut`` if it gives the published one when its digits
    are cut off, and empty otherwise. ``distance`` is in units of the published last digit.
    """

    value: float
    changes: tuple[str, ...]
    fits: str
    distance: float


def find_published(text: str, run: Run) -> list[PublishedCell]:
    """The published numbers that a text names, such as ``SPIGA 300w full auc@0.08``.

    Words that are a data set, a subset of the run or a measure stand for these; the others are
    the method. Without data set and subset, it is the run's data set and ``full``.

    Raises
    ------
    InputError
        If the collection has no such number, or it is of another data set than the run.
    """
    method, subset, measures = [], "full", []
    dataset = run.record.dataset.title
    for word in text.split():
        low = word.lower()
        if low in dataset_names():
            if low != run.record.dataset.name:
                found = f"{low}, but the run is on {run.record.dataset.title}"
                raise InputError("--published", found, "a number of the run's data set")
        elif low in run.subsets:
            subset = low
        elif low.partition("@")[0] in ("nme", "fr", "auc"):
            measures.append(low)
        else:
            method.append(word)
    if not method:
        raise InputError("--published", repr(text), "a method, such as 'SPIGA 300w full'")
    return select(
        collection(), dataset, methods=[" ".join(method)], measures=measures, subsets=[subset]
    )


def attempts(run: Run, cell: PublishedCell, root: Path | None = None) -> list[Attempt]:
    """The run's number under every protocol, those that give the published one first.

    Those are sorted by the number of changes, and then by distance; the others by distance.
    """
    candidates = [
        _attempt(cell, value, norm, subset, threshold, convention)
        for norm, subset, threshold, convention, value in _values(run, cell, root)
        if math.isfinite(value)
    ]
    return sorted(
        candidates, key=lambda a: (not a.fits, len(a.changes) if a.fits else 0, a.distance)
    )


def _attempt(
    cell: PublishedCell,
    value: float,
    norm: str,
    subset: str,
    threshold: float | None,
    convention: str,
) -> Attempt:
    changes = []
    if norm != cell.normaliser:
        stated = f" instead of {cell.normaliser}" if cell.normaliser != NOT_STATED else ""
        changes.append(f"normaliser {norm}{stated}")
    if subset != cell.subset:
        changes.append(f"subset {subset} instead of {cell.subset}")
    if threshold is not None and cell.threshold != (tried := threshold_text(threshold)):
        stated = f" instead of {cell.threshold}" if cell.threshold != NOT_STATED else ""
        changes.append(f"threshold {tried}{stated}")
    if convention != _USUAL[cell.metric]:
        changes.append(convention)
    fits = _fit(value, cell.printed)
    if fits == "cut":
        changes.append("digits cut off, not rounded")
    distance = abs(Fraction(value) - cell.printed.value) / cell.printed.unit
    return Attempt(value, tuple(changes), fits, float(distance))


def _fit(value: float, printed: Printed) -> str:
    exact = Fraction(value)
    if printed.rounded.low <= exact <= printed.rounded.high:
        return "rounded"
    return "cut" if printed.value <= exact < printed.value + printed.unit else ""


def _values(
    run: Run, cell: PublishedCell, root: Path | None
) -> Iterator[tuple[str, str, float | None, str, float]]:
    """Normaliser, subset, threshold, convention and value of everything that can be tried."""
    members = {subset: (run.faces[subset] == 1).to_numpy() for subset in run.subsets}
    if cell.metric == "nme":
        for norm, subset, convention, value in _means(run, members, root):
            yield norm, subset, None, convention, value
        return
    published = {float(cell.threshold)} if cell.threshold != NOT_STATED else set()
    thresholds = sorted({run.record.dataset.threshold, *THRESHOLDS} | published)
    for norm in run.normalisers:
        errors = run.errors(norm)
        for subset, member in members.items():
            for threshold in thresholds:
                for whose, summary in CONVENTIONS.items():
                    chosen = errors[member]
                    if len(chosen) and (whose != "SPIGA" or np.isfinite(chosen).all()):
                        fr, auc = summary(chosen, threshold)
                        yield norm, subset, threshold, whose, fr if cell.metric == "fr" else auc


def _means(
    run: Run, members: dict[str, Bools], root: Path | None
) -> Iterator[tuple[str, str, str, float]]:
    """NME with the means of other repositories; those of HRNet and mmpose need true landmarks."""
    for norm in run.normalisers:
        errors = run.errors(norm)
        for subset, member in members.items():
            counted = errors[member & np.isfinite(errors)]
            if len(counted) > 1:
                yield norm, subset, "mean over faces", 100 * float(counted.mean())
                yield norm, subset, "ADNet: one face too few", compat.adnet_nme(counted)
    truth = find_truth(run, root)
    if isinstance(truth, str):
        return
    here = run.faces["id"].isin(run.ids).to_numpy()
    distance = distances(run.points, truth.points)
    whole = distances(compat.hrnet_points(run.points), truth.points)
    annotated = is_annotated(truth.points)
    scales = normalisers(truth.points, truth.markup, truth.ids, truth.scales)
    for norm in run.normalisers:
        scale = scales[norm]
        cut: Floats = face_errors(whole, scale)
        for subset, member in members.items():
            chosen = member[here]
            if not chosen.any():
                continue
            yield norm, subset, "HRNet: whole pixels", 100 * float(cut[chosen].mean())
            pooled = [("all", annotated)]
            if truth.visible is not None:
                pooled.append(("visible", truth.visible & annotated))
            for which, points in pooled:
                value = compat.mmpose_nme(distance[chosen], scale[chosen], points[chosen])
                yield norm, subset, f"mmpose: {which} points of all faces", value


def explain_tables(
    run: Run, cells: Sequence[PublishedCell], root: Path | None = None
) -> list[Table]:
    """A table for each published number: the protocols that give it, or the nearest ones."""
    truth = find_truth(run, root) if any(cell.metric == "nme" for cell in cells) else None
    untried = f"HRNet's and mmpose's means were not tried: they need the true landmarks. {truth}"
    return [
        _table(
            run, cell, attempts(run, cell, root),
            [untried] if isinstance(truth, str) and cell.metric == "nme" else [],
        )
        for cell in cells
    ]  # fmt: skip


def _table(
    run: Run, cell: PublishedCell, candidates: Sequence[Attempt], untried: Sequence[str]
) -> Table:
    fitting = [attempt for attempt in candidates if attempt.fits]
    shown = fitting or candidates[:_SHOWN]
    digits = cell.printed.digits + 2
    rows: list[Row] = [
        (Number(a.value, digits), _how(a), ", ".join(a.changes) or "none") for a in shown
    ]
    title = (
        f"{cell.method} prints {cell.measure} {cell.printed.text} on {cell.dataset} {cell.subset} "
        f"({cell.normaliser.replace('_', '-')}); {run.record.model.name}"
    )
    if fitting:
        first = f"{len(fitting)} of {len(candidates)} protocols give the number"
    else:
        first = f"None of {len(candidates)} protocols gives the number; these are nearest"
    chance = (
        "Among many protocols some give a number by chance: the fewer changes, the likelier. Boxes "
        "and training cannot be tried with a stored run; 'alignbench sensitivity --model' tries "
        "boxes."
    )
    notes = (f"{first}. Source: {cell.source}.", *untried, chance)
    columns = ("Run", "Is the published number", "Changes from the published protocol")
    return Table.of_rows(title, columns, rows, notes, records=list(_records(cell, candidates)))


def _how(attempt: Attempt) -> str:
    if attempt.fits:
        return attempt.fits
    return f"no, {attempt.distance:,.1f} units of its last digit away"


def _records(cell: PublishedCell, candidates: Sequence[Attempt]) -> Iterator[Record]:
    for attempt in candidates:
        yield {
            "method": cell.method,
            "measure": cell.measure,
            "published": cell.printed.text,
            "value": attempt.value,
            "fits": attempt.fits,
            "units": attempt.distance,
            "changes": "; ".join(attempt.changes),
        }


def typed_cell(value: str, measure: str, subset: str, norm: str, run: Run) -> PublishedCell:
    """A published number that is not in the collection.

    Raises
    ------
    InputError
        If it is no number, or measure, subset or normaliser is none.
    """
    printed = parse(value)
    if printed is None:
        raise InputError("--value", repr(value), "a number as it is printed, such as 4.05")
    asked = parse_measure(measure)
    if asked.name not in _USUAL:
        raise InputError("--metric", measure, ", ".join(_USUAL))
    if isinstance(asked.threshold, tuple):
        raise InputError("--metric", measure, "a measure with one threshold")
    if subset not in run.subsets:
        raise InputError("--subset", repr(subset), ", ".join(run.subsets))
    norms = tuple(dict.fromkeys((*run.normalisers, *NORMALISERS)))
    if norm and norm not in norms:
        raise InputError("--norm", repr(norm), ", ".join(norms))
    return PublishedCell(
        run.record.dataset.title, subset, "A source", "", "", asked.name,
        threshold_text(asked.threshold),
        norm or NOT_STATED, printed, "own", "the option --value", "",
    )  # fmt: skip
