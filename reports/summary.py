"""The summary table: measures by subset with intervals, one block a normaliser."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from alignbench import Measure, Run
from alignbench.errors import visible
from alignbench.metrics import default_measures, usual_measures
from alignbench.runs import MetricRow
from reports.labels import box_text, execution, interval_text, labels
from reports.tables import Cell, Number, Table, render


def report(
    runs: Sequence[Run],
    form: str = "terminal",
    measures: Sequence[Measure] | None = None,
    *,
    intervals: bool = True,
) -> str:
    """NME, FR and AUC of each subset with 95 % intervals.

    Parameters
    ----------
    form
        ``terminal``, ``md``, ``latex``, ``html``, or ``csv``: every row of the runs'
        ``metrics.json`` in full precision.
    measures
        Measures to show, those without normaliser under the data set's usual ones. By default
        NME, and FR and AUC at the data set's usual threshold.
    intervals
        Whether numbers have their intervals; CSV always has them.

    Raises
    ------
    InputError
        If the format is unknown, or a measure's normaliser is none of the mark-up's.
    """
    if form == "csv":
        return to_csv(runs, measures)
    return render(tables(runs, measures, intervals=intervals), form)


def tables(
    runs: Sequence[Run], measures: Sequence[Measure] | None = None, *, intervals: bool = True
) -> list[Table]:
    """The tables behind :func:`report`: one for each data set and normaliser."""
    return [table for dataset in _datasets(runs) for table in _tables(dataset, measures, intervals)]


def _datasets(runs: Sequence[Run]) -> list[list[Run]]:
    """Runs by data set and split, in the order they were given."""
    groups: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        groups.setdefault((run.record.dataset.name, run.record.dataset.split), []).append(run)
    return list(groups.values())


def _tables(runs: list[Run], measures: Sequence[Measure] | None, intervals: bool) -> list[Table]:
    """A table for each normaliser, all runs of one data set in it."""
    dataset = runs[0].record.dataset
    measures = measures or _usual(runs)
    norms = list(dict.fromkeys(m.normaliser for m in measures if m.normaliser))
    if any(m.normaliser is None for m in measures):
        norms = list(dict.fromkeys([*dataset.normalisers, *norms]))
    names = labels(runs)
    who = f"{len(runs)} models" if len(runs) > 1 else names[0]
    tables = []
    for norm in norms:
        usual = norm in dataset.normalisers
        shown = [m for m in measures if m.normaliser == norm or (usual and m.normaliser is None)]
        rows = tuple(
            ((name,) if len(runs) > 1 else ()) + _row(run, subset, norm, shown, intervals)
            for subset in runs[0].subsets
            for name, run in zip(names, runs, strict=True)
        )
        columns = (("Model",) if len(runs) > 1 else ()) + ("Subset", "Faces")
        columns += tuple(measure.heading for measure in shown)
        title = f"{who} on {dataset.name} {dataset.split}, normaliser {norm}"
        tables.append(Table(title, columns, rows, _notes(runs, norm, intervals)))
    return tables


def _usual(runs: list[Run]) -> list[Measure]:
    """NME, FR and AUC at the data set's threshold, and what else any run was asked for."""
    usual = usual_measures(runs[0].record.dataset.threshold)
    asked = [measure for run in runs for measure in run.measures]
    further = [measure for measure in asked if measure not in default_measures()]
    return list(dict.fromkeys([*usual, *further]))


def _row(
    run: Run, subset: str, norm: str, measures: Sequence[Measure], intervals: bool
) -> tuple[Cell, ...]:
    found = [run.row(measure.with_normaliser(norm), subset) for measure in measures]
    numbers = [
        Number(
            row.value, *((row.ci_low, row.ci_high) if intervals else (None, None)), measure.digits
        )
        for row, measure in zip(found, measures, strict=True)
    ]
    return (subset, found[0].faces, *numbers)


def _notes(runs: Sequence[Run], norm: str, intervals: bool) -> tuple[str, ...]:
    """What a reader must know of each run; a line that holds for some runs only names them."""
    said: dict[str, list[str]] = {}
    for name, run in zip(labels(runs), runs, strict=True):
        for note in run_notes(run, norm)[0 if intervals else 1 :]:
            said.setdefault(note, []).append(name)
    return tuple(
        note if len(names) == len(runs) else f"{', '.join(names)}: {note}"
        for note, names in said.items()
    )


def run_notes(run: Run, norm: str) -> list[str]:
    """Interval, incompleteness, boxes and their leak, misses, visibility and the model's notes."""
    notes = [f"[low, high]: {interval_text(run.record)}.", *protocol_notes(run)]
    kinds = run.breakdown[run.breakdown["kind"] == "visibility"].set_index(["norm", "name"])["nme"]
    if norm in kinds:
        parts = [f"{name} {nme:.4f} %" for name, nme in kinds[norm].items()]
        notes.append(f"NME by visibility: {', '.join(parts)}.")
    return notes + list(run.record.model.notes)


def protocol_notes(run: Run) -> list[str]:
    """What is missing of the data, boxes and their leak, conversion and misses."""
    record = run.record
    protocol, dataset = record.protocol, record.dataset
    notes = []
    if not dataset.complete:
        notes.append(f"INCOMPLETE: {'; '.join(dataset.incomplete)}.")
    if protocol.boxes == "none":
        notes.append("Stored predictions: what their boxes knew of the truth is not known.")
    else:
        notes.append(f"Boxes: {box_text(run.record)}; leak: {protocol.leak}.")
    if how := execution(run):
        notes.append(f"Computed with: {', '.join(how)}.")
    if protocol.conversion:
        given, used = record.model.landmarks, dataset.markup.landmarks
        notes.append(
            f"Landmarks converted: {protocol.conversion}, {used} of the model's {given} points."
        )
    if record.missed:
        notes.append(
            f"{record.missed:,} of {dataset.faces:,} faces missed: failures in FR and AUC, left "
            "out of NME."
        )
    return notes


_CSV = (
    "model", "dataset", "split", "subset", "faces", "norm", "metric", "threshold", "value",
    "ci_low", "ci_high", "boxes", "box_scale", "leak", "complete", "incomplete", "missed", "key",
)  # fmt: skip


def to_csv(runs: Sequence[Run], measures: Sequence[Measure] | None = None) -> str:
    """Rows of the runs' metrics in full precision, each with what labels it.

    All of them where ``measures`` is None; those without normaliser are taken under every usual
    one otherwise.
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(_CSV)
    for run in runs:
        record = run.record
        for row in run.metrics if measures is None else _asked(run, measures):
            writer.writerow(
                [
                    record.model.name, record.dataset.name, record.dataset.split, row.subset,
                    row.faces, row.norm, row.metric, row.threshold, row.value, row.ci_low,
                    row.ci_high, record.protocol.boxes, record.protocol.box_scale,
                    record.protocol.leak, record.dataset.complete,
                    "; ".join(record.dataset.incomplete), record.missed, record.key,
                ]
            )  # fmt: skip
    return visible(stream.getvalue(), lines=True)


def _asked(run: Run, measures: Sequence[Measure]) -> list[MetricRow]:
    return [
        run.row(measure.with_normaliser(norm), subset)
        for subset in run.subsets
        for measure in measures
        for norm in ([measure.normaliser] if measure.normaliser else run.record.dataset.normalisers)
    ]
