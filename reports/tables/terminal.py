"""Tables for a terminal."""

from __future__ import annotations

import io
from collections.abc import Sequence

from rich import box
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table as RichTable
from rich.text import Text

from alignbench.errors import visible
from reports.tables.model import (
    DERIVED,
    MEASURED,
    Cell,
    Number,
    Table,
    align,
    marks_of,
    plain,
)

_SHORT = 14
"""A word of a text column up to this length is not broken."""

_WIDE = 10_000
_HEADING = "\ue000"
"""Holds the place of a heading; a cell's text never has it, because it cannot be seen."""


def to_terminal(tables: Sequence[Table]) -> str:
    """Tables for a terminal, as wide as it is unless numbers need more.

    A derived number begins with =; elsewhere than on a terminal a star stands for bold.
    """
    real = Console()
    width = real.width if real.is_terminal else 100
    star = "" if real.is_terminal else "*"
    parts = []
    for table in tables:
        headings = iter(table.groups)
        lines = [_printed(real, width, Text(visible(table.title), style="bold"))]
        for line in _printed(real, width, _rich_table(table, star)).splitlines():
            if _HEADING in line:  # as wide as the table, which no cell of it can be
                text = f" {visible(next(headings)[1])}"
                lines.append(_printed(real, width, Text(text, style="bold")))
            else:
                lines.append(line)
        notes = [visible(note) for note in table.notes]
        notes += [f"^{mark} {visible(note)}" for mark, note in table.footnotes]
        for note in notes:
            indented = Padding(Text(note, style="dim"), (0, 0, 0, 2), expand=False)
            lines.append(_printed(real, width, indented))
        parts.append("\n".join(lines))
    return "\n\n".join(parts).rstrip()


def _printed(real: Console, width: int, what: RenderableType) -> str:
    """What the console prints within a width; what is wider, such as a table, is not cut."""
    stream = io.StringIO()
    Console(
        file=stream,
        width=_WIDE,
        force_terminal=real.is_terminal,
        color_system=real.color_system,  # type: ignore[arg-type]
        no_color=real.no_color,
    ).print(what, width=width)
    return stream.getvalue().rstrip("\n")


def _rich_table(table: Table, star: str) -> RichTable:
    rich = RichTable(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    rows = [[_rich(cell, star) for cell in row] for row in table.rows]
    for k, name in enumerate(table.columns):
        # A number is never cut: its column is at least as wide as its longest word. Nor is what
        # stands above numbers, or a short name.
        right = align(table, k) == "right"
        words = [word for row in rows for word in row[k].plain.split()]
        longest = max(map(len, words + name.split() if right else words), default=0)
        rich.add_column(
            Text(visible(name)), justify="right" if right else "left", overflow="fold",
            min_width=longest if right or longest <= _SHORT else None,
        )  # fmt: skip
    groups = dict(table.groups)
    for k, row in enumerate(rows):
        if k in groups:
            if k:
                rich.add_section()
            rich.add_row(_HEADING)
        rich.add_row(*row)
    return rich


_STYLES = {MEASURED: "cyan", DERIVED: "italic"}


def _rich(cell: Cell, star: str) -> Text:
    """A cell's text; an interval has no blank inside, so that lines break before it."""
    if not isinstance(cell, Number):
        text = Text(plain(cell))
    else:
        style = f"{_STYLES.get(cell.source, '')} {'bold' if cell.best else ''}".strip()
        sign = "=" if cell.source == DERIVED and cell.value is not None else ""
        text = Text((star if cell.best else "") + sign + cell.text, style=style)
        if cell.interval:
            text.append(" ").append(cell.interval.replace(", ", "–"), style="not bold dim")
    if marks := marks_of(cell):
        text.append(f" ^{marks}")
    return text
