"""JSON files as mmpose writes them: a folder of one for each image, or one of its demo script."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from alignbench.arrays import Floats
from alignbench.exceptions import InputError
from alignbench.formats import Format, StoredFaces
from alignbench.io.folders import find_files, skipped_note
from alignbench.io.notation import read_json, require_numbers
from alignbench.io.text import start_of

_ENDING = ".json"
_KEYPOINTS = re.compile(r'"keypoints"\s*:')
_OF_DEMO = "instance_info"
"""Key of the faces in a file of mmpose's demo script."""
_ACCEPTED = "mmpose's predictions: a list of faces with 'keypoints'"


def _read(path: Path) -> StoredFaces:
    files, skipped = ([path], []) if path.is_file() else find_files(path, (_ENDING,))
    base = path.parent if path.is_file() else path
    names: list[str] = []
    points: list[Floats] = []
    faces: list[tuple[str, dict[str, Any]]] = []
    for file in files:
        content = _instances(file)
        if path.is_file():
            content = [_only(file, face) for face in content]
        elif len(content) == 1 and "instances" in content[0]:
            content = _require_faces(file, content[0]["instances"])
        for number, face in enumerate(content):
            where = f"{file}, face {number}"
            landmarks = require_numbers(face.get("keypoints"), (None, 2), f"{where}, keypoints")
            if points and landmarks.shape != points[0].shape:
                raise InputError(where, f"{len(landmarks)} keypoints", f"{len(points[0])}")
            points.append(landmarks)
            names.append(file.relative_to(base).with_suffix("").as_posix())
            faces.append((where, face))
    scores, notes = _scores(faces)
    return StoredFaces(
        None if path.is_file() else names,  # mmpose's demo does not write the image's name
        np.stack(points) if points else np.empty((0, 0, 2)),
        scores=scores,
        notes=(*skipped_note(skipped), *notes),
    )


def _instances(file: Path) -> list[dict[str, Any]]:
    """The faces of one image, or the frames of a video.

    They are a list in a list where several images were asked for at once.
    """
    content = read_json(file)
    if isinstance(content, dict) and _OF_DEMO in content:
        content = content[_OF_DEMO]
    if isinstance(content, list) and len(content) == 1 and isinstance(content[0], list):
        (content,) = content
    return _require_faces(file, content)


def _require_faces(file: Path, content: Any) -> list[dict[str, Any]]:
    if not isinstance(content, list) or not all(
        isinstance(face, dict) and ("keypoints" in face or "instances" in face) for face in content
    ):
        raise InputError(
            file, "no list of faces with 'keypoints'", _ACCEPTED,
            "Take the file out of the folder if it is something else.",
        )  # fmt: skip
    return content


def _only(file: Path, frame: dict[str, Any]) -> dict[str, Any]:
    """The face of a frame of a video; its frames have no names, so that it has to be the only one.

    A face that is in no frame is returned as it is.
    """
    if "instances" not in frame:
        return frame
    faces = _require_faces(file, frame["instances"])
    if len(faces) != 1:
        raise InputError(
            f"{file}, frame {frame.get('frame_id', '?')!r:.20}", f"{len(faces)} faces",
            "one face in each frame, as frames are told apart by their order alone",
        )  # fmt: skip
    return faces[0]


def _scores(faces: list[tuple[str, dict[str, Any]]]) -> tuple[Floats | None, tuple[str, ...]]:
    """The score of each face, and a note if it is not mmpose's own score of the box."""
    if faces and all("bbox_score" in face for _, face in faces):
        rows = [
            require_numbers([face["bbox_score"]], (1,), f"{where}, bbox_score")
            for where, face in faces
        ]
        return np.concatenate(rows), ()
    if faces and all("keypoint_scores" in face for _, face in faces):
        means = [
            require_numbers(face["keypoint_scores"], (None,), f"{where}, keypoint_scores").mean()
            for where, face in faces
        ]
        return np.array(means), (
            "Not every face has a bbox_score: its score is the mean of its keypoint_scores.",
        )
    return None, ()


def _accepts(path: Path) -> bool:
    if path.is_file():
        return path.suffix.lower() == _ENDING and f'"{_OF_DEMO}"' in start_of(path)
    # Folders of other formats have a .json of settings, too.
    return path.is_dir() and any(
        _KEYPOINTS.search(start_of(file)) for file in find_files(path, (_ENDING,))[0]
    )


MMPOSE = Format(
    "mmpose",
    "a folder of .json files, one for each image, as mmpose's inferencer writes them, or the .json "
    "of its demo script; from 0",
    _accepts,
    _read,
)
