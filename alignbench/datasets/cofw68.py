"""COFW68: COFW's test faces with 68 points and occlusion (Ghiasi and Fowlkes, 2015)."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from alignbench.arrays import plausible
from alignbench.datasets.base import FULL, Dataset, DatasetSource
from alignbench.datasets.cofw import SOURCE as COFW
from alignbench.datasets.cofw import convert_boxes
from alignbench.exceptions import InputError
from alignbench.io.images import ImageFiles
from alignbench.io.matlab import read_v5
from alignbench.markups import IBUG68

_SPLITS = {"test": {FULL: 507}}
_BOXES = "cofw68_test_bboxes.mat"


def read(root: Path, split: str) -> Dataset:
    """COFW68 from its official layout under ``root``.

    A face's id is the number of its file, which is COFW's own 1-based number. The annotation comes
    without images; they are expected as ``images/NUMBER.jpg``.
    """
    folder = root / "test_annotations"
    files = {_number(path): path for path in folder.glob("*_points.mat")}
    if not files:
        raise InputError(folder, "no NUMBER_points.mat file", "1_points.mat ... 507_points.mat")
    numbers = sorted(files)
    points, occluded = zip(*(_face(files[number]) for number in numbers), strict=True)
    (stored,) = read_v5(root / _BOXES, "bboxes")
    if stored.ndim != 2 or stored.shape[1] != 4 or len(stored) < numbers[-1]:
        raise InputError(root / _BOXES, f"shape {stored.shape}", "(507, 4)")
    return Dataset(
        name="cofw68",
        split=split,
        markup=IBUG68,
        ids=tuple(str(number) for number in numbers),
        points=np.stack(points) - 1,
        visible=~np.stack(occluded),
        boxes=convert_boxes(stored[np.array(numbers) - 1].astype(np.float64)),
        subsets={FULL: np.ones(len(numbers), np.bool_)},
        images=ImageFiles(root, [f"images/{number}.jpg" for number in numbers]),
        official=_SPLITS[split],
        normalisers=("inter_ocular", "inter_pupil"),
        threshold=0.10,
    )


def _number(path: Path) -> int:
    text = path.name.removesuffix("_points.mat")
    if not re.fullmatch("[1-9][0-9]{0,6}", text):
        raise InputError(path, "file name is not NUMBER_points.mat", "1_points.mat and so on")
    return int(text)


def _face(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Points (68, 2), 1-based as stored, and occlusion (68,) of one face."""
    points, occluded = read_v5(path, "Points", "Occ")
    if points.shape != (IBUG68.landmarks, 2) or occluded.size != IBUG68.landmarks:
        found = f"Points {points.shape}, Occ {occluded.shape}"
        raise InputError(path, found, "Points (68, 2), Occ (1, 68)")
    for row, column in np.argwhere(~plausible(points)):
        where, found = f"{path}, Points row {row + 1}", f"found {points[row, column]}"
        raise InputError(where, found, "finite numbers, not far outside any image")
    return points.astype(np.float64), occluded.ravel() != 0


SOURCE = DatasetSource(
    name="cofw68",
    title="COFW68: COFW's test faces with 68 points and occlusion flags",
    markup=IBUG68,
    splits=_SPLITS,
    markers=("test_annotations", _BOXES),
    layout=f"""\
cofw68/
  test_annotations/1_points.mat ... 507_points.mat
  {_BOXES}
  images/1.jpg ... 507.jpg       (only for models that look at images; from {COFW.name})""",
    homepage="https://github.com/golnazghiasi/cofw68-benchmark",
    read=read,
)
