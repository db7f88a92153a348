"""Matching other people's names of faces to a data set's ids."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np

from alignbench.arrays import Floats, Ints
from alignbench.errors import InputError
from alignbench.io.images import ENDINGS

_BOX = re.compile(r"#-?[0-9.e+-]+(,-?[0-9.e+-]+){3}(#[0-9]+)?$")
"""The box behind an image's path in the id of a face."""
_DETECTION = re.compile(r"_det_[0-9]+$")
"""What OpenFace puts behind an image's name."""
_MOST_NOTES = 20
"""Most pairs of names in notes."""


def _parts(name: str) -> tuple[Parts, str]:
    """The parts of an image's path, without ending, and the box behind it."""
    box = _BOX.search(name)
    path = PurePosixPath(name[: box.start() if box else None].replace("\\", "/"))
    while path.suffix.lower() in (*ENDINGS, ".pts"):
        path = path.with_suffix("")
    return path.parts, box[0] if box else ""


Parts = tuple[str, ...]


def _as_they_are(theirs: Sequence[Parts], ours: Sequence[Parts]) -> tuple[list[Parts], list[Parts]]:
    return list(theirs), list(ours)


def _their_ends(theirs: Sequence[Parts], ours: Sequence[Parts]) -> tuple[list[Parts], list[Parts]]:
    """Theirs without the folders above ours."""
    known = set(ours)
    return [_end(parts, known) for parts in theirs], list(ours)


def _our_ends(theirs: Sequence[Parts], ours: Sequence[Parts]) -> tuple[list[Parts], list[Parts]]:
    """Ours without the folders above theirs."""
    known = set(theirs)
    return list(theirs), [_end(parts, known) for parts in ours]


def _end(parts: Parts, known: Set[Parts]) -> Parts:
    """The longest end of a path, of two parts or more, that is known; else the path."""
    ends = (parts[start:] for start in range(len(parts) - 1))
    return next((end for end in ends if end in known), parts)


def _bare(theirs: Sequence[Parts], ours: Sequence[Parts]) -> tuple[list[Parts], list[Parts]]:
    return [parts[-1:] for parts in theirs], [parts[-1:] for parts in ours]


def _bare_detections(
    theirs: Sequence[Parts], ours: Sequence[Parts]
) -> tuple[list[Parts], list[Parts]]:
    """Bare names without the number of the detection that OpenFace puts behind them."""
    plain, our_names = _bare(theirs, ours)
    return [tuple(_DETECTION.sub("", name) for name in parts) for parts in plain], our_names


_FORMS = {
    _as_they_are: "image path",
    _their_ends: "end of the image path",
    _our_ends: "end of the image path",
    _bare: "bare name",
    _bare_detections: "bare name",
}
"""Ways to compare paths, the strictest first, and what records call them; one is taken for all."""


@dataclass(frozen=True)
class Match:
    """For each of our ids the row of theirs (N,), or -1; by what names were compared; remarks."""

    rows: Ints
    compared: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Keys:
    """Keys of their names and ours under one comparison; equal keys mean the same face."""

    theirs: list[object]
    ours: list[object]
    compared: str


def match_ids(
    theirs: Sequence[str], ours: Sequence[str], where: object, images: Sequence[str] = ()
) -> Match:
    """Which of their names means which of our ids.

    Names are compared as they are; if no two agree, by image path without ending; then by the last
    parts of the path; then by the image's bare name. A box behind ``#`` is compared only if their
    names have one. A comparison under which a shared name means two faces of either side is not
    used. Names that are left over on both sides and differ in blanks alone are the same.

    Parameters
    ----------
    images
        The image of each of our faces, if ids are not made of their paths.

    Raises
    ------
    InputError
        If no comparison finds a face, or none is unambiguous; ``where`` names the file.
    """
    keys = _compare(theirs, ours, where, images, is_repeated=False)
    row: dict[object, int] = {key: index for index, key in enumerate(keys.theirs)}
    rows = np.array([row.get(key, -1) for key in keys.ours], dtype=np.intp)
    notes = _match_blanks(theirs, ours, keys, rows)
    return Match(rows, keys.compared, notes)


def match_detections(
    theirs: Sequence[str],
    ours: Sequence[str],
    where: object,
    images: Sequence[str],
    fit: Callable[[list[int], list[int]], Floats],
) -> Match:
    """Which of several detections of an image is which of our faces.

    Parameters
    ----------
    fit
        How well each of some of theirs (m) fits each of some of ours (n), as (m, n); minus
        infinity for no fit. The best pair is taken first, and each of theirs once.

    Raises
    ------
    InputError
        If no name agrees.
    """
    keys = _compare(theirs, ours, where, images, is_repeated=True)
    candidates: dict[object, list[int]] = defaultdict(list)
    faces: dict[object, list[int]] = defaultdict(list)
    for index, key in enumerate(keys.theirs):
        candidates[key].append(index)
    for index, key in enumerate(keys.ours):
        faces[key].append(index)
    rows = np.full(len(ours), -1, dtype=np.intp)
    for key, here in faces.items():
        if key not in candidates:
            continue
        fits = np.array(fit(candidates[key], here))
        while np.isfinite(fits).any():
            best, face = np.unravel_index(fits.argmax(), fits.shape)
            rows[here[face]] = candidates[key][best]
            fits[best, :] = fits[:, face] = -np.inf
    return Match(rows, keys.compared)


