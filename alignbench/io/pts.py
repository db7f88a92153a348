"""The ``.pts`` format of iBUG: one face, 1-based pixel coordinates."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from alignbench.arrays import Floats
from alignbench.exceptions import InputError
from alignbench.io.text import line_error, lines_of, numbers

_VERSION = re.compile(r"version\s*:\s*[0-9]{1,6}(\.[0-9]*)?\s*$")
_COUNT = re.compile(r"n_?points\s*:\s*([0-9]{1,6})\s*$")
_COMMENT = "//"
_REMEDIES = {51: "These are the 51 points without the contour; take the files with all 68."}
"""What to do about other numbers of points that are in use."""


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Lines with their numbers; an opening brace that shares its line counts as one of its own.

    Comments are left out.
    """
    for line, text in lines_of(path):
        if text.lstrip().startswith(_COMMENT):
            continue
        parts = (part.strip() for part in text.partition("{"))
        yield from ((line, part) for part in parts if part)


def read_pts(path: Path, landmarks: int | None = None, origin: float = 1) -> Floats:
    """Landmarks (L, 2) of a ``.pts`` file, shifted to 0-based pixel-centre coordinates.

    ``landmarks`` is the number that the file must have; by default, the one in its header.
    ``origin`` is the coordinate of the centre of an image's first pixel: the format counts from 1,
    as MATLAB does. OpenFace writes ``npoints`` where iBUG has ``n_points``. A line with a
    version may stand in front of it, and comments (``//``) anywhere. Raises InputError,
    which names file and line, if header, number or a coordinate is wrong.
    """
    lines = list(_lines(path))
    place = 1 if lines and _VERSION.match(lines[0][1]) else 0
    head = [text for _, text in lines[place : place + 2]] + ["", ""]
    count = _COUNT.match(head[0])
    before = "" if place else "'version: 1' or "
    header = ((count, f"{before}'n_points: N'"), (head[1] == "{", "'{'"))
    for k, (is_right, accepted) in enumerate(header):
        if not is_right:
            line = (
                lines[place + k][0] if place + k < len(lines) else (lines or [(0, "")])[-1][0] + 1
            )
            found = f"wrong .pts header, found {head[k][:40]!r}"
            raise line_error(path, line, found, accepted, "Copy the file again.")
    assert count is not None
    stated = int(count[1])
    body, last = lines[place + 2 : -1], lines[-1][1]
    if last != "}" or len(body) != stated or (landmarks or stated) != stated:
        raise InputError(
            path, f"{len(body)} points, {stated} by its header, last line {last[:40]!r}",
            f"{landmarks or stated} points, then '}}'",
            _REMEDIES.get(stated, "Copy the file again."),
        )  # fmt: skip
    rows = [text.split() for _, text in body]
    for (line, _), row in zip(body, rows, strict=True):
        if len(row) != 2:
            raise line_error(path, line, f"{len(row)} fields", "two: x y")
    return numbers(path, rows, [line for line, _ in body]) - origin
