"""Writing runs: atomic files, a lock, and what a run that was cut short resumes from.

A run in progress lives in the folder ``.unfinished`` of its own folder: its record, the landmarks
predicted so far and, at the end, its results, which are then moved into place. Whatever finished
run is beside it stays whole until that moment.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pandas as pd
from filelock import FileLock, Timeout
from numpy.lib.format import open_memmap

from alignbench import arrays
from alignbench.arrays import Floats
from alignbench.errors import InputError
from alignbench.io.files import write_atomic
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
_FINISHED = "finished.json"
_DRAFT = re.compile(r"\..+\.draft")
_PART = re.compile(r"\d{8}\.npy")


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


def holds(folder: Path, key: str) -> bool:
    """Whether the folder holds the finished run of this key."""
    if not (folder / RECORD).is_file():
        return False
    record = read_record(folder)
    return record.status == "complete" and record.key == key


def tidy(folder: Path, key: str) -> None:
    """Remove what the finished run of this key left behind if it was killed at its very end.

    Nothing is removed while another process writes there, or where nothing can be.
    """
    if not any((folder / name).exists() for name in (_LOCK, UNFINISHED)):
        return
    with suppress(InputError, OSError), locked(folder):
        begun = _begun(folder)
        if begun is None or begun.key == key:
            _drop_unfinished(folder)


def prepare(folder: Path, key: str, fresh: bool) -> None:
    """Make sure that a run of this key may be started or gone on with in the folder.

    Raises
    ------
    InputError
        If the folder holds another run, finished or not, and ``fresh`` does not say to replace
        it; or if it holds files that are no run's, whatever ``fresh`` says.
    """
    there = read_record(folder) if (folder / RECORD).exists() else None
    begun = _begun(folder)
    if there is None and begun is None:
        for entry in folder.iterdir():
            if entry.name not in (_LOCK, UNFINISHED) and not _DRAFT.fullmatch(entry.name):
                raise InputError(
                    folder,
                    f"holds {entry.name} but no run",
                    "an empty or new folder",
                    "Give another --out.",
                )
    if fresh:
        _drop_unfinished(folder)
    elif begun is None or begun.key != key:
        # What was begun here goes first: a finished run beside it was to be replaced.
        for other in (begun, there):
            if other is not None and other.key != key:
                raise InputError(
                    folder,
                    f"holds another run ({other.model.name} on {other.dataset.name}, key "
                    f"{other.key}; this one has key {key})",
                    remedy="Give another --out, or --fresh to replace it.",
                )
        _drop_unfinished(folder)


def _begun(folder: Path) -> RunRecord | None:
    """The record of the unfinished run in a folder; None where it is not there or damaged."""
    try:
        return read_record(folder / UNFINISHED)
    except InputError:
        return None


def resume(folder: Path, into: Floats) -> int:
    """Fill ``into`` (N, L, 2) with the faces done before, from the first on; gives their number.

    A damaged part ends it there: what follows is predicted again.
    """
    done = 0
    unfinished = folder / UNFINISHED
    while (path := unfinished / f"{done:08d}.npy").exists():
        try:
            # Mapped: what its header claims beyond the file is an error, not memory.
            part = open_memmap(path, mode="r")
        except Exception:  # NumPy raises many kinds for a damaged file
            break
        if (
            part.dtype != into.dtype
            or part.shape[1:] != into.shape[1:]
            or not 0 < len(part) <= len(into) - done
        ):
            break
        into[done : done + len(part)] = part
        done += len(part)
    return done


def write_part(folder: Path, record: RunRecord, start: int, points: Floats) -> None:
    """Keep the landmarks (B, L, 2) of the faces from ``start`` on, with the unfinished record."""
    _claim(folder, record)
    part = folder / UNFINISHED / f"{start:08d}.npy"
    write_atomic(part, lambda stream: np.save(stream, np.asarray(points)))


def write_results(
    run: Run, folder: Path, unfinished: RunRecord, write_more: Callable[[Path], None]
) -> None:
    """Write a finished run; cut short anywhere, it can be gone on with.

    Parameters
    ----------
    write_more
        Adds files of others, such as figures, to the folder it is given.
    """
    _claim(folder, unfinished)
    staging = folder / UNFINISHED
    rows = ",\n".join(json.dumps(row.model_dump()) for row in run.metrics)
    write_atomic(staging / METRICS, f"[\n{rows}\n]\n".encode())
    write_atomic(staging / FACES, lambda stream: _write_csv(run.faces, stream))
    write_atomic(staging / BREAKDOWN, lambda stream: _write_csv(run.breakdown, stream))
    write_atomic(staging / PREDICTIONS, lambda stream: _write_npz(run, stream))
    write_more(staging)
    write_atomic(staging / _FINISHED, _record_bytes(run.record))
    _move_into_place(staging, folder)
    _drop_unfinished(folder)


def _move_into_place(staging: Path, folder: Path) -> None:
    """Rename a finished run's files, which takes no space on the disk.

    Without its record the folder is that of an unfinished run until the new one is there, last.
    """
    (folder / RECORD).unlink(missing_ok=True)
    for entry in sorted(staging.iterdir()):
        if entry.name not in (RECORD, _FINISHED) and not _ours(entry):
            entry.replace(folder / entry.name)
    (staging / _FINISHED).replace(folder / RECORD)


def _ours(entry: Path) -> bool:
    """Whether a file in ``.unfinished`` is a part or a draft."""
    return bool(_PART.fullmatch(entry.name) or _DRAFT.fullmatch(entry.name))


def _claim(folder: Path, record: RunRecord) -> None:
    """Put the unfinished record first: whatever is written then belongs to a run."""
    unfinished = folder / UNFINISHED
    unfinished.mkdir(exist_ok=True)
    if not (unfinished / RECORD).exists():
        write_atomic(unfinished / RECORD, _record_bytes(record))


def _drop_unfinished(folder: Path) -> None:
    """Remove the folder of an unfinished run, its record last."""
    unfinished = folder / UNFINISHED
    if unfinished.is_symlink():  # what is behind it is not ours
        unfinished.unlink()
    if not unfinished.is_dir():
        return
    for entry in unfinished.iterdir():
        if entry.name != RECORD:
            entry.unlink()
    (unfinished / RECORD).unlink(missing_ok=True)
    unfinished.rmdir()


def _record_bytes(record: RunRecord) -> bytes:
    return (record.model_dump_json(indent=2) + "\n").encode()


def _write_csv(frame: pd.DataFrame, stream: BinaryIO) -> None:
    frame.to_csv(stream, index=False, lineterminator="\n", chunksize=arrays.BLOCK)


def _write_npz(run: Run, stream: BinaryIO) -> None:
    """``predictions.npz``: the same bytes for the same content (NumPy writes no dates)."""
    np.savez(stream, ids=np.array(run.ids, dtype=np.str_), points=run.points)
