"""The one model of a table: typed cells in rows, rows in groups, notes below; no form yet."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain

from alignbench.exceptions import visible

PUBLISHED, MEASURED, DERIVED = "published", "measured", "derived"
"""Where a number comes from: a paper, a run, or a calculation from such numbers."""


@dataclass(frozen=True)
class Quantity:
    """What a number is a value of; a text is empty where there is nothing to say.

    ``metric`` is such as ``nme``, ``fr@0.10``, ``nme change`` and ``params_m``; ``faces`` the
    fingerprint of the faces it was measured on; ``run`` the key of the run it was measured in, or
    the keys of several runs with blanks between them.
    """

    metric: str = ""
    subset: str = ""
    norm: str = ""
    faces: str = ""
    run: str = ""


@dataclass(frozen=True)
class Number:
    """A number, with its interval if there is one; ``value`` is None where there is no number.

    Attributes
    ----------
    value, digits, low, high
        The number, the decimals it is printed with, and the ends of its interval.
    source
        ``PUBLISHED``, ``MEASURED`` or ``DERIVED``; empty in a table whose numbers have one source.
    of
        What it is a value of.
    best
        Whether it is the best of the numbers it competes with: bold.
    spread
        Whether ``low`` and ``high`` are the lowest and the highest of several numbers, printed in
        round brackets, instead of an interval.
    notes
        Footnotes.
    """

    value: float | None
    digits: int = 2
    low: float | None = None
    high: float | None = None
    source: str = ""
    of: Quantity = Quantity()
    best: bool = False
    spread: bool = False
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.text} {self.interval}".rstrip()

    @property
    def text(self) -> str:
        """The number without its interval."""
        is_number = self.value is not None and not math.isnan(self.value)
        return f"{self.value:z.{self.digits}f}" if is_number else "–"

    @property
    def interval(self) -> str:
        """The interval in brackets; empty where there is none."""
        if self.value is None or self.low is None or self.high is None:
            return ""
        low, high = (f"{end:z.{self.digits}f}" for end in (self.low, self.high))
        return f"({low}–{high})" if self.spread else f"[{low}, {high}]"


@dataclass(frozen=True)
class Text:
    """A text with footnotes; in HTML it may be a link to another page of ours."""

    text: str
    notes: tuple[str, ...] = ()
    link: str = ""


Cell = str | int | Number | Text
Row = tuple[Cell, ...]
Record = Mapping[str, object]


@dataclass(frozen=True)
class Group:
    """Rows under one heading; an empty heading is not printed."""

    heading: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Table:
    """A titled table.

    Attributes
    ----------
    title, columns, groups, notes
        What is printed, in this order; the footnotes of the cells come last.
    records
        The lines of the table's CSV file, by column and in full precision. Without records, the
        rows themselves are written.
    """

    title: str
    columns: tuple[str, ...]
    groups: tuple[Group, ...]
    notes: tuple[str, ...] = ()
    records: Sequence[Record] = field(default=(), repr=False)

    @classmethod
    def of_rows(
        cls,
        title: str,
        columns: Iterable[str],
        rows: Iterable[Row],
        notes: Iterable[str] = (),
        *,
        records: Sequence[Record] = (),
    ) -> Table:
        """A table without headings of groups."""
        return cls(title, tuple(columns), (Group("", tuple(rows)),), tuple(notes), records)

    @property
    def rows(self) -> tuple[Row, ...]:
        """The rows of all groups."""
        return tuple(chain.from_iterable(group.rows for group in self.groups))

    @cached_property
    def footnotes(self) -> dict[str, str]:
        """The text of each footnote, and the letter that marks it: a, b, ... in order."""
        cells = chain.from_iterable(self.rows)
        texts = dict.fromkeys(note for cell in cells for note in notes_of(cell))
        return {note: _letter(k) for k, note in enumerate(texts)}

    def marks(self, cell: Cell) -> str:
        """The letters of a cell's footnotes, with commas between them."""
        return ",".join(self.footnotes[note] for note in notes_of(cell))

    def align(self, column: int) -> str:
        """``right`` for a column of numbers and empty cells, ``left`` for any other."""
        cells = [row[column] for row in self.rows if row[column] != ""]
        numbers = cells and all(isinstance(cell, Number | int) for cell in cells)
        return "right" if numbers else "left"


def hide_intervals(table: Table) -> Table:
    """The table without intervals of numbers; its records keep theirs."""

    def bare(cell: Cell) -> Cell:
        if not isinstance(cell, Number) or cell.spread:
            return cell
        return replace(cell, low=None, high=None)

    rows = [tuple(tuple(map(bare, row)) for row in group.rows) for group in table.groups]
    groups = zip(table.groups, rows, strict=True)
    return replace(table, groups=tuple(replace(group, rows=bared) for group, bared in groups))


def share_notes(tables: Sequence[Table]) -> tuple[list[Table], list[str]]:
    """The tables without the notes that all of them have, and these notes."""
    if len(tables) < 2:
        return list(tables), []
    others = [set(table.notes) for table in tables[1:]]
    shared = [note for note in tables[0].notes if all(note in notes for notes in others)]
    kept = [replace(t, notes=tuple(n for n in t.notes if n not in shared)) for t in tables]
    return kept, shared


def plain(cell: str | int | Text) -> str:
    """The text of a cell that is no :class:`Number`, without its marks."""
    if isinstance(cell, Text):
        return visible(cell.text)
    return f"{cell:,}" if isinstance(cell, int) else visible(cell)


def notes_of(cell: Cell) -> tuple[str, ...]:
    """The footnotes of a cell."""
    return cell.notes if isinstance(cell, Number | Text) else ()


def _letter(k: int) -> str:
    """The letters a to z, then aa to az, and so on."""
    before, last = divmod(k, 26)
    return (_letter(before - 1) if before else "") + chr(ord("a") + last)
