"""Array types, and arrays over so many faces that they are worked on in blocks.

98 landmarks take 1.6 kB a face, so truth and predictions of a million faces take 3 GB. Such arrays
are filled and read in blocks of faces, and beyond 256 MiB they live in a temporary file (in the
folder that ``TMPDIR`` names) that is mapped into memory. Code that reads them sees plain arrays.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from alignbench.exceptions import InputError

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.intp]
Bytes = NDArray[np.uint8]

BLOCK = 16_384
"""Faces in a block. No published test set has as many."""

SLICE = 256
"""Faces in a slice: their landmarks fit the processor's cache, so intermediate arrays are cheap."""

LARGEST_COORDINATE = 1e6
"""A coordinate beyond this is an accident, not a pixel of an image."""

_IN_MEMORY = 2**28
"""Bytes beyond which an array is kept in a file."""


def plausible(values: Floats) -> Bools:
    """Whether each value is finite and at most :data:`LARGEST_COORDINATE`."""
    return np.abs(values) <= LARGEST_COORDINATE


def blocks(faces: int, size: int = BLOCK) -> Iterator[slice]:
    """Slices of at most ``size`` that cover faces 0 to ``faces`` - 1; for 0 faces an empty one."""
    for start in range(0, max(faces, 1), size):
        yield slice(start, min(start + size, faces))


def full(shape: tuple[int, ...], value: float) -> Floats:
    """An array (N, ...) of one value, to be filled."""
    if 8 * np.prod(shape) <= _IN_MEMORY:
        return np.full(shape, value)
    # The values are written, so that a full disk is noticed here and not later.
    return join(np.full((rows.stop - rows.start, *shape[1:]), value) for rows in blocks(shape[0]))


def join(parts: Iterable[Floats]) -> Floats:
    """Concatenate parts (n, ...), one or more, along the first axis; in a file if it is large.

    Raises
    ------
    InputError
        If there is no room for the temporary file.
    """
    doubles = (np.ascontiguousarray(part, np.float64) for part in parts)
    start: list[Floats] = []
    size = 0
    for part in doubles:
        start.append(part)
        size += part.nbytes
        if size > _IN_MEMORY:
            return _join_in_file(chain(start, doubles))
    return np.concatenate(start)


def _join_in_file(parts: Iterable[Floats]) -> Floats:
    shapes: list[tuple[int, ...]] = []
    try:
        with tempfile.TemporaryFile() as stream:
            for part in parts:
                stream.write(part.data)
                shapes.append(part.shape)
                if part.shape[1:] != shapes[0][1:]:
                    raise ValueError(f"shape {part.shape} after {shapes[0]}")
            stream.flush()
            rows = sum(shape[0] for shape in shapes)
            return np.memmap(stream, np.float64, "r+", shape=(rows, *shapes[0][1:]))
    except OSError as error:
        raise InputError(
            tempfile.gettempdir(),
            f"no room for the landmarks of so many faces ({error.strerror or error})",
            remedy="Make room there, or set TMPDIR to a folder on a larger disk.",
        ) from error


def map_blocks(function: Callable[[Floats], Floats], column: Floats) -> Floats:
    """Apply a function, which must return one row for each row, to an array (N, ...) in blocks."""
    return join(function(column[rows]) for rows in blocks(len(column)))


def take(column: Floats, faces: Ints | Bools) -> Floats:
    """The rows of these faces, which are given by number or by a mask (N,)."""
    numbers = np.arange(len(column))[faces]
    return join(column[numbers[rows]] for rows in blocks(len(numbers)))
