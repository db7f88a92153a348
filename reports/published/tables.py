"""Published results as tables: a row a method, a column a subset, a table a protocol."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

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

    The cells of other data sets, normalisers and subsets must be gone; None if no cell is left.
    """
    columns = [str(measure) for measure in measures]
    methods = group_by((c for c in cells if c.measure in columns), lambda cell: cell.method)
    rows: list[tuple[float, Row]] = []
    for same in methods.values():
        by_measure = group_by(same, lambda cell: cell.measure)
        numbers = [_number(by_measure[name]) if name in by_measure else "" for name in columns]
        kinds = {preferred(by_measure[name]).kind for name in columns if name in by_measure}
        printed_by = ", ".join(kind for kind in KINDS if kind in kinds)
        first = numbers[0].value if isinstance(numbers[0], Number) else None
        row: Row = (same[0].method, _age(same)[0], printed_by, *numbers)
        rows.append((float("inf") if first is None else first, row))
    if not rows:
        return None
    headings = [measure.heading for measure in measures]
    first_cell = cells[0]
    title = f"{first_cell.dataset}, {first_cell.normaliser}: published"
    ordered = [row for _, row in sorted(rows, key=lambda pair: pair[0])]
    columns = ["Method", "Year", "Printed by", *headings]
    return Table.of_rows(title, columns, ordered, _NOTES)


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
    heading = {"nme": "NME, %", "fr": "FR, %", "auc": "AUC"}[first.metric]
    at = f" at threshold {first.threshold}" if first.threshold else ""
    title = f"{first.dataset}: {heading}{at}, normaliser {first.normaliser.replace('_', '-')}"
    columns = ("Method", "Year", "Printed by", *(subset.capitalize() for subset in subsets))
    return Table.of_rows(title, columns, rows, _NOTES, records=list(_records(cells)))


def _age(cells: Sequence[PublishedCell]) -> tuple[str, str]:
    """Methods of unknown year come first: the collection has them from old tables."""
    return max(cell.year for cell in cells), cells[0].method.lower()


def _row(cells: Sequence[PublishedCell], subsets: Sequence[str]) -> Row:
    shown = group_by(cells, lambda cell: cell.subset)
    numbers = [_number(shown[subset]) if subset in shown else "" for subset in subsets]
    kinds = {preferred(shown[subset]).kind for subset in subsets if subset in shown}
    printed_by = ", ".join(kind for kind in KINDS if kind in kinds)
    remarks = tuple(dict.fromkeys(cell.remark for cell in cells if cell.remark))
    return (Text(cells[0].method, remarks), _age(cells)[0], printed_by, *numbers)


def preferred(cells: Sequence[PublishedCell]) -> PublishedCell:
    """The cell that stands for all of a method.

    It is of the first kind, then what most sources agree with, then what has more digits.
    """
    order = list(KINDS)

    def rank(cell: PublishedCell) -> tuple[int, int, int]:
        agreeing = sum(cell.printed.agrees(other.printed) for other in cells)
        return order.index(cell.kind), -agreeing, -cell.printed.digits

    return min(cells, key=rank)


def _number(cells: Sequence[PublishedCell]) -> Cell:
    best = preferred(cells)
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
