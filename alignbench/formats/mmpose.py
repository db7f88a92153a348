"""Folders of JSON files, one for each image, as mmpose's inferencer writes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from alignbench.arrays import Floats
from alignbench.errors import InputError
from alignbench.formats import Format, StoredFaces
from alignbench.io.folders import find_files, skipped_note
from alignbench.io.notation import read_json, require_numbers

_ENDING = ".json"


def _read(path: Path) -> StoredFaces:
    files, skipped = find_files(path, (_ENDING,))
    names: list[str] = []
    points: list[Floats] = []
    scores: list[float] = []
    for file in files:
        for number, face in enumerate(_faces(file)):
            where = f"{file}, face {number}"
            landmarks = require_numbers(face["keypoints"], (None, 2), f"{where}, keypoints")
            if points and landmarks.shape != points[0].shape:
                raise InputError(where, f"{len(landmarks)} keypoints", f"{len(points[0])}")
            names.append(file.relative_to(path).with_suffix("").as_posix())
            points.append(landmarks)
            score = require_numbers([face.get("bbox_score", 1.0)], (1,), f"{where}, bbox_score")
            scores.append(float(score[0]))
    stacked = np.stack(points) if points else np.empty((0, 0, 2))
    return StoredFaces(names, stacked, scores=np.array(scores), notes=skipped_note(skipped))


def _faces(file: Path) -> list[dict[str, Any]]:
    """The faces of one image; a list in a list where several images were asked for at once."""
    faces = read_json(file)
    if isinstance(faces, list) and len(faces) == 1 and isinstance(faces[0], list):
        (faces,) = faces
    if not isinstance(faces, list) or not all(
        isinstance(face, dict) and "keypoints" in face for face in faces
    ):
        raise InputError(file, "no list of faces with 'keypoints'", "mmpose's predictions")
    return faces


MMPOSE = Format(
    "mmpose",
    "a folder of .json files, one for each image, as mmpose's inferencer writes them; from 0",
    lambda path: path.is_dir() and bool(find_files(path, (_ENDING,), most=1)[0]),
    _read,
)
