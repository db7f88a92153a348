"""Synthetic faces with exact truth: the data set a fresh machine has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from platformdirs import user_cache_path

from alignbench.arrays import Bools
from alignbench.datasets.base import FULL, Dataset, DatasetSource, Progress, ignore_progress
from alignbench.datasets.wflw import LIST, read_layout
from alignbench.exceptions import InputError
from alignbench.io.files import require_regular, write_folder_atomic
from alignbench.io.notation import parse_json
from alignbench.io.text import in_blocks, lines_of
from alignbench.markups import WFLW98
from alignbench.synthetic.write import FACES, HEADS, MANIFEST, VERSIONS, VISIBLE, write

SEED = 0
NAMES = {FACES: "synthetic", HEADS: "synthetic:heads"}
SPLITS = {
    FACES: {"test": 1000, "train": 8000, "validation": 500, "sample": 60},
    HEADS: {"test": 1000, "train": 16000, "validation": 500, "sample": 60},
}
"""How many faces a generator draws for each split."""


def read(root: Path, split: str, generator: str = FACES) -> Dataset:
    """One split of synthetic faces from ``root``, where :func:`locate` or a user drew them.

    Raises
    ------
    InputError
        If the folder lacks the split, or its files do not belong together.
    """
    faces = _manifest(root, generator)
    if split not in faces:
        raise InputError(root / MANIFEST, f"no split {split!r} was drawn", ", ".join(faces))
    dataset = read_layout(root, split, NAMES[generator], {FULL: faces[split]})
    path = root / VISIBLE.format(split=split)
    blocks = list(_visible(path, dataset.points.shape[1], root))
    visible = np.concatenate(blocks)
    if len(visible) != len(dataset):
        raise InputError(path, f"{len(visible)} lines", f"{len(dataset)}", _again(root))
    return replace(dataset, visible=visible)


def _visible(path: Path, landmarks: int, root: Path) -> Iterator[Bools]:
    """Visibility (n, L) of the faces, block after block."""
    for block in in_blocks(lines_of(path)):
        for line, text in block:
            flags = text.split()
            if len(flags) != landmarks or not {"0", "1"}.issuperset(flags):
                accepted = f"{landmarks} zeros and ones"
                raise InputError(f"{path}, line {line}", f"{text[:40]!r}", accepted, _again(root))
        yield np.array([text.split() for _, text in block]) == "1"


def _again(root: Path) -> str:
    return f"Remove {root} and have it drawn again."


def _manifest(root: Path, generator: str) -> Mapping[str, int]:
    """Faces of each split; raises InputError if another generator drew them."""
    path = root / MANIFEST
    require_regular(path)
    try:
        content = parse_json(path.read_text(encoding="utf-8"))
        faces = {str(split): int(number) for split, number in content["faces"].items()}
        drawn_by = content.get("generator", FACES)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise InputError(
            path, f"no record of drawn faces ({error})", remedy=_again(root)
        ) from error
    if drawn_by != generator:
        names = NAMES.get(drawn_by, drawn_by), NAMES[generator]
        raise InputError(path, f"faces of {names[0]}", f"faces of {names[1]}")
    return faces


def _folder(split: str, generator: str) -> Path:
    """Where a split is drawn: named after everything the faces depend on."""
    drawn_by = f"opencv{cv2.__version__}-numpy{np.__version__}"
    kind, faces = NAMES[generator].replace(":", "-"), SPLITS[generator][split]
    name = f"{kind}-{VERSIONS[generator]}-seed{SEED}-{split}{faces}-{drawn_by}"
    return user_cache_path("alignbench", appauthor=False) / name


def is_drawn(split: str, generator: str = FACES) -> bool:
    """Whether :func:`locate` drew a split before."""
    return _folder(split, generator).is_dir()


def locate(split: str, progress: Progress = ignore_progress, generator: str = FACES) -> Path:
    """The folder with one split; draws it on first use.

    Raises
    ------
    InputError
        If the files the generator needs are not there.
    """
    faces = {split: SPLITS[generator][split]}
    folder = _folder(split, generator)
    if not folder.is_dir():
        write_folder_atomic(folder, lambda draft: write(draft, faces, SEED, progress, generator))
    return folder


def draw(
    folder: Path, faces: dict[str, int], seed: int, progress: Progress = ignore_progress
) -> None:
    """Draw faces into a new folder, which is there whole or not at all.

    Raises
    ------
    InputError
        If the folder is there already and not empty.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(folder, "is there already", "a new or empty folder", "Give another --out.")
    write_folder_atomic(folder, lambda draft: write(draft, faces, seed, progress))


SOURCE = DatasetSource(
    name="synthetic",
    title="3D faces the package draws itself, with exact truth (98 points); nothing to download",
    markup=WFLW98,
    splits={split: {FULL: faces} for split, faces in SPLITS[FACES].items()},
    markers=(MANIFEST,),
    layout=f"""\
synthetic/
  {MANIFEST}
  {LIST.format(split="test")}
  ... as `alignbench data synthesize --faces N --out FOLDER` writes it""",
    homepage="https://wywu.github.io/projects/LAB/WFLW.html (its layout)",
    read=read,
    locate=locate,
    is_drawn=is_drawn,
)

HEADS_SOURCE = replace(
    SOURCE,
    name="synthetic:heads",
    title="MakeHuman's heads, drawn with exact truth (98 points); needs the extra [heads]",
    layout="nothing: the heads are drawn into the cache",
    splits={split: {FULL: faces} for split, faces in SPLITS[HEADS].items()},
    read=partial(read, generator=HEADS),
    locate=partial(locate, generator=HEADS),
    is_drawn=partial(is_drawn, generator=HEADS),
)
