"""Files that are there whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from alignbench.errors import InputError


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
