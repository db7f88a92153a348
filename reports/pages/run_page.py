"""The page of one run on a site: what its record and its metrics say, without its faces.

It needs a few milliseconds, so that every run of a large site has one.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from markupsafe import Markup as Html

from alignbench import Measure
from alignbench.metrics import usual_measures
from alignbench.runs.record import MeasureBlock, MetricRow
from reports.figures.style import unit
from reports.pages import parts
from reports.pages.document import Link, Section, document, fold, trust
from reports.pages.leaderboard import Entry
from reports.tables import Number, Row, Table, to_html


def run_page(entry: Entry, back: Sequence[Link] = ()) -> str:
    """Key numbers, a table for each normaliser, how the run was made, and its record."""
    record = entry.record
    dataset = record.dataset
    measures = usual_measures(dataset.threshold)
    cards = [
        parts.measure_card(measure, row, record)
        for measure, row in zip(measures, entry.numbers, strict=True)
    ]
    norm, *others = dataset.normalisers
    content = [
        parts.cards([*cards, parts.faces_card([record])]),
        parts.warning_box(parts.warnings(record, measures)),
        trust(to_html([_table(entry, norm)])),
        *(
            fold(f"Errors divided by the {unit(other)}", trust(to_html([_table(entry, other)])))
            for other in others
        ),
        parts.notes([*dataset.notes, *record.model.notes]),
    ]
    about = f"Errors are divided by the {unit(norm)}. The interval is below each number."
    sections = [
        Section("summary", "Summary", about, Html("\n").join(content)),
        Section(
            "records", "How the run was made", "", parts.facts(record) + parts.record_text(record)
        ),
    ]
    title = f"{record.model.name} on {dataset.title}"
    return document(title, f"Run {record.key}, as it was stored.", sections, back)


@cache
def _measure(block: MeasureBlock) -> Measure:
    """The measure of a block; most runs have the same ones."""
    return block.to_measure()


def _table(entry: Entry, norm: str) -> Table:
    """A row for each subset, a column for each measure that the run stored."""
    measures = {
        (measure.name, measure.threshold): measure
        for measure in map(_measure, entry.record.statistics.measures)
        if measure.normaliser in (None, norm)
    }
    by_subset: dict[str, dict[object, MetricRow]] = {}
    for row in entry.rows:
        if row.norm == norm:
            by_subset.setdefault(row.subset, {})[row.metric, row.threshold] = row
    rows: list[Row] = []
    for subset, found in by_subset.items():
        numbers = [
            Number(found[key].value, measure.digits, found[key].ci_low, found[key].ci_high)
            if key in found
            else Number(None)
            for key, measure in measures.items()
        ]
        rows.append((subset, next(iter(found.values())).faces, *numbers))
    columns = ("Subset", "Faces", *(measure.heading for measure in measures.values()))
    title = "Results by subset"
    if norm != entry.record.dataset.normalisers[0]:
        title += f", divided by the {unit(norm)}"
    return Table.of_rows(title, columns, rows)
