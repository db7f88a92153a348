"""Anyone's data set: ``FORMAT:PATH`` reads a landmark file of any registered format as the truth.

The images are looked for below a folder that the user names, else beside the file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from alignbench.arrays import Bools, Bytes, Ints
from alignbench.datasets.base import FULL, Dataset, Images
from alignbench.exceptions import InputError
from alignbench.formats import StoredFaces, read_faces
from alignbench.geometry import tight_boxes
from alignbench.io.images import ENDINGS, ImageFiles, images_beside
from alignbench.io.text import is_inside
from alignbench.markups import Markup, by_landmarks, landmark_counts, load_markup

_USUAL = ("inter_ocular", "inter_pupil", "box")
"""Normalisers in the order in which they are preferred."""
_THRESHOLD = 0.10
_SAMPLE = 20
"""Images in the sample that is used to find the folder of all images."""


@dataclass(frozen=True)
class Location:
    """A landmark file, and what the user says about it.

    Attributes
    ----------
    format, path
        Registered name of its format, and where it is.
    markup
        Name of its mark-up; None for the one with as many landmarks.
    origin
        The coordinate of the centre of an image's first pixel; None for the format's own.
    images
        The folder of its images; None to look for them beside the file.
    """

    format: str
    path: Path
    markup: str | None = None
    origin: float | None = None
    images: Path | None = None


def read_file(location: Location, name: str, split: str) -> Dataset:
    """The faces of a landmark file as a data set.

    The id of a face is that in the file. In a file without ids it is the path of the image without
    ending, with the face's box behind it if several faces share an image. If no mark-up has this
    number of landmarks, the data set gets a mark-up without structure: its errors are divided by
    ``box`` and ``diagonal`` alone.

    Raises
    ------
    InputError
        If something in the file is wrong, or the mark-up has another number of landmarks.
    """
    path = location.path
    _, faces = read_faces(path, location.format, location.origin)
    markup = _markup(faces.points.shape[1], location)
    count = len(faces.points)
    names = [f"{k}" for k in range(1, count + 1)] if faces.names is None else list(faces.names)
    images, notes = (NoImages(names), ()) if faces.names is None else _images(names, location)
    ids = _ids(path, names, faces)
    return Dataset(
        name=name,
        split=split,
        markup=markup,
        ids=tuple(_number(ids)),
        points=faces.points,
        visible=faces.visible,
        boxes=faces.boxes,
        subsets={FULL: np.ones(count, np.bool_), **faces.subsets},
        images=images,
        official={},
        normalisers=tuple(n for n in _USUAL if n in (*markup.normalisers, "box")),
        threshold=_THRESHOLD,
        notes=(*faces.notes, *notes, *_repeated_note(ids)),
    )


def _markup(landmarks: int, location: Location) -> Markup:
    if location.markup is not None:
        markup = load_markup(location.markup)
        if markup.landmarks != landmarks:
            raise InputError(
                location.path, f"{landmarks} landmarks a face",
                f"{markup.landmarks}, as mark-up {markup.name} has", "Give another --markup.",
            )  # fmt: skip
        return markup
    if landmarks in landmark_counts():
        return by_landmarks(landmarks, location.path)
    return Markup(f"points{landmarks}", landmarks)


def _ids(path: Path, names: Sequence[str], faces: StoredFaces) -> list[str]:
    if faces.ids is not None:
        repeated = [name for name, times in Counter(faces.ids).items() if times > 1]
        if repeated:
            raise InputError(path, f"id {repeated[0]!r} more than once", "every id once")
        return list(faces.ids)
    stems = [_stem(name) for name in names]
    times = Counter(stems)
    boxes = tight_boxes(faces.points) if faces.boxes is None else faces.boxes
    return [
        stem if times[stem] == 1 else f"{stem}#{','.join(f'{edge:g}' for edge in box)}"
        for stem, box in zip(stems, boxes.tolist(), strict=True)
    ]


def _repeated_note(ids: Sequence[str]) -> tuple[str, ...]:
    """The note on faces that stand in the file twice."""
    repeated = [name for name, times in Counter(ids).items() if times > 1]
    if not repeated:
        return ()
    return (f"{len(repeated):,} faces occur more than once in the file, such as {repeated[0]}.",)


def _stem(name: str) -> str:
    """A path with / between its parts and without the ending of an image."""
    path = _plain(name)
    return path.rpartition(".")[0] if path.lower().endswith(ENDINGS) else path


def _number(ids: Iterable[str]) -> list[str]:
    """Make ids unique: the second face with the same id gets ``#2`` at its end."""
    times: Counter[str] = Counter()
    unique = []
    for name in ids:
        times[name] += 1
        unique.append(name if times[name] == 1 else f"{name}#{times[name]}")
    return unique


