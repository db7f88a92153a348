"""Tables for a terminal."""

from __future__ import annotations

import io
from collections.abc import Sequence
from itertools import chain
from textwrap import wrap

from rich import box
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table as RichTable
from rich.text import Text

from alignbench.exceptions import visible
from reports.tables.model import DERIVED, MEASURED, Cell, Number, Table, plain, share_notes

_TEXT = 20
"""Least width of a column of text whose lines are broken; numbers are never broken."""
_GAP = 2
"""Blanks between columns."""
_PLAIN_WIDTH = 100
"""Width where the output is no terminal."""
_WIDE = 10_000
_HEADING = "\ue000"
"""Holds the place of a heading in rich's table. No cell has it: ``visible`` spells it out."""


def to_terminal(tables: Sequence[Table]) -> str:
    """Tables for a terminal, as wide as it is, or wider where a single number needs more.

    Columns of a table that is too wide stand in a line above it where all their cells are the same.
    If it is still too wide, it is printed in blocks, one below the other: each has the first
    columns again, and some of the others. Notes that all tables share are printed once, at the
    end. A derived number begins with =. A star stands for bold where the output is no terminal.
    """
    real = Console()
    width = real.width if real.is_terminal else _PLAIN_WIDTH
    star = "" if real.is_terminal else "*"
    tables, shared = share_notes(tables)
    texts = [_terminal_table(table, real, width, star) for table in tables]
    if last := [*shared, *_explain_signs(tables, star)]:
        texts.append("\n".join(_note(note, real, width) for note in last))
    return "\n\n".join(texts).rstrip()


def _explain_signs(tables: Sequence[Table], star: str) -> list[str]:
    """What stands for bold and italic type, if any number has it."""
    cells = chain.from_iterable(row for table in tables for row in table.rows)
    numbers = [cell for cell in cells if isinstance(cell, Number) and cell.value is not None]
    bold = star and any(number.best for number in numbers)
    italic = any(number.source == DERIVED for number in numbers)
    return ["A star stands for bold type."] * bool(bold) + ["= stands for italics."] * italic


def _terminal_table(table: Table, real: Console, width: int, star: str) -> str:
    lines = [_print_to_text(real, width, Text(visible(table.title), style="bold"))]
    shown, same = _choose_columns(table, star, width)
    if same:
        lines.append(
            _note("; ".join(f"{table.columns[k]}: {text}" for k, text in same), real, width)
        )
    for columns in _blocks(table, shown, star, width):
        lines.append("")
        headings = iter([group.heading for group in table.groups if group.heading])
        for line in _print_to_text(real, width, _rich_table(table, columns, star)).splitlines():
            if _HEADING in line:  # The heading takes the width of the table; no cell of it can.
                text = Text(f" {visible(next(headings))}", style="bold")
                lines.append(_print_to_text(real, width, text))
            else:
                lines.append(line)
    if table.notes or table.footnotes:
        lines.append("")
    lines += [_note(note, real, width) for note in table.notes]
    lines += [_note(f"^{mark} {note}", real, width) for note, mark in table.footnotes.items()]
    return "\n".join(lines)


def _note(note: str, real: Console, width: int) -> str:
    text = Text(visible(note), style="dim")
    return _print_to_text(real, width, Padding(text, (0, 0, 0, 2), expand=False))


def _choose_columns(table: Table, star: str, width: int) -> tuple[list[int], list[tuple[int, str]]]:
    """The columns to print; and, of a table that is too wide, those with one text in all rows."""
    places = list(range(len(table.columns)))
    if _fit(table, places, star, width) or len(table.rows) < 2:
        return places, []
    texts = {k: {text.plain for text in _cells(table, k, star)} for k in _describing(table)[1:]}
    same = {k: min(found) for k, found in texts.items() if len(found) == 1}
    if len(same) == len(places) - 1:  # nothing would be left
        return places, []
    return [k for k in places if k not in same], list(same.items())


