"""Tables of text with a header and one line for each face, in the forms that people have them.

The columns are recognised by their names: ``x0, y0`` (also ``x_0``, ``0_x``, ``original_0_x``,
``lm_x_0``; counted from 0 or 1), with an optional third one (``v``, ``s``, ``c`` or ``z``) behind
each pair; ``id``, and ``image_name``, ``filename`` and so on; a box as ``x_min, y_min, x_max,
y_max`` or ``x, y, w, h``; ``score`` or ``confidence``. Any other column of zeros and ones is a
subset. HRNet's index files and OpenFace's tables are of this kind.
"""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path

import numpy as np

from alignbench.arrays import Bools, Floats, join
from alignbench.exceptions import InputError
from alignbench.formats import THIRD_VALUE, Format, StoredFaces
from alignbench.formats.layout import POINTS
from alignbench.geometry import corners_of
from alignbench.io.text import in_blocks, is_number, line_error, lines_of, list_some, numbers

_COORDINATE = (
    re.compile(r"([a-z_]*_)?(?P<axis>[xyvscz])_?(?P<landmark>[0-9]{1,4})"),
    re.compile(r"[a-z_]*(?P<landmark>[0-9]{1,4})_(?P<axis>[xyvscz])"),
)
"""Names of a landmark's columns. Capitals mean something else: OpenFace's X_0 is in millimetres."""
_IDS = ("id",)
_IMAGES = ("image_name", "image", "image_path", "imagepath", "img", "imgpath", "img_path",
           "file_name", "filename", "filepath", "file_path", "file", "path", "name",
           "image_id")  # fmt: skip
_FRAME = "frame"
_NO_TITLE = ("", "unnamed: 0")
"""What pandas writes above the index of a table."""
_OPENFACE = {"success", "face_id", "timestamp", "gaze_0_x", "eye_lmk_x_0"}
_CORNERS = (("x_min", "y_min", "x_max", "y_max"), ("xmin", "ymin", "xmax", "ymax"),
            ("left", "top", "right", "bottom"))  # fmt: skip
_NUMBERED_CORNERS = {("x", 1), ("y", 1), ("x", 2), ("y", 2)}
_SIDES = (("x", "y", "w", "h"), ("x", "y", "width", "height"), ("left", "top", "width", "height"))
_SCORES = ("score", "confidence")
_SEPARATORS = ",;\t"
_ACCEPTED = "columns x0,y0,x1,y1,... beside id, or those of HRNet or OpenFace"
_MISSED = "Leave the face out of the file; a face without predictions is counted as missed."

Places = Mapping[tuple[str, int], int]
"""Columns by axis and landmark."""


@dataclass(frozen=True)
class _Columns:
    """Which columns of a table mean what; indices count from 0."""

    count: int
    texts: Mapping[str, int]
    points: tuple[int, ...]
    visible: tuple[int, ...]
    has_third: bool
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
    texts: dict[str, list[str]] = {kind: [] for kind in columns.texts}
    others: dict[str, list[str]] = {title: [] for title in columns.others}
    rest: list[Floats] = []
    pick = itemgetter(*at)

    def points() -> Iterator[Floats]:
        for block in in_blocks(lines):
            numbered = [number for number, _ in block]
            rows = [_fields(path, line, text, separator, columns) for line, text in block]
            for kind, index in columns.texts.items():
                texts[kind].extend(row[index].strip() for row in rows)
            for title, index in columns.others.items():
                others[title].extend(row[index].strip() for row in rows)
            chosen = [pick(row) for row in rows]
            if separator == ";":  # a comma is the decimal point there
                chosen = [tuple(text.replace(",", ".") for text in row) for row in chosen]
            names = next(iter(texts.values()), [])
            places = _places(numbered, names[len(names) - len(rows) :])
            values = numbers(path, chosen, places, remedy=_MISSED, fields=at)
            landmarks = len(columns.points) // 2
            rest.append(values[:, 2 * landmarks :])
            yield values[:, : 2 * landmarks].reshape(-1, landmarks, 2)

    truth = list(points())
    if not truth:
        raise InputError(path, "no lines but the header", "one or more")
    further = np.concatenate(rest)
    flags, box = further[:, : len(columns.visible)], further[:, len(columns.visible) :]
    has_flags = bool(columns.visible) and bool(np.isin(flags, (0, 1)).all())
    subsets, unread = _subsets(others)
    notes: tuple[str, ...] = (THIRD_VALUE,) if columns.has_third and not has_flags else ()
    if unread:
        notes += (f"Columns not used: {list_some(unread)}.",)
    names, ids = _names(texts)
    return StoredFaces(
        names,
        join(truth),
        boxes=_boxes(box[:, :4], columns.box_has_sides) if columns.box else None,
        # A flag that is the same for all landmarks carries no information.
        visible=flags == 1 if has_flags and flags.min() < flags.max() else None,
        scores=None if columns.score is None else box[:, -1],
        ids=ids,
        subsets=subsets,
        notes=notes,
    )


