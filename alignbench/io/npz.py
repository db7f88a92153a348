"""Arrays of NumPy's ``.npz`` files, read in blocks and without pickles; sizes are checked first."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy

from alignbench import arrays
from alignbench.io.files import require_regular

Array = np.ndarray[Any, Any]

_LONGEST_HEADER = 2**16
"""Most bytes of an array's header; NumPy's own limit is smaller."""
_FREE, _RATIO = 64 * 2**20, 100


@dataclass(frozen=True)
class Stored:
    """An array in an archive, with a shape and a type that agree with the number of its bytes."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    _archive: zipfile.ZipFile
    _member: str
    _fortran: bool

    def rows(self) -> Iterator[Array]:
        """Blocks of its rows, in order; raises OSError or ValueError if it is damaged."""
        with _as_value_error(), self._archive.open(self._member) as stream:
            _header(stream)
            if self._fortran:
                yield self._read(stream, self.shape[::-1]).transpose()
                return
            for block in arrays.blocks(self.shape[0]):
                yield self._read(stream, (block.stop - block.start, *self.shape[1:]))

    def _read(self, stream: IO[bytes], shape: tuple[int, ...]) -> Array:
        data = stream.read(prod(shape) * self.dtype.itemsize)
        return np.frombuffer(data, self.dtype).reshape(shape)


@contextmanager
def open_archive(path: Path, *names: str) -> Iterator[list[Stored]]:
    """Arrays of an archive by name, each of one or more dimensions, for as long as it is open.

    Raises OSError or ValueError if the file is no such archive, lacks an array, or holds pickled
    objects. An array that claims another size than is stored, or would take far more memory than
    its file, is refused before any memory is taken.
    """
    require_regular(path)
    with _as_value_error():
        archive = zipfile.ZipFile(path)
    with archive:
        with _as_value_error():
            stored = [_describe(archive, name, room(path.stat().st_size)) for name in names]
        yield stored


def array_claims(path: Path) -> dict[str, tuple[tuple[int, ...], np.dtype[Any]]]:
    """Shape and type that each array in an archive claims; its numbers are not read.

    Raises OSError or ValueError if the file is no such archive.
    """
    require_regular(path)
    claims = {}
    with _as_value_error(), zipfile.ZipFile(path) as archive:
        for member in archive.namelist():
            if member.endswith(".npy"):
                with archive.open(member) as stream:
                    shape, _, dtype = _header(BytesIO(stream.read(_LONGEST_HEADER)))
                claims[member.removesuffix(".npy")] = (shape, dtype)
    return claims


def room(stored: int) -> int:
    """Most bytes of memory for so many stored bytes; an array that claims more is refused."""
    return _FREE + _RATIO * stored


def _describe(archive: zipfile.ZipFile, name: str, free: int) -> Stored:
    member = f"{name}.npy"
    if member not in archive.namelist():
        raise ValueError(f"no array {name!r}")
    size = archive.getinfo(member).file_size
    if size > free:
        raise ValueError(f"{name} would take {size:,} bytes, which is too much for such a file")
    with archive.open(member) as stream:
        shape, fortran, kind = _checked_header(stream, name, size)
    return Stored(shape, kind, archive, member, fortran)


def read_npy(path: Path) -> Array:
    """The array of an ``.npy`` file; raises OSError or ValueError if it is damaged."""
    require_regular(path)
    data = path.read_bytes()  # NumPy would believe the length that a header claims
    with _as_value_error():
        stream = BytesIO(data)
        shape, fortran, kind = _checked_header(stream, "it", len(data))
        flat = np.frombuffer(data, kind, offset=stream.tell())
        return flat.reshape(shape, order="F" if fortran else "C")


def _checked_header(
    stream: IO[bytes], name: str, size: int
) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, order and type of an array; they must agree with the number of its bytes."""
    shape, fortran, kind = _header(stream)
    stored = size - stream.tell()
    if kind.hasobject:
        raise ValueError("it holds pickled objects")
    if not shape or min(shape) < 0 or not kind.itemsize or prod(shape) * kind.itemsize != stored:
        raise ValueError(f"{name} claims {kind} {shape}, but {stored:,} bytes are stored")
    return shape, fortran, kind


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    version = npy.read_magic(stream)
    if version not in readers:
        raise ValueError(f"an array of an unknown version {version}")
    header: tuple[tuple[int, ...], bool, np.dtype[Any]] = readers[version](stream)
    return header


@contextmanager
def _as_value_error() -> Iterator[None]:
    """Turn the many kinds of errors that zipfile and NumPy raise for a damaged file into one."""
    try:
        yield
    except (OSError, ValueError):
        raise
    except Exception as error:
        raise ValueError(str(error) or type(error).__name__) from error
