"""Tables as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from itertools import chain

from alignbench.errors import visible
from reports.tables.model import Cell, Number, Table, plain


def to_csv(tables: Sequence[Table]) -> str:
    """The records of tables as one CSV file; the rows of tables that have no records."""
    stream = io.StringIO()
    records = [record for table in tables for record in table.records]
    if records:
        writer = csv.DictWriter(stream, list(records[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(records)
    else:
        lines = csv.writer(stream, lineterminator="\n")
        for table in tables:
            lines.writerows(_lines(table))
    return visible(stream.getvalue(), lines=True).rstrip("\n")


def _lines(table: Table) -> list[list[object]]:
    """Header and rows; a column in which a number has an interval is followed by its ends."""
    wide = [any(map(_has_interval, column)) for column in zip(*table.rows, strict=True)]
    wide = wide or [False] * len(table.columns)
    heads = [
        (name, f"{name} low", f"{name} high")[: 3 if w else 1]
        for name, w in zip(table.columns, wide, strict=True)
    ]
    rows = [
        chain.from_iterable(_values(cell, w) for cell, w in zip(row, wide, strict=True))
        for row in table.rows
    ]
    return [["table", *chain.from_iterable(heads)], *([table.title, *row] for row in rows)]


def _has_interval(cell: Cell) -> bool:
    return isinstance(cell, Number) and cell.low is not None


def _values(cell: Cell, wide: bool) -> tuple[object, ...]:
    if isinstance(cell, Number):
        return (cell.value, cell.low, cell.high)[: 3 if wide else 1]
    return (plain(cell), "", "")[: 3 if wide else 1]
