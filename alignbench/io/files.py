"""Files and folders that are there whole or not at all, their hashes, and locks on folders."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from filelock import FileLock, Timeout

from alignbench.errors import InputError

_LOCK = ".lock"


class WriteError(InputError):
    """A file cannot be written: the disk is full, or the folder is read-only."""


def write_atomic(path: Path, data: bytes | Callable[[BinaryIO], object]) -> None:
    """Write a file so that it is there whole or not at all.

    A link is followed; what is no regular file, such as a device, is written to as it is.

    Parameters
    ----------
    data
        The file's bytes, or a function that writes them to a stream where they are many.

    Raises
    ------
    InputError
        If the path is a folder; as a :class:`WriteError` if it cannot be written.
    """
    path = path.resolve()
    if path.is_dir():
        raise InputError(path, "is a folder", "a file")
    try:
        if path.exists() and not path.is_file():
            with path.open("wb") as stream:
                _write(stream, data)
            return
        draft = path.with_name(f".{path.name}.draft")
        try:
            with draft.open("wb") as stream:
                _write(stream, data)
                stream.flush()
                os.fsync(stream.fileno())
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise WriteError(path, f"cannot be written ({error.strerror or error})") from error


def _write(stream: BinaryIO, data: bytes | Callable[[BinaryIO], object]) -> None:
    if isinstance(data, bytes):
        stream.write(data)
    else:
        data(stream)


def require_regular(path: Path) -> None:
    """Raise InputError for a pipe, a device or a socket: a reader might wait for ever.

    A folder and a path where nothing is pass: opening them fails at once.
    """
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise InputError(path, "is no regular file but a pipe, a device or a socket", "a file")


def sha256(path: Path) -> str:
    """sha256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_folder_atomic(folder: Path, fill: Callable[[Path], object]) -> None:
    """Create a folder that is there whole or not at all; one that holds files is left as it is.

    Processes that create the same folder wait for each other.

    Parameters
    ----------
    fill
        Writes the files into the empty folder it is given.

    Raises
    ------
    WriteError
        If the folder cannot be written.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = folder.with_name(f".{folder.name}{_LOCK}")
        with FileLock(lock):
            try:
                if not (folder.is_dir() and any(folder.iterdir())):
                    _fill_draft(folder, fill)
            finally:
                lock.unlink(missing_ok=True)
    except OSError as error:
        raise WriteError(folder, f"cannot be written ({error.strerror or error})") from error


def _fill_draft(folder: Path, fill: Callable[[Path], object]) -> None:
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        fill(draft)
        draft.chmod(0o755)
        draft.replace(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


@contextmanager
def lock_folder(folder: Path, what: str) -> Iterator[None]:
    """Hold a folder for one writer; what is created for it and stays empty is removed again.

    Parameters
    ----------
    what
        What is written there, for messages: ``run`` or ``training``.

    Raises
    ------
    InputError
        If another process writes there, or the folder cannot be written.
    """
    folder = folder.absolute()  # the working directory may change meanwhile
    created = [place for place in (folder, *folder.parents) if not place.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / _LOCK)
        lock.acquire(timeout=0)
    except Timeout as error:
        raise InputError(
            folder, f"another {what} is writing here", remedy="Wait for it, or give another --out."
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
