"""Comparisons as tables: two runs side by side, or several with letters and each with each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from alignbench import Measure, Run
from alignbench.metrics.nme import NME
from reports.compare.comparison import (
    Comparison,
    Difference,
    FaceByFace,
    Level,
    best_first,
)
from reports.compare.gate import Verdict
from reports.labels import box_text
from reports.tables import Cell, Number, Table

_SMALLEST = 1e-3
"""P-values below are not printed in digits."""


def tables(comparison: Comparison) -> list[Table]:
    """Tables of a comparison.

    For two runs, every difference, and the runs face by face. For several, by subset: all runs
    with letters, a matrix of differences for each measure, and each pair face by face.
    """
    if len(comparison.pairing.runs) == 2:
        return [_two_runs(comparison), _face_by_face(comparison, comparison.subsets)]
    made = []
    for subset in comparison.subsets:
        made.append(_lettered(comparison, subset))
        made += [_matrix(comparison, subset, measure) for measure in comparison.measures]
        made.append(_face_by_face(comparison, [subset]))
    return made


def gate_table(verdicts: Sequence[Verdict]) -> Table:
    """What the gates say: one line for each gate and baseline."""
    rows = tuple(
        (
            one.gate.text,
            one.baseline,
            one.difference.faces,
            _number(one.difference, _finer(one.gate.measure) + 1),
            "FAILED" if one.tripped else "passed",
        )
        for one in verdicts
    )
    failed = sum(one.tripped for one in verdicts)
    title = f"Gates: {failed} of {len(verdicts)} failed" if failed else "Gates: all passed"
    return Table(title, ("Fails if", "Baseline", "Faces", "Change", "Verdict"), rows, ())


def _two_runs(comparison: Comparison) -> Table:
    confidence = comparison.bootstrap.confidence
    levels = {(x.run, x.subset, x.measure): x for x in comparison.levels}
    rows = []
    for one in comparison.differences:
        a, b = (levels[run, one.subset, one.measure] for run in (0, 1))
        better, digits = one.better(confidence), one.measure.digits
        rows.append(
            (
                one.subset,
                one.faces,
                one.measure.heading,
                replace(_number(a, digits), best=better == 0),
                replace(_number(b, digits), best=better == 1),
                _number(one, _finer(one.measure)),
                _p(one),
            )
        )
    columns = ("Subset", "Faces", "Measure", "A", "B", "A - B", "p (Holm)")
    return Table(_title(comparison), columns, tuple(rows), tuple(_notes(comparison)))


def _lettered(comparison: Comparison, subset: str) -> Table:
    """All runs, the best NME (or first measure) first, each measure with its letters."""
    levels = {(x.run, x.measure): x for x in comparison.levels if x.subset == subset}
    names, faces = comparison.pairing.names, int(comparison.pairing.subsets[subset].sum())
    rows = []
    for best in best_first([levels[run, comparison.measures[0]] for run in range(len(names))]):
        cells: list[Cell] = [names[best.run], faces]
        for measure in comparison.measures:
            level = levels[best.run, measure]
            cells += [_number(level, measure.digits), level.letters]
        rows.append(tuple(cells))
    columns = ["Model", "Faces"]
    for measure in comparison.measures:
        columns += [measure.heading, "group"]
    letters = (
        "Runs that share a letter in a group cannot be told apart (every pair tested, "
        f"Holm {_alpha(comparison)})."
    )
    notes = (letters, *_notes(comparison))
    return Table(f"{_title(comparison)}, subset {subset}", tuple(columns), tuple(rows), notes)


def _matrix(comparison: Comparison, subset: str, measure: Measure) -> Table:
    """Row minus column above the diagonal, the corrected p-value below it."""
    names = comparison.pairing.names
    cells: list[list[Cell]] = [["–"] * len(names) for _ in names]
    for one in comparison.differences:
        if (one.subset, one.measure) == (subset, measure):
            cells[one.first][one.second] = str(_number(one, _finer(measure)))
            cells[one.second][one.first] = _short(one.holm)
    rows = tuple((name, *row) for name, row in zip(names, cells, strict=True))
    note = "Above the diagonal: row - column, with its interval. Below: its Holm p."
    title = f"{measure.heading} on {subset}, each with each"
    return Table(title, ("", *names), rows, (note,))


def _face_by_face(comparison: Comparison, subsets: Sequence[str]) -> Table:
    two = len(comparison.pairing.names) == 2
    nme = {
        (x.first, x.second, x.subset): x
        for x in comparison.differences
        if x.measure.name == NME.name and x.measure.normaliser == comparison.normaliser
    }
    rows = tuple(
        _row(comparison, one, nme.get((one.first, one.second, one.subset)), two)
        for one in comparison.faces
        if one.subset in subsets
    )
    columns = (
        *(("Subset",) if two else ("A", "B")),
        "A nearer", "ties", "B nearer", "Shift %", "p (Holm)", "Detectable %",
    )  # fmt: skip
    confidence = comparison.bootstrap.confidence
    shift = (
        "Shift: Hodges-Lehmann estimate of a face's error under A minus that under B, below 0 "
        f"where A is nearer, with its {_percent(confidence)} interval; p: Wilcoxon's signed-rank "
        "test."
    )
    least = (
        "Detectable: the NME difference that 80 % of such comparisons would find "
        f"({_alpha(comparison)} before correction)."
    )
    where = "" if two else f" on {subsets[0]}"
    return Table(f"Face by face{where}", columns, rows, (shift, least))


def _row(
    comparison: Comparison, one: FaceByFace, nme: Difference | None, two: bool
) -> tuple[Cell, ...]:
    names = comparison.pairing.names
    return (
        *((one.subset,) if two else (names[one.first], names[one.second])),
        one.wins,
        one.ties,
        one.losses,
        Number(_or_none(one.shift), _or_none(one.low), _or_none(one.high), _finer(NME())),
        _p(one),
        Number(_or_none(nme.detectable) if nme else None, None, None, _finer(NME())),
    )


def _title(comparison: Comparison) -> str:
    names, dataset = comparison.pairing.names, comparison.pairing.runs[0].record.dataset
    on = f"{dataset.name} {dataset.split}, normaliser {comparison.normaliser}"
    if len(names) == 2:
        return f"A = {names[0]}, B = {names[1]} on {on}"
    return f"{len(names)} runs on {on}"


def _notes(comparison: Comparison) -> list[str]:
    """How to read the numbers, then what was left out and what else the runs differ in."""
    pairing, bootstrap = comparison.pairing, comparison.bootstrap
    clusters = len(np.unique(pairing.clusters))
    how = (
        f"[low, high]: {_percent(bootstrap.confidence)} intervals over {clusters:,} source images. "
        f"Differences of NME and AUC: paired BCa bootstrap ({bootstrap.replicates:,} samples), of "
        "FR: Tango. NME and AUC themselves: percentile bootstrap, FR: Wilson."
    )
    tested = (
        "p: Student's t test (NME, AUC), McNemar's exact test (FR); in brackets corrected by Holm "
        f"for all {comparison.tests:,} tests here."
    )
    notes = [how, tested]
    if len(pairing.names) == 2:
        notes.insert(0, "A - B: A is better below 0 in NME and FR, above 0 in AUC.")
        notes.append(f"Bold, or with a star: better by Holm's {_alpha(comparison)}.")
    total = pairing.rows.shape[1]
    if any(pairing.left_out):
        those = _each(pairing.names, [f"{count:,}" for count in pairing.left_out])
        notes.append(f"Compared on the {total:,} faces all runs have; left out: {those}.")
    if any(comparison.missed):
        those = _each(pairing.names, [f"{count:,}" for count in comparison.missed])
        notes.append(
            f"Missed faces: {those}. They are failures in FR and AUC; NME is over the "
            f"{comparison.found:,} faces that every run found."
        )
    boxes = [_boxes(run) for run in pairing.runs]
    if len(set(boxes)) > 1:
        notes.append(f"THE RUNS DIFFER IN THEIR BOXES: {_each(pairing.names, boxes)}.")
    else:
        notes.append(f"Boxes: {boxes[0]}.")
    for name, run in zip(pairing.names, pairing.runs, strict=True):
        if not run.record.dataset.complete:
            notes.append(f"{name}: INCOMPLETE: {'; '.join(run.record.dataset.incomplete)}.")
    return notes


def _each(names: Sequence[str], said: Sequence[str]) -> str:
    return ", ".join(f"{name} {text}" for name, text in zip(names, said, strict=True))


def _boxes(run: Run) -> str:
    if run.record.protocol.boxes == "none":
        return "not known (stored predictions)"
    return f"{box_text(run.record)} (leak: {run.record.protocol.leak})"


def _percent(share: float) -> str:
    return f"{100 * share:.4g} %"


def _alpha(comparison: Comparison) -> str:
    return f"p < {1 - comparison.bootstrap.confidence:.4g}"


def _finer(measure: Measure) -> int:
    """Decimals of differences, which are smaller than what they are of."""
    return max(measure.digits, 3)


def _number(one: Level | Difference, digits: int) -> Number:
    return Number(_or_none(one.value), _or_none(one.low), _or_none(one.high), digits)


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else value


def _p(one: Difference | FaceByFace) -> str:
    """The p-value and, in brackets, what the correction makes of it."""
    return "–" if np.isnan(one.p) else f"{_short(one.p)} ({_short(one.holm)})"


def _short(p: float) -> str:
    if np.isnan(p):
        return "–"
    return f"{p:.3f}" if p >= _SMALLEST else f"<{_SMALLEST:.3f}"
