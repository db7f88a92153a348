"""Published results as tables: one for each protocol, with methods in rows, subsets in columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import inf

from alignbench import Measure
from alignbench.datasets import source
from reports.grouping import group_by
from reports.published.cell import KINDS, PublishedCell
from reports.tables import PUBLISHED, Cell, Number, Quantity, Record, Row, Table, Text

_NOTES = (
    "Published numbers; nothing here was measured with this package.",
    "Printed by: " + "; ".join(f"{kind}: {words}" for kind, words in KINDS.items()) + ".",
)


def tables(cells: Sequence[PublishedCell]) -> list[Table]:
    """A table for each data set, measure and normaliser, its methods by year.

    Where several sources print a cell, the table shows what the first kind of
    :data:`~reports.published.KINDS` prints; a footnote names sources whose number does not agree.
    The records are the cells, each with its source.
    """
    return [_table(same) for same in group_by(cells, lambda cell: cell.protocol).values()]


def ranking(cells: Sequence[PublishedCell], measures: Sequence[Measure]) -> Table | None:
    """Methods on all faces of one data set, by NME: a column for each measure.

    ``cells`` are of one data set, subset and normaliser. None if none has one of the measures.
    """
    names = [str(measure) for measure in measures]
    methods = group_by((c for c in cells if c.measure in names), lambda cell: cell.method)
    if not methods:
        return None
    rows: list[Row] = []
    for same in methods.values():
        printed_by, numbers = _numbers(group_by(same, lambda cell: cell.measure), names)
        rows.append((same[0].method, _age(same)[0], printed_by, *numbers))
    rows.sort(key=lambda row: row[3].value or inf if isinstance(row[3], Number) else inf)
    columns = ("Method", "Year", "Printed by", *(measure.heading for measure in measures))
    title = f"{cells[0].dataset}, {cells[0].normaliser}: published"
    return Table.of_rows(title, columns, rows, _NOTES)


def overview(cells: Sequence[PublishedCell]) -> Table:
    """How much there is of each data set."""
    groups = group_by(cells, lambda cell: cell.dataset)
    rows: list[Row] = [(name, *_count(same)) for name, same in sorted(groups.items())]
    columns = ("Data set", "Numbers", "Methods", "Sources")
    total: Row = ("all", *_count(cells))
    return Table.of_rows("Published results", columns, [*rows, total], _NOTES[:1])


def _count(cells: Sequence[PublishedCell]) -> tuple[int, int, int]:
    """Numbers, methods and sources."""
    methods, sources = {cell.method for cell in cells}, {cell.source for cell in cells}
    return len(cells), len(methods), len(sources)


def _table(cells: Sequence[PublishedCell]) -> Table:
    first = cells[0]
    name, split = first.dataset.split()
    there = {cell.subset for cell in cells}
    official = [subset for subset in source(name).splits[split] if subset in there]
    subsets = sorted(there, key=lambda s: official.index(s) if s in official else len(official))
    methods = group_by(cells, lambda cell: cell.method)
    rows = [_row(same, subsets) for same in sorted(methods.values(), key=_age)]
    normaliser = first.normaliser.replace("_", "-")
    title = f"{first.dataset}: {first.heading}, normaliser {normaliser}"
    columns = ("Method", "Year", "Printed by", *(subset.capitalize() for subset in subsets))
    return Table.of_rows(title, columns, rows, _NOTES, records=list(_records(cells)))


def _age(cells: Sequence[PublishedCell]) -> tuple[str, str]:
    """Methods of unknown year come first: the collection has them from old tables."""
    return max(cell.year for cell in cells), cells[0].method.lower()


def _row(cells: Sequence[PublishedCell], subsets: Sequence[str]) -> Row:
    printed_by, numbers = _numbers(group_by(cells, lambda cell: cell.subset), subsets)
    remarks = tuple(dict.fromkeys(cell.remark for cell in cells if cell.remark))
    return (Text(cells[0].method, remarks), _age(cells)[0], printed_by, *numbers)


def _numbers(
    groups: Mapping[str, Sequence[PublishedCell]], columns: Sequence[str]
) -> tuple[str, list[Cell]]:
    """The kinds of a method's numbers, and its number in each column; empty where it has none."""
    there = [groups[column] for column in columns if column in groups]
    kinds = {choose_cell(same).kind for same in there}
    numbers = [_number(groups[column]) if column in groups else "" for column in columns]
    return ", ".join(kind for kind in KINDS if kind in kinds), numbers


def choose_cell(cells: Sequence[PublishedCell]) -> PublishedCell:
    """The cell that stands for all of a method.

    Own numbers come before quoted ones, in the order of KINDS; then numbers that most sources
    agree with; then those with more digits.
    """
    order = list(KINDS)

    def rank(cell: PublishedCell) -> tuple[int, int, int]:
        agreeing = sum(cell.printed.agrees(other.printed) for other in cells)
        return order.index(cell.kind), -agreeing, -cell.printed.digits

    return min(cells, key=rank)


def _number(cells: Sequence[PublishedCell]) -> Cell:
    best = choose_cell(cells)
    differing = [cell for cell in cells if not best.printed.agrees(cell.printed)]
    others = group_by(differing, lambda cell: cell.printed.text)
    notes = tuple(
        f"{text} in {', '.join(cell.source for cell in same)}." for text, same in others.items()
    )
    measure = Quantity(best.measure, best.subset, best.normaliser)
    value, digits = float(best.printed.value), best.printed.digits
    return Number(value, digits, source=PUBLISHED, of=measure, notes=notes)


def _records(cells: Sequence[PublishedCell]) -> Iterator[Record]:
    for cell in cells:
        yield {
            "dataset": cell.dataset,
            "subset": cell.subset,
            "method": cell.method,
            "year": cell.year,
            "venue": cell.venue,
            "metric": cell.metric,
            "threshold": cell.threshold,
            "normaliser": cell.normaliser,
            "value": cell.printed.text,
            "kind": cell.kind,
            "source": cell.source,
            "link": cell.link,
            "remark": cell.remark,
        }
