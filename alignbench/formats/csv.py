"""Tables of text with a header and one line for each face, in the forms that people have them.

The columns are told by their names: ``x0, y0`` (also ``x_0``, ``0_x``, ``original_0_x``; counted
from 0 or 1), with an optional third one (``v``, ``s``, ``c`` or ``z``) behind each pair; ``id``,
``image_name``, ``filename`` and so on; a box as ``x_min, y_min, x_max, y_max`` or ``x, y, w, h``;
``score`` or ``confidence``. Any other column of zeros and ones is a subset. HRNet's index files and
OpenFace's tables are of this kind.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path

import numpy as np

from alignbench.arrays import Bools, Floats, join
from alignbench.errors import InputError
from alignbench.formats import Format, StoredFaces
from alignbench.io.text import in_blocks, line_error, lines_of, numbers

_COORDINATE = (
    re.compile(r"(?P<axis>[xyvscz])_?(?P<landmark>[0-9]{1,4})"),
    re.compile(r"([a-z]+_?)?(?P<landmark>[0-9]{1,4})_(?P<axis>[xyvscz])"),
)
"""Names of a landmark's columns. Capitals are other things: OpenFace's X_0 is in millimetres."""
_NAMES = ("id", "image_name", "image", "image_path", "img", "imgpath", "file_name", "filename",
          "file", "path", "name", "frame")  # fmt: skip
_CORNERS = (("x_min", "y_min", "x_max", "y_max"), ("xmin", "ymin", "xmax", "ymax"),
            ("left", "top", "right", "bottom"))  # fmt: skip
_SIDES = (("x", "y", "w", "h"), ("x", "y", "width", "height"), ("left", "top", "width", "height"))
_SCORES = ("score", "confidence")
_SEPARATORS = ",;\t"
_MISSED = "Leave a face that was missed out of the file; it is counted as missed."


@dataclass(frozen=True)
class _Columns:
    """Which columns of a table mean what; indices count from 0."""

    count: int
    name: int | None
    points: tuple[int, ...]
    visible: tuple[int, ...]
    box: tuple[int, ...]
    box_has_sides: bool
    score: int | None
    others: Mapping[str, int]


def _read(path: Path) -> StoredFaces:
    lines = lines_of(path)
    first, header = next(lines)
    separator = max(_SEPARATORS, key=header.count)
    columns = _columns(path, first, [cell.strip() for cell in _cells(header, separator)])
    at = [*columns.points, *columns.visible, *columns.box]
    at += [] if columns.score is None else [columns.score]
    names: list[str] = []
    others: dict[str, list[str]] = {title: [] for title in columns.others}
    rest: list[Floats] = []
    pick = itemgetter(*at)

    def points() -> Iterator[Floats]:
        for block in in_blocks(lines):
            numbered = [number for number, _ in block]
            rows = [_fields(path, line, text, separator, columns) for line, text in block]
            if columns.name is not None:
                names.extend(row[columns.name].strip() for row in rows)
            for title, index in columns.others.items():
                others[title].extend(row[index].strip() for row in rows)
            chosen = [pick(row) for row in rows]
            if separator == ";":  # a comma is the decimal point there
                chosen = [tuple(text.replace(",", ".") for text in row) for row in chosen]
            places = _places(numbered, names[len(names) - len(rows) :])
            values = numbers(path, chosen, places, remedy=_MISSED, fields=at)
            landmarks = len(columns.points) // 2
            rest.append(values[:, 2 * landmarks :])
            yield values[:, : 2 * landmarks].reshape(-1, landmarks, 2)

    truth = list(points())
    if not truth:
        raise InputError(path, "no lines but the header", "one or more")
    further = np.concatenate(rest)
    flags, box = len(columns.visible), further[:, len(columns.visible) :]
    subsets, unread = _subsets(others)
    return StoredFaces(
        names if columns.name is not None else None,
        join(truth),
        boxes=_corners(box[:, :4], columns.box_has_sides) if columns.box else None,
        visible=_visibility(further[:, :flags]) if flags else None,
        scores=None if columns.score is None else box[:, -1],
        subsets=subsets,
        notes=(f"Columns not used: {', '.join(unread)}.",) if unread else (),
    )


def _places(lines: Sequence[int], names: Sequence[str]) -> Sequence[object]:
    """Numbers of lines with the faces on them, for messages."""
    return [f"{n} (face {name})" for n, name in zip(lines, names, strict=True)] if names else lines


def _cells(line: str, separator: str) -> list[str]:
    return next(csv.reader([line], delimiter=separator))


def _columns(path: Path, line: int, header: list[str]) -> _Columns:
    """What each column of a header means; InputError if it has no landmarks."""
    places: dict[tuple[str, int], int] = {}
    for index, title in enumerate(header):
        match = next(filter(None, (form.fullmatch(title) for form in _COORDINATE)), None)
        if match:
            key = match["axis"], int(match["landmark"])
            if key in places:
                raise line_error(path, line, f"two columns {title!r}", "one", "")
            places[key] = index
    landmarks = sorted({landmark for axis, landmark in places if axis in "xy"})
    points = [places.get((axis, k), -1) for k in landmarks for axis in "xy"]
    is_run = bool(landmarks) and len(landmarks) == landmarks[-1] - landmarks[0] + 1
    if not is_run or landmarks[0] > 1 or -1 in points:
        raise line_error(
            path, line, f"header {','.join(header)[:60]!r} without columns of landmarks",
            "columns x0,y0,x1,y1,... beside id, or those of HRNet or OpenFace", "",
        )  # fmt: skip
    lower = {title.lower(): index for index, title in reversed(list(enumerate(header)))}
    name = next((lower[title] for title in _NAMES if title in lower), None)
    corners = next((c for c in _CORNERS if set(c) <= lower.keys()), None)
    sides = None if corners else next((c for c in _SIDES if set(c) <= lower.keys()), None)
    box = [lower[title] for title in corners or sides or ()]
    score = next((lower[title] for title in _SCORES if title in lower), None)
    taken = {*places.values(), *box, name, score}
    third = [places[axis, k] for axis in "v" for k in landmarks if (axis, k) in places]
    others = {t: i for i, t in enumerate(header) if t and i not in taken}
    return _Columns(
        len(header), name, tuple(points), tuple(third) if len(third) == len(landmarks) else (),
        tuple(box), sides is not None, score, others,
    )  # fmt: skip


def _fields(path: Path, line: int, text: str, separator: str, columns: _Columns) -> list[str]:
    """The fields of a line. An id may hold commas, as one with a box does, if it comes first."""
    row = _cells(text, separator) if '"' in text else text.split(separator)
    surplus = len(row) - columns.count
    if surplus > 0 and columns.name == 0:
        row[: surplus + 1] = [separator.join(row[: surplus + 1])]
    if len(row) != columns.count:
        raise line_error(path, line, f"{len(row)} fields", f"{columns.count}", "")
    return row


def _corners(boxes: Floats, has_sides: bool) -> Floats:
    if not has_sides:
        return boxes
    return np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)


def _visibility(flags: Floats) -> Bools | None:
    """(N, L) from a third column of zeros and ones; None for a score, or one value alone."""
    if not np.isin(flags, (0, 1)).all() or flags.min() == flags.max():
        return None
    return np.asarray(flags == 1)


def _subsets(others: Mapping[str, Sequence[str]]) -> tuple[dict[str, Bools], list[str]]:
    """Membership (N,) by column of zeros and ones; titles of the other columns."""
    subsets: dict[str, Bools] = {}
    unread = []
    for title, values in others.items():
        if set(values) == {"0", "1"}:
            subsets[title] = np.array(values) == "1"
        else:
            unread.append(title)
    return subsets, unread


CSV = Format(
    "csv",
    ".csv: a header and one line for each face: id,x0,y0,x1,y1,...; also HRNet's index files and "
    "OpenFace's tables",
    lambda path: path.suffix.lower() in (".csv", ".tsv") and path.is_file(),
    _read,
    origin=None,
)
