"""SPIGA's JSON lists of faces."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from alignbench.arrays import Floats
from alignbench.exceptions import InputError
from alignbench.formats import MISSED, Format, StoredFaces
from alignbench.geometry import corners_of
from alignbench.io.notation import read_json, require_numbers
from alignbench.io.text import start_of


def _read(path: Path) -> StoredFaces:
    faces = read_json(path)
    if not isinstance(faces, list):
        raise InputError(path, f"a JSON {type(faces).__name__}", "a list of faces, as SPIGA has it")
    names: list[str] = []
    points: list[Floats] = []
    for number, face in enumerate(faces):
        where = f"{path}, face {number}"
        if not isinstance(face, dict) or not {"imgpath", "landmarks"} <= face.keys():
            raise InputError(where, "no 'imgpath' or no 'landmarks'", "both, as SPIGA has them")
        if face["landmarks"] is None:
            raise InputError(where, "null", "landmarks [[x, y], ...]", MISSED)
        landmarks = require_numbers(face["landmarks"], (None, None), f"{where}, landmarks", True)
        if points and landmarks.shape != points[0].shape:
            raise InputError(where, f"landmarks {landmarks.shape}", f"{points[0].shape} as before")
        names.append(str(face["imgpath"]))
        points.append(landmarks)
    return StoredFaces(
        names, np.stack(points) if points else np.empty((0, 0, 2)), _boxes(path, faces)
    )


def _boxes(path: Path, faces: list[dict[str, Any]]) -> Floats | None:
    """Corners (N, 4) of the boxes, which are stored as x, y, width, height."""
    if not faces or not all("bbox" in face for face in faces):
        return None
    rows = [
        require_numbers(face["bbox"], (4,), f"{path}, face {number}, bbox")
        for number, face in enumerate(faces)
    ]
    return corners_of(np.stack(rows))


SPIGA = Format(
    "spiga",
    ".json: SPIGA's list of faces with imgpath, landmarks and bbox, counted from 0",
    lambda path: (
        path.suffix.lower() == ".json" and path.is_file() and '"imgpath"' in start_of(path)
    ),
    _read,
)
