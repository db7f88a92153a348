"""Folders of .pts files, one for each face, as 300W has them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from alignbench.arrays import join
from alignbench.io.pts import read_pts
from alignbench.predictors.formats import PredictionFormat, Stored


def _read(path: Path) -> Stored:
    files = sorted(
        file
        for file in path.rglob("*")
        if file.suffix.lower() == ".pts" and not file.name.startswith("._")
    )
    if not files:
        return Stored([], np.empty((0, 0, 2)))
    landmarks = len(read_pts(files[0]))
    ids = [file.relative_to(path).with_suffix("").as_posix() for file in files]
    return Stored(ids, join(read_pts(file, landmarks)[None] for file in files))


PTS = PredictionFormat(
    "pts",
    "a folder of .pts files at any depth, 1-based; or the folder of a run",
    Path.is_dir,
    _read,
)