def _compare(
    theirs: Sequence[str],
    ours: Sequence[str],
    where: object,
    images: Sequence[str],
    is_repeated: bool,
) -> _Keys:
    """Their names and ours as keys of the strictest comparison that can be used.

    ``is_repeated`` says that a name may stand for several faces.
    """
    trouble = ""
    for keys in _comparisons(theirs, ours, images):
        their_count, our_count = Counter(keys.theirs), Counter(keys.ours)
        common = their_count.keys() & our_count.keys()
        twice = [key for key in common if their_count[key] > 1 or our_count[key] > 1]
        if not common:
            continue
        if twice and not is_repeated:
            trouble = trouble or f"{_spell(min(twice, key=str))!r} names more than one face"
        elif keys.compared == "bare name" and len(common) < len(their_count):
            other = theirs[next(k for k, key in enumerate(keys.theirs) if key not in common)]
            trouble = trouble or (
                f"{len(common):,} of {len(their_count):,} names agree with the data set, and only "
                f"in the bare name of the image (first of the others {other!r})"
            )
        else:
            return keys
    if trouble:
        accepted = f"ids as the data set has them, such as {ours[0]!r}"
        remedy = (
            "Write the full ids (`alignbench data ids` lists them), or give --pick score or --pick "
            "iou to choose one of several detections of an image."
        )
        raise InputError(where, trouble, accepted, remedy)
    found = f"other faces: none of {len(theirs):,} ids is in the data set (first {theirs[0]!r})"
    raise InputError(
        where, found, f"ids such as {ours[0]!r}",
        "Check --dataset and --split; `alignbench data ids` lists the ids.",
    )  # fmt: skip


def _comparisons(
    theirs: Sequence[str], ours: Sequence[str], images: Sequence[str]
) -> Iterator[_Keys]:
    """Keys of both sides under every comparison, the strictest first."""
    yield _Keys(list(theirs), list(ours), "id")
    their_parts = [_parts(name) for name in theirs]
    has_boxes = any(box for _, box in their_parts)
    by_id = [_parts(name) for name in ours]
    paths = [by_id]
    if len(images) and [parts for parts, _ in by_id] != (
        by_image := [_parts(n)[0] for n in images]
    ):
        paths.append([(p, box) for p, (_, box) in zip(by_image, by_id, strict=True)])
    their_paths, their_boxes = _unzip(their_parts)
    for form, title in _FORMS.items():
        for path in paths:
            our_paths, our_boxes = _unzip(path)
            theirs_now, ours_now = form(their_paths, our_paths)
            if has_boxes:
                yield _Keys([*zip(theirs_now, their_boxes, strict=True)],
                            [*zip(ours_now, our_boxes, strict=True)], title)  # fmt: skip
            else:
                yield _Keys([*theirs_now], [*ours_now], title)


def _unzip(parts: Sequence[tuple[Parts, str]]) -> tuple[list[Parts], list[str]]:
    return [path for path, _ in parts], [box for _, box in parts]


def _spell(key: object) -> str:
    """A key as the name that it stands for."""
    if not isinstance(key, tuple):
        return str(key)
    if key and isinstance(key[0], tuple):
        return "/".join(key[0]) + str(key[1])
    return "/".join(key)


def _match_blanks(
    theirs: Sequence[str], ours: Sequence[str], keys: _Keys, rows: Ints
) -> tuple[str, ...]:
    """Match names that are left over and differ in blanks alone; fills ``rows`` in."""
    missed = np.flatnonzero(rows < 0)
    if not len(missed):
        return ()
    left = sorted(set(range(len(theirs))) - set(rows[rows >= 0].tolist()))
    tight: dict[str, list[int]] = defaultdict(list)
    for index in left:
        tight["".join(_spell(keys.theirs[index]).split())].append(index)
    notes = []
    bare = {face: "".join(_spell(keys.ours[face]).split()) for face in missed.tolist()}
    times = Counter(bare.values())
    for face, name in bare.items():
        fitting = tight.get(name, [])
        if len(fitting) == times[name] == 1:
            rows[face] = fitting.pop()
            notes.append(
                f"{theirs[rows[face]]!r} and {ours[face]!r} differ in blanks alone and are taken "
                "for the same face."
            )
    return tuple(notes[:_MOST_NOTES])
