"""The summary table: measures by subset with intervals, one table a normaliser."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from alignbench import Measure, Run
from alignbench.metrics import default_measures, usual_measures
from alignbench.runs import MetricRow
from reports.labels import labels
from reports.notes import interval_note, protocol_notes
from reports.tables import Number, Record, Row, Table, hide_intervals


def tables(
    runs: Sequence[Run], measures: Sequence[Measure] | None = None, *, intervals: bool = True
) -> list[Table]:
    """NME, FR and AUC of each subset: a table for each data set and normaliser.

    The records are every row of the runs' ``metrics.json``, or the measures that were asked for.

    Parameters
    ----------
    measures
        Measures to show, those without normaliser under the data set's usual ones. By default
        NME, and FR and AUC at the data set's usual threshold.
    intervals
        Whether numbers have their intervals; the records always have them.

    Raises
    ------
    InputError
        If a run has no normaliser of a measure.
    """
    groups: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        groups.setdefault((run.record.dataset.name, run.record.dataset.split), []).append(run)
    result = []
    for group in groups.values():
        first, *others = _tables(group, measures or _usual(group), intervals)
        records = [record for run in group for record in _records(run, measures)]
        result += [replace(first, records=records), *others]
    return result


def _tables(runs: list[Run], measures: Sequence[Measure], intervals: bool) -> Iterator[Table]:
    """A table for each normaliser, all runs of one data set in it."""
    dataset = runs[0].record.dataset
    norms = list(dict.fromkeys(m.normaliser for m in measures if m.normaliser))
    if any(m.normaliser is None for m in measures):
        norms = list(dict.fromkeys([*dataset.normalisers, *norms]))
    names = labels(runs)
    several = len(runs) > 1
    who = f"{len(runs)} models" if several else names[0]
    for norm in norms:
        usual = norm in dataset.normalisers
        shown = [
            m.with_normaliser(norm)
            for m in measures
            if m.normaliser == norm or (usual and m.normaliser is None)
        ]
        rows = [
            (*([name] if several else []), *_row(run, subset, shown))
            for subset in runs[0].subsets
            for name, run in zip(names, runs, strict=True)
        ]
        table = Table.of_rows(
            f"{who} on {dataset.name} {dataset.split}, normaliser {norm}",
            (*(["Model"] if several else []), "Subset", "Faces", *(m.heading for m in shown)),
            rows,
            _notes(runs, shown, intervals),
        )
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
    rows = {measure: run.row(measure, subset) for measure in measures}
    numbers = (Number(r.value, m.digits, r.ci_low, r.ci_high) for m, r in rows.items())
    return (subset, next(iter(rows.values())).faces, *numbers)


def _notes(runs: Sequence[Run], measures: Sequence[Measure], intervals: bool) -> list[str]:
    """What a reader must know of each run; a line that holds for some runs only names them."""
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
        parts = [f"{n} {nme:.4f} %" for n, nme in zip(rows["name"], rows["nme"], strict=True)]
        notes.append(f"NME by visibility: {', '.join(parts)}.")
    return notes + list(run.record.model.notes)


def _records(run: Run, measures: Sequence[Measure] | None) -> Iterator[Record]:
    """Rows of a run's metrics in full precision, each with what labels it."""
    record = run.record
    for row in run.metrics if measures is None else _rows_of(run, measures):
        yield {
            "model": record.model.name,
            "dataset": record.dataset.name,
            "split": record.dataset.split,
            **row.model_dump(),
            "boxes": record.protocol.boxes,
            "box_scale": record.protocol.box_scale,
            "leak": record.protocol.leak,
            "complete": record.dataset.complete,
            "incomplete": "; ".join(record.dataset.incomplete),
            "missed": record.missed,
            "key": record.key,
        }


def _rows_of(run: Run, measures: Sequence[Measure]) -> list[MetricRow]:
    return [
        run.row(measure.with_normaliser(norm), subset)
        for subset in run.subsets
        for measure in measures
        for norm in ([measure.normaliser] if measure.normaliser else run.record.dataset.normalisers)
    ]
