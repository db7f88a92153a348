"""What tables of sensitivity share: rows, and their change from a reference row."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from alignbench import (
    Measure,
    Run,
)
from alignbench.arrays import Floats, Ints
from alignbench.errors import visible
from alignbench.metrics.measure import mean_counted
from alignbench.stats import Bootstrap, replicated_means
from reports.tables import Cell, Number, Table, render


@dataclass(frozen=True)
class Case:
    """A row: what it is called, and what each face adds to each measure (N, K)."""

    cells: tuple[str, ...]
    values: Floats


def per_face(measures: Sequence[Measure], errors: Floats) -> Floats:
    """What each face adds to each measure (N, K), from its error (N,), a fraction."""
    return np.stack([measure.per_face(errors) for measure in measures], axis=1)


def compared(
    cases: Sequence[Case],
    clusters: Ints,
    bootstrap: Bootstrap,
    digits: Sequence[int],
    reference: int = 0,
) -> tuple[tuple[Cell, ...], ...]:
    """A row a case: each mean, and its change from the reference with a paired interval."""
    shape = (len(cases), len(digits))
    values = np.stack([case.values for case in cases], axis=1).reshape(len(clusters), -1)
    means = np.array([mean_counted(column) for column in values.T]).reshape(shape)
    everyone = np.ones((1, len(clusters)), np.bool_)
    drawn = replicated_means(values, everyone, clusters, bootstrap).reshape(-1, *shape)
    tail = (1 - bootstrap.confidence) / 2
    low, high = np.nanquantile(drawn - drawn[:, [reference]], [tail, 1 - tail], axis=0)
    change = means - means[reference]
    rows = []
    for r, case in enumerate(cases):
        cells: list[Cell] = [*case.cells]
        for k, places in enumerate(digits):
            cells.append(number(means[r, k], places))
            cells.append(
                number(None, places)
                if r == reference
                else Number(float(change[r, k]), float(low[r, k]), float(high[r, k]), places)
            )
        rows.append(tuple(cells))
    return tuple(rows)


def number(value: float | None, digits: int) -> Number:
    """A number without interval."""
    return Number(None if value is None else float(value), None, None, digits)


def change(value: float | None, reference: float, digits: int, is_reference: bool) -> Number:
    """The change from the reference; none of the reference itself."""
    if value is None or is_reference:
        return number(None, digits)
    return number(value - reference, digits)


def digits_of(measures: Sequence[Measure]) -> list[int]:
    """Decimals of each measure."""
    return [measure.digits for measure in measures]


def headings(measures: Sequence[Measure]) -> list[str]:
    """Columns of each measure and of its change."""
    return [column for measure in measures for column in (measure.heading, "change")]


def title(name: str, run: Run) -> str:
    """How the title of a table about a run begins."""
    dataset = run.record.dataset
    return f"{name} on {dataset.name} {dataset.split}, {dataset.faces:,} faces"


def reference(what: str, bootstrap: Bootstrap) -> str:
    """The note that names the reference row."""
    return (
        f"Reference: {what}. Changes from it with {bootstrap.confidence:.0%} intervals of a paired "
        f"bootstrap over source images ({bootstrap.replicates:,} samples)."
    )


def missed_note(run: Run) -> list[str]:
    """The note on faces a run missed, if there are any."""
    if not run.record.missed:
        return []
    return [f"{run.record.missed:,} faces missed: failures in FR and AUC, left out of NME."]


def incomplete_note(run: Run) -> list[str]:
    """The note on what of its data set a run lacks, if anything."""
    dataset = run.record.dataset
    return [] if dataset.complete else [f"INCOMPLETE: {'; '.join(dataset.incomplete)}."]


def text_of(tables: Sequence[Table], form: str) -> str:
    """Tables in one form; as CSV a line a number, in full precision."""
    return _csv(tables) if form == "csv" else render(tables, form)


def _csv(tables: Sequence[Table]) -> str:
    """A line a number, in full precision."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(
        ["table", "group", "row", "column", "value", "change", "change_low", "change_high"]
    )
    for table in tables:
        heading = ""
        for place, row in enumerate(table.rows):
            heading = dict(table.groups).get(place, heading)
            name = "; ".join(cell for cell in row if isinstance(cell, str))
            numbers = [(k, cell) for k, cell in enumerate(row) if isinstance(cell, Number)]
            for (k, cell), (_, change) in zip(numbers[::2], numbers[1::2], strict=True):
                writer.writerow(
                    [
                        table.title, heading, name, table.columns[k], cell.value, change.value,
                        change.low, change.high,
                    ]
                )  # fmt: skip
    return visible(stream.getvalue(), lines=True).rstrip("\n")
