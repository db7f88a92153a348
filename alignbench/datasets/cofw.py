"""COFW: 29 points with occlusion flags, in MATLAB v7.3 files (Burgos-Artizzu et al., ICCV 2013)."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from alignbench.arrays import Bools, Bytes, Floats, Ints, plausible
from alignbench.datasets.base import FULL, Dataset, DatasetSource
from alignbench.errors import InputError
from alignbench.io.images import MOST_PIXELS
from alignbench.io.matlab import open_v73, read_v73, require_version
from alignbench.markups import COFW29

_SPLITS = {"test": {FULL: 507}, "train": {FULL: 1345}}
_FILES = {"test": "COFW_test_color.mat", "train": "COFW_train_color.mat"}
_SUFFIX = {"test": "T", "train": "Tr"}
_POINTS = COFW29.landmarks


def read(root: Path, split: str) -> Dataset:
    """One split of COFW from its official file under ``root``.

    A face's id is its 1-based number in the file.
    """
    path, suffix = root / _FILES[split], _SUFFIX[split]
    phis, boxes = _columns(path, suffix)
    truth = phis[: 2 * _POINTS].reshape(2, _POINTS, -1).transpose(2, 1, 0)
    ids = tuple(str(number) for number in range(1, len(truth) + 1))
    return Dataset(
        name="cofw",
        split=split,
        markup=COFW29,
        ids=ids,
        points=truth - 1,
        visible=phis[2 * _POINTS :].T == 0,
        boxes=convert_boxes(boxes.T),
        subsets={FULL: np.ones(len(ids), np.bool_)},
        images=_Hdf5Images(path, f"Is{suffix}", np.arange(len(ids))),
        official=_SPLITS[split],
        normalisers=("inter_pupil", "inter_ocular"),
        threshold=0.10,
    )


def convert_boxes(boxes: Floats) -> Floats:
    """Boxes x, y, width, height, 1-based, as corners, 0-based; the last pixel is inside."""
    corner = boxes[:, :2] - 1
    return np.concatenate([corner, corner + boxes[:, 2:] - 1], axis=1)


def _columns(path: Path, suffix: str) -> tuple[Floats, Floats]:
    """``phis`` (87, N) and ``bboxes`` (4, N) of the file."""
    require_version(path, "7.3")
    heights = {f"phis{suffix}": 3 * _POINTS, f"bboxes{suffix}": 4}
    columns = []
    with open_v73(path, path) as file:
        for name, rows in heights.items():
            if name not in file:
                raise InputError(path, f"no variable {name!r}", ", ".join(heights))
            column, where = read_v73(file, name), f"{path}, {name}"
            if column.dtype.kind not in "fiub":
                raise InputError(where, f"values of {column.dtype}", "numbers")
            column = column.astype(np.float64)
            if column.ndim != 2 or column.shape[0] != rows or not column.shape[1]:
                raise InputError(where, f"shape {column.shape}", f"({rows}, N) in HDF5 order")
            for row, face in np.argwhere(~plausible(column)):
                found = f"found {column[row, face]} in row {row} of face {face + 1}"
                accepted = "finite numbers of an image's size"
                raise InputError(where, found, accepted, "Copy the file again.")
            columns.append(column)
    if columns[0].shape[1] != columns[1].shape[1]:
        raise InputError(path, f"{columns[0].shape[1]} faces, {columns[1].shape[1]} boxes")
    return columns[0], columns[1]


class _Hdf5Images:
    """Images behind the references of a v7.3 file, stored transposed (C x W x H or W x H)."""

    def __init__(self, path: Path, variable: str, faces: Ints) -> None:
        self._path, self._variable, self._faces = path, variable, faces

    def available(self) -> Bools:
        with open_v73(self._path, self._path) as file:
            return np.full(len(self._faces), self._variable in file, dtype=np.bool_)

    def read(self, index: int) -> Bytes:
        face = int(self._faces[index])
        where = self.location(index)
        with open_v73(self._path, where) as file:
            reference = read_v73(file, self._variable).ravel()[face]
            stored = read_v73(file, reference, 3 * MOST_PIXELS)
        if stored.dtype != np.uint8 or (stored.ndim != 2 and stored.shape[:-2] != (3,)):
            found = f"stored as {stored.dtype} {stored.shape}"
            raise InputError(where, found, "uint8, grey or RGB")
        image = stored.T if stored.ndim == 3 else np.stack([stored.T] * 3, axis=2)
        return np.ascontiguousarray(image)

    def location(self, index: int) -> str:
        return f"{self._path}, image {self._faces[index] + 1}"

    def sources(self) -> list[str]:
        return [str(face + 1) for face in self._faces]

    def digest(self) -> str:
        digest = hashlib.sha256()
        for index in range(len(self._faces)):
            digest.update(hashlib.sha256(self.read(index).tobytes()).digest())
        return digest.hexdigest()

    def take(self, indices: Ints) -> _Hdf5Images:
        return _Hdf5Images(self._path, self._variable, self._faces[indices])


SOURCE = DatasetSource(
    name="cofw",
    title="COFW: 29 points with occlusion flags",
    markup=COFW29,
    splits=_SPLITS,
    markers=tuple(_FILES.values()),
    layout="""\
cofw/
  COFW_test_color.mat  COFW_train_color.mat         (MATLAB v7.3)""",
    homepage="http://www.vision.caltech.edu/xpburgos/ICCV13/",
    read=read,
)
