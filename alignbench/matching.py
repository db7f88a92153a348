"""Matching other people's names of faces to a data set's ids."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np

from alignbench.arrays import Ints
from alignbench.errors import InputError

_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".pts"}


def _image(name: str) -> str:
    """The image path without ending."""
    path = PurePosixPath(name.replace("\\", "/"))
    return str(path.with_suffix("") if path.suffix.lower() in _SUFFIXES else path)


def _bare(name: str) -> str:
    """The image's bare name."""
    return PurePosixPath(_image(name)).name


_FORMS: dict[str, Callable[[str], str]] = {"id": str, "image path": _image, "bare name": _bare}
"""Ways to compare names, the strictest first; one is taken for all faces at once."""


@dataclass(frozen=True)
class Match:
    """For each of our ids the row of theirs (N,), or -1; and by what names were compared."""

    rows: Ints
    compared: str


def _rows(theirs: Sequence[str], ours: Sequence[str]) -> Ints:
    """Of each of our names the place of the same one in theirs, or -1.

    Names that are left over are compared without blanks: 300W's ``ibug/image_092 _01`` has one,
    which many programs cannot take. No name that means two is used.
    """
    place = {name: index for index, name in enumerate(theirs)}
    rows = np.array([place.get(name, -1) for name in ours], dtype=np.intp)
    bare = {index: "".join(ours[index].split()) for index in np.flatnonzero(rows < 0).tolist()}
    if not bare:
        return rows
    taken = set(rows.tolist())
    times = Counter(bare.values())
    others: dict[str, list[int]] = {}
    for index, name in enumerate(theirs):
        if index not in taken:
            others.setdefault("".join(name.split()), []).append(index)
    for index, name in bare.items():
        if times[name] == 1 and len(others.get(name, ())) == 1:
            rows[index] = others[name][0]
    return rows


def match_ids(theirs: Sequence[str], ours: Sequence[str], where: object) -> Match:
    """Which of their names means which of our ids.

    Names are compared as they are; if no two agree, by image path without ending; then by the
    image's bare name. What stands behind ``#`` in our ids, a box, is left off but for the first;
    a box in their names is never left off. A comparison under which a shared name means two
    faces of either side is not used. Bare names are too weak a link to hold where not all of
    theirs are found: they may be other faces of the same names.

    Raises
    ------
    InputError
        If no comparison finds a face, or none is unambiguous; ``where`` names the file.
    """
    trouble = None
    for compared, form in _FORMS.items():
        their_forms = [form(name) for name in theirs]
        our_forms = [form(name if compared == "id" else name.partition("#")[0]) for name in ours]
        their_count, our_count = Counter(their_forms), Counter(our_forms)
        common = their_count.keys() & our_count.keys()
        if not common:
            continue
        twice = [name for name in common if their_count[name] > 1 or our_count[name] > 1]
        if twice:
            trouble = trouble or f"{min(twice)!r} names more than one face"
        elif compared == "bare name" and len(common) < len(theirs):
            other = next(name for name in theirs if _bare(name) not in common)
            trouble = trouble or (
                f"{len(common):,} of {len(theirs):,} names agree with the data set, and only in "
                f"the bare name of the image (first of the others {other!r})"
            )
        else:
            return Match(_rows(their_forms, our_forms), compared)
    if trouble:
        accepted = f"ids as the data set has them, such as {ours[0]!r}"
        remedy = "Write the full ids; a run's predictions.npz shows them."
        raise InputError(where, trouble, accepted, remedy)
    found = f"other faces: none of {len(theirs):,} ids is in the data set (first {theirs[0]!r})"
    raise InputError(where, found, f"ids such as {ours[0]!r}", "Check --dataset and --split.")
