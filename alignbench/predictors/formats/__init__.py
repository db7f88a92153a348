"""Formats of stored predictions, registered under ``alignbench.prediction_formats``."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from alignbench import plugins
from alignbench.arrays import Floats, blocks, plausible
from alignbench.errors import InputError, blame
from alignbench.io.files import require_regular


class Stored(NamedTuple):
    """What a file holds: N ids and points (N, L, 2), in 0-based pixel-centre coordinates."""

    ids: Sequence[str]
    points: Floats


@dataclass(frozen=True)
class PredictionFormat:
    """A format of stored predictions.

    Attributes
    ----------
    name
        What records and lists call it.
    about
        One line for lists: the ending, what is in the file, and the origin of its coordinates.
    accepts
        Whether a file or folder is of this format, by its name or its first bytes.
    read
        Reads it; InputError if something in it is wrong.
    """

    name: str
    about: str
    accepts: Callable[[Path], bool]
    read: Callable[[Path], Stored]


@dataclass(frozen=True)
class Saved:
    """Stored predictions: the name of their format, N ids and points (N, L, 2)."""

    format: str
    ids: tuple[str, ...]
    points: Floats

    def digest(self) -> str:
        """sha256 of ids and points."""
        digest = hashlib.sha256("\n".join(self.ids).encode())
        digest.update(np.ascontiguousarray(self.points).data)
        return digest.hexdigest()


def read_saved(path: Path) -> Saved:
    """Read stored predictions of any registered format, or those of a run's folder.

    Raises
    ------
    InputError
        If no format fits, a face is stored twice, faces differ in their number of points, or a
        coordinate is not a finite number.
    """
    if (path / "predictions.npz").is_file():
        path = path / "predictions.npz"
    require_regular(path)
    chosen = _choose_format(path)
    with blame(f"{path}, read as {chosen.name}"):
        ids, points = chosen.read(path)
        points = np.asarray(points, np.float64)
    if not len(ids):
        raise InputError(path, "no predictions", "one face or more")
    if len(set(ids)) < len(ids):
        face, times = Counter(ids).most_common(1)[0]
        raise InputError(path, f"face {face!r} stands {times} times", "every face once")
    if points.ndim != 3 or points.shape[2] != 2 or len(points) != len(ids):
        raise InputError(
            path, f"points of shape {points.shape} for {len(ids)} ids", "shape (N, L, 2)"
        )
    for rows in blocks(len(points)):
        for row, landmark, _ in np.argwhere(~plausible(points[rows])):
            face = rows.start + row
            raise InputError(
                f"{path}, face {ids[face]!r}, landmark {landmark}",
                f"found {points[face, landmark].tolist()}",
                "finite coordinates of an image's size",
                "Leave a face that was missed out of the file: it is counted as missed.",
            )
    return Saved(chosen.name, tuple(ids), points)


def _choose_format(path: Path) -> PredictionFormat:
    """The format of a file; one of another package takes precedence over ours."""
    entries = plugins.entry_points(plugins.PREDICTION_FORMATS)
    formats = [plugins.load(plugins.PREDICTION_FORMATS, name) for name in entries]
    fitting: dict[bool, list[PredictionFormat]] = {True: [], False: []}
    for entry, format_ in zip(entries.values(), formats, strict=True):
        with blame(f"format of predictions {entry.name!r}"):
            if format_.accepts(path):
                fitting[entry.module.startswith("alignbench.")].append(format_)
    candidates = fitting[False] or fitting[True]
    if len(candidates) == 1:
        return candidates[0]
    if candidates:
        names = ", ".join(one.name for one in candidates)
        raise InputError(path, f"is of several formats: {names}", "one")
    what = "a folder of no known format" if path.is_dir() else f"unknown format {path.suffix!r}"
    raise InputError(path, what, "; ".join(one.about for one in formats))