def _names(texts: Mapping[str, list[str]]) -> tuple[list[str] | None, list[str] | None]:
    """Names of the faces, and their ids where the names are those of images."""
    images, ids, index = (texts.get(kind) for kind in ("images", "ids", "index"))
    if images is not None:
        return images, ids
    if index is not None and all(text.isdecimal() for text in index):
        index = None  # pandas numbers the rows of a table
    return (index if ids is None else ids), None


def _boxes(columns: Floats, has_sides: bool) -> Floats:
    return corners_of(columns) if has_sides else columns


def _places(lines: Sequence[int], names: Sequence[str]) -> Sequence[object]:
    """Numbers of lines with the faces on them, for messages."""
    return [f"{n} (face {name})" for n, name in zip(lines, names, strict=True)] if names else lines


def _cells(line: str, separator: str) -> list[str]:
    return next(csv.reader([line], delimiter=separator))


def _columns(path: Path, line: int, header: list[str]) -> _Columns:
    """What each column of a header means; InputError if it has no landmarks."""
    lower = {title.lower(): index for index, title in reversed(list(enumerate(header)))}
    places, corners = _landmark_columns(path, line, header, bool(_OPENFACE & lower.keys()))
    landmarks = sorted({landmark for axis, landmark in places if axis in "xy"})
    points = [places[axis, k] for k in landmarks for axis in "xy"]
    sides: tuple[str, ...] = ()
    if not corners:
        named = next((c for c in (*_CORNERS, *_SIDES) if set(c) <= lower.keys()), ())
        sides = named if named in _SIDES else ()
        corners = tuple(lower[title] for title in named)
    texts = _text_columns(header, lower)
    score = next((lower[title] for title in _SCORES if title in lower), None)
    taken = {*places.values(), *corners, *texts.values(), score}
    third = [places["v", k] for k in landmarks if ("v", k) in places]
    return _Columns(
        len(header), texts, tuple(points), tuple(third) if len(third) == len(landmarks) else (),
        len(places) > len(points), corners, bool(sides), score,
        {title: k for k, title in enumerate(header) if title and k not in taken},
    )  # fmt: skip


def _text_columns(header: list[str], lower: Mapping[str, int]) -> dict[str, int]:
    """Columns that tell faces apart: images, ids, and the nameless index of pandas."""
    images = next((lower[title] for title in _IMAGES if title in lower), None)
    ids = next((lower[title] for title in _IDS if title in lower), None)
    if images is None and ids is None and not _OPENFACE & lower.keys():
        images = lower.get(_FRAME)  # OpenFace numbers the frames of a film there
    index = 0 if header[0].lower() in _NO_TITLE else None
    columns = {"images": images, "ids": ids, "index": index}
    return {kind: place for kind, place in columns.items() if place is not None}


