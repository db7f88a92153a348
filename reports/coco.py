"""A run as COCO keypoints: a list of results, and the ground truth that goes with it.

Coordinates are alignbench's: 0-based, (0, 0) is the centre of an image's first pixel. Both files
have the key ``face_id``, by which alignbench recognises a face; other programs ignore it.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from alignbench import Dataset, Run
from alignbench.arrays import Floats
from alignbench.datasets.base import Progress, ignore_progress
from alignbench.markups import Markup

_CATEGORY = 1
_NOT_LABELLED, _OCCLUDED, _VISIBLE = 0, 1, 2
_CONVENTION = "Coordinates are 0-based; (0, 0) is the centre of the first pixel of an image."


def results(run: Run) -> list[dict[str, Any]]:
    """An object for each predicted face; a face that was missed has none.

    The third value of each keypoint and the score are 1: a run has no scores.
    """
    images, rows = _image_ids(run), {name: row for row, name in enumerate(run.faces["id"])}
    return [
        {
            "id": rows[name] + 1,
            "image_id": images[rows[name]],
            "category_id": _CATEGORY,
            "keypoints": _triples(points, np.ones(len(points), np.int64)),
            "score": 1.0,
            "face_id": name,
        }
        for name, points in zip(run.ids, run.points, strict=True)
    ]


def ground_truth(run: Run, faces: Dataset, progress: Progress = ignore_progress) -> dict[str, Any]:
    """The annotation of a run's faces: images, annotations and one category.

    Parameters
    ----------
    faces
        The faces of the run in its order, as :func:`reports.data.evaluated_faces` gives them.
    progress
        Called with (faces done, faces in all): each image is read for its size.

    Returns
    -------
    COCO's object. An image that is not there has no width and height. A landmark that is not
    annotated has flag 0, an occluded one 1, any other 2. Boxes are those of the data set, otherwise
    tight boxes of the landmarks.
    """
    ids = _image_ids(run)
    boxes = faces.tight_boxes() if faces.boxes is None else faces.boxes
    return {
        "info": {"description": f"{run.record.dataset.title}. {_CONVENTION}"},
        "categories": [_category(run.markup)],
        "images": _images(faces, ids, progress),
        "annotations": [
            _annotation(faces, boxes[face], face, image_id) for face, image_id in enumerate(ids)
        ],
    }


def _image_ids(run: Run) -> list[int]:
    """The number of each face's image, from 1; faces of one image share it."""
    is_image = run.record.dataset.sampled == "source images"
    names = run.faces["image" if is_image else "id"].tolist()
    numbers = {name: k + 1 for k, name in enumerate(dict.fromkeys(names))}
    return [numbers[name] for name in names]


def _category(markup: Markup) -> dict[str, Any]:
    region_of = {k: name for name, members in markup.regions.items() for k in members}
    chains = [pair for chain in markup.chains.values() for pair in pairwise(chain)]
    return {
        "id": _CATEGORY,
        "name": "face",
        "supercategory": "face",
        "keypoints": [f"{region_of.get(k, 'landmark')}_{k}" for k in range(markup.landmarks)],
        # COCO counts the ends of a line from 1.
        "skeleton": [[first + 1, second + 1] for first, second in chains],
    }


def _images(faces: Dataset, ids: list[int], progress: Progress) -> list[dict[str, Any]]:
    available, names = faces.images.available(), faces.images.sources()
    images: dict[int, dict[str, Any]] = {}
    for face, image_id in enumerate(ids):
        if image_id not in images:
            images[image_id] = {"id": image_id, "file_name": names[face]}
            if available[face]:
                height, width = faces.images.read(face).shape[:2]
                images[image_id] |= {"width": width, "height": height}
        progress(face + 1, len(ids))
    return list(images.values())


def _annotation(faces: Dataset, box: Floats, face: int, image_id: int) -> dict[str, Any]:
    points = faces.points[face]
    is_labelled = np.isfinite(points).all(axis=1)
    visible = np.ones(len(points), np.bool_) if faces.visible is None else faces.visible[face]
    flags = np.where(is_labelled, np.where(visible, _VISIBLE, _OCCLUDED), _NOT_LABELLED)
    x, y, right, bottom = box.tolist()
    width, height = right - x, bottom - y
    return {
        "id": face + 1,
        "image_id": image_id,
        "category_id": _CATEGORY,
        "keypoints": _triples(np.where(is_labelled[:, None], points, 0.0), flags),
        "num_keypoints": int(is_labelled.sum()),
        "bbox": [x, y, width, height],
        "area": width * height,
        "iscrowd": 0,
        "face_id": faces.ids[face],
    }


def _triples(points: Floats, flags: Any) -> list[float]:
    """Numbers x, y, v, x, y, v, ... of landmarks (L, 2) and their flags (L,)."""
    pairs = zip(points.tolist(), flags.tolist(), strict=True)
    return [value for (x, y), flag in pairs for value in (x, y, flag)]
