"""Array types named once, and arrays of many faces some at a time.

Shapes stand in the docstrings of what takes and returns them.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.intp]
Bytes = NDArray[np.uint8]

_FACES_AT_ONCE = 256


def some_at_a_time(faces: int) -> Iterator[slice]:
    """Slices that together are all faces, each of so few that their landmarks fit the cache.

    What is in between is then small: a copy of all faces' landmarks is memory that the system may
    have to find anew at each call, which takes longer than what is computed from it.
    """
    for start in range(0, faces, _FACES_AT_ONCE):
        yield slice(start, start + _FACES_AT_ONCE)


LARGEST_COORDINATE = 1e6
"""Beyond this a coordinate is no pixel of an image but an accident."""


def plausible(values: Floats) -> Bools:
    """Whether each value is finite and of an image's size."""
    return np.abs(values) <= LARGEST_COORDINATE
