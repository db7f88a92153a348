"""A comparison as text, with the gates it is held against."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from alignbench import Run
from alignbench.errors import visible
from alignbench.stats import Bootstrap
from reports.compare.comparison import Comparison, Difference, FaceByFace, compare
from reports.compare.gate import Verdict, judge, parse_gate
from reports.compare.tables import gate_table, tables
from reports.tables import render


@dataclass(frozen=True)
class Report:
    """The tables in the form asked for, and a sentence for each gate that failed."""

    text: str
    failures: tuple[str, ...]


def report(
    runs: Sequence[Run],
    form: str = "terminal",
    *,
    normaliser: str | None = None,
    subsets: Sequence[str] | None = None,
    threshold: float | None = None,
    bootstrap: Bootstrap | None = None,
    gates: Sequence[str] = (),
) -> Report:
    """Compare runs and hold the first one against the others.

    Parameters
    ----------
    form
        ``terminal``, ``md``, ``latex``, ``html``, or ``csv``: every difference in full precision.
    gates
        Conditions that make the check fail, of the grammar of :mod:`reports.compare.gate`. Their
        table comes first; a CSV file has none.

    Other parameters are those of :func:`compare`.

    Raises
    ------
    InputError
        If a gate is not of the grammar, or the runs cannot be compared.
    """
    parsed = [parse_gate(text) for text in gates]
    comparison = compare(
        runs, normaliser=normaliser, subsets=subsets, threshold=threshold, bootstrap=bootstrap
    )
    verdicts = [one for gate in parsed for one in judge(gate, runs, normaliser, bootstrap)]
    failures = tuple(str(one) for one in verdicts if one.tripped)
    return Report(_text(comparison, verdicts, form), failures)


def _text(comparison: Comparison, verdicts: Sequence[Verdict], form: str) -> str:
    if form == "csv":
        return to_csv(comparison)
    held = [gate_table(verdicts)] if verdicts else []
    return render([*held, *tables(comparison)], form)


_CSV = (
    "run_a", "run_b", "key_a", "key_b", "dataset", "split", "subset", "norm", "metric",
    "threshold", "faces", "a", "b", "difference", "ci_low", "ci_high", "p", "holm_p", "detectable",
    "a_nearer", "ties", "b_nearer",
)  # fmt: skip


def to_csv(comparison: Comparison) -> str:
    """A row for each pair of runs, subset and measure, and one for the shift face by face."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, _CSV, restval="", lineterminator="\n")
    writer.writeheader()
    levels = {(x.run, x.subset, x.measure): x.value for x in comparison.levels}
    for one in comparison.differences:
        measure = one.measure
        writer.writerow(
            _shared_columns(comparison, one)
            | {
                "norm": measure.normaliser,
                "metric": measure.name,
                "threshold": measure.threshold,
                "faces": one.faces,
                "a": _cell(levels[one.first, one.subset, measure]),
                "b": _cell(levels[one.second, one.subset, measure]),
                "difference": _cell(one.value),
                "detectable": _cell(one.detectable),
            }
        )
    for shift in comparison.faces:
        writer.writerow(
            _shared_columns(comparison, shift)
            | {
                "norm": comparison.normaliser,
                "metric": "shift",
                "faces": shift.wins + shift.ties + shift.losses,
                "difference": _cell(shift.shift),
                "a_nearer": shift.wins,
                "ties": shift.ties,
                "b_nearer": shift.losses,
            }
        )
    return visible(stream.getvalue(), lines=True)


def _shared_columns(comparison: Comparison, one: Difference | FaceByFace) -> dict[str, object]:
    runs, names = comparison.pairing.runs, comparison.pairing.names
    dataset = runs[0].record.dataset
    return {
        "run_a": names[one.first],
        "run_b": names[one.second],
        "key_a": runs[one.first].record.key,
        "key_b": runs[one.second].record.key,
        "dataset": dataset.name,
        "split": dataset.split,
        "subset": one.subset,
        "ci_low": _cell(one.low),
        "ci_high": _cell(one.high),
        "p": _cell(one.p),
        "holm_p": _cell(one.holm),
    }


def _cell(value: float) -> object:
    return "" if np.isnan(value) else value
