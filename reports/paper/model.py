"""What the tables of the paper share: its numbers, rows, the best, and lines of the CSV file."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from importlib.resources import files

from alignbench.exceptions import visible
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

NOTE = "Published: as PropNet (Huang et al., CVPR 2020) prints it."
_SIGNS = {"nme": -1, "fr@0.10": -1, "auc@0.10": 1}
"""Whether a larger (1) or a smaller (-1) number is better; no other measure has a best number."""


def published_rows(name: str) -> list[Mapping[str, str]]:
    """Rows of one of the paper's tables, such as ``table1_cofw``: printed text by column.

    A text is empty where the paper prints nothing.
    """
    text = (files("reports") / "published" / f"{name}.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(io.StringIO(text)))


def published_number(printed: str, of: Quantity) -> Number:
    """A printed number with the decimals it was printed with."""
    value, digits = float(printed) if printed else None, len(printed.partition(".")[2])
    return Number(value, digits, source=PUBLISHED, of=of)


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
    source, runs = numbers[0].source, numbers[0].of.run.split()
    if source == MEASURED and runs:
        source = f"run {runs[0]}" if len(runs) == 1 else f"{len(runs)} runs"
    return (Text(name, (note,) if note else ()), source, *numbers)


def published_row(
    name: str, row: Mapping[str, str], of: Mapping[str, Quantity], notes: Iterable[str] = ()
) -> Row:
    """A row of printed numbers: those columns of a row of a published table."""
    return make_row(name, [published_number(row[c], what) for c, what in of.items()], notes)


def mark_best(group: Group) -> Group:
    """The group with the best number of each column marked.

    Numbers of one source and of the same faces compete as they are printed, so that all numbers of
    a tie are best. A number without a competitor is not best.
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
    """A line for each number: as printed if it is published, in full precision otherwise.

    A derived number that could not be calculated has no line.
    """
    for group in table.groups:
        for row in group.rows:
            name = next(cell for cell in row if isinstance(cell, Text))
            for column, cell in zip(table.columns, row, strict=True):
                if isinstance(cell, Number) and (cell.source != DERIVED or cell.value is not None):
                    published = cell.source == PUBLISHED
                    bare = published or cell.spread
                    yield {
                        "table": number,
                        "group": group.heading,
                        "row": visible(name.text),
                        "column": column,
                        "metric": cell.of.metric,
                        "subset": cell.of.subset,
                        "norm": cell.of.norm,
                        "value": cell.text if published and cell.value is not None else cell.value,
                        "ci_low": None if bare else cell.low,
                        "ci_high": None if bare else cell.high,
                        "source": cell.source,
                        "run": cell.of.run,
                        "footnotes": " ".join((*name.notes, *cell.notes)),
                    }
