"""Numbers from text files, with errors that name file, line and field."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PureWindowsPath

import numpy as np

from alignbench.arrays import Floats
from alignbench.errors import InputError
from alignbench.geometry import LARGEST_COORDINATE, plausible

_LONGEST_PATH, _LONGEST_NAME = 1024, 255
"""Bytes of a path and of each of its parts that every usual file system takes."""


def read_lines(path: Path) -> list[str]:
    """Lines of a text file.

    Raises
    ------
    InputError
        If it cannot be read, is not text, or is empty.
    """
    try:
        require_regular(path)
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(
            path, f"cannot be read ({error.strerror or error})", remedy="Put the file there."
        ) from error
    except UnicodeDecodeError as error:
        raise InputError(path, "not a text file", remedy="Copy the file again.") from error
    if not text.strip():
        raise InputError(path, "file is empty", remedy="Copy the file again.")
    return text.splitlines()


def require_regular(path: Path) -> None:
    """Raise InputError for a device or a pipe, which would be waited for."""
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise InputError(path, "is no regular file", "a file")


def is_inside(name: str) -> bool:
    """Whether a file's name stays below the folder it is joined to, on every system.

    Links are followed where a user laid them: a name is all that a list of others can give.
    """
    return not (
        name.startswith("/")
        or ".." in name.split("/")
        or PureWindowsPath(name).drive
        or set(name) & set("\\\0")
        or len(name.encode()) > _LONGEST_PATH
        or max(len(part.encode()) for part in name.split("/")) > _LONGEST_NAME
    )


def id_table(path: Path, columns: Sequence[str]) -> tuple[list[str], Floats]:
    """A CSV file with an ``id`` and number columns, as ids and values (N, C).

    An id may itself hold commas (a box does): the numbers are counted from a line's end.

    Raises
    ------
    InputError
        If the header is another, a line has another number of fields, a value is no finite
        number, or there is no line.
    """
    lines = read_lines(path)
    header = [name.strip() for name in lines[0].split(",")]
    wanted = ["id", *columns]
    if header != wanted:
        raise InputError(f"{path}, line 1", f"header {lines[0][:60]!r}", ",".join(wanted)[:60])
    ids, rows, at = [], [], []
    for line, text in enumerate(lines[1:], start=2):
        if not text.strip():
            continue
        fields = text.rsplit(",", len(columns))
        if len(fields) != len(wanted):
            raise InputError(f"{path}, line {line}", f"{len(fields)} fields", f"{len(wanted)}")
        ids.append(fields[0].strip().strip('"'))
        rows.append(fields[1:])
        at.append(line)
    if not rows:
        raise InputError(path, "no lines but the header", "one or more")
    return ids, numbers(path, rows, at, first_field=2)


def numbers(
    path: Path, rows: Sequence[Sequence[str]], lines: Sequence[int], first_field: int = 1
) -> Floats:
    """Rows of number texts (R x C, all of one length) as float64 (R, C).

    Parameters
    ----------
    lines
        1-based line number of each row, for the message.
    first_field
        1-based number of a row's first field in its line, for the message.

    Raises
    ------
    InputError
        Naming the line and field that is not a finite number.
    """
    try:
        values = np.array(rows, dtype=np.float64)
    except ValueError:
        for line, row in zip(lines, rows, strict=True):
            for field, text in enumerate(row, start=first_field):
                if not _is_number(text):
                    raise _bad_number(path, line, field, text) from None
            if len(row) != len(rows[0]):
                raise InputError(
                    f"{path}, line {line}", f"{len(row)} fields", f"{len(rows[0])} as before"
                ) from None
        raise
    if not plausible(values).all():
        row, column = np.argwhere(~plausible(values))[0]
        raise _bad_number(path, lines[row], column + first_field, rows[row][column])
    return values


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _bad_number(path: Path, line: int, field: int, text: str) -> InputError:
    return InputError(
        f"{path}, line {line}, field {field}",
        f"found {text[:40]!r}",
        f"a finite number of at most {LARGEST_COORDINATE:,.0f}",
        "Copy the file again or correct the line.",
    )
