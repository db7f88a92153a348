"""Telling MATLAB's two file formats apart, so that a wrong one gets a clear message."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alignbench.errors import InputError

_V5, _V73 = b"MATLAB 5.0", b"MATLAB 7.3"
_HDF5 = b"\x89HDF"


def mat_version(path: Path) -> str:
    """``"7.3"`` (HDF5), ``"5"`` or ``"unknown"``.

    Raises
    ------
    InputError
        If the file cannot be read or is empty.
    """
    try:
        with path.open("rb") as stream:
            head = stream.read(128)
    except OSError as error:
        raise InputError(
            path, f"cannot be read ({error.strerror or error})", remedy="Put the file there."
        ) from error
    if not head:
        raise InputError(path, "file is empty", remedy="Copy the file again.")
    if head.startswith((_V73, _HDF5)):
        return "7.3"
    return "5" if head.startswith(_V5) else "unknown"


def require_version(path: Path, version: str) -> None:
    """Raise InputError unless the file has this version."""
    found = mat_version(path)
    if found != version:
        raise InputError(
            path,
            f"MATLAB file of version {found}",
            f"version {version}{' (HDF5)' if version == '7.3' else ''}",
            "Use the file as it is officially published, not one saved again.",
        )


def read_v5(path: Path, *names: str) -> tuple[Any, ...]:
    """Variables of a version 5 file.

    Raises
    ------
    InputError
        If version or content is wrong.
    """
    from scipy.io import loadmat

    require_version(path, "5")
    try:
        content = loadmat(path, variable_names=names)
    except Exception as error:  # scipy raises many kinds for a damaged file
        raise InputError(
            path, f"damaged MATLAB file ({error})", remedy="Copy the file again."
        ) from error
    for name in names:
        if name not in content:
            raise InputError(path, f"no variable {name!r}", ", ".join(names))
    return tuple(content[name] for name in names)
