"""Files of .pts, one for each face, or folders of them, as 300W has them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from alignbench.arrays import join
from alignbench.formats import Format, StoredFaces
from alignbench.io.folders import find_files, has_files, skipped_note
from alignbench.io.pts import read_pts

_ENDING = ".pts"


def _read(path: Path) -> StoredFaces:
    files, skipped = ([path], []) if path.is_file() else find_files(path, (_ENDING,))
    if not files:
        return StoredFaces([], np.empty((0, 0, 2)))
    landmarks = len(read_pts(files[0]))
    base = path.parent if path.is_file() else path
    names = [file.relative_to(base).with_suffix("").as_posix() for file in files]
    points = join(read_pts(file, landmarks, origin=0)[None] for file in files)
    return StoredFaces(names, points, notes=skipped_note(skipped))


PTS = Format(
    "pts",
    "a folder of .pts files at any depth, one for each face, or one such file; counted from 1",
    lambda path: path.suffix.lower() == _ENDING or has_files(path, _ENDING),
    _read,
    origin=1,
)
