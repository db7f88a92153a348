"""Writing runs: atomic files, a lock, and the parts a killed run resumes from."""

from __future__ import annotations

import io
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout

from alignbench.arrays import Floats
from alignbench.errors import InputError
from alignbench.runs.record import RunRecord
from alignbench.runs.run import BREAKDOWN, FACES, METRICS, PREDICTIONS, RECORD, Run, read_record

PARTS = "parts"
LOCK = ".lock"


def write_atomic(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole or not at all."""
    draft = path.with_name(f".{path.name}.draft")
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

    Raises
    ------
    InputError
        If the folder holds another run or other files.
    """
    if not folder.is_dir() or fresh:
        return None
    if not (folder / RECORD).exists():
        if any(entry.name != LOCK for entry in folder.iterdir()):
            raise InputError(
                folder, "holds files but no run", "an empty or new folder", "Give another --out."
            )
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
    remove_parts(folder)
    for name in (RECORD, METRICS, PREDICTIONS, FACES, BREAKDOWN):
        (folder / name).unlink(missing_ok=True)


def remove_parts(folder: Path) -> None:
    """Remove what a run was to be resumed from."""
    shutil.rmtree(folder / PARTS, ignore_errors=True)


def write_record(folder: Path, record: RunRecord) -> None:
    """Write ``run.json``."""
    write_atomic(folder / RECORD, (record.model_dump_json(indent=2) + "\n").encode())


def write_part(folder: Path, start: int, points: Floats) -> None:
    """Keep the landmarks (B, L, 2) of the faces from ``start`` on."""
    (folder / PARTS).mkdir(exist_ok=True)
    buffer = io.BytesIO()
    np.save(buffer, points)
    write_atomic(folder / PARTS / f"{start:08d}.npy", buffer.getvalue())


def read_parts(folder: Path, into: Floats) -> int:
    """Fill ``into`` (N, L, 2) with the faces done before, from the first on; gives their number."""
    done = 0
    while (path := folder / PARTS / f"{done:08d}.npy").exists():
        part = np.load(path, allow_pickle=False)
        into[done : done + len(part)] = part
        done += len(part)
    return done


def write_results(run: Run, folder: Path) -> None:
    """Write everything of a finished run but its record and figures."""
    rows = ",\n".join(json.dumps(row.model_dump()) for row in run.metrics)
    write_atomic(folder / METRICS, f"[\n{rows}\n]\n".encode())
    write_atomic(folder / FACES, run.faces.to_csv(index=False, lineterminator="\n").encode())
    write_atomic(
        folder / BREAKDOWN, run.breakdown.to_csv(index=False, lineterminator="\n").encode()
    )
    write_atomic(folder / PREDICTIONS, npz_bytes(list(run.ids), run.points))
