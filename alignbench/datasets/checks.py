"""What a data set must be, whoever reads it: a wrong one would give numbers, not a message."""

from __future__ import annotations

from collections import Counter

import numpy as np

from alignbench import arrays
from alignbench.arrays import plausible
from alignbench.datasets.base import FULL, Dataset
from alignbench.errors import InputError


def checked(dataset: Dataset) -> Dataset:
    """The data set itself.

    Raises
    ------
    InputError
        If ids are not unique, a column has another length or shape, a landmark is not finite, a box
        is empty, or a subset is no membership.
    """
    where = f"data set {dataset.name!r}, split {dataset.split!r}"
    faces = len(dataset.ids)
    if len(set(dataset.ids)) < faces:
        twice, times = Counter(dataset.ids).most_common(1)[0]
        raise InputError(where, f"id {twice!r} stands {times} times", "every id once")
    shapes = {
        "points": (dataset.points.shape, (faces, dataset.markup.landmarks, 2)),
        "images": ((len(dataset.images.sources()),), (faces,)),
    }
    if dataset.visible is not None:
        shapes["visible"] = dataset.visible.shape, (faces, dataset.markup.landmarks)
    if dataset.boxes is not None:
        shapes["boxes"] = dataset.boxes.shape, (faces, 4)
    for name, member in dataset.subsets.items():
        shapes[f"subset {name!r}"] = member.shape, (faces,)
    for name, (shape, wanted) in shapes.items():
        if shape != wanted:
            raise InputError(f"{where}, {name}", f"shape {shape}", f"{wanted}")
    for rows in arrays.blocks(faces):
        for face, landmark, _ in np.argwhere(~plausible(dataset.points[rows])).tolist():
            raise InputError(
                f"{where}, face {dataset.ids[rows.start + face]}, landmark {landmark}",
                f"found {dataset.points[rows.start + face, landmark].tolist()}",
                "finite coordinates of an image's size",
            )
    if dataset.boxes is not None:
        low, high = dataset.boxes[:, :2], dataset.boxes[:, 2:]
        sound = plausible(dataset.boxes).all(axis=1) & (low < high).all(axis=1)
        for face in np.flatnonzero(~sound).tolist():
            raise InputError(
                f"{where}, face {dataset.ids[face]}",
                f"box {dataset.boxes[face].tolist()}",
                "finite x_min < x_max and y_min < y_max",
            )
    for name, member in dataset.subsets.items():
        if member.dtype != np.bool_:
            raise InputError(f"{where}, subset {name!r}", f"{member.dtype}", "bool")
    if FULL not in dataset.subsets or not dataset.subsets[FULL].all():
        raise InputError(where, f"subset {FULL!r} lacks faces", "every face")
    return dataset
