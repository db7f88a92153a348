"""Matching the names of faces in other people's files to a data set's ids."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass
from pathlib import PurePosixPath
from unicodedata import normalize

import numpy as np

from alignbench.arrays import Floats, Ints
from alignbench.exceptions import InputError
from alignbench.io.images import ENDINGS

_BOX = re.compile(r"#-?[0-9.e+-]+(,-?[0-9.e+-]+){3}(#[0-9]+)?$")
"""The box behind an image's path in the id of a face."""
_DETECTION = re.compile(r"_det_[0-9]+$")
"""What OpenFace puts behind an image's name."""
PICK = "Or give --pick score or --pick iou to choose one of several detections of an image."
_MOST_NOTES = 20
"""Most pairs of names in notes."""


Parts = tuple[str, ...]


def _parts(name: str) -> tuple[Parts, str]:
    """The parts of an image's path, without ending, and the box behind it."""
    box = _BOX.search(name)
    edges = re.sub(r"\.0+(?![0-9])", "", box[0]) if box else ""  # 68.0 is 68
    path = PurePosixPath(name[: box.start() if box else None].replace("\\", "/"))
    while path.suffix.lower() in (*ENDINGS, ".pts"):
        path = path.with_suffix("")
    return path.parts, edges


def _full_paths(theirs: Sequence[Parts], ours: Sequence[Parts]) -> tuple[list[Parts], list[Parts]]:
    return list(theirs), list(ours)


def _their_ends(theirs: Sequence[Parts], ours: Sequence[Parts]) -> tuple[list[Parts], list[Parts]]:
    """Their paths without the leading folders that ours do not have."""
    known = set(ours)
    return [_end(parts, known) for parts in theirs], list(ours)


def _our_ends(theirs: Sequence[Parts], ours: Sequence[Parts]) -> tuple[list[Parts], list[Parts]]:
    """Our paths without the leading folders that theirs do not have."""
    known = set(theirs)
    return list(theirs), [_end(parts, known) for parts in ours]


def _end(parts: Parts, known: Set[Parts]) -> Parts:
    """The longest end of a path, of two parts or more, that is known; else the path."""
    ends = (parts[start:] for start in range(len(parts) - 1))
    return next((end for end in ends if end in known), parts)


def _bare_names(theirs: Sequence[Parts], ours: Sequence[Parts]) -> tuple[list[Parts], list[Parts]]:
    return [parts[-1:] for parts in theirs], [parts[-1:] for parts in ours]


def _bare_detections(
    theirs: Sequence[Parts], ours: Sequence[Parts]
) -> tuple[list[Parts], list[Parts]]:
    """Bare names without the number of the detection that OpenFace puts behind them."""
    plain, our_names = _bare_names(theirs, ours)
    return [tuple(_DETECTION.sub("", name) for name in parts) for parts in plain], our_names


Form = Callable[[Sequence[Parts], Sequence[Parts]], tuple[list[Parts], list[Parts]]]

_FORMS: dict[Form, str] = {
    _full_paths: "image path",
    _their_ends: "end of the image path",
    _our_ends: "end of the image path",
    _bare_names: "bare name",
    _bare_detections: "bare name",
}
"""Ways to compare paths, the strictest first, with the words for records. One is used for all."""


@dataclass(frozen=True)
class Match:
    """For each of our ids its row among theirs (N,), or -1; what was compared; notes for users."""

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
    theirs: Sequence[str],
    ours: Sequence[str],
    where: object,
    images: Sequence[str] = (),
    remedy: str = PICK,
) -> Match:
    """Find the row of their names that stands for each of our ids.

    Names are compared in several ways, the strictest first. They are compared as they are, and as
    paths of images without endings; of these two, the way in which more names agree is used. If no
    name agrees, the last parts of the paths are compared, and then the bare names of the images. A
    box behind ``#`` is compared only if their names have one. A way is not used if it would give
    two faces of one side the same name. Names that are left over on both sides are compared again
    by themselves, and at last without blanks and capitals.

    Parameters
    ----------
    images
        The image of each of our faces, if ids are not made of their paths.
    remedy
        What to do about several rows for one face, beside writing full ids.

    Raises
    ------
    InputError
        If no comparison finds a face, none is unambiguous, or as many names agree with ids as with
        images of other faces; ``where`` names the file.
    """
    theirs, ours, images = map(_normalise_unicode, (theirs, ours, images))
    keys = _compare(theirs, ours, where, images, remedy)
    rows = _rows(keys)
    notes = []
    if keys.compared == "bare name":
        notes.append("Faces were matched by the file names of their images, without folders.")
    while others := _match_others(theirs, ours, images, rows):
        notes.append(others)
    return Match(rows, keys.compared, (*notes, *_match_blanks(theirs, ours, keys, rows)))


