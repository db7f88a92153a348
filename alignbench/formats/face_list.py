"""Lists with a line for each face: numbers and the path of its image, as WFLW and others have them.

The path stands last (WFLW, Wing, AWing) or first (PIPNet). The numbers are ``x y`` of each
landmark; behind them may stand a box (x_min y_min x_max y_max), and then WFLW's six attributes.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from alignbench.arrays import Floats, join
from alignbench.errors import InputError
from alignbench.formats import Format, StoredFaces
from alignbench.io.text import in_blocks, line_error, lines_of, numbers, start_of
from alignbench.markups import landmark_counts

ATTRIBUTES = ("pose", "expression", "illumination", "make-up", "occlusion", "blur")
"""WFLW's attributes, in their order."""

_BOX = 4
_FORMS = (0, _BOX, _BOX + len(ATTRIBUTES))
"""How many numbers may follow the landmarks."""


def _read(path: Path) -> StoredFaces:
    names: list[str] = []
    rest: list[Floats] = []

    def points() -> Iterator[Floats]:
        fields, landmarks, is_path_first = 0, 0, False
        for block in in_blocks(lines_of(path)):
            lines = [line for line, _ in block]
            rows = [text.split() for _, text in block]
            if not fields:
                is_path_first = _is_path_first(path, lines[0], rows[0])
                fields = len(rows[0])
                landmarks = _landmarks(path, lines[0], fields - 1)
            for line, row in zip(lines, rows, strict=True):
                if len(row) != fields:
                    raise line_error(path, line, f"{len(row)} fields", f"{fields} as before")
            names.extend(row[0] if is_path_first else row[-1] for row in rows)
            texts = [row[1:] if is_path_first else row[:-1] for row in rows]
            at = range(1, fields) if is_path_first else None
            values = numbers(path, texts, lines, at)
            rest.append(values[:, 2 * landmarks :])
            yield values[:, : 2 * landmarks].reshape(-1, landmarks, 2)

    truth = join(points())
    further = np.concatenate(rest)
    flags = further[:, _BOX:]
    if not np.isin(flags, (0, 1)).all():
        raise InputError(path, "attributes that are neither 0 nor 1", "0 or 1")
    attributes = ATTRIBUTES if flags.shape[1] else ()
    subsets = {name: np.asarray(flags[:, k] == 1) for k, name in enumerate(attributes)}
    boxes = further[:, :_BOX] if further.shape[1] else None
    return StoredFaces(names, truth, boxes, subsets=subsets)


def _is_path_first(path: Path, line: int, row: list[str]) -> bool:
    is_number = [_is_number(row[0]), _is_number(row[-1])]
    if len(row) < 3 or is_number[0] == is_number[1]:
        raise line_error(
            path, line, f"{len(row)} fields from {row[0][:20]!r} to {row[-1][:20]!r}",
            "x y x y ... and the path of an image, last or first",
        )  # fmt: skip
    return is_number[1]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _landmarks(path: Path, line: int, count: int) -> int:
    """How many landmarks so many numbers hold: as many as a registered mark-up, if possible."""
    known = landmark_counts()
    fitting = [(count - more) // 2 for more in _FORMS if count > more and (count - more) % 2 == 0]
    for landmarks in fitting:
        if landmarks in known:
            return landmarks
    if fitting:
        return fitting[0]
    raise line_error(path, line, f"{count} numbers", "x and y of each landmark, then 4 of a box")


LIST = Format(
    "list",
    ".txt: a line for each face: x y x y ..., optionally a box and WFLW's attributes, and the "
    "image's path, last or first",
    lambda path: (
        path.suffix.lower() == ".txt"
        and path.is_file()
        and len(start_of(path).lstrip().partition("\n")[0].split()) > 1
    ),
    _read,
    origin=None,
)
