"""Tables of numbers with intervals, and the forms they are printed in."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from itertools import chain

from alignbench.errors import unknown, visible
from reports.tables.html import TABLE_STYLE, to_html, to_page
from reports.tables.latex import to_latex
from reports.tables.markdown import to_markdown
from reports.tables.model import (
    DERIVED,
    MEASURED,
    PUBLISHED,
    Cell,
    Marked,
    Number,
    Table,
    plain,
)
from reports.tables.terminal import to_terminal

__all__ = [
    "DERIVED",
    "MEASURED",
    "PUBLISHED",
    "TABLE_STYLE",
    "Cell",
    "Marked",
    "Number",
    "Table",
    "render",
    "to_csv",
    "to_html",
    "to_latex",
    "to_markdown",
    "to_page",
    "to_terminal",
]


def render(tables: Sequence[Table], form: str) -> str:
    """Tables as text.

    Parameters
    ----------
    form
        ``terminal``, ``md``, ``latex``, ``html``: a whole page, or ``csv``: their records.

    Raises
    ------
    InputError
        If the form is none of these.
    """
    forms: dict[str, Callable[[Sequence[Table]], str]] = {
        "terminal": to_terminal, "md": to_markdown, "latex": to_latex, "html": to_page,
        "csv": to_csv,
    }  # fmt: skip
    if form not in forms:
        raise unknown("format", form, forms)
    return forms[form](tables)


def to_csv(tables: Sequence[Table]) -> str:
    """Records of tables as one CSV file; of tables without any, their rows as they stand."""
    stream = io.StringIO()
    records = [record for table in tables for record in table.records]
    if records:
        writer = csv.DictWriter(stream, list(records[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(records)
    else:
        rows = csv.writer(stream, lineterminator="\n")
        for table in tables:
            wide = [
                any(_has_interval(cell) for cell in column)
                for column in zip(*table.rows, strict=True)
            ]
            named = zip(table.columns, wide, strict=True)
            heads = [(name, f"{name} low", f"{name} high")[: 3 if w else 1] for name, w in named]
            rows.writerow(chain(["table"], *heads))
            for row in table.rows:
                cells = [_values(cell, w) for cell, w in zip(row, wide, strict=True)]
                rows.writerow(chain([table.title], *cells))
    return visible(stream.getvalue(), lines=True)


def _has_interval(cell: Cell) -> bool:
    return isinstance(cell, Number) and cell.low is not None


def _values(cell: Cell, wide: bool) -> tuple[object, ...]:
    """What a cell is in CSV: a number in full precision, and its ends where its column has any."""
    if isinstance(cell, Number):
        return (cell.value, cell.low, cell.high)[: 3 if wide else 1]
    return (plain(cell), "", "")[: 3 if wide else 1]
