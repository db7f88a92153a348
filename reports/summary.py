"""The summary table: measures by subset with intervals, one block a normaliser."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from alignbench import InputError, Measure, Run, parse_measure
from alignbench.metrics.measure import threshold_suffix
from reports.tables import Cell, Number, Table, to_latex, to_markdown, to_terminal

_DIGITS = {"%": 2, "": 4}


def report(
    runs: Sequence[Run], form: str = "terminal", measures: Sequence[Measure] | None = None
) -> str:
    """NME, FR and AUC of each subset with 95 % intervals.

    Parameters
    ----------
    form
        ``terminal``, ``md``, ``latex``, or ``csv``: every row of the runs' ``metrics.json`` in
        full precision.
    measures
        Measures to show, those without normaliser under the data set's usual ones. By default
        NME, and FR and AUC at the data set's usual threshold.

    Raises
    ------
    InputError
        If a run has not one of the measures, or two runs have none in common.
    """
    if form == "csv":
        return to_csv(runs)
    tables = [table for dataset in _datasets(runs) for table in _tables(dataset, measures)]
    render = {"terminal": to_terminal, "md": to_markdown, "latex": to_latex}.get(form)
    if render is None:
        raise InputError(f"format {form!r}", "unknown", "terminal, md, latex, csv")
    return render(tables)


def _datasets(runs: Sequence[Run]) -> list[list[Run]]:
    """Runs by data set and split, in the order they were given."""
    groups: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        groups.setdefault((run.record.dataset.name, run.record.dataset.split), []).append(run)
    return list(groups.values())


def _tables(runs: list[Run], measures: Sequence[Measure] | None) -> list[Table]:
    """A table a normaliser, all runs of one data set in it."""
    dataset = runs[0].record.dataset
    measures = measures or _usual(runs)
    norms = list(dict.fromkeys(m.normaliser for m in measures if m.normaliser))
    if any(m.normaliser is None for m in measures):
        norms = list(dict.fromkeys([*dataset.normalisers, *norms]))
    tables = []
    for norm in norms:
        usual = norm in dataset.normalisers
        shown = [m for m in measures if m.normaliser == norm or (usual and m.normaliser is None)]
        several = len(runs) > 1
        columns = (
            *(("Model",) if several else ()),
            "Subset",
            "Faces",
            *(_heading(m) for m in shown),
        )
        rows = tuple(
            _row(run, subset, norm, shown, several)
            for subset in runs[0].subsets
            for run in runs
            if subset in run.subsets
        )
        who = f"{len(runs)} models" if several else runs[0].record.model.name
        title = f"{who} on {dataset.name} {dataset.split}, normaliser {norm}"
        notes = _notes(runs) if norm == norms[-1] else ()
        tables.append(Table(title, columns, rows, notes))
    return tables


def _usual(runs: list[Run]) -> list[Measure]:
    """NME, FR and AUC at the data set's threshold if all runs have them, else what all have."""
    have = [run.record.statistics.measures for run in runs]
    at = threshold_suffix(runs[0].record.dataset.threshold)
    usual = ["nme", f"fr{at}", f"auc{at}"]
    if not all(set(usual) <= set(measures) for measures in have):
        usual = [text for text in have[0] if all(text in measures for measures in have)]
    if not usual:
        raise InputError(
            "runs", "have no measure in common", remedy="Run them again with the same --measure."
        )
    return [parse_measure(text) for text in usual]


def _heading(measure: Measure) -> str:
    text = f"{measure.title}{threshold_suffix(measure.threshold)}"
    return f"{text} {measure.unit}".rstrip()


def _row(
    run: Run, subset: str, norm: str, measures: Sequence[Measure], several: bool
) -> tuple[Cell, ...]:
    found = [run.row(m.with_normaliser(norm), subset) for m in measures]
    numbers = [
        Number(row.value, row.ci_low, row.ci_high, _DIGITS[m.unit])
        for m, row in zip(measures, found, strict=True)
    ]
    name = (run.record.model.name,) if several else ()
    return (*name, subset, found[0].faces, *numbers)


def _notes(runs: Sequence[Run]) -> tuple[str, ...]:
    """What a reader must know of each run; a line that holds for several runs names them."""
    said: dict[str, list[str]] = {}
    for run in runs:
        for note in run_notes(run):
            said.setdefault(note, []).append(run.record.model.name)
    return tuple(
        note if len(names) == len(runs) else f"{', '.join(names)}: {note}"
        for note, names in said.items()
    )


def run_notes(run: Run) -> list[str]:
    """Interval, incompleteness, boxes and their leak, misses, visibility and the model's notes."""
    record = run.record
    statistics, protocol, dataset = record.statistics, record.protocol, record.dataset
    drawn = f"{statistics.clusters:,} source images ({statistics.replicates:,} samples)"
    notes = [f"[low, high]: {statistics.confidence:.0%} bootstrap intervals over {drawn}."]
    if not dataset.complete:
        notes.append(f"INCOMPLETE: {'; '.join(dataset.incomplete)}.")
    if protocol.boxes == "none":
        notes.append("Stored predictions: what their boxes knew of the truth is not known.")
    else:
        scale = f" x {protocol.box_scale:g}" if protocol.box_scale != 1 else ""
        notes.append(f"Boxes: {protocol.boxes}{scale}; leak: {protocol.leak}.")
    if protocol.conversion:
        notes.append(f"Landmarks converted: {protocol.conversion}.")
    if record.missed:
        notes.append(
            f"{record.missed:,} of {dataset.faces:,} faces missed: failures in FR and AUC, left "
            "out of NME."
        )
    seen = run.breakdown[
        (run.breakdown["kind"] == "visibility")
        & run.breakdown["norm"].isin(list(dataset.normalisers))
    ]
    for norm, rows in seen.groupby("norm", sort=False):
        parts = [
            f"{row.name_} {row.nme:.4f} %"
            for row in rows.rename(columns={"name": "name_"}).itertuples()
        ]
        notes.append(f"NME by visibility ({norm}): {', '.join(parts)}.")
    return notes + list(record.model.notes)


_CSV = (
    "model", "dataset", "split", "subset", "faces", "norm", "metric", "threshold", "value",
    "ci_low", "ci_high", "boxes", "box_scale", "leak", "complete", "incomplete", "missed", "key",
)  # fmt: skip


def to_csv(runs: Sequence[Run]) -> str:
    """Every row of the runs' metrics in full precision, each with what labels it."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(_CSV)
    for run in runs:
        record = run.record
        for row in run.metrics:
            writer.writerow(
                [
                    record.model.name, record.dataset.name, record.dataset.split, row.subset,
                    row.faces, row.norm, row.metric, row.threshold, row.value, row.ci_low,
                    row.ci_high, record.protocol.boxes, record.protocol.box_scale,
                    record.protocol.leak, record.dataset.complete,
                    "; ".join(record.dataset.incomplete), record.missed, record.key,
                ]
            )  # fmt: skip
    return stream.getvalue()
