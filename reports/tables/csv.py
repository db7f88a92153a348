"""Tables as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence

from alignbench.exceptions import visible
from reports.tables.model import Number, Table, plain


def to_csv(tables: Sequence[Table]) -> str:
    """The records of tables as one CSV file; the rows of tables that have no records."""
    stream = io.StringIO()
    records = [record for table in tables for record in table.records]
    if records:
        writer = csv.DictWriter(stream, list(records[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(records)
    else:
        for table in tables:
            csv.writer(stream, lineterminator="\n").writerows(_lines(table))
    return visible(stream.getvalue(), lines=True).rstrip("\n")


def _lines(table: Table) -> Iterator[list[object]]:
    """Header and rows; a column in which a number has an interval is followed by its ends."""
    head: list[object] = ["table"]
    sizes = []
    for name, *cells in zip(table.columns, *table.rows, strict=True):
        wide = any(isinstance(cell, Number) and cell.low is not None for cell in cells)
        sizes.append(3 if wide else 1)
        head += [name, f"{name} low", f"{name} high"][: sizes[-1]]
    yield head
    for row in table.rows:
        line: list[object] = [table.title]
        for cell, size in zip(row, sizes, strict=True):
            if isinstance(cell, Number):
                line += [cell.value, cell.low, cell.high][:size]
            else:
                line += [plain(cell), "", ""][:size]
        yield line
