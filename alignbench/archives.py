"""Arrays of a NumPy archive (``.npz``), read block by block and never unpickled."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy

from alignbench import columns

BROKEN = (OSError, ValueError, EOFError, zipfile.BadZipFile, NotImplementedError)
"""What reading a file that is no archive, or a damaged one, raises."""


@dataclass(frozen=True)
class Stored:
    """An array in an archive.

    Attributes
    ----------
    shape, dtype
        What its header says; the file is as large as that needs.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]
    _archive: zipfile.ZipFile
    _name: str
    _fortran: bool

    def rows(self) -> Iterator[np.ndarray]:
        """Blocks of its rows, in order."""
        with self._archive.open(self._name) as stream:
            _header(stream)
            if self._fortran:
                yield self._read(stream, self.shape[::-1]).transpose()
                return
            for block in columns.blocks(self.shape[0]):
                yield self._read(stream, (block.stop - block.start, *self.shape[1:]))

    def _read(self, stream: IO[bytes], shape: tuple[int, ...]) -> np.ndarray:
        wanted = int(np.prod(shape)) * self.dtype.itemsize
        data = stream.read(wanted)
        if len(data) != wanted:
            raise EOFError(f"array {self._name} is cut short")
        return np.frombuffer(data, self.dtype).reshape(shape)


@contextmanager
def opened(path: Path) -> Iterator[dict[str, Stored]]:
    """The arrays of an archive by name, for as long as it is open.

    Raises
    ------
    OSError, ValueError, EOFError, BadZipFile, NotImplementedError
        (:data:`BROKEN`) if it is no archive, an array holds Python objects, or a header says
        more than the file holds.
    """
    with zipfile.ZipFile(path) as archive:
        found = {}
        for entry in archive.infolist():
            with archive.open(entry) as stream:
                shape, fortran, dtype = _header(stream)
                if dtype.hasobject:
                    raise ValueError("it holds pickled objects")
                stated = stream.tell() + int(np.prod([*shape, dtype.itemsize], dtype=object))
            if stated != entry.file_size:
                raise ValueError(f"{entry.filename} has {entry.file_size} bytes, {stated} stated")
            name = entry.filename.removesuffix(".npy")
            found[name] = Stored(shape, dtype, archive, entry.filename, fortran)
        yield found


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[np.generic]]:
    readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    version = npy.read_magic(stream)
    if version not in readers:
        raise ValueError(f"version {version} of .npy")
    found: tuple[tuple[int, ...], bool, np.dtype[np.generic]] = readers[version](stream)
    return found
