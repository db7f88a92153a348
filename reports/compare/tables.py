"""Comparisons as tables: two runs side by side, or several with letters and each with each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from alignbench import Measure, Run
from alignbench.metrics.nme import NME
from reports.compare.comparison import (
    Comparison,
    Difference,
    FaceByFace,
    best_first,
    smaller_is_better,
)
from reports.compare.gate import Verdict
from reports.labels import (
    box_text,
    by_measure,
    incomplete_notes,
    join_words,
    missed_text,
    percent,
)
from reports.tables import Cell, Number, Record, Row, Table

_SMALLEST = 1e-3
"""Smaller p-values are printed as ``<0.001``."""


def tables(comparison: Comparison) -> list[Table]:
    """Tables of a comparison.

    For two runs, every difference, and the runs face by face. For several, by subset: all runs
    with letters, a matrix of differences for each measure, and each pair face by face. The records
    are a line for each pair of runs, subset and measure, and one for the shift face by face.
    """
    if len(comparison.pairing.runs) == 2:
        shown = [_two_runs(comparison), _face_by_face(comparison, comparison.subsets)]
    else:
        shown = []
        for subset in comparison.subsets:
            shown.append(_levels(comparison, subset))
            shown += [_matrix(comparison, subset, measure) for measure in comparison.measures]
            shown.append(_face_by_face(comparison, [subset]))
    return [replace(shown[0], records=tuple(_records(comparison))), *shown[1:]]


def gate_table(verdicts: Sequence[Verdict]) -> Table:
    """The verdicts of gates: a line for each gate and baseline."""
    rows = []
    for verdict in verdicts:
        gate, one = verdict.gate, verdict.difference
        change = _number(one.value, one.low, one.high, gate.measure.digits + 1)
        state = "FAILED" if verdict.tripped else "passed"
        rows.append((gate.text, verdict.baseline, one.faces, change, state))
    failed = sum(one.tripped for one in verdicts)
    title = f"Gates: {failed} of {len(verdicts)} failed" if failed else "Gates: all passed"
    return Table.of_rows(title, ("Fails if", "Baseline", "Faces", "Change", "Verdict"), rows)


def _two_runs(comparison: Comparison) -> Table:
    rows: list[Row] = []
    for one in comparison.differences:
        measure, better = one.measure, one.better(comparison.bootstrap.confidence)
        levels = [comparison.level_of[run, one.subset, measure] for run in (0, 1)]
        cells = [
            replace(_number(x.value, x.low, x.high, measure.digits), best=better == x.run)
            for x in levels
        ]
        change = _number(one.value, one.low, one.high, measure.digits)
        rows.append((one.subset, one.faces, measure.heading, *cells, change, _p(one)))
    columns = ("Subset", "Faces", "Measure", "A", "B", "A - B", "p (Holm)")
    sides: dict[str, list[str]] = {"below": [], "above": []}
    for measure in comparison.measures:
        sides["below" if smaller_is_better(measure) else "above"].append(measure.title)
    better_if = [f"{side} 0 in {join_words(titles)}" for side, titles in sides.items() if titles]
    notes = [
        f"A is better where A - B is {', '.join(better_if)}.",
        *_notes(comparison),
        f"Bold: better by Holm's {_alpha(comparison)}.",
        *_run_notes(comparison),
    ]
    return Table.of_rows(_title(comparison), columns, rows, notes)


def _levels(comparison: Comparison, subset: str) -> Table:
    """All runs, the best by the first measure first, each measure with its letters."""
    names, faces = comparison.pairing.names, int(comparison.pairing.subsets[subset].sum())
    by_measure = {
        measure: [comparison.level_of[run, subset, measure] for run in range(len(names))]
        for measure in comparison.measures
    }
    first = comparison.measures[0]
    rows = []
    for run in best_first(first, [level.value for level in by_measure[first]]):
        cells: list[Cell] = [names[run], faces]
        for measure, levels in by_measure.items():
            one = levels[run]
            cells += [_number(one.value, one.low, one.high, measure.digits), one.letters]
        rows.append(tuple(cells))
    columns = ["Model", "Faces"]
    for measure in comparison.measures:
        columns += [measure.heading, "group"]
    letters = (
        "Runs that share a letter in a group cannot be told apart (every pair tested, "
        f"Holm {_alpha(comparison)})."
    )
    notes = (letters, *_notes(comparison), *_run_notes(comparison))
    return Table.of_rows(f"{_title(comparison)}, subset {subset}", columns, rows, notes)


def _matrix(comparison: Comparison, subset: str, measure: Measure) -> Table:
    """Row minus column above the diagonal, the corrected p-value below it."""
    names = comparison.pairing.names
    cells: list[list[Cell]] = [["–"] * len(names) for _ in names]
    for one in comparison.differences:
        if (one.subset, one.measure) == (subset, measure):
            change = _number(one.value, one.low, one.high, measure.digits)
            cells[one.first][one.second] = str(change)
            cells[one.second][one.first] = _spell(one.holm)
    rows = ((name, *row) for name, row in zip(names, cells, strict=True))
    note = (
        "Above the diagonal: row - column, with its interval. Below the diagonal: the p-value, "
        "corrected by Holm's method."
    )
    title = f"{measure.heading} on {subset}, each with each"
    return Table.of_rows(title, ("Model", *names), rows, (note,))


def _face_by_face(comparison: Comparison, subsets: Sequence[str]) -> Table:
    names, digits = comparison.pairing.names, NME().digits
    two = len(names) == 2
    detectable = {
        (x.first, x.second, x.subset): x.detectable
        for x in comparison.differences
        if x.measure.name == NME.name and x.measure.normaliser == comparison.normaliser
    }
    rows: list[Row] = []
    for one in comparison.faces:
        if one.subset in subsets:
            who = (one.subset,) if two else (names[one.first], names[one.second])
            shift = _number(one.shift, one.low, one.high, digits)
            least = detectable.get((one.first, one.second, one.subset), np.nan)
            cells = (shift, _p(one), _number(least, np.nan, np.nan, digits))
            rows.append((*who, one.wins, one.ties, one.losses, *cells))
    who = ("Subset",) if two else ("A", "B")
    columns = (*who, "A nearer", "ties", "B nearer", "Shift %", "p (Holm)", "Detectable %")
    shift_note = (
        "Shift: Hodges-Lehmann estimate of a face's error under A minus that under B, below 0 "
        f"where A is nearer, with its {percent(comparison.bootstrap.confidence)} interval; p: "
        "Wilcoxon's signed-rank test."
    )
    least_note = (
        "Detectable: the NME difference that 80 % of such comparisons would find "
        f"({_alpha(comparison)} before correction)."
    )
    where = "" if two else f" on {subsets[0]}"
    return Table.of_rows(f"Face by face{where}", columns, rows, (shift_note, least_note))


def _title(comparison: Comparison) -> str:
    names, dataset = comparison.pairing.names, comparison.pairing.runs[0].record.dataset
    on = f"{dataset.title}, normaliser {comparison.normaliser}"
    if len(names) == 2:
        return f"A = {names[0]}, B = {names[1]} on {on}"
    return f"{len(names)} runs on {on}"


def _notes(comparison: Comparison) -> list[str]:
    """How to read the numbers."""
    bootstrap, measures = comparison.bootstrap, comparison.measures
    clusters = len(np.unique(comparison.pairing.clusters))
    samples = f", {bootstrap.replicates:,} samples"
    levels = {
        m: f"percentile {m.interval}{samples}" if m.interval == "bootstrap" else m.interval
        for m in measures
    }
    sampled = f"{clusters:,} {comparison.pairing.runs[0].record.dataset.sampled}"
    intervals = f"{percent(bootstrap.confidence)} intervals over {sampled}"
    differences = by_measure({measure: measure.difference for measure in measures})
    tests = int((~np.isnan([one.p for one in comparison.tests])).sum())
    return [
        f"[low, high]: {intervals}. {by_measure(levels)}",
        f"Differences. {differences}",
        f"p in brackets: corrected by Holm for all {tests:,} tests here.",
    ]


def _run_notes(comparison: Comparison) -> list[str]:
    """What was left out, and what else the runs differ in."""
    pairing = comparison.pairing
    notes = []
    total = pairing.rows.shape[1]
    if any(pairing.left_out):
        counts = _each(pairing.names, [f"{count:,}" for count in pairing.left_out])
        notes.append(f"Compared on the {total:,} faces all runs have; left out: {counts}.")
    if any(comparison.missed):
        counts = _each(pairing.names, [f"{count:,}" for count in comparison.missed])
        notes.append(f"Missed faces: {counts}; {missed_text(comparison.measures)}.")
        if any(measure.name == NME.name for measure in comparison.measures):
            notes.append(f"NME is over the {comparison.seen:,} faces that no run missed.")
    boxes = [_boxes(run) for run in pairing.runs]
    if len(set(boxes)) > 1:
        notes.append(f"THE RUNS DIFFER IN THEIR BOXES: {_each(pairing.names, boxes)}.")
    else:
        notes.append(f"Boxes: {boxes[0]}.")
    for name, run in zip(pairing.names, pairing.runs, strict=True):
        notes += [f"{name}: {note}" for note in incomplete_notes(run)]
    return notes


def _each(names: Sequence[str], texts: Sequence[str]) -> str:
    return ", ".join(f"{name} {text}" for name, text in zip(names, texts, strict=True))


def _boxes(run: Run) -> str:
    if run.record.protocol.boxes == "none":
        return "unknown (stored predictions)"
    return f"{box_text(run.record)} (leak: {run.record.protocol.leak})"


def _alpha(comparison: Comparison) -> str:
    return f"p < {1 - comparison.bootstrap.confidence:.4g}"


def _number(value: float, low: float, high: float, digits: int) -> Number:
    number, bottom, top = (None if np.isnan(x) else x for x in (value, low, high))
    return Number(number, digits, bottom, top)


def _p(one: Difference | FaceByFace) -> str:
    """The p-value and, in brackets, its correction."""
    return "–" if np.isnan(one.p) else f"{_spell(one.p)} ({_spell(one.holm)})"


def _spell(p: float) -> str:
    if np.isnan(p):
        return "–"
    return f"{p:.3f}" if p >= _SMALLEST else f"<{_SMALLEST:.3f}"


_COLUMNS = (
    "run_a", "run_b", "key_a", "key_b", "dataset", "split", "subset", "norm", "metric",
    "threshold", "faces", "a", "b", "difference", "ci_low", "ci_high", "p", "holm_p", "detectable",
    "a_nearer", "ties", "b_nearer",
)  # fmt: skip


def _records(comparison: Comparison) -> Iterator[Record]:
    runs, names = comparison.pairing.runs, comparison.pairing.names
    dataset = runs[0].record.dataset
    for one in comparison.tests:
        pair = (one.first, one.second)
        what: tuple[object, ...]
        rest: tuple[float | None, ...]
        if isinstance(one, Difference):
            measure = one.measure
            a, b = (comparison.level_of[run, one.subset, measure].value for run in pair)
            what = (measure.normaliser, measure.name, measure.threshold, one.faces)
            numbers, rest = (a, b, one.value), (one.detectable, None, None, None)
        else:
            faces = (one.wins, one.ties, one.losses)
            what = (comparison.normaliser, "shift", None, sum(faces))
            numbers, rest = (np.nan, np.nan, one.shift), (None, *faces)
        values = (
            *(names[run] for run in pair), *(runs[run].record.key for run in pair),
            dataset.name, dataset.split, one.subset, *what,
            *numbers, one.low, one.high, one.p, one.holm, *rest,
        )  # fmt: skip
        bare = (None if isinstance(x, float) and np.isnan(x) else x for x in values)
        yield dict(zip(_COLUMNS, bare, strict=True))
