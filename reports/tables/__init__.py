"""Tables of numbers with intervals, and the forms they are printed in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from alignbench.exceptions import unknown
from reports.tables.csv import to_csv
from reports.tables.html import TABLE_STYLE, to_html, to_page
from reports.tables.json import to_json
from reports.tables.latex import to_latex
from reports.tables.markdown import to_markdown
from reports.tables.model import (
    DERIVED,
    MEASURED,
    PUBLISHED,
    Cell,
    Group,
    Number,
    Quantity,
    Record,
    Row,
    Table,
    Text,
    hide_intervals,
)
from reports.tables.terminal import to_terminal

__all__ = [
    "DERIVED", "FORMS", "MEASURED", "PUBLISHED", "TABLE_STYLE", "Cell", "Group", "Number",
    "Quantity", "Record", "Row", "Table", "Text", "hide_intervals", "render", "to_html",
]  # fmt: skip

FORMS: Mapping[str, Callable[[Sequence[Table]], str]] = {
    "terminal": to_terminal,
    "md": to_markdown,
    "latex": to_latex,
    "html": to_page,
    "csv": to_csv,
    "json": to_json,
}
"""The writer of each form. HTML is a whole page; CSV is the tables' records; JSON has both."""


def render(tables: Sequence[Table], form: str) -> str:
    """Tables as text, in one of the :data:`FORMS`.

    Raises
    ------
    InputError
        If there is no such form.
    """
    if form not in FORMS:
        raise unknown("format", form, FORMS)
    return FORMS[form](tables)
