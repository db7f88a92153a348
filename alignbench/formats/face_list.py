"""Lists with a line for each face: numbers and the path of its image, as WFLW and others have them.

The path stands last (WFLW, Wing, AWing) or first (PIPNet). The numbers are ``x y`` of each
landmark; behind them may stand a box (x_min y_min x_max y_max), and then WFLW's six attributes. A
box may stand in front of them, too. Nothing in the file says what the numbers are: four numbers
are taken for a box only if they enclose at least half of the landmarks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from alignbench.arrays import Bools, Floats, join
from alignbench.exceptions import InputError
from alignbench.formats import Format, StoredFaces
from alignbench.geometry import corners_of
from alignbench.io.text import in_blocks, is_number, line_error, lines_of, numbers, start_of
from alignbench.markups import landmark_counts

ATTRIBUTES = ("pose", "expression", "illumination", "make-up", "occlusion", "blur")
"""WFLW's attributes, in their order."""

_BOX = 4
_CSV = "write a table that ends in .csv, with the header id,x0,y0,x1,y1,..."


@dataclass(frozen=True)
class _Reading:
    """What the numbers of a line may mean.

    Attributes
    ----------
    about
        The reading in words.
    landmarks
        How many landmarks there are.
    before, behind
        How many numbers stand in front of the landmarks and behind them.
    """

    about: str
    landmarks: int
    before: int = 0
    behind: int = 0

    def points(self, values: Floats) -> Floats:
        """Landmarks (N, L, 2)."""
        columns = values[:, self.before : self.before + 2 * self.landmarks]
        return columns.reshape(-1, self.landmarks, 2)

    def further(self, values: Floats) -> Floats:
        """Numbers (N, 0, 4 or 10) of the box and the attributes."""
        return values[:, :_BOX] if self.before else values[:, 2 * self.landmarks :]

    def fits(self, values: Floats) -> bool:
        """Whether box and attributes are plausible."""
        further = self.further(values)
        return _holds(further[:, :_BOX], self.points(values)) and _are_flags(further[:, _BOX:])

    def may_fit(self, values: Floats) -> bool:
        """Whether they would be plausible after a mistake, such as corners in the wrong order."""
        further, points = self.further(values), self.points(values)
        boxes = further[:, :_BOX]
        if further.shape[1] > _BOX:
            return _are_flags(further[:, _BOX:]) or _holds(boxes, points)
        exchanged = np.concatenate([boxes[:, 2:], boxes[:, :2]], axis=1)
        return any(_holds(form, points) for form in (boxes, exchanged, corners_of(boxes)))


def _holds(boxes: Floats, points: Floats) -> bool:
    """Whether boxes (N, 4) have a size, and hold at least half of the landmarks (N, L, 2)."""
    low, high = boxes[:, None, :2], boxes[:, None, 2:]
    inside = ((points >= low) & (points <= high)).all(axis=2)
    return bool((low < high).all()) and bool(inside.mean() >= 0.5)


def _are_flags(values: Floats) -> bool:
    return bool(np.isin(values, (0, 1)).all())


def _read(path: Path) -> StoredFaces:
    names: list[str] = []
    rest: list[Floats] = []

    def points() -> Iterator[Floats]:
        fields, is_path_first = 0, False
        reading: _Reading | None = None
        for block in in_blocks(lines_of(path)):
            lines = [line for line, _ in block]
            rows = [text.split() for _, text in block]
            if not fields:
                is_path_first = _is_path_first(path, lines[0], rows[0])
                fields = len(rows[0])
            for line, row in zip(lines, rows, strict=True):
                if len(row) != fields:
                    raise line_error(
                        path, line, f"{len(row)} fields", f"{fields} as before",
                        _blanks_remedy(row) or "Correct the line.",
                    )  # fmt: skip
            names.extend(row[0] if is_path_first else row[-1] for row in rows)
            texts = [row[1:] if is_path_first else row[:-1] for row in rows]
            at = range(1, fields) if is_path_first else None
            values = numbers(path, texts, lines, at)
            reading = reading or _choose_reading(path, lines[0], values)
            rest.append(reading.further(values))
            yield reading.points(values)

    truth = join(points())
    further = np.concatenate(rest)
    flags = further[:, _BOX:]
    if not _are_flags(flags):
        raise InputError(path, "attributes that are neither 0 nor 1", "0 or 1")
    attributes = ATTRIBUTES if flags.shape[1] else ()
    subsets = {name: np.asarray(flags[:, k] == 1) for k, name in enumerate(attributes)}
    boxes = further[:, :_BOX] if further.shape[1] else None
    return StoredFaces(names, truth, boxes, subsets=subsets)


