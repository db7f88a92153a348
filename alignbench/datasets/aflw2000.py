"""AFLW2000-3D: 68 points of fitted 3D faces, hidden ones included (Zhu et al., CVPR 2016)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from alignbench import arrays
from alignbench.arrays import Floats, plausible
from alignbench.datasets.base import FULL, Dataset, DatasetSource
from alignbench.exceptions import InputError
from alignbench.io.folders import find_files, skipped_note
from alignbench.io.images import ImageFiles
from alignbench.io.matlab import read_v5
from alignbench.markups import IBUG68

_SPLITS = {"test": {FULL: 2000}}
_FOLDERS = ("AFLW2000", "AFLW2000-3D")
_YAWS = {"yaw-30": (-1.0, 30.0), "yaw-60": (30.0, 60.0), "yaw-90": (60.0, np.inf)}
"""The range of the yaw in degrees of each subset: above the first number, at most the second."""
_YAW = 1
"""Place of the yaw in ``Pose_Para``, which begins with pitch, yaw and roll in radians."""


def read(root: Path, split: str) -> Dataset:
    """AFLW2000-3D from its official layout under ``root``, or its folder ``AFLW2000``.

    Landmarks are x and y of ``pt3d_68``, which counts pixels from 1 as MATLAB does. A face's id is
    its file's name without ending. The subsets ``yaw-30``, ``yaw-60`` and ``yaw-90`` have an
    absolute yaw, by ``Pose_Para``, of [0, 30], (30, 60] and above 60 degrees. Papers differ in the
    number of faces of each, and some balance the subsets. Therefore only the number of all faces is
    compared with the official one.
    """
    folder = next((root / name for name in _FOLDERS if (root / name).is_dir()), root)
    files, side_files = find_files(folder, (".mat",), deep=False)
    if not files:
        raise InputError(folder, "no NAME.mat file", "image00002.mat and so on")
    yaws: list[float] = []

    def face(path: Path) -> Floats:
        points, pose = read_v5(path, "pt3d_68", "Pose_Para")
        if points.shape != (3, IBUG68.landmarks) or pose.size <= _YAW:
            found = f"pt3d_68 {points.shape}, Pose_Para {pose.shape}"
            raise InputError(path, found, f"pt3d_68 (3, {IBUG68.landmarks}), Pose_Para (1, 7)")
        yaw = np.degrees(abs(float(pose.ravel()[_YAW])))
        if not plausible(points[:2]).all() or not np.isfinite(yaw):
            raise InputError(path, "a value is not finite", "finite landmarks and pose")
        yaws.append(float(yaw))
        return points[:2].T.astype(np.float64)[None] - 1

    truth = arrays.join(face(file) for file in files)  # fills the list above
    turned = np.array(yaws)
    return Dataset(
        name="aflw2000-3d",
        split=split,
        markup=IBUG68,
        ids=tuple(file.stem for file in files),
        points=truth,
        visible=None,
        boxes=None,
        subsets={FULL: np.ones(len(files), np.bool_)}
        | {name: (turned > low) & (turned <= high) for name, (low, high) in _YAWS.items()},
        images=ImageFiles(folder, [f"{file.stem}.jpg" for file in files]),
        official=_SPLITS[split],
        normalisers=("box",),
        threshold=0.07,
        notes=skipped_note(side_files),
    )


SOURCE = DatasetSource(
    name="aflw2000-3d",
    title="AFLW2000-3D: 68 points of fitted 3D faces; subsets by yaw",
    markup=IBUG68,
    splits=_SPLITS,
    markers=(*_FOLDERS, "image00002.mat"),
    layout="""\
aflw2000-3d/
  AFLW2000/image00002.mat ...       (MATLAB v5)
  AFLW2000/image00002.jpg ...       (only for models that look at images)""",
    homepage="http://www.cbsr.ia.ac.cn/users/xiangyuzhu/projects/3DDFA/main.htm",
    read=read,
)
