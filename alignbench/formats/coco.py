"""COCO keypoints: annotation files, and lists of results as COCO's and mmpose's tools write."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from alignbench.arrays import Floats
from alignbench.exceptions import InputError
from alignbench.formats import MISSED, THIRD_VALUE, Format, StoredFaces
from alignbench.geometry import corners_of
from alignbench.io.notation import read_json, require_numbers
from alignbench.io.text import start_of
from alignbench.markups import landmark_counts

_WHOLE_BODY = "face_kpts"
"""Key of the 68 face landmarks of a person in COCO-WholeBody."""
_NOT_LABELLED, _OCCLUDED, _VISIBLE = 0, 1, 2
"""COCO's flags of a keypoint."""
_LISTS = re.compile(r'"(images|annotations)"\s*:\s*\[')
"""What distinguishes the start of a file of annotations from other JSON."""
_ACCEPTED = "a list x, y, v, x, y, v, ..."


def _read(path: Path) -> StoredFaces:
    content = read_json(path)
    if isinstance(content, list):
        return _results(path, content)
    if not isinstance(content, dict) or not isinstance(content.get("annotations"), list):
        raise InputError(
            path, "no list 'annotations'", "a COCO keypoint file, or a list of results"
        )
    return _annotation(path, content)


def _annotation(path: Path, content: Mapping[str, Any]) -> StoredFaces:
    images = _images(path, content)
    faces = [face for face in content["annotations"] if _has_landmarks(face)]
    image_ids = [_image_id(face, f"{path}, annotation {k}") for k, face in enumerate(faces)]
    for image_id in image_ids:
        if image_id not in images:
            raise InputError(path, f"annotation of image {image_id!r}", "an image in 'images'")
    points, flags = _keypoints(path, faces)
    visible, notes = None, _third(flags)
    if flags is not None and set(np.unique(flags)) <= {_NOT_LABELLED, _OCCLUDED, _VISIBLE}:
        points = np.where((flags == _NOT_LABELLED)[:, :, None], np.nan, points)
        notes = ()
        labelled = flags[flags != _NOT_LABELLED]
        # Sets without visibility have the same flag everywhere.
        visible = flags == _VISIBLE if len(set(labelled.tolist())) > 1 else None
    times = Counter(image_ids)
    ids = _face_ids(faces) or [
        image_id if times[image_id] == 1 else f"{image_id}#{face.get('id', k)}"
        for k, (image_id, face) in enumerate(zip(image_ids, faces, strict=True))
    ]
    without = len(content["annotations"]) - len(faces)
    if without:
        notes += (f"{without:,} annotations have no landmarks and were left out.",)
    names = [images[image_id] for image_id in image_ids]
    return StoredFaces(
        names, points, _boxes(path, faces), visible, _scores(path, faces), ids, notes=notes
    )


def _results(path: Path, faces: list[Any]) -> StoredFaces:
    for k, face in enumerate(faces):
        if not isinstance(face, dict) or not {"image_id", "keypoints"} <= face.keys():
            raise InputError(f"{path}, result {k}", "no 'image_id' or no 'keypoints'", "both")
    names = [_image_id(face, f"{path}, result {k}") for k, face in enumerate(faces)]
    points, third = _keypoints(path, faces)
    boxes, scores, ids = _boxes(path, faces), _scores(path, faces), _face_ids(faces)
    return StoredFaces(names, points, boxes, None, scores, ids, notes=_third(third))


def _face_ids(faces: Iterable[Mapping[str, Any]]) -> list[str] | None:
    """The ids that alignbench writes beside COCO's own; None unless each face has another one."""
    ids = [face.get("face_id") for face in faces]
    texts = [one for one in ids if isinstance(one, str) and one]
    return texts if len(set(texts)) == len(ids) > 0 else None


def _third(values: Floats | None) -> tuple[str, ...]:
    """The note on third values of keypoints that are no flags."""
    return () if values is None else (THIRD_VALUE,)


def _images(path: Path, content: Mapping[str, Any]) -> dict[str, str]:
    """File name of each image by its id."""
    images = content.get("images")
    if not isinstance(images, list):
        raise InputError(path, "no list 'images'", "images with 'id' and 'file_name'")
    names: dict[str, str] = {}
    for k, image in enumerate(images):
        where = f"{path}, image {k}"
        name = image.get("file_name") if isinstance(image, dict) else None
        if not isinstance(name, str) or not name:
            raise InputError(where, "no 'file_name'", "images with 'id' and 'file_name'")
        key = _image_id({"image_id": image.get("id")}, where)
        if names.setdefault(key, name) != name:
            raise InputError(where, f"image id {key!r} a second time", "every id once")
    return names


