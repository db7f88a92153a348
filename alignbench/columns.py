"""Columns over faces that may be larger than memory.

98 landmarks take 1.6 kB a face, so truth and predictions of a million faces take 3 GB. Such
columns are filled and read in blocks of faces, and beyond 256 MiB they are kept in a temporary file
(where ``TMPDIR`` says) that is mapped into memory: for whoever reads them they are arrays.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from typing import IO

import numpy as np

from alignbench.arrays import Floats
from alignbench.errors import InputError

BLOCK = 16_384
"""Faces in a block: no published test set has as many."""

_IN_MEMORY = 2**28
"""Bytes beyond which a column is kept in a file."""


def blocks(faces: int) -> Iterator[slice]:
    """The faces 0 to ``faces`` - 1 in blocks; one empty block where there are none."""
    for start in range(0, max(faces, 1), BLOCK):
        yield slice(start, min(start + BLOCK, faces))


def full(shape: tuple[int, ...], value: float) -> Floats:
    """A column (N, ...) of one value, to be filled."""
    if 8 * np.prod(shape) <= _IN_MEMORY:
        return np.full(shape, value)
    # Written, not only reserved: a full disk is then found here and not under somebody's feet.
    rows = (np.full((part.stop - part.start, *shape[1:]), value) for part in blocks(shape[0]))
    return join(rows)


def join(parts: Iterable[Floats]) -> Floats:
    """Parts (n, ...) of a column, one behind the other.

    Raises
    ------
    InputError
        If there is no room for the temporary file.
    """
    kept: list[Floats] = []
    rows, size = 0, 0
    stream: IO[bytes] | None = None
    row_shape: tuple[int, ...] = ()
    try:
        for part in parts:
            part = np.ascontiguousarray(part, np.float64)
            if rows and part.shape[1:] != row_shape:
                raise ValueError(f"rows of shape {part.shape[1:]} behind some of {row_shape}")
            rows, size, row_shape = rows + len(part), size + part.nbytes, part.shape[1:]
            if stream is None and size > _IN_MEMORY:
                stream = tempfile.TemporaryFile()  # noqa: SIM115 (the map keeps it)
                for earlier in kept:
                    stream.write(earlier.data)
                kept.clear()
            if stream is None:
                kept.append(part)
            else:
                stream.write(part.data)
        if stream is None:
            return np.concatenate(kept)
        stream.flush()
        return np.memmap(stream, np.float64, "r+", shape=(rows, *row_shape))
    except OSError as error:
        raise InputError(
            tempfile.gettempdir(),
            f"no room for {size / 2**30:.1f} GiB of landmarks ({error.strerror or error})",
            remedy="Make room there, or set TMPDIR to a folder on a larger disk.",
        ) from error
    finally:
        if stream is not None:
            stream.close()


def mapped(function: Callable[[Floats], Floats], column: Floats) -> Floats:
    """What a function gives of a column (N, ...), a number of rows for as many rows."""
    return join(function(column[rows]) for rows in blocks(len(column)))


def take(column: Floats, faces: np.ndarray) -> Floats:
    """These faces of a column, by their numbers or by whether each is wanted."""
    numbers = np.arange(len(column))[faces]
    return join(column[numbers[rows]] for rows in blocks(len(numbers)))
