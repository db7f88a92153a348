"""Tables for a terminal."""

from __future__ import annotations

import io
from collections.abc import Sequence

from rich import box
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table as RichTable
from rich.text import Text

from alignbench.exceptions import visible
from reports.tables.model import DERIVED, MEASURED, Cell, Number, Table, plain

_SHORT = 14
"""A word of a text column up to this length is not broken."""
_WIDE = 10_000
_HEADING = "\ue000"
"""Holds the place of a heading in rich's table. No cell has it: ``visible`` spells it out."""


def to_terminal(tables: Sequence[Table]) -> str:
    """Tables for a terminal, as wide as it is, or wider where numbers need more.

    A derived number begins with =. A star stands for bold where the output is no terminal.
    """
    real = Console()
    width = real.width if real.is_terminal else 100
    star = "" if real.is_terminal else "*"
    return "\n\n".join(_terminal_table(table, real, width, star) for table in tables).rstrip()


def _terminal_table(table: Table, real: Console, width: int, star: str) -> str:
    headings = iter([group.heading for group in table.groups if group.heading])
    lines = [_printed(real, width, Text(visible(table.title), style="bold"))]
    for line in _printed(real, width, _rich_table(table, star)).splitlines():
        if _HEADING in line:  # The heading takes the width of the table; no cell of it can.
            text = Text(f" {visible(next(headings))}", style="bold")
            lines.append(_printed(real, width, text))
        else:
            lines.append(line)
    notes = [visible(note) for note in table.notes]
    notes += [f"^{mark} {visible(note)}" for note, mark in table.footnotes.items()]
    for note in notes:
        indented = Padding(Text(note, style="dim"), (0, 0, 0, 2), expand=False)
        lines.append(_printed(real, width, indented))
    return "\n".join(lines)


def _printed(real: Console, width: int, content: RenderableType) -> str:
    """What a console like the real one prints of a content; a wider table is not cut."""
    stream = io.StringIO()
    Console(
        file=stream,
        width=_WIDE,
        force_terminal=real.is_terminal,
        color_system=real.color_system,  # type: ignore[arg-type]
        no_color=real.no_color,
    ).print(content, width=width)
    return stream.getvalue().rstrip("\n")


def _rich_table(table: Table, star: str) -> RichTable:
    rich = RichTable(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    groups = [
        (
            group.heading,
            [[_rich(cell, table.marks(cell), star) for cell in row] for row in group.rows],
        )
        for group in table.groups
    ]
    for k, name in enumerate(table.columns):
        # A column of numbers is at least as wide as its longest word, so that no number is cut;
        # a column of texts only where the word is short.
        right = table.align(k) == "right"
        words = [word for _, rows in groups for row in rows for word in row[k].plain.split()]
        longest = max(map(len, words + name.split() if right else words), default=0)
        rich.add_column(
            Text(visible(name)), justify="right" if right else "left", overflow="fold",
            min_width=longest if right or longest <= _SHORT else None,
        )  # fmt: skip
    for heading, rows in groups:
        if heading:
            if rich.rows:
                rich.add_section()
            rich.add_row(_HEADING)
        for row in rows:
            rich.add_row(*row)
    return rich


_STYLES = {MEASURED: "cyan", DERIVED: "italic"}


def _rich(cell: Cell, marks: str, star: str) -> Text:
    """A cell's text; an interval has no blank inside, so that lines break before it."""
    if not isinstance(cell, Number):
        text = Text(plain(cell))
    else:
        style = f"{_STYLES.get(cell.source, '')} {'bold' if cell.best else ''}".strip()
        sign = "=" if cell.source == DERIVED and cell.value is not None else ""
        text = Text((star if cell.best else "") + sign + cell.text, style=style)
        if cell.interval:
            text.append(" ").append(cell.interval.replace(", ", "–"), style="not bold dim")
    if marks:
        text.append(f" ^{marks}")
    return text
