"""Folders above runs, which stand for the runs below them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from alignbench.exceptions import InputError
from alignbench.runs.record import RunRecord
from alignbench.runs.run import RECORD, UNFINISHED, Run, load_run, read_record

HOME = Path("runs")
"""The folder, below the working folder, in which runs are kept by default."""


@dataclass(frozen=True)
class Chosen:
    """Folders of runs, and those left out because another run replaces them: (left out, kept)."""

    folders: tuple[Path, ...]
    replaced: tuple[tuple[Path, Path], ...] = ()


def run_folders(store: str | Path) -> Iterator[Path]:
    """Folders of runs in or under a folder, in the order of their names.

    Raises
    ------
    InputError
        If the folder is not there.
    """
    if not Path(store).is_dir():
        raise InputError(store, "is not there", "a folder with runs", "`alignbench run` makes one.")
    for place, folders, files in os.walk(store):
        # A name with a dot at its beginning is a run in progress, or one that it replaces.
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if RECORD in files:
            folders.clear()
            yield Path(place)


def choose_runs(path: str | Path) -> Chosen:
    """The run in a folder; or the newest run of each model, data set and boxes below it.

    A complete run is kept rather than a newer one that is incomplete, such as a trial of few faces.

    Raises
    ------
    InputError
        If a record is damaged.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(
            path, "no run: it is not there", "a folder of runs",
            "`alignbench run` keeps runs below the folder runs.",
        )  # fmt: skip
    # An unfinished run is chosen too: `load_run` says what is the matter with it.
    if not path.is_dir() or (path / RECORD).exists() or (path / UNFINISHED).exists():
        return Chosen((path,))
    same: dict[tuple[object, ...], list[tuple[bool, str, Path]]] = {}
    for folder in run_folders(path):
        record = read_record(folder)
        rank = record.dataset.complete, str(record.timings.get("started", "")), folder
        same.setdefault(_what(record), []).append(rank)
    if not same:
        raise InputError(
            path, "no finished run is there", "a folder with runs", "`alignbench run` makes one."
        )
    best = {what: max(ranks)[-1] for what, ranks in same.items()}
    replaced = [(one[-1], best[what]) for what, ranks in same.items() for one in sorted(ranks)[:-1]]
    return Chosen(tuple(sorted(best.values())), tuple(replaced))


def load_runs(path: str | Path = HOME) -> list[Run]:
    """Read the runs below a folder: the newest one of each model, data set and box protocol.

    A complete run is read rather than a newer one that is incomplete.

    Parameters
    ----------
    path
        A folder above runs, or that of a run. By default ``runs``.

    Returns
    -------
    list of Run
        In the order of their folders' names.

    Raises
    ------
    InputError
        If there is no finished run, or one is damaged.
    """
    return [load_run(folder) for folder in choose_runs(path).folders]


def has_runs(path: Path = HOME) -> bool:
    """Whether there is a finished run below a folder."""
    with suppress(InputError):
        return any(run_folders(path))
    return False


def _what(record: RunRecord) -> tuple[object, ...]:
    """What a run must share with another one to replace it."""
    protocol, identity = record.protocol, record.model.identity
    computed = json.dumps([identity.get("execution"), identity.get("flip_test")], sort_keys=True)
    return (
        record.dataset.title, record.model.name, protocol.boxes, protocol.boxes_digest,
        protocol.box_scale, computed,
    )  # fmt: skip