def _landmark_columns(
    path: Path, line: int, header: list[str], is_openface: bool
) -> tuple[Places, tuple[int, ...]]:
    """Columns of the landmarks, and of a box that is numbered as they are, if there is one.

    Raises InputError if there are none, or two readings.
    """
    spellings: dict[str, dict[tuple[str, int], int]] = defaultdict(dict)
    for index, title in enumerate(header):
        match = next(filter(None, (form.fullmatch(title) for form in _COORDINATE)), None)
        if match:
            key = match["axis"], int(match["landmark"])
            spelling = re.sub(
                r"[0-9]+", "#", title[: match.start("axis")] + title[match.end("axis") :]
            )
            if key in spellings[spelling]:
                raise line_error(path, line, f"two columns {title!r}", "one", "")
            spellings[spelling][key] = index
    groups = [group for group in spellings.values() if any(axis in "xy" for axis, _ in group)]
    if is_openface:  # its tables have columns of eyes and gaze, too
        groups = [group for group in groups if header[min(group.values())] in ("x_0", "y_0")]
    boxes = [group for group in groups if set(group) == _NUMBERED_CORNERS]
    if len(groups) == 2 and len(boxes) == 1:
        (places,) = (group for group in groups if group is not boxes[0])
        if ("x", 0) in places:
            _require_all(path, line, header, places)
            return places, tuple(boxes[0][axis, k] for k in (1, 2) for axis in "xy")
    if len(groups) > 1:
        one, two = (header[min(group.values())] for group in groups[:2])
        raise line_error(
            path, line, f"columns {one!r} and {two!r}, which may both be landmarks",
            "landmarks in columns of one spelling",
            "Leave the others out, or name a box x_min,y_min,x_max,y_max.",
        )  # fmt: skip
    if not groups:
        raise line_error(
            path, line, f"no columns of landmarks among {_list(header)}", _ACCEPTED, _remedy(header)
        )
    _require_all(path, line, header, groups[0])
    return groups[0], ()


def _require_all(path: Path, line: int, header: list[str], places: Places) -> None:
    """Raise InputError unless the landmarks are numbered from 0 or 1, each with x and y."""
    landmarks = {landmark for axis, landmark in places if axis in "xy"}
    for landmark in range(min(1, min(landmarks)), max(landmarks) + 1):
        for axis in "xy":
            if (axis, landmark) not in places:
                raise line_error(
                    path, line, f"no column with the {axis} of landmark {landmark} among "
                    f"{_list(header)}", _ACCEPTED, "",
                )  # fmt: skip


def _list(header: list[str]) -> str:
    return list_some([repr(title[:30]) for title in header], 8)


def _remedy(header: list[str]) -> str:
    """What to do about a header without landmarks."""
    lower = [title.lower() for title in header]
    if len(header) > 1 and sum(is_number(title) for title in header) > len(header) / 2:
        return "The file has no header: write a first line id,x0,y0,x1,y1,..."
    if len(header) == 1 and len(header[0].split()) > 2:
        return "Separate the columns by commas, not by blanks."
    if header[0].startswith("#"):
        return "Remove the comment, so that the header is the first line."
    if set(lower) & set(POINTS):
        return "A list in one cell is not read: write a column for each number, x0,y0,x1,y1,..."
    if {"x", "y"} <= set(lower):
        return "Write one line for each face, not one for each landmark."
    if any(form.fullmatch(title) for form in _COORDINATE for title in lower):
        return "Write x and y in lower case: OpenFace's X_0, for example, is in millimetres."
    return "Number the landmarks in the order of the mark-up: x0,y0,x1,y1,..."


def _fields(path: Path, line: int, text: str, separator: str, columns: _Columns) -> list[str]:
    """The fields of a line. An id may hold commas, as one with a box does, if it comes first."""
    row = _cells(text, separator) if '"' in text else text.split(separator)
    surplus = len(row) - columns.count
    if surplus > 0 and 0 in columns.texts.values():
        row[: surplus + 1] = [separator.join(row[: surplus + 1])]
    if len(row) != columns.count:
        raise line_error(path, line, f"{len(row)} fields", f"{columns.count}", "")
    return row


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
