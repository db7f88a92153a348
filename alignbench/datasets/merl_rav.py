"""MERL-RAV: AFLW's faces with 68 points and their visibility (Kumar et al., CVPR 2020)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from alignbench import arrays
from alignbench.arrays import Floats
from alignbench.datasets.base import FULL, Dataset, DatasetSource
from alignbench.exceptions import InputError
from alignbench.io.folders import find_files, skipped_note
from alignbench.io.images import ImageFiles
from alignbench.io.pts import read_pts
from alignbench.markups import IBUG68

_LABELS, _ORGANIZED, _AFLW = "merl_rav_labels", "merl_rav_organized", "aflw/flickr"
_FOLDERS = {"test": "testset", "train": "trainset"}
_SPLITS = {
    "test": {FULL: 3865, "frontal": 2195, "left": 521, "lefthalf": 295, "right": 548,
             "righthalf": 306},
    "train": {FULL: 15449, "frontal": 8778, "left": 2080, "lefthalf": 1180, "right": 2190,
              "righthalf": 1221},
}  # fmt: skip
_NO_POSITION = -1.0


def read(root: Path, split: str) -> Dataset:
    """One split of MERL-RAV from its official layout under ``root``.

    A landmark stored as (x, y) is visible; as (-x, -y) it is occluded by something else, at
    (x, y); as (-1, -1) it is occluded by the face itself and has no position: it is NaN, and counts
    nowhere. Coordinates count pixels from 1, as in any ``.pts`` file; the data set's own text does
    not say so. A face's id is its pose and file name, ``left/image00127``. An image with several
    faces has several files, which end in ``_1``, ``_2`` and so on.

    Images are those of ``merl_rav_organized``, which the official script makes, or else of AFLW.
    """
    files: list[Path] = []
    poses: list[str] = []
    side_files: list[Path] = []
    for pose in _SPLITS[split]:
        labels, skipped = find_files(
            root / _LABELS / pose / _FOLDERS[split] / "labels", (".pts",), deep=False
        )
        side_files += skipped
        files += labels
        poses += [pose] * len(labels)
    if not files:
        raise InputError(
            root / _LABELS, f"no label of the {split} split",
            f"{_LABELS}/POSE/{_FOLDERS[split]}/labels/NAME.pts", f"Published at {SOURCE.homepage}",
        )  # fmt: skip
    stored = arrays.join(read_pts(file, IBUG68.landmarks)[None] + 1 for file in files)
    belongs = np.array(poses)
    return Dataset(
        name="merl-rav",
        split=split,
        markup=IBUG68,
        ids=tuple(f"{pose}/{file.stem}" for pose, file in zip(poses, files, strict=True)),
        points=_positions(stored, files),
        visible=np.asarray((stored >= 0).any(axis=2)),
        boxes=None,
        subsets={name: belongs == name for name in _SPLITS[split]}
        | {FULL: np.ones(len(files), np.bool_)},
        images=ImageFiles(root, _images(root, files, poses, _FOLDERS[split])),
        official=_SPLITS[split],
        normalisers=("box",),
        threshold=0.07,
        clusters=tuple(_image_name(file) for file in files),
        notes=skipped_note(side_files),
    )


def _positions(stored: Floats, files: Sequence[Path]) -> Floats:
    """Points (N, 68, 2), 0-based, from signed ones that count from 1; NaN without position."""
    for face, landmark in np.argwhere((stored[:, :, 0] < 0) != (stored[:, :, 1] < 0)):
        raise InputError(
            f"{files[face]}, landmark {landmark}", f"{stored[face, landmark].tolist()}",
            "x and y both positive (visible), both negative (occluded), or both -1",
        )  # fmt: skip
    points = np.abs(stored) - 1
    points[(stored == _NO_POSITION).all(axis=2)] = np.nan
    return np.asarray(points)


def _image_name(label: Path) -> str:
    """The name of AFLW's image, without the number of the face."""
    return re.sub(r"_[0-9]+$", "", label.stem)


def _images(root: Path, labels: list[Path], poses: list[str], folder: str) -> list[str]:
    """Paths of the images under ``root``; those of the organised folder where none is there."""
    names = []
    for label, pose in zip(labels, poses, strict=True):
        organised = f"{_ORGANIZED}/{pose}/{folder}/{label.stem}.jpg"
        original = (f"{_AFLW}/{part}/{_image_name(label)}.jpg" for part in (0, 2, 3))
        candidates = (organised, *original)
        names.append(next((name for name in candidates if (root / name).is_file()), organised))
    return names


SOURCE = DatasetSource(
    name="merl-rav",
    title="MERL-RAV: AFLW with 68 points, visibility, and pose subsets",
    markup=IBUG68,
    splits=_SPLITS,
    markers=(_LABELS,),
    layout=f"""\
merl-rav/
  {_LABELS}/{{frontal,left,lefthalf,right,righthalf}}/{{testset,trainset}}/labels/NAME.pts
  {_ORGANIZED}/POSE/{{testset,trainset}}/NAME.jpg, or {_AFLW}/{{0,2,3}}/NAME.jpg
                             (images: only for models that look at them)""",
    homepage="https://github.com/abhi1kumar/MERL-RAV_dataset",
    read=read,
)
