"""Arrays from NumPy's ``.npz`` files, without pickles and without believing what they claim."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy

Array = np.ndarray[Any, Any]

_FREE, _RATIO = 64 * 2**20, 100


def read_arrays(path: Path, *names: str) -> tuple[Array, ...]:
    """Arrays of an ``.npz`` file by name.

    An array that claims another size than is stored, or would take far more memory than its file,
    is refused before any memory is taken.

    Raises
    ------
    ValueError
        If the file is none, lacks an array, or holds pickled objects.
    OSError
        If it cannot be read.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            free = room(path.stat().st_size)
            return tuple(_read(archive, name, free) for name in names)
    except (OSError, ValueError):
        raise
    except Exception as error:  # zipfile and NumPy raise many kinds for a damaged file
        raise ValueError(str(error) or type(error).__name__) from error


def room(stored: int) -> int:
    """Bytes of memory that so many stored bytes may take: more is no data but a trap."""
    return _FREE + _RATIO * stored


def _read(archive: zipfile.ZipFile, name: str, free: int) -> Array:
    member = f"{name}.npy"
    if member not in archive.namelist():
        raise ValueError(f"no array {name!r}")
    size = archive.getinfo(member).file_size
    if size > free:
        raise ValueError(f"{name} would take {size:,} bytes, which is too much for such a file")
    with archive.open(member) as stream:
        version = npy.read_magic(stream)
        if version not in _HEADERS:
            raise ValueError(f"{name} is of an unknown version {version}")
        shape, _, kind = _HEADERS[version](stream)
        stored = size - stream.tell()
    if kind.hasobject:
        raise ValueError("it holds pickled objects")
    if min(shape, default=0) < 0 or prod(shape) * kind.itemsize != stored:
        raise ValueError(f"{name} claims {kind} {shape}, but {stored:,} bytes are stored")
    with archive.open(member) as stream:
        found: Array = npy.read_array(stream, allow_pickle=False)
    return found


_HEADERS: dict[tuple[int, int], Callable[[IO[bytes]], Any]] = {
    (1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0,
}  # fmt: skip
