"""A leaderboard of the runs under a folder, read from their records and metrics alone."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from alignbench import InputError
from alignbench.io.notation import parse_json
from alignbench.metrics.measure import threshold_suffix
from alignbench.runs import MetricRow, RunRecord
from alignbench.runs.run import METRICS, RECORD, read_record
from reports.labels import box_text, interval_text
from reports.tables import Cell, Number, Table


@dataclass(frozen=True)
class Entry:
    """A finished run on the leaderboard.

    Attributes
    ----------
    folder
        Where the run is stored.
    record
        What was run.
    numbers
        NME, FR and AUC of the whole set, at the data set's usual normaliser and threshold.
    """

    folder: Path
    record: RunRecord
    numbers: tuple[MetricRow, ...]


@dataclass(frozen=True)
class Board:
    """Finished runs, and what could not be read.

    Attributes
    ----------
    entries
        By data set and split, complete ones before incomplete ones, each by AUC: NME would not
        see the faces a model missed.
    broken
        A line for each folder that holds a run that is not usable.
    """

    entries: tuple[Entry, ...]
    broken: tuple[str, ...]


def read_board(*stores: str | Path) -> Board:
    """Every finished run anywhere under some folders; one that is damaged is told, not raised.

    Raises
    ------
    InputError
        If a folder is not there.
    """
    entries, broken = [], []
    # A folder that is named twice, or with one that holds it, has its runs once.
    places = {place.resolve(): place for store in stores for place in run_folders(Path(store))}
    for place in places.values():
        try:
            entries.append(_entry(place))
        except InputError as error:
            broken.append(str(error))
    return Board(tuple(sorted(entries, key=_rank)), tuple(broken))


def boards(board: Board) -> dict[tuple[str, str], list[Entry]]:
    """The entries by data set and split."""
    groups: dict[tuple[str, str], list[Entry]] = {}
    for entry in board.entries:
        dataset = entry.record.dataset
        groups.setdefault((dataset.name, dataset.split), []).append(entry)
    return groups


def tables(board: Board) -> list[Table]:
    """A table for each data set and split: rank, model, boxes and their leak, NME, FR, AUC.

    Only complete runs have a rank: numbers of other faces cannot be compared with theirs.
    """
    return [_table(name, split, entries) for (name, split), entries in boards(board).items()]


def run_folders(store: Path) -> Iterator[Path]:
    """Folders of runs under a folder, in the order of their names."""
    if not store.is_dir():
        raise InputError(store, "is not there", "a folder with runs", "`alignbench run` makes one.")
    for place, folders, files in os.walk(store):
        # What begins with a dot is a run in progress or what it replaces.
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if RECORD in files:
            folders.clear()
            yield Path(place)


def _entry(folder: Path) -> Entry:
    record = read_record(folder)
    try:
        rows = parse_json((folder / METRICS).read_text(encoding="utf-8"))
        wanted = _usual(record)
        found = {
            (row["metric"], row["threshold"]): MetricRow.model_validate(row)
            for row in rows
            if row["subset"] == "full" and row["norm"] == record.dataset.normalisers[0]
        }
        numbers = tuple(found[key] for key in wanted)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(folder / METRICS, f"damaged ({error})") from error
    return Entry(folder, record, numbers)


def _usual(record: RunRecord) -> list[tuple[str, float | None]]:
    threshold = record.dataset.threshold
    return [("nme", None), ("fr", threshold), ("auc", threshold)]


def _rank(entry: Entry) -> tuple[object, ...]:
    dataset, auc = entry.record.dataset, entry.numbers[-1].value
    return dataset.name, dataset.split, not dataset.complete, -(auc or 0.0), entry.record.key


def _table(name: str, split: str, entries: Sequence[Entry]) -> Table:
    dataset = entries[0].record.dataset
    at = threshold_suffix(dataset.threshold)
    columns = ("Rank", "Model", "Boxes", "Leak", "Faces", "NME %", f"FR{at} %", f"AUC{at}", "Run")
    rows, rank = [], 0
    for entry in entries:
        record = entry.record
        rank += record.dataset.complete
        numbers = [
            Number(row.value, row.ci_low, row.ci_high, 4 if row.metric == "auc" else 2)
            for row in entry.numbers
        ]
        cells: tuple[Cell, ...] = (
            str(rank) if record.dataset.complete else "–",
            record.model.name,
            box_text(record),
            record.protocol.leak,
            record.dataset.faces,
            *numbers,
            record.key,
        )
        rows.append(cells)
    return Table(f"{name} {split}, {dataset.normalisers[0]}", columns, tuple(rows), _notes(entries))


def _notes(entries: Sequence[Entry]) -> tuple[str, ...]:
    how = dict.fromkeys(interval_text(entry.record) for entry in entries)
    notes = [f"Rank: by AUC, to which a missed face adds nothing. [low, high]: {'; '.join(how)}."]
    short = [entry for entry in entries if not entry.record.dataset.complete]
    if short:
        notes.append("–: INCOMPLETE, of other faces than the ranked ones; without rank.")
    for entry in short:
        reasons = "; ".join(entry.record.dataset.incomplete)
        notes.append(f"{entry.record.model.name} [{entry.record.key}]: {reasons}.")
    for entry in entries:
        if entry.record.missed:
            who = f"{entry.record.model.name} [{entry.record.key}]"
            notes.append(f"{who}: {entry.record.missed:,} faces missed: failures in FR and AUC.")
    return tuple(notes)
