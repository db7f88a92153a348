"""Which array of a file holds the landmarks, and what its axes mean."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from alignbench.arrays import Floats
from alignbench.exceptions import InputError
from alignbench.io.npz import Array
from alignbench.io.text import list_some
from alignbench.markups import landmark_counts

Claim = tuple[tuple[int, ...], np.dtype[Any]]
"""Shape and type of an array."""

IDS = ("ids", "id", "names", "name", "image_names", "image_name", "images", "files", "paths")
"""Names of arrays that tell faces apart; the first one that exists is read."""
POINTS = ("points", "landmarks", "keypoints", "lms", "pts", "predictions", "preds", "pred")
"""Usual names of arrays of landmarks."""
ACCEPTED = "one array of numbers (N, L, 2)"

_BOX = 4
_AXES = (
    "Bring its axes into the order faces, landmarks, x and y: points.transpose(0, 2, 1) for "
    "(N, 2, L), points.transpose(2, 0, 1) for (L, 2, N)."
)
_OBJECTS = (
    "It holds Python objects, which are not read. Leave out a face that was missed (None), and "
    "write numpy.stack(landmarks)."
)


def choose_points(path: Path, arrays: Mapping[str, Claim], remedy: str) -> str:
    """The name of the one array that can be the landmarks.

    Raises
    ------
    InputError
        If several can be, or none; ``remedy`` says how to write the file.
    """
    shapes = {
        name: shape
        for name, (shape, dtype) in arrays.items()
        if dtype.kind in "fiu" and dtype.itemsize <= 8 and _row(shape) is not None
    }
    flat_widths = {2 * (_row(shape) or (0, 0))[0] for shape in shapes.values() if len(shape) > 2}
    # A score for each landmark has the shape of landmarks in one row, too.
    candidates = [
        name
        for name, shape in shapes.items()
        if len(shape) > 2 or not flat_widths or shape[1] in flat_widths or name in POINTS
    ]
    if len(candidates) == 1:
        return candidates[0]
    if candidates:
        found = f"several arrays that may be the landmarks: {_list(arrays, candidates)}"
        raise InputError(path, found, ACCEPTED, "Leave the others out of the file.")
    kinds = {dtype.kind for _, dtype in arrays.values()}
    if "O" in kinds:
        remedy = _OBJECTS
    for shape, dtype in arrays.values():
        if dtype.kind not in "fiu":
            continue
        if len(shape) == 3 and {2, 3} & set(shape):
            remedy = _AXES
        elif len(shape) == 2 and shape[1] > _BOX and shape[1] % 3 == 0:
            remedy = (
                f"{shape[1]} numbers may be {shape[1] // 3} landmarks of three numbers each"
                f"{f' or {shape[1] // 2} of two' if shape[1] % 2 == 0 else ''}. "
                "Give the array the shape (N, L, 2) or (N, L, 3)."
            )
    raise InputError(path, f"arrays {_list(arrays, list(arrays)) or 'none'}", ACCEPTED, remedy)


def to_landmarks(rows: Array) -> Floats:
    """Rows of an array that :func:`choose_points` chose, as landmarks (N, L, 2 or 3)."""
    shape = _row(rows.shape)
    assert shape is not None
    landmarks: Floats = rows.reshape(len(rows), *shape).astype(np.float64)
    return landmarks


def layout_note(shape: tuple[int, ...]) -> tuple[str, ...]:
    """A sentence on how the axes of the landmarks' array were read, if the shape leaves it open."""
    if len(shape) > 2:
        return ()
    return (f"The {shape[1]} numbers of each face are read as x, y, x, y, ...",)


def require_as_many(path: Path, ids: int, rows: int) -> None:
    """Raise InputError unless there is an id for each row of landmarks."""
    if ids != rows:
        raise InputError(path, f"{ids:,} ids for {rows:,} rows of landmarks", "one id for each row")


def _row(shape: tuple[int, ...]) -> tuple[int, int] | None:
    """Landmarks, and values of each, in a row of an array; None if it cannot hold landmarks."""
    row = shape[1:]
    if len(row) == 3 and 1 in row[:2]:
        row = (row[0] * row[1], row[2])
    if len(row) == 2 and row[1] in (2, 3):
        return row[0], row[1]
    if len(row) != 1 or row[0] <= _BOX or row[0] % 2:
        return None
    # Unless a mark-up decides, the numbers may also be three for each landmark.
    is_pairs = row[0] % 3 or row[0] // 2 in landmark_counts()
    return (row[0] // 2, 2) if is_pairs else None


def _list(arrays: Mapping[str, Claim], names: list[str]) -> str:
    return list_some(
        " ".join(filter(None, (name, str(arrays[name][1]), str(arrays[name][0])))) for name in names
    )
