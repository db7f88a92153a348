"""Tables of numbers with intervals, and the forms they are printed in."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence

from alignbench.errors import unknown
from alignbench.visible import visible
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
    """Records of tables as one CSV file."""
    records = [record for table in tables for record in table.records]
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(records[0]) if records else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return visible(stream.getvalue(), lines=True)