def _is_path_first(path: Path, line: int, row: list[str]) -> bool:
    are_numbers = [is_number(row[0]), is_number(row[-1])]
    accepted = "x y x y ... and the path of an image, last or first, with blanks between them"
    found = f"{len(row)} fields from {row[0][:20]!r} to {row[-1][:20]!r}"
    if row[0].startswith("#"):
        remedy = "Write the path of an image and the numbers of its face on one line."
        raise line_error(path, line, found, accepted, remedy)
    if any("," in field for field in row):
        remedy = f"Replace commas by blanks, or {_CSV}."
        raise line_error(path, line, found, accepted, remedy)
    if remedy := _blanks_remedy(row):
        raise line_error(path, line, found, accepted, remedy)
    if all(are_numbers):
        raise line_error(
            path, line, f"numbers alone, from {row[0][:20]!r} to {row[-1][:20]!r}", accepted,
            "Write the path of the image, with its ending, on each line. Or save the numbers with "
            "numpy.save as (N, L, 2), for --order dataset.",
        )  # fmt: skip
    if len(row) < 3 or are_numbers[0] == are_numbers[1]:
        raise line_error(path, line, found, accepted)
    return are_numbers[1]


def _blanks_remedy(row: list[str]) -> str:
    """What to do where several fields are no numbers; empty for one alone."""
    if sum(not is_number(field) for field in row) < 2:
        return ""
    return f"A path with blanks is not read: rename the image, or {_CSV}."


def _choose_reading(path: Path, line: int, values: Floats) -> _Reading:
    """What the numbers of the first lines (N, C) are; InputError if that is not clear.

    The number of landmarks of a registered mark-up is no proof: 19 landmarks and a box have as many
    numbers as 21 landmarks.
    """
    count = values.shape[1]
    if count % 2:
        raise line_error(
            path, line, f"{count} numbers, which is odd",
            "x and y of each landmark, then 4 of a box", "Take a score or a count out of the file.",
        )  # fmt: skip
    plain = _Reading(f"{count // 2} landmarks", count // 2)
    less, least = count // 2 - 2, count // 2 - 5
    with_box = [
        _Reading(f"{less} landmarks and a box", less, behind=4),
        _Reading(f"a box and {less} landmarks", less, before=4),
        _Reading(f"{least} landmarks, a box and six attributes", least, behind=10),
    ]
    # A line whose numbers are all the same stands for a face that was missed.
    present_faces = values[_differ(values)]
    possible = [one for one in with_box if one.landmarks > 0 and len(present_faces)]
    fitting = [one for one in possible if one.fits(present_faces)]
    known = landmark_counts()
    # Two landmarks may look like a strange box by accident.
    is_likely = plain.landmarks in known
    doubtful = fitting if is_likely else [one for one in possible if one.may_fit(present_faces)]
    if len(fitting) == len(doubtful) == 1 and not is_likely:
        return fitting[0]
    readings = [plain, *doubtful]
    if count % 3 == 0 and count // 3 in known and count // 2 not in known:
        readings.append(_Reading(f"{count // 3} landmarks of three numbers", count // 3))
    if len(readings) == 1:
        return plain
    raise line_error(
        path, line, f"{count} numbers, which may be {', or '.join(one.about for one in readings)}",
        "x and y of each landmark; beside them only a box x_min y_min x_max y_max that holds the "
        "landmarks, and WFLW's six attributes, which are 0 or 1",
        f"Leave the other numbers out, or {_CSV}.",
    )  # fmt: skip


def _differ(values: Floats) -> Bools:
    """(N,) whether the numbers of a line differ."""
    return np.asarray((values != values[:, :1]).any(axis=1))


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
