"""Tables of numbers with intervals, and the forms they are printed in."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table as RichTable
from rich.text import Text
from tabulate import tabulate

from alignbench.errors import unknown


@dataclass(frozen=True)
class Number:
    """A measured number with its interval; ``None`` where there is none."""

    value: float | None
    low: float | None
    high: float | None
    digits: int

    def __str__(self) -> str:
        if self.value is None:
            return "–"
        text = f"{self.value:.{self.digits}f}"
        if self.low is None or self.high is None:
            return text
        return f"{text} [{self.low:.{self.digits}f}, {self.high:.{self.digits}f}]"


Cell = str | int | Number

_SHORT = 14
"""A word of a text column up to this length is not broken."""


@dataclass(frozen=True)
class Table:
    """A titled table with notes under it."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...]


def render(tables: Sequence[Table], form: str) -> str:
    """Tables as text.

    Parameters
    ----------
    form
        ``terminal``, ``md`` or ``latex``.

    Raises
    ------
    InputError
        If the form is none of these.
    """
    forms = {"terminal": to_terminal, "md": to_markdown, "latex": to_latex}
    if form not in forms:
        raise unknown("format", form, [*forms, "csv"])
    return forms[form](tables)


def to_terminal(tables: Sequence[Table]) -> str:
    """Tables for a terminal, as wide as it is."""
    stream = io.StringIO()
    real = Console()
    console = Console(
        file=stream,
        width=real.width if real.is_terminal else 100,
        force_terminal=real.is_terminal,
        color_system=real.color_system,  # type: ignore[arg-type]
        no_color=real.no_color,
    )
    for table in tables:
        console.print(table.title, style="bold", markup=False, highlight=False)
        rich = RichTable(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
        for k, name in enumerate(table.columns):
            # A number is never cut: its column is at least as wide as its longest word. Nor is a
            # short name.
            words = [word for row in table.rows for word in _terminal(row[k]).split()]
            longest = max(map(len, words), default=0)
            right = _align(table, k) == "right"
            rich.add_column(
                escape(name), justify=_align(table, k), overflow="fold",
                min_width=longest if right or longest <= _SHORT else None,
            )  # fmt: skip
        for row in table.rows:
            rich.add_row(*(_rich(cell) for cell in row))
        console.print(rich)
        for note in table.notes:
            console.print(Padding(Text(note, style="dim"), (0, 0, 0, 2), expand=False))
        console.print()
    return stream.getvalue().rstrip()


def _terminal(cell: Cell) -> str:
    """A cell's text; an interval has no blank inside, so that lines break before it."""
    value, _, interval = _plain(cell).partition(" ")
    return f"{value} {interval.replace(', ', '–')}" if isinstance(cell, Number) else _plain(cell)


def _rich(cell: Cell) -> str:
    text = escape(_terminal(cell))
    if isinstance(cell, Number):
        value, blank, interval = text.partition(" ")
        return f"{value}{blank}[dim]{interval}[/dim]" if interval else value
    return text


def to_markdown(tables: Sequence[Table]) -> str:
    """Tables in GitHub's Markdown."""
    parts = []
    for table in tables:
        rows = [[_markdown(_plain(cell)) for cell in row] for row in table.rows]
        parts.append(f"**{_markdown(table.title)}**")
        parts.append(
            tabulate(
                rows,
                [_markdown(name) for name in table.columns],
                "pipe",
                colalign=[_align(table, k) for k in range(len(table.columns))],
                disable_numparse=True,
            )
        )
        if table.notes:
            parts.append("\n".join(f"- {_markdown(note)}" for note in table.notes))
    return "\n\n".join(parts)


def to_latex(tables: Sequence[Table]) -> str:
    """Tables for LaTeX with the booktabs package."""
    parts = []
    for table in tables:
        rows = [[_latex(_plain(cell)) for cell in row] for row in table.rows]
        body = tabulate(
            rows,
            [_latex(name) for name in table.columns],
            "latex_raw",
            colalign=[_align(table, k) for k in range(len(table.columns))],
            disable_numparse=True,
        )
        for rule in ("top", "mid", "bottom"):
            body = body.replace(r"\hline", rf"\{rule}rule", 1)
        notes = "".join(f"\\par\\footnotesize {_latex(note)}\n" for note in table.notes)
        parts.append(
            "\\begin{table}\n\\centering\n"
            f"\\caption{{{_latex(table.title)}}}\n{body}\n{notes}\\end{{table}}"
        )
    return "% needs \\usepackage{booktabs}\n" + "\n\n".join(parts)


def _align(table: Table, column: int) -> str:
    """Text to the left, numbers to the right."""
    return "left" if any(isinstance(row[column], str) for row in table.rows) else "right"


def _plain(cell: Cell) -> str:
    return f"{cell:,}" if isinstance(cell, int) else str(cell)


def _markdown(text: str) -> str:
    return re.sub(r"([\\`*_|<>])", r"\\\1", text).replace("\n", " ")


_LATEX = {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "–": "--", "<": r"\textless{}", ">": r"\textgreater{}",
} | {c: f"\\{c}" for c in "&%$#_{}"}  # fmt: skip


def _latex(text: str) -> str:
    return "".join(_LATEX.get(c, c) for c in text.replace("\n", " "))