def _plain(name: str) -> str:
    """A path as people write it: with / between its parts, without drive and leading dots."""
    parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".", "..")]
    return "/".join(part for part in parts if not part.endswith(":"))


class NoImages:
    """Images of a file that names none."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = list(names)

    def available(self) -> Bools:
        return np.zeros(len(self._names), np.bool_)

    def read(self, index: int) -> Bytes:
        raise InputError(self.location(index), "the file names no images")

    def location(self, index: int) -> str:
        return f"face {self._names[index]}"

    def sources(self) -> list[str]:
        return list(self._names)

    def digest(self) -> str:
        raise InputError(self.location(0), "the file names no images")

    def take(self, indices: Ints) -> NoImages:
        return NoImages([self._names[i] for i in indices])


def _images(names: Sequence[str], location: Location) -> tuple[Images, tuple[str, ...]]:
    """The images of the faces, and a note if leading folders of their paths were left out."""
    plain = [_plain(name) for name in names]
    for name in plain:
        # With the longest ending that an image may get.
        if not name or not is_inside(f"{name}{max(ENDINGS, key=len)}"):
            raise InputError(
                location.path, f"image path {name[:60]!r} is not valid on every system",
                "a path below the folder of the images",
            )  # fmt: skip
    root, skipped = _find_root(plain, location)
    images = ImageFiles(root, _with_endings(root, _tails(plain, skipped)))
    if not skipped:
        return images, ()
    left_out = "/".join(plain[0].split("/")[:skipped])
    note = f"The leading folders {left_out!r} of the image paths are left out to find the images."
    return images, (note,)


def _find_root(names: Sequence[str], location: Location) -> tuple[Path, int]:
    """The folder of the images, and how many leading parts of their paths to leave out.

    Of several folders, the one that holds most of a sample of the images is taken.
    """
    if location.images is not None:
        roots = [location.images]
    elif location.path.is_dir():
        roots = [location.path]
    else:
        beside = location.path.absolute().parent
        roots = [folder for base in (beside, beside.parent) for folder in (base, base / "images")]
    different = list(dict.fromkeys(names))
    sample = different[:: -(-len(different) // _SAMPLE)]
    depth = min(name.count("/") for name in names)
    # Two images must not get the same path.
    skips = [k for k in range(depth + 1) if len(set(_tails(different, k))) == len(different)]
    matches = {
        (root, skipped): sum(
            (root / name).is_file() for name in _with_endings(root, _tails(sample, skipped))
        )
        for root in roots
        for skipped in skips
    }
    best = max(matches, key=matches.__getitem__)
    return best if matches[best] else (roots[0], 0)


def _tails(names: Iterable[str], skipped: int) -> list[str]:
    return ["/".join(name.split("/")[skipped:]) for name in names]


def _with_endings(root: Path, names: Sequence[str]) -> list[str]:
    """Paths with the ending of the image that exists; ``.jpg`` if there is none."""
    bare = [name for name in names if not name.lower().endswith(ENDINGS)]
    # The ending .pts is there to be replaced: without it, a dot in a name would count as an ending.
    files = {name: root / f"{name}.pts" for name in bare if (root / name).parent.is_dir()}
    images = dict(zip(files, images_beside(list(files.values())), strict=True))
    complete = dict.fromkeys(bare, "") | {
        name: image.relative_to(root).as_posix() for name, image in images.items()
    }
    return [complete.get(name, name) or f"{name}.jpg" for name in names]
