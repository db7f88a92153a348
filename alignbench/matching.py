"""Matching other people's names of faces to a data set's ids."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import PurePosixPath

import numpy as np

from alignbench.arrays import Ints
from alignbench.errors import InputError

_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".pts"}


def _exact(name: str) -> str:
    return name


def _image(name: str) -> str:
    """The image path: no box behind ``#``, no ending."""
    path = PurePosixPath(name.replace("\\", "/").partition("#")[0])
    return str(path.with_suffix("") if path.suffix.lower() in _SUFFIXES else path)


def _stem(name: str) -> str:
    """The image's bare name."""
    return PurePosixPath(_image(name)).name


_FORMS: tuple[Callable[[str], str], ...] = (_exact, _image, _stem)
"""Ways to compare names, the strictest first; one is taken for all faces at once."""


def match_ids(theirs: Sequence[str], ours: Sequence[str], where: object) -> Ints:
    """For each of our ids (N,), the row of theirs that means the same face, or -1.

    Names are compared as they are; if no two agree, by image path without ending; then by the
    image's bare name. A comparison under which a shared name means two faces of either side is
    not used: with several faces an image, only full ids tell them apart.

    Raises
    ------
    InputError
        If no comparison finds a single face, or none is unambiguous; ``where`` names the file.
    """
    ambiguous = None
    for form in _FORMS:
        their_forms, our_forms = [form(name) for name in theirs], [form(name) for name in ours]
        their_count, our_count = Counter(their_forms), Counter(our_forms)
        common = their_count.keys() & our_count.keys()
        twice = [name for name in common if their_count[name] > 1 or our_count[name] > 1]
        if twice:
            ambiguous = ambiguous or min(twice)
        elif common:
            row = {name: index for index, name in enumerate(their_forms)}
            return np.array([row.get(name, -1) for name in our_forms], dtype=np.intp)
    if ambiguous:
        raise InputError(
            where,
            f"{ambiguous!r} names more than one face",
            f"ids as the data set has them, such as {ours[0]!r}",
            "Write the full ids; a run's predictions.npz shows them.",
        )
    raise InputError(
        where,
        f"predictions for other faces: none of {len(theirs)} ids is in the data set "
        f"(first {theirs[0]!r})",
        f"ids such as {ours[0]!r}",
        "Check --dataset and --split.",
    )
