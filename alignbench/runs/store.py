"""Writing runs: atomic files, a lock, and the parts a killed run resumes from."""

from __future__ import annotations

import io
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
from filelock import FileLock, Timeout

from alignbench.arrays import Floats
from alignbench.errors import InputError
from alignbench.runs.record import RunRecord
from alignbench.runs.run import BREAKDOWN, FACES, METRICS, PREDICTIONS, RECORD, Run, read_record

PARTS = "parts"
LOCK = ".lock"
DRAFT = ".draft"


def write_atomic(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole or not at all."""
    draft = path.with_name(f".{path.name}{DRAFT}")
    try:
        with draft.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def npz_bytes(ids: list[str], points: Floats) -> bytes:
    """``predictions.npz``: the same bytes for the same content (NumPy writes no dates)."""
    buffer = io.BytesIO()
    np.savez(buffer, ids=np.array(ids, dtype=np.str_), points=points)
    return buffer.getvalue()


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder for one run; it is created, and removed again if left empty.

    Raises
    ------
    InputError
        If another process writes there, or the folder cannot be written.
    """
    new = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / LOCK)
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
        (folder / LOCK).unlink(missing_ok=True)
        lock.release()
        if new and not any(folder.iterdir()):
            folder.rmdir()


def check_folder(folder: Path, key: str, fresh: bool) -> RunRecord | None:
    """The record that is already in a folder, if it may be gone on with; None for a new run.

    ``fresh`` passes over a run that is there, but never over files that are no run's.

    Raises
    ------
    InputError
        If the folder holds another run or other files.
    """
    if not folder.is_dir():
        return None
    if not (folder / RECORD).exists():
        # A draft is all that a run leaves that was killed while it wrote its first file.
        if any(not entry.name.endswith((LOCK, DRAFT)) for entry in folder.iterdir()):
            raise InputError(
                folder, "holds files but no run", "an empty or new folder", "Give another --out."
            )
        return None
    if fresh:
        return None
    record = read_record(folder)
    if record.key != key:
        raise InputError(
            folder,
            f"holds another run ({record.model.name} on {record.dataset.name}, key {record.key}; "
            f"this one has key {key})",
            remedy="Give another --out, or --fresh to replace it.",
        )
    return record


def clear(folder: Path) -> None:
    """Remove what a run wrote, and nothing else."""
    if not (folder / RECORD).exists():
        return
    remove_parts(folder)
    for name in (METRICS, PREDICTIONS, FACES, BREAKDOWN, RECORD):
        (folder / name).unlink(missing_ok=True)


def remove_parts(folder: Path) -> None:
    """Remove what a run was to be resumed from."""
    shutil.rmtree(folder / PARTS, ignore_errors=True)


def _write_record(folder: Path, record: RunRecord) -> None:
    write_atomic(folder / RECORD, (record.model_dump_json(indent=2) + "\n").encode())


def write_part(folder: Path, record: RunRecord, start: int, points: Floats) -> None:
    """Keep the landmarks (B, L, 2) of the faces from ``start`` on, with the unfinished record.

    The record comes first: whatever is in the folder belongs to a run from then on.
    """
    _claim(folder, record)
    (folder / PARTS).mkdir(exist_ok=True)
    buffer = io.BytesIO()
    np.save(buffer, points)
    write_atomic(folder / PARTS / f"{start:08d}.npy", buffer.getvalue())


def _claim(folder: Path, record: RunRecord) -> None:
    if not (folder / RECORD).exists():
        _write_record(folder, record)


def read_parts(folder: Path, into: Floats) -> int:
    """Fill ``into`` (N, L, 2) with the faces done before, from the first on; gives their number."""
    done = 0
    while (path := folder / PARTS / f"{done:08d}.npy").exists():
        part = np.load(path, allow_pickle=False)
        into[done : done + len(part)] = part
        done += len(part)
    return done


def write_results(
    run: Run, folder: Path, unfinished: RunRecord, write_more: Callable[[], None]
) -> None:
    """Write a finished run; its finished record last, so that a run cut short here is run again.

    Parameters
    ----------
    write_more
        Adds files of others, such as figures, before the record is finished.
    """
    _claim(folder, unfinished)
    rows = ",\n".join(json.dumps(row.model_dump()) for row in run.metrics)
    write_atomic(folder / METRICS, f"[\n{rows}\n]\n".encode())
    write_atomic(folder / FACES, _csv_bytes(run.faces))
    write_atomic(folder / BREAKDOWN, _csv_bytes(run.breakdown))
    write_atomic(folder / PREDICTIONS, npz_bytes(list(run.ids), run.points))
    write_more()
    _write_record(folder, run.record)
    remove_parts(folder)


def _csv_bytes(frame: pd.DataFrame) -> bytes:
    return frame.to_csv(index=False, lineterminator="\n").encode()
