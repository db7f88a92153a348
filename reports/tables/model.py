"""Cells and tables, before any form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from alignbench.errors import visible

PUBLISHED, MEASURED, DERIVED = "published", "measured", "derived"
"""Where a number comes from: a paper, a run, or a sum over such numbers."""


@dataclass(frozen=True)
class Number:
    """A number, with its interval if there is one; ``None`` where there is no number.

    Attributes
    ----------
    value, low, high, digits
        The number, the ends of its interval, and the decimals they are printed with.
    source
        ``PUBLISHED``, ``MEASURED`` or ``DERIVED``; empty in a table of one kind.
    best
        Whether it is the best of those it is compared with: bold.
    spread
        Whether ``low`` and ``high`` are the lowest and the highest of several numbers, printed in
        round brackets, instead of an interval.
    marks
        Marks of footnotes.
    """

    value: float | None
    low: float | None
    high: float | None
    digits: int
    source: str = ""
    best: bool = False
    spread: bool = False
    marks: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.text} {self.interval}".rstrip()

    @property
    def text(self) -> str:
        """The number without its interval."""
        return "–" if self.value is None else f"{self.value:z.{self.digits}f}"

    @property
    def interval(self) -> str:
        """The interval in brackets; empty where there is none."""
        if self.value is None or self.low is None or self.high is None:
            return ""
        low, high = f"{self.low:z.{self.digits}f}", f"{self.high:z.{self.digits}f}"
        return f"({low}–{high})" if self.spread else f"[{low}, {high}]"


@dataclass(frozen=True)
class Marked:
    """A text with marks of footnotes."""

    text: str
    marks: tuple[str, ...]


Cell = str | int | Number | Marked


@dataclass(frozen=True)
class Table:
    """A titled table with notes under it.

    Attributes
    ----------
    title, columns, rows, notes
        What is printed, in this order.
    groups
        (row, heading): a heading before the row of this number.
    footnotes
        (mark, text): what the marks of cells stand for.
    records
        A line a number for CSV, text by column, the same columns in each; not every table has
        them.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...]
    groups: tuple[tuple[int, str], ...] = ()
    footnotes: tuple[tuple[str, str], ...] = ()
    records: tuple[Mapping[str, str], ...] = ()


def align(table: Table, column: int) -> str:
    """Text to the left, numbers to the right; an empty text is either."""
    cells = [row[column] for row in table.rows if row[column] != ""]
    text = not cells or any(isinstance(cell, str | Marked) for cell in cells)
    return "left" if text else "right"


def plain(cell: str | int | Marked) -> str:
    """A cell that is no number of ours as text, without its marks."""
    if isinstance(cell, Marked):
        return visible(cell.text)
    return f"{cell:,}" if isinstance(cell, int) else visible(cell)


def marks_of(cell: Cell) -> str:
    """A cell's marks of footnotes, with commas between them."""
    return ",".join(cell.marks) if isinstance(cell, Number | Marked) else ""
