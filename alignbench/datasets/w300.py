"""300W: 68 points in ``.pts`` files beside their images (Sagonas et al., ICCVW 2013)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from alignbench import arrays
from alignbench.datasets.base import FULL, Dataset, DatasetSource
from alignbench.exceptions import InputError
from alignbench.io.folders import find_files, skipped_note
from alignbench.io.images import ImageFiles, images_beside
from alignbench.io.pts import read_pts
from alignbench.markups import IBUG68

_SPLITS = {
    "test": {FULL: 689, "common": 554, "challenging": 135, "helen": 330, "lfpw": 224, "ibug": 135},
    "private": {FULL: 600, "indoor": 300, "outdoor": 300},
    "train": {FULL: 3148, "afw": 337, "helen": 2000, "lfpw": 811},
}
_PARTS = {
    "test": {"helen": "helen/testset", "lfpw": "lfpw/testset", "ibug": "ibug"},
    "private": {"indoor": "300W/01_Indoor", "outdoor": "300W/02_Outdoor"},
    "train": {"afw": "afw", "helen": "helen/trainset", "lfpw": "lfpw/trainset"},
}
_UNIONS = {"test": {"common": ("helen", "lfpw"), "challenging": ("ibug",)}}


def read(root: Path, split: str) -> Dataset:
    """One split of 300W from its official layout under ``root``.

    A face's id is its path under ``root`` without ending (``helen/testset/232194_1``). If a folder
    is missing, its subset is empty and the data set incomplete.
    """
    files, parts, side_files = [], [], []
    for part, folder in _PARTS[split].items():
        inside, skipped = find_files(root / folder, (".pts",), deep=False)
        side_files += skipped
        files += inside
        parts += [part] * len(inside)
    if not files:
        raise InputError(
            root, f"no .pts file of the {split} split of 300W",
            "any of " + ", ".join(f"{folder}/*.pts" for folder in _PARTS[split].values()),
            f"The 300W data set is published at {SOURCE.homepage}",
        )  # fmt: skip
    belongs = np.array(parts)
    subsets = {FULL: np.ones(len(files), np.bool_)}
    subsets |= {part: belongs == part for part in _PARTS[split]}
    for union, members in _UNIONS.get(split, {}).items():
        subsets[union] = np.isin(belongs, members)
    return Dataset(
        name="300w",
        split=split,
        markup=IBUG68,
        ids=tuple(file.relative_to(root).with_suffix("").as_posix() for file in files),
        points=arrays.join(read_pts(file, IBUG68.landmarks)[None] for file in files),
        visible=None,
        boxes=None,
        subsets={name: subsets[name] for name in _SPLITS[split]},
        images=ImageFiles(root, [i.relative_to(root).as_posix() for i in images_beside(files)]),
        official=_SPLITS[split],
        normalisers=("inter_ocular", "inter_pupil"),
        threshold=0.08,
        notes=skipped_note(side_files) + _mirror_note(files),
    )


def _mirror_note(files: list[Path]) -> tuple[str, ...]:
    """The note on files ``NAME_mirror.pts``: training scripts write them, and they are surplus."""
    names = [file.name for file in files if file.stem.lower().endswith("_mirror")]
    if not names:
        return ()
    return (f"{len(names):,} files, such as {names[0]}, are mirrored copies, and were evaluated.",)


SOURCE = DatasetSource(
    name="300w",
    title="300W: 68 points; test (common + challenging), private and train splits",
    markup=IBUG68,
    splits=_SPLITS,
    markers=tuple(folder for parts in _PARTS.values() for folder in parts.values()),
    layout="""\
300w/                        NAME.pts beside NAME.jpg, NAME.png, ...
  helen/testset/ lfpw/testset/ ibug/                (test)
  300W/01_Indoor/ 300W/02_Outdoor/                  (private)
  afw/ helen/trainset/ lfpw/trainset/               (train)""",
    homepage="https://ibug.doc.ic.ac.uk/resources/300-W/",
    read=read,
)
