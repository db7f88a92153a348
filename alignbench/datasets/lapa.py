"""LaPa: 106 points (Liu et al., A New Dataset and Boundary-Attention ..., AAAI 2020)."""

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
from alignbench.io.text import line_error, lines_of, numbers
from alignbench.markups import JD106

_SPLITS = {"test": {FULL: 2000}, "val": {FULL: 2000}, "train": {FULL: 18176}}


def read(root: Path, split: str) -> Dataset:
    """One split of LaPa from its official layout under ``root``.

    A face's id is its file's name without ending. Coordinates are taken as stored.
    """
    folder = root / split / "landmarks"
    files, side_files = find_files(folder, (".txt",), deep=False)
    if not files:
        raise InputError(folder, "no NAME.txt file", f"{split}/landmarks/NAME.txt")
    return Dataset(
        name="lapa",
        split=split,
        markup=JD106,
        ids=tuple(file.stem for file in files),
        points=arrays.join(read_landmarks(file, JD106.landmarks)[None] for file in files),
        visible=None,
        boxes=None,
        subsets={FULL: np.ones(len(files), np.bool_)},
        images=ImageFiles(root, [f"{split}/images/{file.stem}.jpg" for file in files]),
        official=_SPLITS[split],
        normalisers=("inter_ocular", "inter_pupil"),
        threshold=0.08,
        notes=skipped_note(side_files),
    )


def read_landmarks(path: Path, landmarks: int) -> Floats:
    """Landmarks (L, 2) of a text file with their number in its first line, as stored."""
    (first, count), *body = lines_of(path)
    if not re.fullmatch("[0-9]{1,6}", count.strip()) or int(count.strip()) != landmarks:
        raise line_error(path, first, f"found {count[:40]!r}", f"{landmarks}, the number of points")
    if len(body) != landmarks:
        raise InputError(path, f"{len(body)} points", f"{landmarks}", "Copy the file again.")
    rows: Sequence[list[str]] = [text.split() for _, text in body]
    for (line, _), row in zip(body, rows, strict=True):
        if len(row) != 2:
            raise line_error(path, line, f"{len(row)} fields", "two: x y")
    return numbers(path, rows, [line for line, _ in body])


SOURCE = DatasetSource(
    name="lapa",
    title="LaPa: 106 points",
    markup=JD106,
    splits=_SPLITS,
    markers=tuple(f"{split}/landmarks" for split in _SPLITS),
    layout="""\
lapa/
  {test,val,train}/landmarks/NAME.txt
  {test,val,train}/images/NAME.jpg      (only for models that look at images)""",
    homepage="https://github.com/JDAI-CV/lapa-dataset",
    read=read,
)
