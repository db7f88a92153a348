"""The ``.pts`` format of iBUG: one face, 1-based pixel coordinates."""

from __future__ import annotations

import re
from pathlib import Path

from alignbench.arrays import Floats
from alignbench.datasets.text import numbers, read_lines
from alignbench.errors import InputError

_VERSION = re.compile(r"version:\s*1(\.0*)?\s*$")
_COUNT = re.compile(r"n_points:\s*([0-9]{1,6})\s*$")


def read_pts(path: Path, landmarks: int | None = None) -> Floats:
    """Landmarks (L, 2) of a ``.pts`` file, shifted to 0-based pixel-centre coordinates.

    Parameters
    ----------
    landmarks
        Number of landmarks the file must have; None takes what its header says.

    Raises
    ------
    InputError
        If header, number of points or a coordinate is wrong; names file and line.
    """
    lines = [line.strip() for line in read_lines(path)]
    while lines and not lines[-1]:
        lines.pop()
    count = _COUNT.match(lines[1]) if len(lines) > 1 else None
    wanted = [
        (1, lines[0], _VERSION.match(lines[0]), "'version: 1'"),
        (2, lines[1] if len(lines) > 1 else "", count, "'n_points: N'"),
        (3, lines[2] if len(lines) > 2 else "", lines[2:3] == ["{"], "'{'"),
    ]
    for line, text, right, accepted in wanted:
        if not right:
            raise InputError(
                f"{path}, line {line}",
                f"wrong .pts header, found {text[:40]!r}",
                accepted,
                "Copy the file again.",
            )
    assert count is not None
    stated = int(count[1])
    body = lines[3:-1]
    if lines[-1] != "}" or len(body) != stated or (landmarks or stated) != stated:
        raise InputError(
            path,
            f"{len(body)} points, {stated} by its header, last line {lines[-1][:40]!r}",
            f"{landmarks or stated} points, then '}}'",
            "Copy the file again.",
        )
    rows = [line.split() for line in body]
    for number, row in enumerate(rows, start=4):
        if len(row) != 2:
            raise InputError(
                f"{path}, line {number}", f"{len(row)} fields", "two: x y", "Correct the line."
            )
    # The format counts pixels from 1 (MATLAB's habit).
    return numbers(path, rows, range(4, 4 + len(rows))) - 1
