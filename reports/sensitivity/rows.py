"""What tables of sensitivity share: rows of numbers, each with its change from a reference row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from alignbench import Measure, Run
from alignbench.arrays import Floats, Ints
from alignbench.metrics.measure import mean_counted
from alignbench.stats import Bootstrap, replicated_means
from reports.tables import Group, Number, Row, Table


@dataclass(frozen=True)
class Changed:
    """A number, and its change from that of the reference row."""

    number: Number
    change: Number


@dataclass(frozen=True)
class Line:
    """A row: its texts, its numbers, and the heading it stands under."""

    texts: tuple[str, ...]
    numbers: tuple[Changed, ...]
    heading: str = ""


def change_table(
    title: str,
    names: Sequence[str],
    headings: Sequence[str],
    lines: Sequence[Line],
    notes: Sequence[str],
) -> Table:
    """A table of lines; ``names`` stand above the texts, ``headings`` above the numbers.

    A record holds one number and its change, in full precision.
    """
    groups = [
        Group(heading, tuple(map(_row, members)))
        for heading, members in groupby(lines, lambda line: line.heading)
    ]
    records = [
        {
            "table": title,
            "group": line.heading,
            "row": "; ".join(line.texts),
            "column": heading,
            "value": pair.number.value,
            "change": pair.change.value,
            "change_low": pair.change.low,
            "change_high": pair.change.high,
        }
        for line in lines
        for heading, pair in zip(headings, line.numbers, strict=True)
    ]
    columns = (*names, *(column for heading in headings for column in (heading, "change")))
    return Table(title, columns, tuple(groups), tuple(notes), records)


def _row(line: Line) -> Row:
    return (*line.texts, *(cell for pair in line.numbers for cell in (pair.number, pair.change)))


def per_face(measures: Sequence[Measure], errors: Floats) -> Floats:
    """What each face adds to each measure (N, K), from its error (N,), a fraction."""
    return np.stack([measure.per_face(errors) for measure in measures], axis=1)


def mean_changes(
    cases: Sequence[Floats],
    clusters: Ints,
    bootstrap: Bootstrap,
    digits: Sequence[int],
    reference: int = 0,
) -> list[tuple[Changed, ...]]:
    """Means, and their changes from the reference case with paired intervals.

    Parameters
    ----------
    cases
        What each face adds to each measure, (N, K) each.
    clusters
        (N,): number of each face's source image.
    digits
        Decimals of each measure.

    Returns
    -------
    list
        For each case its K numbers.
    """
    shape = (len(cases), len(digits))
    values = np.stack(cases, axis=1).reshape(len(clusters), -1)
    means = np.array([mean_counted(column) for column in values.T]).reshape(shape)
    everyone = np.ones((1, len(clusters)), np.bool_)
    drawn = replicated_means(values, everyone, clusters, bootstrap).reshape(-1, *shape)
    tail = (1 - bootstrap.confidence) / 2
    low, high = np.nanquantile(drawn - drawn[:, [reference]], [tail, 1 - tail], axis=0)
    change = means - means[reference]

    rows = []
    for case in range(len(cases)):
        row = []
        for k, places in enumerate(digits):
            moved = Number(None, places)
            if case != reference:
                ends = float(low[case, k]), float(high[case, k])
                moved = Number(float(change[case, k]), places, *ends)
            row.append(Changed(Number(float(means[case, k]), places), moved))
        rows.append(tuple(row))
    return rows


def plain_change(value: float | None, reference: float | None, digits: int) -> Changed:
    """A number and its change without an interval; no change if ``reference`` is None."""
    change = None if value is None or reference is None else float(value - reference)
    return Changed(Number(None if value is None else float(value), digits), Number(change, digits))


def title_of(name: str, run: Run) -> str:
    """How the title of a table about a run begins."""
    dataset = run.record.dataset
    return f"{name} on {dataset.name} {dataset.split}, {dataset.faces:,} faces"


def reference_note(row: str, bootstrap: Bootstrap) -> str:
    """Names the reference row, and says how the intervals of changes were made."""
    return (
        f"Reference: {row}. Changes from it with {bootstrap.confidence:.0%} intervals of a paired "
        f"bootstrap over source images ({bootstrap.replicates:,} samples)."
    )
