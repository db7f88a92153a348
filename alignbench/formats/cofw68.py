"""COFW68's text files: four lines for each face, with the pixels of MATLAB, counted from 1."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from alignbench.arrays import SLICE, Floats, join
from alignbench.exceptions import InputError
from alignbench.formats import Format, StoredFaces
from alignbench.io.text import in_blocks, line_error, lines_of, numbers, start_of

_LINES = "four lines for each face: id, x, y, occlusion"


def _read(path: Path) -> StoredFaces:
    ids: list[str] = []

    def points() -> Iterator[Floats]:
        rows = ((line, text.split()) for line, text in lines_of(path))
        landmarks = 0
        for block in in_blocks(rows, 4 * SLICE):  # whole faces
            if not landmarks:
                _require_no_table(path, block)
                landmarks = len(block[min(1, len(block) - 1)][1])
            for place, (line, fields) in enumerate(block):
                count = landmarks if place % 4 else 1
                if len(fields) != count:
                    raise InputError(
                        f"{path}, line {line}", f"{len(fields)} values", f"{count}",
                        f"The file has {_LINES}.",
                    )  # fmt: skip
            if len(block) % 4:
                raise InputError(
                    f"{path}, line {block[-1][0]}",
                    f"ends after {len(block) % 4} lines of a face",
                    _LINES,
                )
            ids.extend(fields[0] for _, fields in block[::4])
            xy = [row for place, row in enumerate(block) if place % 4 in (1, 2)]
            values = numbers(path, [fields for _, fields in xy], [line for line, _ in xy])
            yield values.reshape(-1, 2, landmarks).transpose(0, 2, 1)

    joined = join(points())
    return StoredFaces(ids, joined)


def _require_no_table(path: Path, rows: list[tuple[int, list[str]]]) -> None:
    """Raise InputError for a table or a list of faces whose first line is a single field, too."""
    (line, (first, *_)), following = rows[0], rows[1:2]
    if "," in first and all("," in fields[0] for _, fields in following):  # ids may have commas
        raise line_error(
            path, line, f"fields with commas between them, from {first.split(',')[0][:40]!r}",
            "numbers with blanks between them",
            "Name the file .csv if this line is its header id,x0,y0,x1,y1,...; else write that "
            "header above it, too.",
        )  # fmt: skip
    for number, fields in following:
        if not all(
            field[-1:].isdigit() or field.endswith(".") for field in (fields[0], fields[-1])
        ):
            raise line_error(
                path, number, f"fields from {fields[0][:20]!r} to {fields[-1][:20]!r}", _LINES,
                f"Remove line {line} if each line is a face with the path of its image.",
            )  # fmt: skip


COFW68 = Format(
    "cofw68",
    ".txt: four lines for each face: id, L x, L y, L occlusion states, counted from 1 (COFW68)",
    lambda path: (
        path.suffix.lower() == ".txt"
        and path.is_file()
        and len(start_of(path).lstrip().partition("\n")[0].split()) == 1
    ),
    _read,
    origin=1,
)
