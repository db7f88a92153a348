"""AFLW-19: AFLW's faces with 19 of 21 points (Koestinger et al., 2011; Zhu et al., CVPR 2016).

Read in the layout of SAN's lists (Dong et al., CVPR 2018), which are the usual split of 20,000 and
4,386 faces. Sources differ in the number of frontal faces: 1,165, 1,211 and 1,314 are in use. The
subset here is SAN's list ``test.front.GTB``, which has 1,211; the failure rates in FaRL's logs are
multiples of 1 / 1,314.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from alignbench import arrays
from alignbench.arrays import Bools, Floats
from alignbench.datasets.base import FULL, Dataset, DatasetSource
from alignbench.io.images import ImageFiles
from alignbench.io.text import is_inside, line_error, lines_of, numbers
from alignbench.markups import AFLW19

_SPLITS = {"test": {FULL: 4386, "frontal": 1211}, "train": {FULL: 20000}}
_LISTS = {"test": "test.GTB", "train": "train.GTB"}
_FRONTAL = "test.front.GTB"
_FIELDS = 7
_ANNOTATIONS, _IMAGES = "annotations", "images"


class _Row(NamedTuple):
    """A line of a list: image and annotation under the root, box and size of the face."""

    image: str
    annotation: str
    box: Floats
    size: float


def read(root: Path, split: str) -> Dataset:
    """One split of AFLW-19 from its lists and annotations under ``root``.

    A line of a list has an image, its annotation, the annotated box x_min y_min x_max y_max and the
    box's side; a line of an annotation has the number of a landmark, 1 to 19, x, y and whether it
    is visible. A landmark without a line is not annotated: it is NaN, and counts nowhere.
    Coordinates are taken as stored. A face's id is the name of its annotation,
    ``0/image04500-16132``.

    AFLW's papers divide by the side of the annotated box (``face_box``) or by its diagonal
    (``face_diagonal``).
    """
    rows = list(_rows(root / _LISTS[split]))
    paths = [root / row.annotation for row in rows]
    visible: list[Bools] = []

    def points() -> Iterator[Floats]:
        for path in paths:
            face, seen = _face(path)
            visible.append(seen)
            yield face[None]

    truth = arrays.join(points())  # fills the list above
    subsets = {FULL: np.ones(len(rows), np.bool_)}
    if "frontal" in _SPLITS[split]:
        path = root / _FRONTAL
        frontal = {row.annotation for row in _rows(path)} if path.exists() else set()
        subsets["frontal"] = np.array([row.annotation in frontal for row in rows])
    boxes = np.stack([row.box for row in rows])
    return Dataset(
        name="aflw19",
        split=split,
        markup=AFLW19,
        ids=tuple(
            row.annotation.removeprefix(f"{_ANNOTATIONS}/").removesuffix(".pts") for row in rows
        ),
        points=truth,
        visible=np.stack(visible),
        boxes=boxes,
        subsets=subsets,
        images=ImageFiles(root, [row.image for row in rows]),
        official=_SPLITS[split],
        normalisers=("face_box", "face_diagonal"),
        threshold=0.07,
        scales={
            "face_box": np.array([row.size for row in rows]),
            "face_diagonal": np.hypot(*(boxes[:, 2:] - boxes[:, :2]).T),
        },
    )


def _rows(path: Path) -> Iterator[_Row]:
    for line, text in lines_of(path):
        fields = text.split()
        if len(fields) != _FIELDS:
            raise line_error(
                path, line, f"{len(fields)} fields",
                f"{_FIELDS} (image, annotation, 4 of the box, its side)",
            )  # fmt: skip
        values = numbers(path, [fields[2:]], [line], range(2, _FIELDS))[0]
        image, annotation = (
            _below(path, line, name, folder)
            for name, folder in zip(fields, (_IMAGES, _ANNOTATIONS), strict=False)
        )
        yield _Row(image, annotation, values[:4], float(values[4]))


def _below(path: Path, line: int, name: str, folder: str) -> str:
    """The path of a file from ``folder`` on; a list may have any folders before that."""
    _, between, after = name.rpartition(f"{folder}/")
    if not between or not is_inside(after):
        raise line_error(path, line, f"path {name[:60]!r}", f".../{folder}/PART/NAME")
    return f"{folder}/{after}"


def _face(path: Path) -> tuple[Floats, Bools]:
    """Points (19, 2), NaN where there is no line, and whether each is visible."""
    points = np.full((AFLW19.landmarks, 2), np.nan)
    visible = np.zeros(AFLW19.landmarks, np.bool_)
    for line, text in lines_of(path):
        fields = text.split()
        number = int(fields[0]) if re.fullmatch("[0-9]{1,2}", fields[0]) else 0
        in_range = 1 <= number <= AFLW19.landmarks
        if len(fields) != 4 or not in_range or fields[3] not in ("True", "False"):
            accepted = f"NUMBER x y True or False, with a number of 1 to {AFLW19.landmarks}"
            raise line_error(path, line, f"found {text[:60]!r}", accepted)
        if not np.isnan(points[number - 1, 0]):
            raise line_error(path, line, f"landmark {number} for the second time", "each once")
        points[number - 1] = numbers(path, [fields[1:3]], [line], (1, 2))[0]
        visible[number - 1] = fields[3] == "True"
    return points, visible


SOURCE = DatasetSource(
    name="aflw19",
    title="AFLW-19: 19 points, boxes, visibility; full and frontal",
    markup=AFLW19,
    splits=_SPLITS,
    markers=tuple(_LISTS.values()),
    layout=f"""\
aflw19/
  {_LISTS["test"]}  {_FRONTAL}  {_LISTS["train"]}
  {_ANNOTATIONS}/{{0,2,3}}/NAME-NUMBER.pts
  {_IMAGES}/{{0,2,3}}/NAME.jpg       (only for models that look at images)""",
    homepage="https://www.tugraz.at/institute/icg/research/team-bischof/lrs/downloads/aflw/",
    read=read,
)
