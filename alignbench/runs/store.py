"""Keeping runs: in memory, or in a folder with atomic files, a lock, and parts to resume from.

A run in progress lives in the folder ``.unfinished`` of its own folder: its record, the landmarks
predicted so far and, at the end, its results, which are then moved into place. A finished run
beside it stays whole until that moment.
"""

from __future__ import annotations

import io
import json
import re
import shutil
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pandas as pd
from numpy.lib.format import open_memmap

from alignbench import plugins
from alignbench.arrays import BLOCK, Floats
from alignbench.exceptions import InputError, blame
from alignbench.io.files import WriteError, lock_folder, sha256, write_atomic
from alignbench.runs.plan import Plan
from alignbench.runs.predict import Place
from alignbench.runs.record import RunRecord
from alignbench.runs.run import (
    BREAKDOWN,
    FACES,
    METRICS,
    PREDICTIONS,
    RECORD,
    RESULTS,
    UNFINISHED,
    Run,
    load_run,
    read_record,
)

_LOCK = ".lock"
_FINISHED = "finished.json"
_PART = re.compile(r"\d{8}\.npy")
_DRAFT = re.compile(r"\..+\.draft")
_RECORDS_HEAD = re.compile(rb'\{\s*"schema_version":')

Out = str | Path | Callable[[RunRecord], Path] | None


class Memory(Place):
    """A run that is kept in memory alone."""

    finished: Run | None = None

    def finish(self, run: Run) -> Run:
        """The run itself."""
        return run


class Folder(Place):
    """A run that is kept in a folder, which is locked meanwhile.

    Attributes
    ----------
    finished
        The finished run that is there already, if it may be read back.
    """

    def __init__(self, folder: Path, record: RunRecord, finished: Run | None = None) -> None:
        self.finished = finished
        self._named, self._record = folder, record
        self._folder = folder.absolute()  # a model may change the working directory

    def restore(self, points: Floats) -> int:
        """The faces done before; a damaged part ends them: what follows is predicted again."""
        if self.finished is not None:
            points[:] = self.finished.all_points()
            return len(points)
        done = 0
        while (path := self._folder / UNFINISHED / f"{done:08d}.npy").exists():
            try:
                # Mapped: a header that claims more than the file holds then takes no memory.
                part = open_memmap(path, mode="r")
            except Exception:  # NumPy raises many kinds for a damaged file
                break
            fits = part.dtype == points.dtype and part.shape[1:] == points.shape[1:]
            if not fits or not 0 < len(part) <= len(points) - done:
                break
            points[done : done + len(part)] = part
            done += len(part)
        return done

    def keep_part(self, start: int, points: Floats) -> None:
        """Keep the landmarks (B, L, 2) of the faces from ``start`` on, with the record."""
        part = self._claim() / f"{start:08d}.npy"
        # Saved in memory first: if NumPy itself meets a full disk, its error has no number.
        np.save(content := io.BytesIO(), np.asarray(points))
        write_atomic(part, content.getvalue())

    def finish(self, run: Run) -> Run:
        """Write a finished run; if it is cut short anywhere, it can be resumed."""
        staging = self._claim()
        rows = ",\n".join(json.dumps(row.model_dump()) for row in run.metrics)
        write_atomic(staging / METRICS, f"[\n{rows}\n]\n".encode())
        write_atomic(staging / FACES, lambda stream: _write_csv(run.faces, stream))
        write_atomic(staging / BREAKDOWN, lambda stream: _write_csv(run.breakdown, stream))
        # The same bytes for the same content: NumPy writes no dates.
        write_atomic(
            staging / PREDICTIONS,
            lambda stream: np.savez(stream, ids=np.array(run.ids, np.str_), points=run.points),
        )
        run = _add_hashes(replace(run, folder=self._named), staging)
        _write_run_files(run, staging)
        run = _add_hashes(run, staging)
        write_atomic(staging / _FINISHED, _record_bytes(run.record))
        _move_into_place(staging, self._folder)
        _drop_unfinished(self._folder)
        return run

    def _claim(self) -> Path:
        """The folder of the unfinished run. Its record is written first, and shows which it is."""
        unfinished = self._folder / UNFINISHED
        unfinished.mkdir(exist_ok=True)
        if not (unfinished / RECORD).exists():
            write_atomic(unfinished / RECORD, _record_bytes(self._record))
        return unfinished


