"""JD-landmark: 106 points of the grand challenge (Liu et al., ICMEW 2019)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from alignbench import arrays
from alignbench.datasets.base import FULL, Dataset, DatasetSource
from alignbench.datasets.lapa import read_landmarks
from alignbench.exceptions import InputError
from alignbench.io.folders import find_files, skipped_note
from alignbench.io.images import ImageFiles
from alignbench.markups import JD106

_SPLITS = {"test": {FULL: 2000}, "train": {FULL: 11393}}
_PARTS = {
    "test": ("Test_data",),
    "train": tuple(f"Training_data/{part}" for part in ("AFW", "HELEN", "IBUG", "LFPW")),
}


def read(root: Path, split: str) -> Dataset:
    """One split of JD-landmark under ``root``.

    The file ``landmark/NAME.jpg.txt`` has the landmarks of the image ``picture/NAME.jpg``, and
    their number in the first line. Coordinates are taken as stored. A face's id is its path without
    ``landmark/`` and ending, ``Test_data/NAME``. The training data is as it was given out; the
    labels of the test data were published apart, and are expected in the same layout. The challenge
    divides by the square root of the area of the tight box of the true landmarks.
    """
    files: list[Path] = []
    ids: list[str] = []
    images: list[str] = []
    side_files: list[Path] = []
    for part in _PARTS[split]:
        labels, skipped = find_files(root / part / "landmark", (".txt",), deep=False)
        side_files += skipped
        files += labels
        ids += [
            f"{part}/{label.name.removesuffix('.txt').removesuffix('.jpg')}" for label in labels
        ]
        images += [f"{part}/picture/{label.name.removesuffix('.txt')}" for label in labels]
    if not files:
        accepted = ", ".join(f"{part}/landmark/NAME.jpg.txt" for part in _PARTS[split])
        raise InputError(root, f"no landmark file of the {split} split", accepted)
    return Dataset(
        name="jd106",
        split=split,
        markup=JD106,
        ids=tuple(ids),
        points=arrays.join(read_landmarks(file, JD106.landmarks)[None] for file in files),
        visible=None,
        boxes=None,
        subsets={FULL: np.ones(len(files), np.bool_)},
        images=ImageFiles(root, images),
        official=_SPLITS[split],
        normalisers=("box",),
        threshold=0.08,
        notes=skipped_note(side_files),
    )


SOURCE = DatasetSource(
    name="jd106",
    title="JD-landmark: 106 points of the grand challenge of 2019",
    markup=JD106,
    splits=_SPLITS,
    markers=("Test_data", "Training_data"),
    layout="""\
jd106/
  Test_data/landmark/NAME.jpg.txt  Test_data/picture/NAME.jpg
  Training_data/{AFW,HELEN,IBUG,LFPW}/{landmark/NAME.jpg.txt,picture/NAME.jpg}""",
    homepage="https://facial-landmarks-localization-challenge.github.io/",
    read=read,
)
