"""JSON objects of image paths to points, and messages on JSON that is of no known format."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from alignbench.arrays import Floats
from alignbench.exceptions import InputError
from alignbench.formats import MISSED, Format, StoredFaces
from alignbench.formats.coco import COCO
from alignbench.formats.mmpose import MMPOSE
from alignbench.formats.spiga import SPIGA
from alignbench.io.notation import parse_json, read_json, require_numbers
from alignbench.io.text import lines_of, list_some

_ENDINGS = (".json", ".jsonl")
_KEYS = ("predictions", "landmarks", "annotations")
"""Keys under which the object of paths may lie."""
_ACCEPTED = (
    "an object of image path to points, {'a/1.jpg': [[x, y], ...], ...}; a list of faces with "
    "image_id and keypoints, or with imgpath and landmarks"
)


def _read(path: Path) -> StoredFaces:
    content = _content(path)
    if isinstance(content, dict) and "shapes" in content:
        raise InputError(path, "labelme's annotation of one image", _ACCEPTED)
    if isinstance(content, dict):
        content = next((content[k] for k in _KEYS if isinstance(content.get(k), dict)), content)
    faces = _require_object(path, content)
    points: list[Floats] = []
    for name, value in faces.items():
        where = f"{path}, {name!r:.200}"
        if value is None:
            raise InputError(where, "null", "points [[x, y], ...]", MISSED)
        landmarks = require_numbers(value, (None, None), where)
        if points and landmarks.shape != points[0].shape:
            raise InputError(where, f"points {landmarks.shape}", f"{points[0].shape} as before")
        points.append(landmarks)
    return StoredFaces(list(faces), np.stack(points) if points else np.empty((0, 0, 2)))


def _content(path: Path) -> Any:
    try:
        return read_json(path)
    except InputError as error:
        lines = lines_of(path)
        _, first = next(lines)
        try:
            parse_json(first)
            next(lines)
        except (ValueError, StopIteration):
            raise error from None
        raise InputError(
            path, "JSON Lines, a value on each line", _ACCEPTED,
            "Put the lines into one list: [, the lines with commas between them, ].",
        ) from error  # fmt: skip


def _require_object(path: Path, content: Any) -> dict[str, Any]:
    """The object of image path to points; InputError for what else a JSON file may hold."""
    if isinstance(content, dict):
        if any(isinstance(value, list) for value in content.values()):
            odd = [key for key, value in content.items() if not isinstance(value, list | None)]
        else:
            odd = list(content)
        if not odd:
            return content
        found = f"an object with the keys {list_some(repr(key)[:40] for key in odd)}"
        raise InputError(path, found, _ACCEPTED)
    if not isinstance(content, list):
        raise InputError(path, f"{content!r:.40}", _ACCEPTED)
    if not content:
        raise InputError(path, "an empty list", _ACCEPTED)
    first = content[0]
    if isinstance(first, dict):
        found = f"a list of objects with the keys {list_some(repr(key)[:40] for key in first)}"
        raise InputError(path, found, _ACCEPTED, "Rename the keys.")
    raise InputError(
        path, f"a list of {len(content):,} values without names of faces", _ACCEPTED,
        "Or save the landmarks with numpy.save as (N, L, 2), for --order dataset.",
    )  # fmt: skip


def _accepts(path: Path) -> bool:
    return (
        path.suffix.lower() in _ENDINGS
        and path.is_file()
        and not any(other.accepts(path) for other in (COCO, MMPOSE, SPIGA))
    )


JSON = Format(
    "json",
    ".json: an object of image path to points [[x, y], ...], counted from 0 unless said otherwise",
    _accepts,
    _read,
    origin=None,
)