def _describing(table: Table) -> list[int]:
    """The columns before the first one of measured numbers: they say what a row is about."""
    places = range(len(table.columns))
    measured = (k for k in places if any(isinstance(row[k], Number) for row in table.rows))
    return list(range(next(measured, len(table.columns))))


def _fit(table: Table, columns: Sequence[int], star: str, width: int) -> bool:
    return sum(_least_width(table, k, star) + _GAP for k in columns) <= width


def _blocks(table: Table, columns: Sequence[int], star: str, width: int) -> list[list[int]]:
    """The columns of each block: all in one, or in several that each begin with the same ones."""
    if _fit(table, columns, star, width):
        return [[*columns]]
    # What names a row: the columns of text that describe it; one, if all are text.
    names = [k for k in columns if k in _describing(table) and table.align(k) == "left"]
    if len(names) == len(columns):
        names = names[:1]
    blocks = [[*names]]
    for k in (k for k in columns if k not in names):
        if len(blocks[-1]) > len(names) and not _fit(table, [*blocks[-1], k], star, width):
            blocks.append([*names])
        blocks[-1].append(k)
    return blocks


def _least_width(table: Table, column: int, star: str) -> int:
    """How narrow a column may be: numbers and short texts are not broken."""
    longest = max((len(text.plain) for text in _cells(table, column, star)), default=0)
    if table.align(column) == "right":
        return max(longest, *map(len, _heading(table, column, longest).split("\n")))
    return min(max(longest, len(table.columns[column])), _TEXT)


def _cells(table: Table, column: int, star: str) -> list[Text]:
    return [_rich(row[column], table.marks(row[column]), star) for row in table.rows]


def _heading(table: Table, column: int, width: int) -> str:
    """The heading of a column; above numbers, it is broken into lines of about their width."""
    text = visible(table.columns[column])
    if table.align(column) == "left":
        return text
    least = max(map(len, text.split()), default=0)
    return "\n".join(wrap(text, max(width, least))) or text


def _print_to_text(real: Console, width: int, content: RenderableType) -> str:
    """What a console like the real one prints of a content; a wider table is not cut."""
    stream = io.StringIO()
    Console(
        file=stream,
        width=_WIDE,
        force_terminal=real.is_terminal,
        color_system=real.color_system,  # type: ignore[arg-type]
        no_color=real.no_color,
    ).print(content, width=width)
    # Rich puts an empty line above and below a table.
    lines = [line.rstrip() for line in stream.getvalue().splitlines()]
    shown = [k for k, line in enumerate(lines) if line]
    return "\n".join(lines[shown[0] : shown[-1] + 1] if shown else [])


def _rich_table(table: Table, columns: Sequence[int], star: str) -> RichTable:
    rich = RichTable(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for k in columns:
        right = table.align(k) == "right"
        longest = max((len(text.plain) for text in _cells(table, k, star)), default=0)
        rich.add_column(
            Text(_heading(table, k, longest)), justify="right" if right else "left",
            overflow="fold", no_wrap=right, min_width=_least_width(table, k, star),
        )  # fmt: skip
    for group in table.groups:
        if group.heading:
            if rich.rows:
                rich.add_section()
            rich.add_row(_HEADING)
        for row in group.rows:
            rich.add_row(*(_rich(row[k], table.marks(row[k]), star) for k in columns))
    return rich


_STYLES = {MEASURED: "cyan", DERIVED: "italic"}


def _rich(cell: Cell, marks: str, star: str) -> Text:
    """A cell's text."""
    if not isinstance(cell, Number):
        text = Text(plain(cell))
    else:
        style = f"{_STYLES.get(cell.source, '')} {'bold' if cell.best else ''}".strip()
        sign = "=" if cell.source == DERIVED and cell.value is not None else ""
        text = Text((star if cell.best else "") + sign + cell.text, style=style)
        if cell.interval:
            text.append(" ").append(cell.interval, style="not bold dim")
    if marks:
        text.append(f" ^{marks}")
    return text
