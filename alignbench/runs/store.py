"""Writing runs: atomic files, a lock, and what a run that was cut short resumes from.

A run in progress lives in the folder ``.unfinished`` of its own folder: its record and the
landmarks predicted so far. Whatever finished run is beside it stays whole until the new one has
all its results.
"""

from __future__ import annotations

import io
import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
from filelock import FileLock, Timeout

from alignbench.arrays import Floats
from alignbench.errors import InputError
from alignbench.runs.record import RunRecord
from alignbench.runs.run import (
    BREAKDOWN,
    FACES,
    METRICS,
    PREDICTIONS,
    RECORD,
    UNFINISHED,
    Run,
    read_record,
)

_LOCK = ".lock"
_DRAFT = re.compile(r"\..+\.draft")
_PART = re.compile(r"\d{8}\.npy")


def write_atomic(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole or not at all.

    Raises
    ------
    InputError
        If the path is a folder.
    """
    if path.is_dir():
        raise InputError(path, "is a folder", "a file")
    draft = path.with_name(f".{path.name}.draft")
    try:
        with draft.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder for one run; what was created for it and stays empty is removed again.

    Raises
    ------
    InputError
        If another process writes there, or the folder cannot be written.
    """
    created = [place for place in (folder, *folder.parents) if not place.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / _LOCK)
        lock.acquire(timeout=0)
    except Timeout as error:
        raise InputError(
            folder, "another run is writing here", remedy="Wait for it, or give another --out."
        ) from error
    except OSError as error:
        raise InputError(
            folder, f"cannot be written ({error.strerror or error})", remedy="Give another --out."
        ) from error
    try:
        yield
    finally:
        (folder / _LOCK).unlink(missing_ok=True)
        lock.release()
        for place in created:
            if any(place.iterdir()):
                break
            place.rmdir()


def finished(folder: Path, key: str, fresh: bool) -> bool:
    """Whether the folder holds this very run, finished; False for one to be started or resumed.

    Raises
    ------
    InputError
        If the folder holds another run, finished or not, and ``fresh`` does not say to replace
        it; or if it holds files that are no run's, whatever ``fresh`` says.
    """
    found = _records(folder)
    if not found:
        for entry in folder.iterdir():
            if entry.name not in (_LOCK, UNFINISHED) and not _DRAFT.fullmatch(entry.name):
                raise InputError(
                    folder, f"holds {entry.name} but no run", "an empty or new folder",
                    "Give another --out.",
                )  # fmt: skip
    if fresh:
        _drop_unfinished(folder)
        return False
    for record in found:
        if record.key != key:
            raise InputError(
                folder,
                f"holds another run ({record.model.name} on {record.dataset.name}, key "
                f"{record.key}; this one has key {key})",
                remedy="Give another --out, or --fresh to replace it.",
            )
    return any(record.status == "complete" for record in found)


def _records(folder: Path) -> list[RunRecord]:
    """The records of the finished and the unfinished run in a folder."""
    places = (folder, folder / UNFINISHED)
    return [read_record(place) for place in places if (place / RECORD).exists()]


def resume(folder: Path, into: Floats) -> int:
    """Fill ``into`` (N, L, 2) with the faces done before, from the first on; gives their number.

    A damaged part ends it there: what follows is predicted again.
    """
    done = 0
    unfinished = folder / UNFINISHED
    while (path := unfinished / f"{done:08d}.npy").exists():
        try:
            part = np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError):
            break
        if part.shape[1:] != into.shape[1:] or not 0 < len(part) <= len(into) - done:
            break
        into[done : done + len(part)] = part
        done += len(part)
    return done


def write_part(folder: Path, record: RunRecord, start: int, points: Floats) -> None:
    """Keep the landmarks (B, L, 2) of the faces from ``start`` on, with the unfinished record."""
    _claim(folder, record)
    buffer = io.BytesIO()
    np.save(buffer, points)
    write_atomic(folder / UNFINISHED / f"{start:08d}.npy", buffer.getvalue())


def write_results(
    run: Run, folder: Path, unfinished: RunRecord, write_more: Callable[[], None]
) -> None:
    """Write a finished run; cut short anywhere, the folder is that of an unfinished run.

    Parameters
    ----------
    write_more
        Adds files of others, such as figures, before the record is finished.
    """
    _claim(folder, unfinished)
    (folder / RECORD).unlink(missing_ok=True)
    rows = ",\n".join(json.dumps(row.model_dump()) for row in run.metrics)
    write_atomic(folder / METRICS, f"[\n{rows}\n]\n".encode())
    write_atomic(folder / FACES, _csv_bytes(run.faces))
    write_atomic(folder / BREAKDOWN, _csv_bytes(run.breakdown))
    write_atomic(folder / PREDICTIONS, _npz_bytes(run))
    write_more()
    _write_record(folder, run.record)
    _drop_unfinished(folder)


def _claim(folder: Path, record: RunRecord) -> None:
    """Put the unfinished record first: whatever is written then belongs to a run."""
    unfinished = folder / UNFINISHED
    unfinished.mkdir(exist_ok=True)
    if not (unfinished / RECORD).exists():
        _write_record(unfinished, record)


def _drop_unfinished(folder: Path) -> None:
    """Remove what a run was to be resumed from, its record last, and nothing else."""
    unfinished = folder / UNFINISHED
    if not unfinished.is_dir():
        return
    for entry in unfinished.iterdir():
        if _PART.fullmatch(entry.name) or _DRAFT.fullmatch(entry.name):
            entry.unlink()
    (unfinished / RECORD).unlink(missing_ok=True)
    if not any(unfinished.iterdir()):
        unfinished.rmdir()


def _write_record(folder: Path, record: RunRecord) -> None:
    write_atomic(folder / RECORD, (record.model_dump_json(indent=2) + "\n").encode())


def _csv_bytes(frame: pd.DataFrame) -> bytes:
    return frame.to_csv(index=False, lineterminator="\n").encode()


def _npz_bytes(run: Run) -> bytes:
    """``predictions.npz``: the same bytes for the same content (NumPy writes no dates)."""
    buffer = io.BytesIO()
    np.savez(buffer, ids=np.array(run.ids, dtype=np.str_), points=run.points)
    return buffer.getvalue()
