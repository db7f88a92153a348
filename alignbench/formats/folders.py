"""Whether a folder holds files of a kind."""

from __future__ import annotations

from pathlib import Path

from alignbench.io.folders import find_files


def has_files(path: Path, ending: str) -> bool:
    """Whether a path is a folder with a file of this ending (lower case) at any depth."""
    return path.is_dir() and bool(find_files(path, (ending,), most=1)[0])
