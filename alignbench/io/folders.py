"""Files of a kind in a folder, as people have them: links, endings in capitals, side files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from alignbench.exceptions import InputError

_LONGEST_PATH = 4096
_MOST = 10_000_000
"""Most files below a folder; one with more is not the folder of a data set."""


def find_files(
    folder: Path, endings: Sequence[str], *, deep: bool = True, most: int | None = None
) -> tuple[list[Path], list[Path]]:
    """Files in a folder that end in one of ``endings`` (lower case), and side files left out.

    Linked folders are followed, each real folder once; without ``deep``, no folder inside is looked
    into, and a folder that is not there has no files. Both lists are sorted. Side files are those
    that macOS writes beside others, ``._NAME``. ``most`` ends the search early.

    Raises
    ------
    InputError
        If a folder cannot be read, or holds absurdly many files.
    """
    files: list[Path] = []
    skipped: list[Path] = []
    if not deep and not folder.is_dir():
        return files, skipped
    visited: set[tuple[int, int]] = set()
    for place, folders, names in os.walk(folder, onerror=_refuse, followlinks=True):
        state = Path(place).stat()
        if (state.st_dev, state.st_ino) in visited:
            folders.clear()
            continue
        visited.add((state.st_dev, state.st_ino))
        folders.sort()
        for name in names:
            if name.lower().endswith(tuple(endings)):
                (skipped if name.startswith("._") else files).append(Path(place, name))
        if len(files) > _MOST:
            raise InputError(folder, f"more than {_MOST:,} files", "the folder of one data set")
        if not deep or (most is not None and len(files) >= most):
            break
    return sorted(files), sorted(skipped)


def has_files(path: Path, ending: str) -> bool:
    """Whether a path is a folder with a file of this ending (lower case) at any depth."""
    return path.is_dir() and bool(find_files(path, (ending,), most=1)[0])


def skipped_note(skipped: Sequence[Path]) -> tuple[str, ...]:
    """A sentence on the side files that were left out, if there are any."""
    if not skipped:
        return ()
    return (f"{len(skipped):,} side files of macOS were left out, such as {skipped[0].name}.",)


def links_as_text(folder: Path) -> list[Path]:
    """Text files below a folder that hold the path of another: links that were copied as text.

    Git writes them so where a system has no links.
    """
    found = []
    for place, _, names in os.walk(folder):
        for file in sorted(Path(place, name) for name in names if not Path(name).suffix):
            try:
                is_link = file.stat().st_size < _LONGEST_PATH and (
                    Path(place, file.read_text(encoding="utf-8")).is_dir()
                )
            except (OSError, ValueError):
                continue
            if is_link:
                found.append(file)
    return found


def _refuse(error: OSError) -> None:
    reason = f"cannot be read ({error.strerror or error})"
    raise InputError(error.filename, reason, "a readable folder") from error
