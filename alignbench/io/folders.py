"""Files of a kind below a folder, as people have them: links, endings in capitals, side files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from alignbench.errors import InputError

_MOST = 10_000_000
"""Files below a folder beyond which it is no data set."""


def find_files(
    folder: Path, endings: Sequence[str], most: int | None = None
) -> tuple[list[Path], list[Path]]:
    """Files below a folder that end in one of ``endings`` (lower case), and side files left out.

    Linked folders are followed, each real folder once. Both lists are sorted. Side files are those
    that macOS writes beside others, ``._NAME``. ``most`` ends the search early.

    Raises
    ------
    InputError
        If a folder cannot be read, or holds absurdly many files.
    """
    files: list[Path] = []
    skipped: list[Path] = []
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
        if most is not None and len(files) >= most:
            break
    return sorted(files), sorted(skipped)


def skipped_note(skipped: Sequence[Path]) -> tuple[str, ...]:
    """A sentence on the side files that were left out, if there are any."""
    if not skipped:
        return ()
    return (f"{len(skipped):,} side files of macOS were left out, such as {skipped[0].name}.",)


def _refuse(error: OSError) -> None:
    reason = f"cannot be read ({error.strerror or error})"
    raise InputError(error.filename, reason, "a readable folder") from error
