"""A leaderboard of the runs under a folder, read from their records and metrics.

To be fast, it does not read the faces of a run. It takes only a ``metrics.json`` that is the file
its run wrote, by its hash in the record, and numbers that are in range. A run that does not store
the measures of the leaderboard is read whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from pydantic import TypeAdapter

from alignbench import InputError, Measure, load_run
from alignbench.datasets.base import FULL
from alignbench.metrics import usual_measures
from alignbench.runs.folders import run_folders
from alignbench.runs.record import MetricRow, RunRecord
from alignbench.runs.run import METRICS, check_digest, read_record
from reports.labels import box_text, interval_note, missed_text
from reports.tables import Number, Row, Table, Text

_HIGHEST = {"nme": float("inf"), "fr": 100.0, "auc": 1.0}
_ROWS = TypeAdapter(tuple[MetricRow, ...])


@dataclass(frozen=True)
class Entry:
    """A finished run on the leaderboard: its folder, its record and its numbers."""

    folder: Path
    record: RunRecord
    numbers: tuple[MetricRow, ...]
    """NME, FR and AUC of the whole set, at the data set's usual normaliser and threshold."""
    rows: tuple[MetricRow, ...]
    """All numbers that the run stored."""


@dataclass(frozen=True)
class Board:
    """Finished runs, and messages about those that could not be read."""

    entries: tuple[Entry, ...]
    """By data set and split, complete runs before incomplete ones, each by AUC: NME would leave
    out the faces that a model missed."""
    broken: tuple[str, ...]


def read_board(*stores: str | Path) -> Board:
    """Every finished run under some folders; damaged ones are named in ``broken``.

    Raises
    ------
    InputError
        If a folder is not there.
    """
    entries, broken = [], []
    # A run is listed once, even if a folder is named twice or inside another one.
    places = {place.resolve(): place for store in stores for place in run_folders(Path(store))}
    for place in places.values():
        try:
            entries.append(_entry(place))
        except InputError as error:
            broken.append(str(error))
    return Board(tuple(sorted(entries, key=_rank)), tuple(broken))


def boards(board: Board) -> dict[str, list[Entry]]:
    """The entries by data set, split and measured landmarks."""
    groups: dict[str, list[Entry]] = {}
    for entry in board.entries:
        groups.setdefault(entry.record.dataset.title, []).append(entry)
    return groups


def tables(board: Board, pages: Mapping[Path, str] = MappingProxyType({})) -> list[Table]:
    """A table for each title of :func:`boards`: rank, model, NME, FR, AUC, boxes and their leak.

    Only complete runs have a rank: numbers of other faces cannot be compared with theirs.
    ``pages`` are addresses of the pages of runs, by their folders.
    """
    return [_table(title, entries, pages) for title, entries in boards(board).items()]


def _entry(folder: Path) -> Entry:
    record = read_record(folder)
    check_digest(folder, record, METRICS)
    norm, measures = record.dataset.normalisers[0], usual_measures(record.dataset.threshold)
    try:
        rows = _ROWS.validate_json((folder / METRICS).read_bytes())
    except (OSError, ValueError) as error:
        raise InputError(folder / METRICS, f"damaged ({error})") from error
    usual = {(r.metric, r.threshold): r for r in rows if (r.subset, r.norm) == (FULL, norm)}
    numbers = tuple(usual[m.name, m.threshold] for m in measures if (m.name, m.threshold) in usual)
    if len(numbers) < len(measures):  # The run was made for other measures: compute these.
        run = load_run(folder)
        numbers = tuple(run.row(measure) for measure in measures)
    for row in (*numbers, *rows):
        highest = _HIGHEST.get(row.metric)
        if row.value is not None and highest is not None and not 0 <= row.value <= highest:
            raise InputError(folder / METRICS, f"{row.metric} is {row.value}")
    return Entry(folder, record, numbers, rows)


def _rank(entry: Entry) -> tuple[object, ...]:
    dataset, auc = entry.record.dataset, entry.numbers[-1].value
    return dataset.title, not dataset.complete, -(auc or 0.0), entry.record.key


def _table(where: str, entries: Sequence[Entry], pages: Mapping[Path, str]) -> Table:
    dataset = entries[0].record.dataset
    measures = usual_measures(dataset.threshold)
    rows: list[Row] = []
    rank = 0
    best: float | None = None
    for place, entry in enumerate(entries, 1):
        record, complete = entry.record, entry.record.dataset.complete
        if not rank or entry.numbers[-1].value != best:  # equal ones share a rank
            rank, best = place, entry.numbers[-1].value
        numbers = [
            Number(row.value, measure.digits, row.ci_low, row.ci_high)
            for measure, row in zip(measures, entry.numbers, strict=True)
        ]
        model = Text(record.model.name, link=pages.get(entry.folder, ""))
        about = (record.dataset.faces, box_text(record), record.protocol.leak, record.key)
        shown = Number(rank if complete else None, digits=0)
        rows.append((shown, model, *numbers, *about))
    headings = [measure.heading for measure in measures]
    columns = ("Rank", "Model", *headings, "Faces", "Boxes", "Leak", "Run")
    title = f"{where}, {dataset.normalisers[0]}"
    return Table.of_rows(title, columns, rows, _notes(entries, measures))


def _notes(entries: Sequence[Entry], measures: Sequence[Measure]) -> list[str]:
    notes = [
        "Rank: by AUC, to which a missed face adds nothing.",
        *dict.fromkeys(interval_note(entry.record, measures) for entry in entries),
        "Numbers: as each run stored them. A data set's page checks them against the errors.",
    ]
    if not all(entry.record.dataset.complete for entry in entries):
        notes.append("–: an INCOMPLETE run, which has no rank because its faces are others.")
    for entry in entries:
        record = entry.record
        run = f"{record.model.name} [{record.key}]"
        if not record.dataset.complete:
            notes.append(f"{run}: {'; '.join(record.dataset.incomplete)}.")
        if record.missed:
            notes.append(f"{run}: {record.missed:,} faces missed: {missed_text(measures)}.")
    return notes
