"""How the numbers of a model change with the protocol: one table for each question.

Each table has a reference row, and the change of every other row from it. The changes of means
have the interval of a paired bootstrap: both rows use the same draws of source images.
``stored.run_tables`` asks stored runs, ``boxes.box_tables`` runs a model again. Here is what the
tables share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from alignbench import Measure, Run
from alignbench.arrays import Floats, Ints
from alignbench.metrics.measure import mean_counted
from alignbench.stats import Bootstrap, bootstrap_means
from reports.labels import percent
from reports.tables import Group, Number, Row, Table

Changed = tuple[Number, Number]
"""A number, and its change from that of the reference row."""

_RECORD = ("table", "group", "row", "column", "value", "change", "change_low", "change_high")


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
    groups, records = [], []
    for group, members in groupby(lines, lambda line: line.heading):
        rows: list[Row] = []
        for line in members:
            rows.append((*line.texts, *(cell for pair in line.numbers for cell in pair)))
            for heading, (number, change) in zip(headings, line.numbers, strict=True):
                texts = (title, group, "; ".join(line.texts), heading)
                numbers = (number.value, change.value, change.low, change.high)
                records.append(dict(zip(_RECORD, (*texts, *numbers), strict=True)))
        groups.append(Group(group, tuple(rows)))
    columns = (*names, *(column for heading in headings for column in (heading, "change")))
    return Table(title, columns, tuple(groups), tuple(notes), records)


def mean_changes(
    cases: Sequence[tuple[Sequence[Measure], Floats]],
    clusters: Ints,
    bootstrap: Bootstrap,
    reference: int = 0,
) -> list[tuple[Changed, ...]]:
    """Measures of each case, and their changes from the reference case with paired intervals.

    Parameters
    ----------
    cases
        K measures and the errors (N,) they are of, a fraction each.
    clusters
        (N,): number of each face's source image.
    """
    digits = [measure.digits for measure in cases[0][0]]
    shape = (len(cases), len(digits))
    # What each face adds to each measure of each case, (N, cases x K).
    values = np.stack([m.per_face(errors) for measures, errors in cases for m in measures], axis=1)
    means = np.array([mean_counted(column) for column in values.T]).reshape(shape)
    everyone = np.ones((1, len(clusters)), np.bool_)
    drawn = bootstrap_means(values, everyone, clusters, bootstrap).reshape(-1, *shape)
    tail = (1 - bootstrap.confidence) / 2
    moved = drawn - drawn[:, [reference]]
    ends = np.full((2, *shape), np.nan)  # one image says nothing about spread
    known = np.isfinite(moved).any(axis=0) & (clusters.max() > clusters.min())
    ends[:, known] = np.nanquantile(moved[:, known], [tail, 1 - tail], axis=0)
    changes = np.stack([means - means[reference], *ends], axis=-1)
    rows = []
    for case in range(len(cases)):
        row = []
        numbers = zip(means[case].tolist(), changes[case].tolist(), digits, strict=True)
        for mean, (change, low, high), places in numbers:
            same = case == reference
            interval = () if np.isnan(low) else (low, high)
            change_here = Number(None, places) if same else Number(change, places, *interval)
            row.append((Number(mean, places), change_here))
        rows.append(tuple(row))
    return rows


def plain_change(value: float | None, reference: float | None, digits: int) -> Changed:
    """A number and its change without an interval; no change if ``reference`` is None."""
    change = None if value is None or reference is None else float(value - reference)
    return Number(None if value is None else float(value), digits), Number(change, digits)


def title_of(name: str, run: Run) -> str:
    """How the title of a table about a run begins."""
    dataset = run.record.dataset
    return f"{name} on {dataset.title}, {dataset.faces:,} faces"


def reference_note(row: str, run: Run, bootstrap: Bootstrap) -> str:
    """Names the reference row, and says how the intervals of changes were made."""
    return (
        f"Reference: {row}. Changes from it with {percent(bootstrap.confidence)} intervals of a "
        f"paired bootstrap over {run.record.dataset.sampled} ({bootstrap.replicates:,} samples)."
    )