def _rows(keys: _Keys) -> Ints:
    """For each of our faces the row of theirs with the same key (N,), or -1."""
    row = {key: index for index, key in enumerate(keys.theirs)}
    return np.array([row.get(key, -1) for key in keys.ours], dtype=np.intp)


def _normalise_unicode(names: Sequence[str]) -> list[str]:
    """Names in which each accented letter has one code: macOS stores two."""
    return [normalize("NFC", name) for name in names]


def _match_others(
    theirs: Sequence[str], ours: Sequence[str], images: Sequence[str], rows: Ints
) -> str:
    """Compare the names that are left over by themselves, and fill in ``rows``.

    Gives a note for the user; it is empty if no comparison can be used.
    """
    left = sorted(set(range(len(theirs))) - set(rows[rows >= 0].tolist()))
    missed = np.flatnonzero(rows < 0).tolist()
    if not left or not missed:
        return ""
    names = [theirs[k] for k in left]
    faces = [ours[k] for k in missed]
    try:
        keys = _compare(names, faces, "", [images[k] for k in missed] if images else [])
    except InputError:
        return ""
    matched = _rows(keys)
    is_matched = matched >= 0
    rows[np.array(missed)[is_matched]] = np.array(left)[matched[is_matched]]
    first = names[int(matched[is_matched][0])]
    return f"{is_matched.sum():,} names, such as {first!r}, agree by {keys.compared}."


def match_detections(
    theirs: Sequence[str],
    ours: Sequence[str],
    where: object,
    images: Sequence[str],
    fit: Callable[[list[int], list[int]], Floats],
) -> Match:
    """Assign their detections to our faces, where an image may have several detections.

    Parameters
    ----------
    fit
        How well each of some of theirs (m) fits each of some of ours (n), as (m, n); minus
        infinity for no fit. The best pair is assigned first, and each detection is used once.

    Raises
    ------
    InputError
        If no name agrees, or ``fit`` raises it.
    """
    theirs, ours, images = map(_normalise_unicode, (theirs, ours, images))
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
    remedy: str = "",
    *,
    is_repeated: bool = False,
) -> _Keys:
    """Their names and ours as keys of the strictest comparison that can be used.

    ``is_repeated`` says that a name may stand for several faces.
    """
    if not is_repeated and _are_ids(theirs, ours, images):
        return _Keys(list(theirs), list(ours), "id")
    trouble = ""
    for level in _levels(theirs, ours, images):
        agreed = [_Agreement.of(keys) for keys in level]
        most = max(agreement.names for agreement in agreed)
        best = [agreement for agreement in agreed if agreement.names == most > 0]
        usable = [agreement for agreement in best if is_repeated or agreement.repeated is None]
        if not best:
            continue
        if not usable:
            theirs_here, ours_here = best[0].times()
            trouble = trouble or (
                f"{_spell(best[0].repeated)!r} names more than one face: rows of the file "
                f"{theirs_here}, faces of the data set {ours_here}"
            )
            remedy = remedy if theirs_here > 1 else ""
            break
        if usable[0].keys.compared == "bare name" and most < len(theirs):
            other = theirs[usable[0].first_other]
            trouble = trouble or (
                f"{most:,} of {len(theirs):,} names agree with the data set, and only in the bare "
                f"name of the image (first of the others {other!r})"
            )
            continue
        _require_one_meaning(theirs, ours, usable, where)
        return usable[0].keys
    if trouble:
        accepted = f"ids as the data set has them, such as {ours[0]!r}"
        full = "Write the full ids, which `alignbench data ids` lists."
        raise InputError(where, trouble, accepted, f"{full} {remedy}".rstrip())
    found = f"other faces: none of {len(theirs):,} ids is in the data set (first {theirs[0]!r})"
    raise InputError(
        where, found, f"ids such as {ours[0]!r}",
        "Check --dataset and --split; `alignbench data ids` lists the ids.",
    )  # fmt: skip


def _are_ids(theirs: Sequence[str], ours: Sequence[str], images: Sequence[str]) -> bool:
    """Whether all of their names are ids, and none names the image of another face.

    :func:`_compare` would find the same, but takes a hundred times as long.
    """
    if len(set(theirs)) < len(theirs) or len(set(ours)) < len(ours) or set(theirs) - set(ours):
        return False
    images = images or ours
    stems = [image.rpartition(".")[0] or image for image in images]
    others = {*images, *stems}.intersection(theirs)
    return all(
        name in (images[face], stems[face]) for face, name in enumerate(ours) if name in others
    )


