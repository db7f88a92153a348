"""Numbers from text files, with errors that name file, line and field."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import chain, islice
from pathlib import Path, PureWindowsPath
from typing import TypeVar

import numpy as np

from alignbench import arrays
from alignbench.arrays import LARGEST_COORDINATE, SLICE, Floats, plausible
from alignbench.exceptions import InputError
from alignbench.io.files import reading

T = TypeVar("T")

_START = 65_536
"""Bytes of a file's start that tell what kind of file it is."""
_LONGEST_PATH, _LONGEST_NAME = 1024, 255
"""Bytes of a path and of each of its parts that every usual file system takes."""


def lines_of(path: Path) -> Iterator[tuple[int, str]]:
    """Lines of a text file with their numbers, which count from 1; blank lines are left out.

    Raises InputError if the file cannot be read, is not text, or is empty.
    """
    is_empty = True
    try:
        with reading(path), path.open(encoding="utf-8-sig") as stream:
            for line, text in enumerate(stream, start=1):
                if text.strip():
                    is_empty = False
                    yield line, text.rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise _encoding_error(path) from error
    if is_empty:
        raise InputError(path, "file is empty", remedy="Copy the file again.")


def _encoding_error(path: Path) -> InputError:
    """The error for a file that is not UTF-8."""
    with path.open("rb") as stream:
        start = stream.read(_START)
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        remedy = "Save it as CSV UTF-8." if path.suffix.lower() == ".csv" else "Save it as UTF-8."
        return InputError(path, "text in UTF-16", "UTF-8", remedy)
    if b"\0" not in start:
        remedy = "Save it as UTF-8, or copy the file again if it is damaged."
        return InputError(path, "not text in UTF-8", "UTF-8", remedy)
    return InputError(path, "not a text file", remedy="Copy the file again.")


def line_error(
    path: Path, line: int, found: str, accepted: str, remedy: str = "Correct the line."
) -> InputError:
    """The error for a line of a text file."""
    return InputError(f"{path}, line {line}", found, accepted, remedy)


def list_some(texts: Iterable[str], most: int = 5) -> str:
    """Texts with commas between them; of many, the first ones and the number of the others."""
    texts = list(texts)
    more = f" and {len(texts) - most:,} more" if len(texts) > most else ""
    return ", ".join(texts[:most]) + more


def in_blocks(rows: Iterable[T], size: int = SLICE) -> Iterator[list[T]]:
    """Rows in lists of ``size``: as texts they take far more memory than as numbers."""
    rows = iter(rows)
    while block := list(islice(rows, size)):
        yield block


def is_inside(name: str) -> bool:
    """Whether a file's name stays below the folder it is joined to, on every system.

    Links are not looked at: those in the folder are the user's own.
    """
    try:
        name.encode()
    except UnicodeEncodeError:  # Python's form of a name that is not UTF-8
        return False
    return not (
        name.startswith("/")
        or ".." in name.split("/")
        or PureWindowsPath(name).drive
        or set(name) & set("\\\0")
        or len(name.encode()) > _LONGEST_PATH
        or max(len(part.encode()) for part in name.split("/")) > _LONGEST_NAME
    )


def is_number(text: str) -> bool:
    """Whether a text is a number, finite or not."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def id_table(
    path: Path, names: Sequence[str] | None = None, remedy: str = ""
) -> tuple[list[str], Floats]:
    """A CSV file with an ``id`` and number columns, as ids and values (N, C).

    An id may hold commas, as one with a box does: the numbers are counted from a line's end.

    Parameters
    ----------
    names
        Names of the number columns. Without it, those of landmarks: x0, y0, x1, ...
    remedy
        What to do about a header of other columns.

    Raises
    ------
    InputError
        If the header or a line's number of fields is wrong, a value is no finite number, or there
        is no line.
    """
    lines = lines_of(path)
    first, text = next(lines)
    header = [name.strip() for name in text.split(",")]
    names = names or [f"{axis}{k}" for k in range(max(1, len(header) // 2)) for axis in "xy"]
    accepted = ["id", *names]
    if header != accepted:
        raise line_error(path, first, f"header {text[:60]!r}", ",".join(accepted)[:60], remedy)
    ids: list[str] = []

    def values() -> Iterator[Floats]:
        for block in in_blocks(lines):
            at, texts = zip(*block, strict=True)
            rows = [text.rsplit(",", len(names)) for text in texts]
            for line, row in zip(at, rows, strict=True):
                if len(row) != len(accepted):
                    raise line_error(path, line, f"{len(row)} fields", f"{len(accepted)}", "")
            ids.extend(row[0].strip().strip('"') for row in rows)
            yield numbers(path, [row[1:] for row in rows], at, range(1, len(accepted)))
        if not ids:
            raise InputError(path, "no lines but the header", "one or more")

    columns = arrays.join(values())  # fills ids
    return ids, columns


def numbers(
    path: Path,
    rows: Sequence[Sequence[str]],
    lines: Sequence[object],
    fields: Sequence[int] | None = None,
    remedy: str = "Copy the file again or correct the line.",
) -> Floats:
    """Rows of number texts (R x C, all of one length) as float64 (R, C).

    Raises InputError for a field that is not a finite number. Its message counts lines and fields
    from 1: ``lines`` has the number of each row, ``fields`` the place in its line of each of a
    row's numbers, counted from 0; by default the numbers are the whole line.
    """
    if _is_plain("".join(chain.from_iterable(rows))):
        with suppress(ValueError):
            values = np.array(rows, dtype=np.float64)
            if plausible(values).all():
                return values
    for line, row in zip(lines, rows, strict=True):
        for place, text in zip(fields or range(len(row)), row, strict=True):
            if not _is_plausible(text):
                where, found = f"{path}, line {line}, field {place + 1}", f"found {text[:40]!r}"
                accepted = f"a finite number of at most {LARGEST_COORDINATE:,.0f}"
                raise InputError(where, found, accepted, remedy)
    raise ValueError("rows of different lengths")


def _is_plain(text: str) -> bool:
    """Whether a text lacks digits of other scripts and underscores, which Python would accept."""
    return text.isascii() and "_" not in text


def _is_plausible(text: str) -> bool:
    try:
        return _is_plain(text) and abs(float(text)) <= LARGEST_COORDINATE
    except ValueError:
        return False


def start_of(path: Path) -> str:
    """The first characters of a file, to tell its format; what is no text is left out."""
    with reading(path), path.open("rb") as stream:
        return stream.read(_START).decode("utf-8-sig", errors="ignore")
