"""Tables as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from reports.tables.model import Cell, Number, Row, Table, Text, notes_of


def to_json(tables: Sequence[Table]) -> str:
    """Tables as a list of objects, with numbers in full precision.

    Each table has ``title``, ``columns``, ``rows``, ``notes`` and ``records``. A row is an object:
    ``group`` (the heading above it), each cell by the name of its column, and ``notes`` (its
    footnotes). A number is an object too: ``value``, ``low``, ``high``, ``source``, ``best``, and
    ``spread``, which says that ``low`` and ``high`` are the lowest and the highest of several
    numbers instead of an interval. ``records`` is what the CSV file has, and empty where that has
    the rows themselves. A number that is not there, or is not finite, is null.
    """
    # With ASCII alone, no text from outside can be a command of the terminal.
    return json.dumps([_table(table) for table in tables], indent=1, allow_nan=False)


def _table(table: Table) -> dict[str, Any]:
    names = _unique(table.columns)
    return {
        "title": table.title,
        "columns": names,
        "rows": [_row(group.heading, names, row) for group in table.groups for row in group.rows],
        "notes": list(table.notes),
        "records": [_finite(record) for record in table.records],
    }


def _unique(columns: Sequence[str]) -> list[str]:
    """Names of columns; one that stands twice, or is another key of a row, has a number."""
    names = ["group", "notes"]
    for column in columns:
        name, k = column, 1
        while name in names:
            k += 1
            name = f"{column} ({k})"
        names.append(name)
    return names[2:]


def _row(heading: str, names: Sequence[str], row: Row) -> dict[str, Any]:
    cells = {name: _cell(cell) for name, cell in zip(names, row, strict=True)}
    notes = dict.fromkeys(note for cell in row for note in notes_of(cell))
    return {"group": heading, **cells, "notes": list(notes)}


def _cell(cell: Cell) -> object:
    if isinstance(cell, Number):
        names = ("value", "low", "high", "source", "best", "spread")
        return {name: _finite(getattr(cell, name)) for name in names}
    return cell.text if isinstance(cell, Text) else cell


def _finite(value: Any) -> Any:
    """The value with null for every number that JSON has not."""
    if isinstance(value, Mapping):
        return {name: _finite(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
