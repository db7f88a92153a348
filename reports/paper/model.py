"""What a table of the paper is made of: entries, rows and groups, before any form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from alignbench.errors import visible
from reports.tables import DERIVED, MEASURED, PUBLISHED, Cell, Marked, Number, Table

_BETTER = {"nme": -1, "fr@0.10": -1, "auc@0.10": 1}
"""Whether more (1) or less (-1) of a measure is better."""

FORMAT = {"nme": ("NME %", 2), "fr@0.10": ("FR@0.10 %", 2), "auc@0.10": ("AUC@0.10", 4)}
"""Heading and decimals of the paper's measures."""


@dataclass(frozen=True)
class Entry:
    """A number, and what it is.

    Attributes
    ----------
    number
        The number, with its source.
    metric
        Such as ``nme`` and ``fr@0.10``, ``nme change`` and ``params_m``.
    subset, norm
        Faces and normaliser; empty where there is none.
    notes
        Footnotes of this number alone.
    """

    number: Number
    metric: str
    subset: str = ""
    norm: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Row:
    """A row of numbers from one source.

    Attributes
    ----------
    name
        Method, model or variant.
    source, key
        Where its numbers come from, and the keys of the runs they are of.
    entries
        A number a column.
    notes
        Footnotes of the whole row.
    rivals
        Rows of a group compete for the best number where this is the same.
    """

    name: str
    source: str
    entries: tuple[Entry, ...]
    key: str = ""
    notes: tuple[str, ...] = ()
    rivals: str = ""


@dataclass(frozen=True)
class Group:
    """Rows under one heading."""

    heading: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class PaperTable:
    """A table of the paper.

    Attributes
    ----------
    number, title
        Its number in the paper, and what it shows.
    columns
        Headings: of the names, then of each number.
    groups, notes
        Its rows, and what is said below it.
    """

    number: int
    title: str
    columns: tuple[str, ...]
    groups: tuple[Group, ...]
    notes: tuple[str, ...] = ()


def laid_out(table: PaperTable, intervals: bool) -> Table:
    """The table for every form, with letters for its footnotes and the best numbers marked."""
    letters: dict[str, str] = {}
    rows: list[tuple[Cell, ...]] = []
    groups: list[tuple[int, str]] = []
    for group in table.groups:
        if group.rows:
            groups.append((len(rows), group.heading))
        for row, best in zip(group.rows, best_of(group), strict=True):
            marks = _letters([" ".join(row.notes)] if row.notes else [], letters)
            name: Cell = Marked(row.name, marks) if marks else row.name
            numbers = [
                _shown(entry, is_best, letters, intervals)
                for entry, is_best in zip(row.entries, best, strict=True)
            ]
            rows.append((name, _source(row), *numbers))
    first, *others = table.columns
    return Table(
        f"{table.title} (Table {table.number} of the PropNet paper)",
        (first, "Source", *others),
        tuple(rows),
        table.notes,
        tuple(groups),
        tuple((letter, note) for note, letter in letters.items()),
        records(table),
    )


def _source(row: Row) -> str:
    keys = row.key.split()
    if row.source != MEASURED or not keys:
        return row.source
    return f"run {row.key}" if len(keys) == 1 else f"{len(keys)} runs"


def best_of(group: Group) -> list[list[bool]]:
    """For each row whether each of its numbers is the best among its rivals' in the group.

    Numbers compete as they are printed, so that all of a tie are best. One without rivals is not
    best, nor is one of a measure of which neither more nor less is better.
    """
    found = [[False] * len(row.entries) for row in group.rows]
    for rivals in {row.rivals for row in group.rows}:
        members = [k for k, row in enumerate(group.rows) if row.rivals == rivals]
        for column in range(len(group.rows[0].entries)):
            values = {k: _rank(group.rows[k].entries[column]) for k in members}
            known = {k: value for k, value in values.items() if value is not None}
            if len(known) > 1:
                for k, value in known.items():
                    found[k][column] = value == max(known.values())
    return found


def _rank(entry: Entry) -> float | None:
    """More is better; None for a number that does not compete."""
    better = _BETTER.get(entry.metric)
    if better is None or entry.number.value is None:
        return None
    return better * float(entry.number.text)


def _shown(entry: Entry, best: bool, letters: dict[str, str], intervals: bool) -> Number:
    number = replace(entry.number, best=best, marks=_letters(entry.notes, letters))
    return number if intervals or number.spread else replace(number, low=None, high=None)


def _letters(notes: Sequence[str], letters: dict[str, str]) -> tuple[str, ...]:
    """The letter of each footnote, a new one for a new text."""
    return tuple(letters.setdefault(note, _letter(len(letters))) for note in notes)


def _letter(k: int) -> str:
    """The letters a to z, then aa to az, and so on."""
    before, last = divmod(k, 26)
    return (_letter(before - 1) if before else "") + chr(ord("a") + last)


RECORD = (
    "table", "group", "row", "column", "metric", "subset", "norm", "value", "ci_low", "ci_high",
    "source", "run", "footnotes",
)  # fmt: skip
"""Columns of a table as CSV."""


def records(table: PaperTable) -> tuple[Mapping[str, str], ...]:
    """A line a number: as printed where it is published, in full precision where it is not.

    Where nothing is derived there is no line; where the paper prints nothing it is empty.
    """
    return tuple(
        dict(
            zip(
                RECORD,
                (
                    str(table.number), group.heading, visible(row.name), column, entry.metric,
                    entry.subset, entry.norm, *_values(entry.number), entry.number.source,
                    row.key, " ".join((*row.notes, *entry.notes)),
                ),
                strict=True,
            )
        )
        for group in table.groups
        for row in group.rows
        for column, entry in zip(table.columns[1:], row.entries, strict=True)
        if entry.number.source != DERIVED or entry.number.value is not None
    )  # fmt: skip


def _values(number: Number) -> tuple[str, str, str]:
    if number.value is None:
        return "", "", ""
    if number.source == PUBLISHED:
        return number.text, "", ""
    if number.spread or number.low is None or number.high is None:
        return repr(number.value), "", ""
    return repr(number.value), repr(number.low), repr(number.high)