def _image_id(face: Mapping[str, Any], where: str) -> str:
    image_id = face.get("image_id")
    if isinstance(image_id, bool) or not isinstance(image_id, int | str):
        raise InputError(where, f"image id {image_id!r:.40}", "a whole number or a text")
    return str(image_id)


def _has_landmarks(face: Any) -> bool:
    if not isinstance(face, dict):
        return True  # the reader of the file refuses it
    if _WHOLE_BODY in face:
        return bool(face.get("face_valid", True))
    return face.get("num_keypoints") != 0 and not face.get("iscrowd")


def _keypoints(path: Path, faces: Iterable[Any]) -> tuple[Floats, Floats | None]:
    """Landmarks (N, L, 2), and the third value (N, L) of each where there is one."""
    rows: list[Floats] = []
    for k, face in enumerate(faces):
        where = f"{path}, face {k}"
        if not isinstance(face, dict) or not {_WHOLE_BODY, "keypoints"} & face.keys():
            raise InputError(where, "no 'keypoints'", _ACCEPTED)
        values = face.get(_WHOLE_BODY, face.get("keypoints"))
        if values is None:
            raise InputError(where, "null", _ACCEPTED, MISSED)
        flat = isinstance(values, list) and not any(isinstance(v, list) for v in values[:1])
        keypoints = require_numbers(values, (None,) if flat else (None, None), where)
        if flat:
            keypoints = _threes(keypoints, where)
        if keypoints.shape[1] not in (2, 3) or (rows and keypoints.shape != rows[0].shape):
            accepted = f"{rows[0].shape} as before" if rows else "(L, 3) or (L, 2)"
            raise InputError(where, f"keypoints of shape {keypoints.shape}", accepted)
        rows.append(keypoints)
    stacked = np.stack(rows) if rows else np.empty((0, 0, 2))
    return stacked[:, :, :2], stacked[:, :, 2] if stacked.shape[2] == 3 else None


def _threes(values: Floats, where: str) -> Floats:
    """Numbers x, y, v, x, y, v, ... as (L, 3); InputError if they may be pairs."""
    remedy = "For x and y alone, write pairs: [[x, y], [x, y], ...]."
    if values.size % 3:
        found = f"{values.size} values"
        raise InputError(where, found, "three for each keypoint", "" if values.size % 2 else remedy)
    threes = values.reshape(-1, 3)
    is_flag_or_score = (threes[:, 2] >= 0) & (threes[:, 2] <= _VISIBLE)
    if values.size % 2 == 0 and not is_flag_or_score.all():
        pairs = values.size // 2
        if pairs in landmark_counts() and len(threes) not in landmark_counts():
            found = (
                f"{values.size} values: {len(threes)} keypoints of three numbers or {pairs} of two"
            )
            raise InputError(where, found, "x, y, v of each", remedy)
    return threes


def _boxes(path: Path, faces: list[Any]) -> Floats | None:
    """Corners (N, 4) of the boxes, which COCO stores as x, y, width, height."""
    stored = [face.get("face_box" if _WHOLE_BODY in face else "bbox") for face in faces]
    if not stored or None in stored:
        return None
    rows = [require_numbers(box, (4,), f"{path}, box {k}") for k, box in enumerate(stored)]
    return corners_of(np.stack(rows))


def _scores(path: Path, faces: list[Any]) -> Floats | None:
    scores = [face.get("score") for face in faces]
    if not scores or None in scores:
        return None
    return require_numbers(scores, (None,), f"{path}, scores")


def _accepts(path: Path) -> bool:
    if path.suffix.lower() != ".json" or not path.is_file():
        return False
    start = start_of(path).lstrip()
    if start.startswith("{"):
        return _LISTS.search(start) is not None
    return start.startswith("[") and '"image_id"' in start and '"imgpath"' not in start


COCO = Format(
    "coco",
    ".json: COCO keypoints with images and annotations, or a list of results with image_id and "
    "keypoints, as mmpose writes it",
    _accepts,
    _read,
    origin=None,
)
