"""Files and folders that are there whole or not at all, their hashes, and locks on folders."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path
from typing import BinaryIO

from filelock import FileLock, Timeout

from alignbench.exceptions import InputError

_LOCK = ".lock"
_DRAFT = f"{'[0-9a-f]' * 8}.draft"
"""How the name of a draft ends, as a pattern."""
_ABANDONED = 3600
"""Seconds without a change after which a draft's writer is taken for dead."""


class WriteError(InputError):
    """A file cannot be written: the disk is full, or the folder is read-only."""


def write_atomic(path: Path, data: bytes | Callable[[BinaryIO], object]) -> None:
    """Write a file so that it is there whole or not at all; of several writers the last one wins.

    ``data`` is the file's bytes or, if they are many, a function that writes them to a stream. A
    link is followed; what is no regular file, such as a device, is written to as it is. Raises
    InputError if the path is a folder, WriteError if it cannot be written.
    """
    path = path.resolve()
    if path.is_dir():
        raise InputError(path, "is a folder", "a file")
    fill = data if callable(data) else lambda stream: stream.write(data)
    try:
        if path.exists() and not path.is_file():
            with path.open("wb") as stream:
                fill(stream)
            return
        _remove_old_drafts(path)
        draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.draft")
        try:
            with draft.open("xb") as stream:
                fill(stream)
                stream.flush()
                os.fsync(stream.fileno())
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise _write_error(path, error) from error


def _remove_old_drafts(path: Path) -> None:
    """Remove drafts of writers that were killed, but not one that may still have its writer."""
    for draft in path.parent.glob(f".{escape(path.name)}.{_DRAFT}"):
        with suppress(OSError):  # another writer may be faster
            if time.time() - draft.stat().st_mtime > _ABANDONED:
                draft.unlink()


def _write_error(path: Path, error: OSError) -> WriteError:
    return WriteError(path, f"cannot be written ({error.strerror or error})")


@contextmanager
def reading(path: Path, what: str = "") -> Iterator[None]:
    """Refuse a file that is not regular, and turn an OSError about it into an InputError.

    ``what`` stands before "cannot be read" in the message.
    """
    try:
        _refuse_pipe(path)
        yield
    except OSError as error:
        reason = f"{what}cannot be read ({error.strerror or error})"
        raise InputError(path, reason, remedy="Put the file there.") from error


def require_regular(path: Path) -> None:
    """Raise InputError for a pipe, a device or a socket: a reader might wait for ever.

    A folder and a missing path pass, because opening them fails at once. A path that the system
    cannot look at, such as one that is too long, is an InputError, too.
    """
    try:
        _refuse_pipe(path)
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path}"[:200], f"cannot be looked at ({reason})", "a file") from error


def _refuse_pipe(path: Path) -> None:
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise InputError(path, "is no regular file but a pipe, a device or a socket", "a file")


def sha256(path: Path) -> str:
    """sha256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_folder_atomic(folder: Path, fill: Callable[[Path], object]) -> None:
    """Create a folder that is there whole or not at all; one that holds files is left as it is.

    ``fill`` writes the files into an empty folder. Processes that create the same folder wait for
    each other. Raises WriteError if the folder cannot be written.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = folder.with_name(f".{folder.name}{_LOCK}")
        with FileLock(lock):
            try:
                if folder.is_dir() and any(folder.iterdir()):
                    return
                draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
                try:
                    fill(draft)
                    draft.chmod(0o755)
                    draft.replace(folder)
                finally:
                    shutil.rmtree(draft, ignore_errors=True)
            finally:
                lock.unlink(missing_ok=True)
    except OSError as error:
        raise _write_error(folder, error) from error


@contextmanager
def lock_folder(folder: Path, what: str) -> Iterator[None]:
    """Hold a folder for one writer; folders that are created for it and stay empty are removed.

    ``what`` names what is written there, for messages: ``run`` or ``training``. Raises InputError
    if another process writes there, or the folder cannot be written.
    """
    folder = folder.absolute()  # the working directory may change meanwhile
    created = [place for place in (folder, *folder.parents) if not place.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / _LOCK)
        lock.acquire(timeout=0)
        for draft in folder.glob(f".*.{_DRAFT}"):  # of a writer that was killed
            draft.unlink(missing_ok=True)
    except Timeout as error:
        remedy = "Wait for it, or give another --out."
        raise InputError(folder, f"another {what} is writing here", remedy=remedy) from error
    except OSError as error:
        reason = f"cannot be written ({error.strerror or error})"
        raise InputError(folder, reason, remedy="Give another --out.") from error
    try:
        yield
    finally:
        (folder / _LOCK).unlink(missing_ok=True)
        lock.release()
        for place in created:
            if any(place.iterdir()):
                break
            place.rmdir()
