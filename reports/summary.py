"""The summary table: measures by subset with intervals, one table for each normaliser."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from alignbench import Measure, Run
from alignbench.exceptions import unknown
from alignbench.metrics import default_measures, usual_measures
from alignbench.runs.record import MetricRow
from reports.labels import interval_note, labels, protocol_notes
from reports.tables import Number, Record, Row, Table, hide_intervals


def tables(
    runs: Sequence[Run],
    measures: Sequence[Measure] | None = None,
    *,
    subsets: Sequence[str] | None = None,
    normaliser: str | None = None,
    intervals: bool = True,
) -> list[Table]:
    """NME, FR and AUC of each subset: a table for each data set and normaliser.

    The records are every row of the runs' ``metrics.json``, or the measures that were asked for.

    Parameters
    ----------
    measures
        Measures to show, those without normaliser under the data set's usual ones. By default
        NME, and FR and AUC at the data set's usual threshold.
    subsets
        Subsets to show; by default all.
    normaliser
        The normaliser of the measures that name none; by default all usual ones of the data set.
    intervals
        Whether numbers have their intervals; the records always have them.

    Raises
    ------
    InputError
        If a run has no normaliser of a measure, or no run has a subset.
    """
    known = dict.fromkeys(name for run in runs for name in run.subsets)
    for name in subsets or ():
        if name not in known:
            raise unknown("subset", name, known)
    by_dataset: dict[str, list[Run]] = {}
    for run in runs:
        dataset = run.record.dataset
        by_dataset.setdefault(dataset.title, []).append(run)
    result = []
    for same in by_dataset.values():
        shown = _bind(measures or _usual(same), normaliser)
        first, *others = _tables(same, shown, subsets, intervals)
        if not first.rows:  # no run of this data set has the subset
            continue
        stored = None if measures is None else _bind(measures, normaliser)
        records = [
            record
            for run in same
            for record in _records(run, stored)
            if (subsets is None or record["subset"] in subsets)
            and normaliser in (None, record["norm"])
        ]
        result += [replace(first, records=records), *others]
    return result


def _bind(measures: Sequence[Measure], normaliser: str | None) -> list[Measure]:
    """The measures, those without a normaliser under this one."""
    return [m.with_normaliser(m.normaliser or normaliser) if normaliser else m for m in measures]


def _tables(
    runs: list[Run], measures: Sequence[Measure], subsets: Sequence[str] | None, intervals: bool
) -> Iterator[Table]:
    """A table for each normaliser, all runs of one data set in it."""
    dataset = runs[0].record.dataset
    usual = dataset.normalisers if any(m.normaliser is None for m in measures) else ()
    names = labels(runs)
    several = len(runs) > 1
    who = f"{len(runs)} models" if several else names[0]
    first = ("Model",) if several else ()
    for norm in dict.fromkeys([*usual, *(m.normaliser for m in measures if m.normaliser)]):
        shown = [
            m.with_normaliser(norm)
            for m in measures
            if m.normaliser == norm or (norm in usual and m.normaliser is None)
        ]
        rows = [
            (*([name] if several else []), *_row(run, subset, shown))
            for subset in dict.fromkeys(name for run in runs for name in run.subsets)
            for name, run in zip(names, runs, strict=True)
            if subset in run.subsets  # a description may have more of them than before
            if subsets is None or subset in subsets
        ]
        title = f"{who} on {dataset.title}, normaliser {norm}"
        columns = (*first, "Subset", "Faces", *(m.heading for m in shown))
        table = Table.of_rows(title, columns, rows, _notes(runs, shown, intervals))
        yield table if intervals else hide_intervals(table)


def _usual(runs: list[Run]) -> list[Measure]:
    """NME, FR and AUC at the data set's threshold, and the other measures that runs were made for.

    The default measures at other thresholds are in every run, and are not shown.
    """
    usual = usual_measures(runs[0].record.dataset.threshold)
    stored = [measure for run in runs for measure in run.measures]
    further = [measure for measure in stored if measure not in default_measures()]
    return list(dict.fromkeys([*usual, *further]))


def _row(run: Run, subset: str, measures: Sequence[Measure]) -> Row:
    rows = [run.row(measure, subset) for measure in measures]
    pairs = zip(rows, measures, strict=True)
    numbers = (Number(r.value, m.digits, r.ci_low, r.ci_high) for r, m in pairs)
    return (subset, rows[0].faces, *numbers)


def _notes(runs: Sequence[Run], measures: Sequence[Measure], intervals: bool) -> list[str]:
    """What a reader must know about each run; a line that holds for some runs only names them."""
    names_by_note: dict[str, list[str]] = {}
    for name, run in zip(labels(runs), runs, strict=True):
        notes = [interval_note(run.record, measures)] if intervals else []
        for note in (*notes, *run_notes(run, measures)):
            names_by_note.setdefault(note, []).append(name)
    return [
        note if len(names) == len(runs) else f"{', '.join(names)}: {note}"
        for note, names in names_by_note.items()
    ]


def run_notes(run: Run, measures: Sequence[Measure]) -> list[str]:
    """Incompleteness, boxes and their leak, missed faces, visibility and the model's own notes.

    ``measures`` are those that are shown, under one normaliser.
    """
    notes = protocol_notes(run, measures)
    rows = run.breakdown[run.breakdown["kind"] == "visibility"].dropna(subset="nme")
    rows = rows[rows["norm"] == measures[0].normaliser]
    if len(rows):
        parts = [f"{n} {nme:.2f} %" for n, nme in zip(rows["name"], rows["nme"], strict=True)]
        notes.append(f"NME by visibility: {', '.join(parts)}.")
    return notes + list(run.record.model.notes)


def _records(run: Run, measures: Sequence[Measure] | None) -> Iterator[Record]:
    """Rows of a run's metrics in full precision, each with what labels it."""
    record, dataset = run.record, run.record.dataset
    rows: Sequence[MetricRow] = run.metrics
    if measures is not None:
        rows = [
            run.row(measure.with_normaliser(norm), subset)
            for subset in run.subsets
            for measure in measures
            for norm in ([measure.normaliser] if measure.normaliser else dataset.normalisers)
        ]
    for row in rows:
        yield {
            "model": record.model.name,
            "dataset": dataset.name,
            "split": dataset.split,
            **row.model_dump(),
            "boxes": record.protocol.boxes,
            "box_scale": record.protocol.box_scale,
            "leak": record.protocol.leak,
            "complete": dataset.complete,
            "incomplete": "; ".join(dataset.incomplete),
            "missed": record.missed,
            "key": record.key,
        }
