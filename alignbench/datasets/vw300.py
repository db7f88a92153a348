"""300-VW: videos with 68 points in every frame (Shen et al., ICCVW 2015)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from alignbench import arrays
from alignbench.datasets.base import FULL, Dataset, DatasetSource
from alignbench.exceptions import InputError
from alignbench.io.folders import find_files, skipped_note
from alignbench.io.images import ImageFiles
from alignbench.io.pts import read_pts
from alignbench.markups import IBUG68

_CATEGORIES = {
    "category-1": (
        114, 124, 125, 126, 150, 158, 401, 402, 505, 506, 507, 508, 509, 510, 511, 514, 515, 518,
        519, 520, 521, 522, 524, 525, 537, 538, 540, 541, 546, 547, 548,
    ),
    "category-2": (
        203, 208, 211, 212, 213, 214, 218, 224, 403, 404, 405, 406, 407, 408, 409, 412, 550, 551,
        553,
    ),
    "category-3": (410, 411, 516, 517, 526, 528, 529, 530, 531, 533, 557, 558, 559, 562),
}  # fmt: skip
"""The test videos: 31 well lit, 19 in other light, 14 without constraints."""
_TRAIN = (
    1, 2, 3, 4, 7, 9, 10, 11, 13, 15, 16, 17, 18, 19, 20, 22, 25, 27, 28, 29, 31, 33, 34, 35, 37,
    39, 41, 43, 44, 46, 47, 48, 49, 53, 57, 59, 112, 113, 115, 119, 120, 123, 138, 143, 144, 160,
    204, 205, 223, 225,
)  # fmt: skip
_VIDEOS = {"test": tuple(v for videos in _CATEGORIES.values() for v in videos), "train": _TRAIN}
_SPLITS: dict[str, dict[str, int]] = {"test": {}, "train": {}}
"""The official numbers are those of videos; sources differ in the number of frames."""
_FOLDER = "300VW_Dataset_2015_12_14"


def read(root: Path, split: str) -> Dataset:
    """One split of 300-VW under ``root``: ``NNN/annot/NNNNNN.pts``, and ``NNN/imgs/NNNNNN.jpg``.

    The official archive has each video as ``NNN/vid.avi``, whose frames the user has to write, with
    any program, as ``imgs/000001.jpg`` and so on: the first frame belongs to ``000001.pts``. A
    face's id is its video and frame, ``114/000001``. Frames of one video are not independent
    samples: intervals and tests draw whole videos.
    """
    folder = root / _FOLDER if (root / _FOLDER).is_dir() else root
    files: list[Path] = []
    videos: list[int] = []
    side_files: list[Path] = []
    for video in sorted(_VIDEOS[split]):
        frames, skipped = find_files(folder / f"{video:03d}" / "annot", (".pts",), deep=False)
        side_files += skipped
        files += frames
        videos += [video] * len(frames)
    if not files:
        raise InputError(
            folder, f"no frame of the {split} split",
            f"{_VIDEOS[split][0]:03d}/annot/000001.pts and so on",
        )  # fmt: skip
    belongs = np.array(videos)
    names = [f"{video:03d}/{file.stem}" for video, file in zip(videos, files, strict=True)]
    subsets = {FULL: np.ones(len(files), np.bool_)}
    if split == "test":
        subsets |= {name: np.isin(belongs, part) for name, part in _CATEGORIES.items()}
    return Dataset(
        name="300vw",
        split=split,
        markup=IBUG68,
        ids=tuple(names),
        points=arrays.join(read_pts(file, IBUG68.landmarks)[None] for file in files),
        visible=None,
        boxes=None,
        subsets=subsets,
        images=ImageFiles(folder, [f"{name[:3]}/imgs/{name[4:]}.jpg" for name in names]),
        official=_SPLITS[split],
        normalisers=("inter_ocular", "inter_pupil"),
        threshold=0.08,
        clusters=tuple(name[:3] for name in names),
        sampled="videos",
        incomplete=_absent(set(_VIDEOS[split]) - set(videos), len(_VIDEOS[split])),
        notes=skipped_note(side_files),
    )


def _absent(videos: set[int], official: int) -> tuple[str, ...]:
    """The reason why a split is incomplete, where videos are missing."""
    if not videos:
        return ()
    return (f"{len(videos)} of {official} videos missing, such as {min(videos):03d}",)


SOURCE = DatasetSource(
    name="300vw",
    title="300-VW: videos, 68 points a frame; three categories",
    markup=IBUG68,
    splits=_SPLITS,
    markers=(_FOLDER, *(f"{video:03d}/annot" for videos in _VIDEOS.values() for video in videos)),
    layout=f"""\
300vw/                       or {_FOLDER}/ inside it
  NNN/annot/000001.pts ...   NNN: the number of a video
  NNN/imgs/000001.jpg ...    (the frames of NNN/vid.avi; only for models that look at images)""",
    homepage="https://ibug.doc.ic.ac.uk/resources/300-VW/",
    read=read,
)