@contextmanager
def open_place(out: Out, plan: Plan, fresh: bool) -> Iterator[Memory | Folder]:
    """The place where a run is kept: memory where ``out`` is None, else a folder.

    Raises
    ------
    InputError
        If another process writes there, the folder cannot be written, or it holds something else.
    """
    if out is None:
        yield Memory()
        return
    record = plan.record
    folder = out(record) if callable(out) else Path(out)
    readable = plan.identity.certain and not fresh
    if not readable and not fresh:
        _warn_of_results(folder, plan)
    if readable and _holds(folder, record.key):
        _tidy(folder, record.key)
        yield Folder(folder, record, replace(load_run(folder), read_back=True))
        return
    with lock_folder(folder, "run"):
        if readable and _holds(folder, record.key):  # another process finished it a moment ago
            yield Folder(folder, record, replace(load_run(folder), read_back=True))
            return
        _prepare(folder, record.key, fresh)
        if not readable:
            _drop_unfinished(folder)
        yield Folder(folder, record)


def _warn_of_results(folder: Path, plan: Plan) -> None:
    """Say why results of a model that may have changed are not used."""
    unfinished = _unfinished_record(folder)
    for use, is_there in (
        ("read back", _holds(folder, plan.record.key)),
        ("resumed", unfinished is not None and unfinished.key == plan.record.key),
    ):
        if is_there:
            reason = f"the run there is not {use}, because {plan.identity.reason}"
            warnings.warn(f"{folder}: {reason}.", stacklevel=5)


def _add_hashes(run: Run, staging: Path) -> Run:
    """The run with the hash of each file of results that has none yet in its record."""
    names = sorted(set(_result_files(staging)) - run.record.files.keys())
    files = run.record.files | {name: sha256(staging / name) for name in names}
    return replace(run, record=run.record.model_copy(update={"files": files}))


def _write_run_files(run: Run, folder: Path) -> None:
    """Let registered plug-ins add files, such as the CED plot, to a finished run."""
    for name in plugins.entry_points(plugins.RUN_FILES):
        try:
            with blame(f"plug-in {name!r}"):
                plugins.load(plugins.RUN_FILES, name)(run, folder)
        except WriteError:
            raise  # the disk is full: once there is room, all files are written
        except InputError as error:
            warnings.warn(f"no {name} written: {error}", stacklevel=2)


def _holds(folder: Path, key: str) -> bool:
    """Whether the folder holds the finished run of this key."""
    if not (folder / RECORD).is_file():
        return False
    record = read_record(folder)
    return record.status == "complete" and record.key == key


def _tidy(folder: Path, key: str) -> None:
    """Remove what the finished run of this key left behind if it was killed at its very end.

    Nothing is removed while another process writes there, or if the folder cannot be written.
    """
    if not any((folder / name).exists() for name in (_LOCK, UNFINISHED)):
        return
    with suppress(InputError, OSError), lock_folder(folder, "run"):
        unfinished = _unfinished_record(folder)
        if unfinished is None or unfinished.key == key:
            _drop_unfinished(folder)