@dataclass(frozen=True)
class _Agreement:
    """The result of a comparison: how many names agree, an ambiguous key, a name that does not."""

    keys: _Keys
    names: int
    repeated: object
    first_other: int

    def times(self) -> tuple[int, int]:
        """How often the ambiguous key occurs on either side."""
        return self.keys.theirs.count(self.repeated), self.keys.ours.count(self.repeated)

    @classmethod
    def of(cls, keys: _Keys) -> _Agreement:
        their_count, our_count = Counter(keys.theirs), Counter(keys.ours)
        common = their_count.keys() & our_count.keys()
        repeated = [key for key in common if their_count[key] > 1 or our_count[key] > 1]
        other = next((k for k, key in enumerate(keys.theirs) if key not in common), 0)
        names = sum(their_count[key] for key in common)
        return cls(keys, names, min(repeated, key=str, default=None), other)


def _require_one_meaning(
    theirs: Sequence[str], ours: Sequence[str], usable: Sequence[_Agreement], where: object
) -> None:
    """Raise InputError for a name that is the id of one face and the image of another."""
    first = usable[0].keys
    if first.compared != "id":
        return
    by_id = _faces_by_key(first)
    for other in (agreement.keys for agreement in usable[1:]):
        by_path = _faces_by_key(other)
        for index, name in enumerate(theirs):
            one, two = by_id.get(first.theirs[index]), by_path.get(other.theirs[index])
            if one and two and not one & two:
                raise InputError(
                    where, f"{name!r} is the id of one face and names the image of another, "
                    f"{ours[min(two)]!r}", "names that mean one face",
                    "Write paths of images with their endings.",
                )  # fmt: skip


def _faces_by_key(keys: _Keys) -> dict[object, set[int]]:
    faces: dict[object, set[int]] = defaultdict(set)
    for index, key in enumerate(keys.ours):
        faces[key].add(index)
    return faces


def _levels(
    theirs: Sequence[str], ours: Sequence[str], images: Sequence[str]
) -> Iterator[list[_Keys]]:
    """Comparisons of both sides, the strictest first; those of one list are equally strict."""
    their_parts = [_parts(name) for name in theirs]
    has_boxes = any(box for _, box in their_parts)
    their_paths, their_boxes = _unzip(their_parts)
    by_id = [_parts(name) for name in ours]
    paths = [by_id]
    by_image = [_parts(name)[0] for name in images]
    if by_image and by_image != [parts for parts, _ in by_id]:
        paths.insert(0, [(p, box) for p, (_, box) in zip(by_image, by_id, strict=True)])

    def compare(form: Form, path: list[tuple[Parts, str]], title: str) -> _Keys:
        our_paths, our_boxes = _unzip(path)
        theirs_now, ours_now = form(their_paths, our_paths)
        if not has_boxes:
            return _Keys([*theirs_now], [*ours_now], title)
        return _Keys(
            [*zip(theirs_now, their_boxes, strict=True)],
            [*zip(ours_now, our_boxes, strict=True)],
            title,
        )

    for form, title in _FORMS.items():
        level = [compare(form, path, title) for path in paths]
        if form is _full_paths:
            level.insert(0, _Keys(list(theirs), list(ours), "id"))
            # COCO's results name images by their ids; the ids of faces in one image begin with it.
            image_ids = [name.rpartition("#")[0] or name for name in ours]
            if image_ids != list(ours):
                level.append(_Keys(list(theirs), list(image_ids), "image id"))
        yield level


def _unzip(parts: Sequence[tuple[Parts, str]]) -> tuple[list[Parts], list[str]]:
    return [path for path, _ in parts], [box for _, box in parts]


def _spell(key: object) -> str:
    """A key as the name that it stands for."""
    if not isinstance(key, tuple):
        return str(key)
    if key and isinstance(key[0], tuple):
        return "/".join(key[0]) + str(key[1])
    return "/".join(key)


def _plain(key: object) -> str:
    return "".join(_spell(key).split()).casefold()


def _match_blanks(
    theirs: Sequence[str], ours: Sequence[str], keys: _Keys, rows: Ints
) -> tuple[str, ...]:
    """Match names that are left over and differ in blanks or capitals alone; fills ``rows`` in."""
    missed = np.flatnonzero(rows < 0)
    if not len(missed):
        return ()
    left = sorted(set(range(len(theirs))) - set(rows[rows >= 0].tolist()))
    tight: dict[str, list[int]] = defaultdict(list)
    for index in left:
        tight[_plain(keys.theirs[index])].append(index)
    notes = []
    bare = {face: _plain(keys.ours[face]) for face in missed.tolist()}
    times = Counter(bare.values())
    for face, name in bare.items():
        fitting = tight.get(name, [])
        if len(fitting) == times[name] == 1:
            rows[face] = fitting.pop()
            notes.append(
                f"{theirs[rows[face]]!r} and {ours[face]!r} differ in blanks or capitals alone "
                "and are taken for the same face."
            )
    return tuple(notes[:_MOST_NOTES])
