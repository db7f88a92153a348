"""Formats of landmark files, registered under the entry-point group ``alignbench.formats``.

The same file may hold a data set's truth (``--dataset FORMAT:PATH``) or a model's predictions
(``--model saved:PATH``). A format reads what is stored; the caller decides what it means.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from alignbench import plugins
from alignbench.arrays import Bools, Floats, blocks, map_blocks
from alignbench.exceptions import InputError, blame, unknown
from alignbench.io.files import require_regular
from alignbench.io.folders import find_files, links_as_text
from alignbench.io.text import list_some, start_of

THIRD_VALUE = "Each stored landmark has a third value, which is not used."
_PICKLES = (".pkl", ".pickle")
_LOOKED_AT = 1000
"""Most files of a folder that are looked at to describe what is in it."""
MISSED = "Leave a face that was missed out of the file."


@dataclass(frozen=True, eq=False)
class StoredFaces:
    """What a file of landmarks holds, as columns over its N faces.

    Attributes
    ----------
    names
        What the file calls each face: the path of its image, which several faces may share, or an
        id. None where faces are told apart by their order alone.
    points
        (N, L, 2) landmarks, in pixels as stored; NaN where a landmark has no position. A third
        value of each landmark may stand behind x and y.
    boxes
        (N, 4) x_min, y_min, x_max, y_max, counted from the same origin; None if there are none.
    visible
        (N, L) whether each landmark is visible; None if the file does not say.
    scores
        (N,) how sure a detector or model is of each face; None if the file does not say.
    ids
        Unique ids of the faces, where the file has them beside the paths of images.
    subsets
        Name to (N,) membership.
    notes
        Sentences on what was not read.
    """

    names: Sequence[str] | None
    points: Floats
    boxes: Floats | None = None
    visible: Bools | None = None
    scores: Floats | None = None
    ids: Sequence[str] | None = None
    subsets: Mapping[str, Bools] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Format:
    """A format of landmark files.

    Attributes
    ----------
    name
        What records, lists and ``--dataset NAME:PATH`` call it.
    about
        One line for lists: the ending and what is in the file.
    accepts
        Whether a file or folder is of this format, by its name or its first bytes.
    read
        Reads it; InputError if something in it is wrong.
    origin
        The coordinate of the centre of an image's first pixel: 0, or 1 as MATLAB counts. None
        where files of this format do not agree: 0 is assumed unless the user says otherwise.
    """

    name: str
    about: str
    accepts: Callable[[Path], bool]
    read: Callable[[Path], StoredFaces]
    origin: float | None = 0


def load_format(name: str) -> Format:
    """The registered format of this name; InputError with near matches."""
    loaded = plugins.load(plugins.FORMATS, name)
    if not isinstance(loaded, Format):
        raise InputError(
            f"format {name!r}", f"its entry point gives {loaded!r:.200}", "an alignbench Format"
        )
    return loaded


def format_names() -> list[str]:
    """Names of all registered formats."""
    return list(plugins.entry_points(plugins.FORMATS))


def read_faces(
    path: Path, name: str | None = None, origin: float | None = None
) -> tuple[Format, StoredFaces]:
    """Read a landmark file.

    Parameters
    ----------
    name
        Registered name of its format; by default the one that accepts the file.
    origin
        The coordinate of the centre of an image's first pixel in the file; by default the
        format's own.

    Returns
    -------
    The format, and the faces with points and boxes in 0-based pixel-centre coordinates.

    Raises
    ------
    InputError
        If no format fits, something in the file is wrong, or it holds no face.
    """
    require_regular(path)
    if not path.exists():
        raise InputError(path, "no such file or folder", remedy="Check its name.")
    chosen = load_format(name) if name else choose_format(path)
    with blame(f"{path}, read as {chosen.name}"):
        faces = chosen.read(path)
        points = np.asarray(faces.points, np.float64)
    count = len(points) if faces.names is None else len(faces.names)
    if not count:
        raise InputError(path, "no faces", "one face or more")
    if 0 in points.shape[1:]:
        raise InputError(path, f"points of shape {points.shape}", "one landmark or more")
    if points.ndim != 3 or points.shape[2] not in (2, 3) or len(points) != count:
        shape = f"points of shape {points.shape} for {count} faces"
        raise InputError(path, shape, "shape (N, L, 2)")
    notes = faces.notes
    if points.shape[2] == 3:
        notes += (THIRD_VALUE,)
        points = points[:, :, :2]
    notes += _placeholder_note(path, faces.names, points)
    first = (chosen.origin or 0) if origin is None else origin
    boxes = faces.boxes
    if first:
        points = map_blocks(lambda block: block - first, points)
        boxes = None if boxes is None else boxes - first
    return chosen, replace(faces, points=points, boxes=boxes, notes=notes)


def _placeholder_note(path: Path, names: Sequence[str] | None, points: Floats) -> tuple[str, ...]:
    """A sentence on landmarks (N, L, 2) at (0, 0) or (-1, -1), which often stand for missing ones.

    Raises InputError for a face that has no other landmarks.
    """
    total = 0
    for rows in blocks(len(points)):
        block = points[rows]
        is_placeholder = (block == 0).all(axis=2) | (block == -1).all(axis=2)
        total += int(is_placeholder.sum())
        for row in np.flatnonzero(is_placeholder.all(axis=1))[:1]:
            face = rows.start + int(row)
            x, y = points[face, 0]
            remedy = MISSED
            if names is None:
                remedy = f"{MISSED} The file then needs a name for each face."
            raise InputError(
                f"{path}, face {face if names is None else repr(names[face])}",
                f"all landmarks at ({x:g}, {y:g})", "landmarks", remedy,
            )  # fmt: skip
    what = "landmarks lie at (-1, -1) or (0, 0), which some files write for a missing landmark"
    return (f"{total:,} {what}; they are taken as they are.",) if total else ()


def choose_format(path: Path) -> Format:
    """The format of a file; one of another package takes precedence over ours.

    Raises
    ------
    InputError
        If none accepts it, or several do.
    """
    entries = plugins.entry_points(plugins.FORMATS)
    formats = [load_format(name) for name in entries]
    fitting: dict[bool, list[Format]] = {True: [], False: []}
    for entry, one in zip(entries.values(), formats, strict=True):
        with blame(f"format {entry.name!r}"):
            if one.accepts(path):
                fitting[entry.module.startswith("alignbench.")].append(one)
    candidates = fitting[False] or fitting[True]
    if len(candidates) == 1:
        return candidates[0]
    if candidates:
        names = ", ".join(one.name for one in candidates)
        raise InputError(path, f"is of several formats: {names}", "one")
    if path.is_file() and not start_of(path).strip():
        raise InputError(path, "file is empty", remedy="Copy the file again.")
    what = f"unknown format {path.suffix!r}"
    accepted = ", ".join(one.name for one in formats)
    remedy = "`alignbench list formats` says what each of these is."
    if path.suffix.lower() in _PICKLES:
        what = "a pickle, which can run any code when it is read"
        remedy = "Convert it yourself: numpy.savez('p.npz', ids=names, points=landmarks)."
    elif path.is_dir():
        what = f"a folder of no known format{_endings_in(path)}"
        if links := links_as_text(path):
            what = f"no landmarks; {links[0].relative_to(path)} is a text that names a folder"
            remedy = (
                "It was a symbolic link that was copied as a text file. Make the link again, or "
                "give the folder that it names."
            )
    raise InputError(path, what, accepted, remedy)


def _endings_in(folder: Path) -> str:
    """The most frequent endings of files in a folder, in words."""
    files, _ = find_files(folder, ("",), most=_LOOKED_AT)
    endings = Counter(file.suffix.lower() for file in files if file.suffix)
    return (
        f", with files that end in {list_some(dict(endings.most_common()), 3)}" if endings else ""
    )


def split_format(text: str) -> tuple[str, Path] | None:
    """Format and path of ``FORMAT:PATH``; None for a text without a colon.

    Raises
    ------
    InputError
        If no such format is registered.
    """
    name, colon, path = text.partition(":")
    if not colon:
        return None
    if name not in format_names():
        raise unknown(
            "format", name, format_names(), "`alignbench list formats` says what each is."
        )
    return name, Path(path)