def _prepare(folder: Path, key: str, fresh: bool) -> None:
    """Make sure that a run of this key may be started or continued in the folder.

    Raises
    ------
    InputError
        If the folder holds another run, finished or not, or one whose record is damaged, and
        ``fresh`` does not say to replace it; or if it holds files that are no run's, whatever
        ``fresh`` says.
    """
    if fresh and (folder / RECORD).exists() and _is_run(folder):
        _drop_unfinished(folder)
        return
    finished = read_record(folder) if (folder / RECORD).exists() else None
    unfinished = _unfinished_record(folder)
    if finished is None and unfinished is None:
        for entry in folder.iterdir():
            if entry.name not in (_LOCK, UNFINISHED) and not _DRAFT.fullmatch(entry.name):
                raise InputError(
                    folder, f"holds {entry.name} but no run", "an empty or new folder",
                    "Give another --out.",
                )  # fmt: skip
    if unfinished is not None and unfinished.key == key and not fresh:
        return
    # The unfinished run is checked first: it was to replace a finished run beside it.
    for other in () if fresh else (unfinished, finished):
        if other is not None and other.key != key:
            raise InputError(
                folder,
                f"holds another run ({other.model.name} on {other.dataset.name}, key "
                f"{other.key}; this one has key {key})",
                remedy="Give another --out, or --fresh to replace it.",
            )
    _drop_unfinished(folder)


def _is_run(folder: Path) -> bool:
    """Whether a folder is a run's, also where its record is damaged or of another version.

    The record then at least begins as one, or every file of results is beside it.
    """
    with suppress(InputError):
        return bool(read_record(folder))
    if not (folder / RECORD).is_file():  # to open a FIFO waits for ever
        return False
    with (folder / RECORD).open("rb") as stream:
        begins_as_record = _RECORDS_HEAD.match(stream.read(100)) is not None
    return begins_as_record or all((folder / name).is_file() for name in RESULTS)


def _unfinished_record(folder: Path) -> RunRecord | None:
    """The record of the unfinished run in a folder; None where it is not there or damaged."""
    try:
        return read_record(folder / UNFINISHED)
    except InputError:
        return None


def _result_files(staging: Path) -> list[str]:
    """Names of a finished run's files without its record; those of plug-ins are included."""
    files = (path for path in staging.rglob("*") if path.is_file())
    names = (
        path.relative_to(staging).as_posix() for path in files if not _DRAFT.fullmatch(path.name)
    )
    ours = (RECORD, _FINISHED)
    return sorted(name for name in names if name not in ours and not _PART.fullmatch(name))


def _move_into_place(staging: Path, folder: Path) -> None:
    """Rename a finished run's files, which takes no space on the disk.

    The record is moved last. Until then the folder has no record: it is that of an unfinished run.
    """
    names = _result_files(staging)
    with suppress(InputError, OSError, ValueError):  # a damaged record may name any file
        _remove_files(folder, read_record(folder), keep=names)
    (folder / RECORD).unlink(missing_ok=True)
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (staging / name).replace(folder / name)
    (staging / _FINISHED).replace(folder / RECORD)


def _remove_files(folder: Path, record: RunRecord, keep: list[str]) -> None:
    """Remove the files that a run's plug-ins wrote, if they are unchanged."""
    home = folder.resolve()
    for name in set(record.files) - {*RESULTS, *keep}:
        path = (folder / name).resolve()
        inside = path.is_relative_to(home) and path.is_file()
        if inside and sha256(path) == record.files[name]:
            path.unlink()
            for parent in path.parents:
                if parent == home or any(parent.iterdir()):
                    break
                parent.rmdir()


def _drop_unfinished(folder: Path) -> None:
    """Remove the folder of an unfinished run, its record last."""
    unfinished = folder / UNFINISHED
    if unfinished.is_symlink():  # its target is not ours
        unfinished.unlink()
    if not unfinished.is_dir():
        return
    for entry in unfinished.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        elif entry.name != RECORD:
            entry.unlink()
    (unfinished / RECORD).unlink(missing_ok=True)
    unfinished.rmdir()


def _record_bytes(record: RunRecord) -> bytes:
    return (record.model_dump_json(indent=2) + "\n").encode()


def _write_csv(frame: pd.DataFrame, stream: BinaryIO) -> None:
    frame.to_csv(stream, index=False, lineterminator="\n", chunksize=BLOCK)
