"""COFW: 29 points with occlusion flags, in MATLAB files (Burgos-Artizzu et al., ICCV 2013)."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import numpy as np

from alignbench.arrays import Bools, Bytes, Floats, Ints, plausible
from alignbench.datasets.base import FULL, Dataset, DatasetSource
from alignbench.exceptions import InputError
from alignbench.io.images import MOST_PIXELS
from alignbench.io.matlab import open_v73, read_v5_values, read_v73, require_version
from alignbench.io.npz import Array
from alignbench.markups import COFW29

_SPLITS = {"test": {FULL: 507}, "train": {FULL: 1345}}
_FILES = {
    "test": ("COFW_test_color.mat", "COFW_test.mat"),
    "train": ("COFW_train_color.mat", "COFW_train.mat"),
}
"""The files of the colour images and of the grey images; the first file that exists is read."""
_SUFFIX = {"test": "T", "train": "Tr"}
_POINTS = COFW29.landmarks


def read(root: Path, split: str) -> Dataset:
    """One split of COFW from its official file under ``root``: in colour, or else in grey.

    The file is of version 7.3, or of version 5 with the same variables. A face's id is its 1-based
    number in the file.
    """
    suffix = _SUFFIX[split]
    files = [root / name for name in _FILES[split]]
    path = next((file for file in files if file.exists()), files[0])
    phis, boxes, images = _columns(path, suffix)
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
        images=images,
        official=_SPLITS[split],
        normalisers=("inter_pupil", "inter_ocular"),
        threshold=0.10,
    )


def convert_boxes(boxes: Floats) -> Floats:
    """Boxes x, y, width, height, 1-based, as corners, 0-based; the last pixel is inside."""
    corner = boxes[:, :2] - 1
    return np.concatenate([corner, corner + boxes[:, 2:] - 1], axis=1)


def _columns(path: Path, suffix: str) -> tuple[Floats, Floats, _Images]:
    """``phis`` (87, N) and ``bboxes`` (4, N) of the file, and its images."""
    heights = {f"phis{suffix}": 3 * _POINTS, f"bboxes{suffix}": 4}
    pictures = f"Is{suffix}"
    images: _Images
    if require_version(path, "7.3", "5") == "5":
        *stored, cell = read_v5_values(path, *heights, pictures)
        columns = [
            _column(path, name, np.transpose(value) if isinstance(value, np.ndarray) else value)
            for name, value in zip(heights, stored, strict=True)
        ]
        images = _CellImages(path, cell, np.arange(columns[0].shape[1]))
        if not isinstance(cell, list) or len(cell) != columns[0].shape[1]:
            found = f"{len(cell):,} images for {columns[0].shape[1]:,} faces"
            raise InputError(f"{path}, {pictures}", found, "an image for each face")
    else:
        with open_v73(path, path) as file:
            for name in heights:
                if name not in file:
                    raise InputError(path, f"no variable {name!r}", ", ".join(heights))
            columns = [_column(path, name, read_v73(file, name)) for name in heights]
        images = _Hdf5Images(path, pictures, np.arange(columns[0].shape[1]))
    if columns[0].shape[1] != columns[1].shape[1]:
        raise InputError(path, f"{columns[0].shape[1]} faces, {columns[1].shape[1]} boxes")
    return columns[0], columns[1], images


def _column(path: Path, name: str, column: Any) -> Floats:
    """A variable of the file, in the order of HDF5; raises InputError if it is wrong."""
    where, rows = f"{path}, {name}", 3 * _POINTS if name.startswith("phis") else 4
    if not isinstance(column, np.ndarray) or column.dtype.kind not in "fiub":
        raise InputError(where, f"values of {getattr(column, 'dtype', 'no number')}", "numbers")
    column = column.astype(np.float64)
    if column.ndim != 2 or column.shape[0] != rows or not column.shape[1]:
        raise InputError(where, f"shape {column.shape}", f"({rows}, N) in HDF5 order")
    for row, face in np.argwhere(~plausible(column)):
        found = f"found {column[row, face]} in row {row} of face {face + 1}"
        accepted = "finite numbers, not far outside any image"
        raise InputError(where, found, accepted, "Copy the file again.")
    return np.asarray(column)


class _Images(ABC):
    """The images of one file; :meth:`stored` returns the image of a face."""

    def __init__(self, path: Path, source: Any, faces: Ints) -> None:
        self._path, self._source, self._faces = path, source, faces

    @abstractmethod
    def stored(self, face: int, where: str) -> Array:
        """The image (H, W) or (H, W, 3) of a face, by its place in the file."""

    def available(self) -> Bools:
        return np.ones(len(self._faces), np.bool_)

    def read(self, index: int) -> Bytes:
        where = self.location(index)
        image = self.stored(int(self._faces[index]), where)
        if image.dtype != np.uint8 or (image.ndim != 2 and image.shape[2:] != (3,)):
            found = f"stored as {image.dtype} {image.shape}"
            raise InputError(where, found, "uint8, grey or RGB")
        return np.ascontiguousarray(image if image.ndim == 3 else np.stack([image] * 3, axis=2))

    def location(self, index: int) -> str:
        return f"{self._path}, image {self._faces[index] + 1}"

    def sources(self) -> list[str]:
        return [str(face + 1) for face in self._faces]

    def digest(self) -> str:
        digest = hashlib.sha256()
        for index in range(len(self._faces)):
            digest.update(hashlib.sha256(self.read(index).tobytes()).digest())
        return digest.hexdigest()

    def take(self, indices: Ints) -> _Images:
        return type(self)(self._path, self._source, self._faces[indices])


class _Hdf5Images(_Images):
    """Images behind the references of a v7.3 file, stored transposed (C x W x H or W x H)."""

    def available(self) -> Bools:
        with open_v73(self._path, self._path) as file:
            return np.full(len(self._faces), self._source in file, dtype=np.bool_)

    def stored(self, face: int, where: str) -> Array:
        with open_v73(self._path, where) as file:
            reference = read_v73(file, self._source).ravel()[face]
            return read_v73(file, reference, 3 * MOST_PIXELS).T


class _CellImages(_Images):
    """Images of a version 5 file, which are all in memory."""

    def stored(self, face: int, where: str) -> Array:
        image = self._source[face]
        if not isinstance(image, np.ndarray):
            raise InputError(where, "stored as something else", "uint8, grey or RGB")
        return image


SOURCE = DatasetSource(
    name="cofw",
    title="COFW: 29 points with occlusion flags",
    markup=COFW29,
    splits=_SPLITS,
    markers=tuple(name for names in _FILES.values() for name in names),
    layout="""\
cofw/
  COFW_test_color.mat  COFW_train_color.mat         (MATLAB v7.3 or v5)
  or the grey images of COFW.zip: COFW_test.mat  COFW_train.mat""",
    homepage="http://www.vision.caltech.edu/xpburgos/ICCV13/",
    read=read,
)
