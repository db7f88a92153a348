"""SPIGA's JSON lists of faces."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from alignbench.arrays import Floats
from alignbench.errors import InputError
from alignbench.io.notation import parse_json
from alignbench.io.text import lines_of
from alignbench.predictors.formats import PredictionFormat, Stored


def _read(path: Path) -> Stored:
    try:
        faces = parse_json("\n".join(text for _, text in lines_of(path)))
    except InputError:
        raise
    except ValueError as error:
        raise InputError(path, f"not JSON ({error})") from error
    if not isinstance(faces, list):
        raise InputError(path, f"a JSON {type(faces).__name__}", "a list of faces, as SPIGA has it")
    ids: list[str] = []
    points: list[Floats] = []
    for number, face in enumerate(faces):
        where = f"{path}, face {number}"
        if not isinstance(face, dict) or not {"imgpath", "landmarks"} <= face.keys():
            raise InputError(where, "no 'imgpath' or no 'landmarks'", "both, as SPIGA has them")
        try:
            landmarks = np.array(face["landmarks"], dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise InputError(where, f"landmarks are not numbers ({error})") from error
        if points and landmarks.shape != points[0].shape:
            raise InputError(where, f"landmarks {landmarks.shape}", f"{points[0].shape} as before")
        ids.append(str(face["imgpath"]))
        points.append(landmarks)
    return Stored(ids, np.stack(points) if points else np.empty((0, 0, 2)))


SPIGA = PredictionFormat(
    "spiga",
    ".json: SPIGA's list of faces with imgpath and landmarks, 0-based",
    lambda path: path.suffix.lower() == ".json",
    _read,
)
