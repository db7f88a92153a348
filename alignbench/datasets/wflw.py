"""WFLW: 98 points, boxes and six attributes (Wu et al., Look at Boundary, CVPR 2018)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from alignbench import arrays
from alignbench.arrays import Bools, Floats
from alignbench.datasets.base import FULL, Dataset, DatasetSource
from alignbench.formats.face_list import ATTRIBUTES
from alignbench.io.images import ImageFiles
from alignbench.io.text import in_blocks, is_inside, line_error, lines_of, numbers
from alignbench.markups import WFLW98

LIST = "WFLW_annotations/list_98pt_rect_attr_train_test/list_98pt_rect_attr_{split}.txt"
IMAGES = "WFLW_images"

_COORDINATES = 2 * WFLW98.landmarks
_BOX = slice(_COORDINATES, _COORDINATES + 4)
_FIELDS = _COORDINATES + 4 + len(ATTRIBUTES) + 1
_SPLITS = {
    "test": {FULL: 2500, "pose": 326, "expression": 314, "illumination": 698, "make-up": 206,
             "occlusion": 736, "blur": 773},
    "train": {FULL: 7500},
}  # fmt: skip


def read(root: Path, split: str) -> Dataset:
    """One split of WFLW from its official layout under ``root``."""
    return read_layout(root, split, "wflw", _SPLITS[split])


def read_layout(root: Path, split: str, name: str, official: Mapping[str, int]) -> Dataset:
    """One split of any data set in WFLW's layout.

    A face's id is its image path and box, ``PATH#x_min,y_min,x_max,y_max``. It is unique even if
    several faces share an image, and does not depend on the rest of the list. If a list holds one
    image and box twice, the second id ends in ``#2``. Raises InputError for a line with a wrong
    number of fields, a field that is no finite number, an empty box, an attribute that is neither 0
    nor 1, or an image path that leaves the folder. Backslashes between the parts of an image path,
    which some copies have, are read as slashes.
    """
    path = root / LIST.format(split=split)
    boxes: list[Floats] = []
    attributes: list[Bools] = []
    images: list[str] = []

    def points() -> Iterator[Floats]:
        for block in in_blocks(_rows(path)):
            lines, rows = zip(*block, strict=True)
            values = numbers(path, [row[:-1] for row in rows], lines)
            boxes.append(_boxes(path, lines, values[:, _BOX]))
            attributes.append(_attributes(path, lines, values[:, _BOX.stop :]))
            images.extend(_image(path, line, row[-1]) for line, row in block)
            yield values[:, :_COORDINATES].reshape(-1, WFLW98.landmarks, 2)

    truth = arrays.join(points())  # fills the lists above
    belongs = np.concatenate(attributes)
    return Dataset(
        name=name,
        split=split,
        markup=WFLW98,
        ids=_ids(images, np.concatenate(boxes)),
        points=truth,
        visible=None,
        boxes=np.concatenate(boxes),
        subsets={
            FULL: np.ones(len(images), np.bool_),
            **{attribute: belongs[:, k] for k, attribute in enumerate(ATTRIBUTES)},
        },
        images=ImageFiles(root / IMAGES, images),
        official=official,
        normalisers=("inter_ocular",),
        threshold=0.10,
    )


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Lines of a list with their fields."""
    for line, text in lines_of(path):
        fields = text.split()
        if len(fields) == _COORDINATES + 1:
            raise line_error(
                path, line, f"{len(fields)} fields, coordinates and image path alone", f"{_FIELDS}",
                "This is list_98pt_test.txt, which lacks boxes and attributes: take "
                "list_98pt_rect_attr_test.txt from the same archive, or give --dataset list:FILE.",
            )  # fmt: skip
        if len(fields) != _FIELDS:
            raise line_error(
                path, line, f"{len(fields)} fields",
                f"{_FIELDS} ({_COORDINATES} coordinates, 4 of the box, {len(ATTRIBUTES)} "
                "attributes, image path)",
                "The line is cut short or of another list: copy the file again.",
            )  # fmt: skip
        yield line, fields


def _boxes(path: Path, lines: Sequence[int], boxes: Floats) -> Floats:
    for bad in np.flatnonzero((boxes[:, 2:] <= boxes[:, :2]).any(axis=1)).tolist():
        found = f"empty box {boxes[bad].tolist()}"
        raise line_error(path, lines[bad], found, "x_min < x_max and y_min < y_max")
    return boxes.copy()  # without the landmarks beside it


def _ids(images: list[str], boxes: Floats) -> tuple[str, ...]:
    times: Counter[str] = Counter()
    ids = []
    for image, box in zip(images, boxes, strict=True):
        face = f"{image}#{','.join(f'{edge:g}' for edge in box)}"
        times[face] += 1
        ids.append(face if times[face] == 1 else f"{face}#{times[face]}")
    return tuple(ids)


def _image(path: Path, line: int, image: str) -> str:
    """The image path of a line, refused where it would leave the image folder."""
    image = image.replace("\\", "/")
    if not is_inside(image):
        found = (
            f"image path {image[:60]!r} leaves the image folder, or is not valid on every system"
        )
        accepted = f"a path relative to {IMAGES}, with / between its parts"
        raise line_error(path, line, found, accepted)
    return Path(image).as_posix()


def _attributes(path: Path, lines: Sequence[int], values: Floats) -> Bools:
    """(n, A) whether each face has each attribute."""
    for row, column in np.argwhere((values != 0) & (values != 1)):
        found = f"attribute {ATTRIBUTES[column]} is {values[row, column]:g}"
        raise line_error(path, lines[row], found, "0 or 1")
    return np.asarray(values == 1)


SOURCE = DatasetSource(
    name="wflw",
    title="WFLW: 98 points, boxes, six attributes",
    markup=WFLW98,
    splits=_SPLITS,
    markers=("WFLW_annotations",),
    layout=f"""\
wflw/
  {LIST.format(split="test")}
  {LIST.format(split="train")}
  {IMAGES}/<event>/<image>.jpg""",
    homepage="https://wywu.github.io/projects/LAB/WFLW.html",
    read=read,
)
