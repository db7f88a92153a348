"""Folders of menpo's .ljson files, one for each face."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from alignbench.arrays import Floats
from alignbench.exceptions import InputError
from alignbench.formats import Format, StoredFaces
from alignbench.io.folders import find_files, has_files, skipped_note
from alignbench.io.notation import read_json, require_numbers

_ENDING = ".ljson"


def _read(path: Path) -> StoredFaces:
    files, skipped = ([path], []) if path.is_file() else find_files(path, (_ENDING,))
    faces = [_landmarks(file) for file in files]
    for file, face in zip(files, faces, strict=True):
        if len(face) != len(faces[0]):
            raise InputError(file, f"{len(face)} landmarks", f"{len(faces[0])} as in {files[0]}")
    base = path.parent if path.is_file() else path
    names = [file.relative_to(base).with_suffix("").as_posix() for file in files]
    points = np.stack(faces) if faces else np.empty((0, 0, 2))
    return StoredFaces(names, points, notes=skipped_note(skipped))


def _landmarks(file: Path) -> Floats:
    """Landmarks (L, 2) of a file; menpo stores y before x, and null where there is no position."""
    content = read_json(file)
    group: Any = content
    if isinstance(content, dict) and isinstance(content.get("groups"), dict):  # version 3
        groups = content["groups"]
        if len(groups) != 1:
            raise InputError(file, f"{len(groups)} groups of landmarks", "one")
        (group,) = groups.values()
    landmarks = group.get("landmarks") if isinstance(group, dict) else None
    points = landmarks.get("points") if isinstance(landmarks, dict) else None
    if points is None:
        raise InputError(file, "no 'landmarks' with 'points'", "menpo's .ljson of version 2 or 3")
    return require_numbers(points, (None, 2), f"{file}, points", missing=True)[:, ::-1]


LJSON = Format(
    "ljson",
    "a folder of menpo's .ljson files (y before x), one for each face, counted from 0",
    lambda path: path.suffix.lower() == _ENDING or has_files(path, _ENDING),
    _read,
)
