"""What the tables of the paper share: rows, the best numbers, and the lines of the CSV file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from alignbench.errors import visible
from reports import published
from reports.tables import (
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
)

_SIGNS = {"nme": -1, "fr@0.10": -1, "auc@0.10": 1}
"""Whether a larger (1) or a smaller (-1) number is better; no other measure has a best number."""


def make_table(
    number: int, title: str, columns: Iterable[str], groups: Iterable[Group], notes: Iterable[str]
) -> Table:
    """A table of the paper, with its best numbers marked and its records.

    ``columns`` are the headings of the names and of each number; the column of sources is added
    between them.
    """
    name, *others = columns
    table = Table(
        f"{title} (Table {number} of the PropNet paper)",
        (name, "Source", *others),
        tuple(mark_best(group) for group in groups if group.rows),
        tuple(notes),
    )
    return replace(table, records=tuple(_records(number, table)))


def make_row(name: str, numbers: Sequence[Number], notes: Iterable[str] = ()) -> Row:
    """A row of numbers from one source; the notes are one footnote of its name."""
    note = " ".join(notes)
    first = numbers[0]
    runs = first.of.run.split()
    if first.source != MEASURED or not runs:
        source = first.source
    else:
        source = f"run {runs[0]}" if len(runs) == 1 else f"{len(runs)} runs"
    return (Text(name, (note,) if note else ()), source, *numbers)


def published_row(
    name: str,
    printed: Mapping[str, str],
    columns: Mapping[str, Quantity],
    notes: Iterable[str] = (),
) -> Row:
    """A row of printed numbers, of these columns of the file of a published table."""
    return make_row(name, [published.number(printed[c], of) for c, of in columns.items()], notes)


def mark_best(group: Group) -> Group:
    """The group with the best number of each column marked.

    Numbers of one source and of the same faces compete as they are printed, so that all of a tie
    are best. A number without a competitor is not best.
    """
    competitors: dict[tuple[object, ...], list[float]] = {}
    for row in group.rows:
        for column, cell in enumerate(row):
            if isinstance(cell, Number) and (rank := _rank(cell)) is not None:
                competitors.setdefault((column, cell.source, cell.of.faces), []).append(rank)

    def mark(column: int, cell: Cell) -> Cell:
        if not isinstance(cell, Number) or (rank := _rank(cell)) is None:
            return cell
        ranks = competitors[column, cell.source, cell.of.faces]
        return replace(cell, best=len(ranks) > 1 and rank == max(ranks))

    rows = (tuple(mark(k, cell) for k, cell in enumerate(row)) for row in group.rows)
    return replace(group, rows=tuple(rows))


def _rank(number: Number) -> float | None:
    """A larger rank is better; None for a number that does not compete."""
    sign = _SIGNS.get(number.of.metric)
    if sign is None or number.value is None:
        return None
    return sign * float(number.text)


def _records(number: int, table: Table) -> Iterator[Record]:
    """A line a number: as printed where it is published, in full precision where it is not.

    A derived number that could not be calculated has no line.
    """
    for group in table.groups:
        for row in group.rows:
            name = next(cell for cell in row if isinstance(cell, Text))
            for column, cell in zip(table.columns, row, strict=True):
                if isinstance(cell, Number) and (cell.source != DERIVED or cell.value is not None):
                    bare = cell.source == PUBLISHED or cell.spread
                    yield {
                        "table": number,
                        "group": group.heading,
                        "row": visible(name.text),
                        "column": column,
                        "metric": cell.of.metric,
                        "subset": cell.of.subset,
                        "norm": cell.of.norm,
                        "value": _exact(cell),
                        "ci_low": None if bare else cell.low,
                        "ci_high": None if bare else cell.high,
                        "source": cell.source,
                        "run": cell.of.run,
                        "footnotes": " ".join((*name.notes, *cell.notes)),
                    }


def _exact(number: Number) -> object:
    if number.source == PUBLISHED and number.value is not None:
        return number.text
    return number.value
