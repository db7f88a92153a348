"""Formats of stored predictions. All give 0-based pixel-centre coordinates.

============  =====================================================================================
``.npz``      own: ``ids`` (N,) text, ``points`` (N, L, 2), 0-based; what every run writes
``.csv``      own: header ``id,x0,y0,x1,y1,...``, a face a line, 0-based
``.txt``      COFW68's four lines a face: id, L x, L y, L occlusion states; 1-based
``.json``     SPIGA's list of faces with ``imgpath`` and ``landmarks``; 0-based
a folder      of ``.pts`` files, at any depth, 1-based; or a run's own folder
============  =====================================================================================
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from alignbench.archives import read_arrays
from alignbench.arrays import Floats
from alignbench.datasets.pts import read_pts
from alignbench.datasets.text import id_table, numbers, read_lines
from alignbench.errors import InputError
from alignbench.geometry import plausible
from alignbench.notation import parse_json


@dataclass(frozen=True)
class Saved:
    """Stored predictions: format, N ids and points (N, L, 2)."""

    format: str
    ids: tuple[str, ...]
    points: Floats

    def digest(self) -> str:
        """sha256 of ids and points."""
        digest = hashlib.sha256("\n".join(self.ids).encode())
        digest.update(self.points.tobytes())
        return digest.hexdigest()


def read_saved(path: Path) -> Saved:
    """Read stored predictions of any known format.

    Raises
    ------
    InputError
        If the format is unknown, a face stands twice, faces differ in their number of points, or
        a coordinate is not a finite number.
    """
    if (path / "predictions.npz").is_file():
        path = path / "predictions.npz"
    ending = path.suffix.lower()
    if not path.is_dir() and ending not in _READERS:
        raise InputError(
            path, f"unknown format {ending!r}", ", ".join([*_READERS, "a folder of .pts files"])
        )
    ids, points = _read_pts_folder(path) if path.is_dir() else _READERS[ending](path)
    if not ids:
        raise InputError(path, "no predictions", "one face or more")
    twice, times = Counter(ids).most_common(1)[0]
    if times > 1:
        raise InputError(path, f"face {twice!r} stands {times} times", "every face once")
    if points.ndim != 3 or points.shape[2] != 2 or len(points) != len(ids):
        raise InputError(
            path, f"points of shape {points.shape} for {len(ids)} ids", "shape (N, L, 2)"
        )
    if not plausible(points).all():
        face, landmark, _ = np.argwhere(~plausible(points))[0]
        raise InputError(
            f"{path}, face {ids[face]!r}, landmark {landmark}",
            f"found {points[face, landmark].tolist()}",
            "finite coordinates of an image's size",
            "Leave a face that was missed out of the file: it is counted as missed.",
        )
    return Saved(ending[1:] or "pts", tuple(ids), points)


def _read_npz(path: Path) -> tuple[list[str], Floats]:
    try:
        ids, points = read_arrays(path, "ids", "points")
    except (OSError, ValueError) as error:
        raise InputError(
            path, f"not a usable .npz file ({error})", "arrays ids and points",
            "Write it with numpy.savez.",
        ) from error  # fmt: skip
    if points.dtype.kind not in "fiu" or ids.ndim != 1 or ids.dtype.kind not in "Uiu":
        raise InputError(
            path,
            f"ids {ids.dtype} {ids.shape}, points {points.dtype} {points.shape}",
            "ids: text (N,); points: numbers (N, L, 2)",
        )
    return [str(name) for name in ids], points.astype(np.float64)


def _read_csv(path: Path) -> tuple[list[str], Floats]:
    landmarks = max(1, read_lines(path)[0].count(",") // 2)
    ids, values = id_table(path, [f"{axis}{k}" for k in range(landmarks) for axis in "xy"])
    return ids, values.reshape(-1, landmarks, 2)


def _read_cofw68(path: Path) -> tuple[list[str], Floats]:
    lines = [
        (number, text.split())
        for number, text in enumerate(read_lines(path), start=1)
        if text.strip()
    ]
    if len(lines) % 4:
        raise InputError(path, f"{len(lines)} lines", "four a face: id, x, y, occlusion")
    landmarks = len(lines[1][1])
    for place, (number, fields) in enumerate(lines):
        wanted = landmarks if place % 4 else 1
        if len(fields) != wanted:
            raise InputError(
                f"{path}, line {number}",
                f"{len(fields)} values",
                f"{wanted}",
                "Every face has four lines: id, x, y, occlusion.",
            )
    ids = [fields[0] for _, fields in lines[::4]]
    rows = [line for place, line in enumerate(lines) if place % 4 in (1, 2)]
    values = numbers(path, [fields for _, fields in rows], [number for number, _ in rows])
    # MATLAB's pixels are counted from 1.
    return ids, values.reshape(len(ids), 2, landmarks).transpose(0, 2, 1) - 1


def _read_spiga(path: Path) -> tuple[list[str], Floats]:
    try:
        faces = parse_json("\n".join(read_lines(path)))
    except InputError:
        raise
    except ValueError as error:
        raise InputError(path, f"not JSON ({error})") from error
    if not isinstance(faces, list):
        raise InputError(path, f"a JSON {type(faces).__name__}", "a list of faces, as SPIGA has it")
    ids: list[str] = []
    points: list[Floats] = []
    for number, face in enumerate(faces):
        where = f"{path}, face {number}"
        if not isinstance(face, dict) or not {"imgpath", "landmarks"} <= face.keys():
            raise InputError(where, "no 'imgpath' or no 'landmarks'", "both, as SPIGA has them")
        try:
            landmarks = np.array(face["landmarks"], dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise InputError(where, f"landmarks are not numbers ({error})") from error
        if points and landmarks.shape != points[0].shape:
            raise InputError(where, f"landmarks {landmarks.shape}", f"{points[0].shape} as before")
        ids.append(str(face["imgpath"]))
        points.append(landmarks)
    return ids, np.stack(points) if points else np.empty((0, 0, 2))


def _read_pts_folder(path: Path) -> tuple[list[str], Floats]:
    files = sorted(path.rglob("*.pts"))
    points = [read_pts(file) for file in files]
    for file, landmarks in zip(files, points, strict=True):
        if landmarks.shape != points[0].shape:
            raise InputError(file, f"{len(landmarks)} points", f"{len(points[0])} as before")
    ids = [file.relative_to(path).with_suffix("").as_posix() for file in files]
    return ids, np.stack(points) if points else np.empty((0, 0, 2))


_READERS: dict[str, Callable[[Path], tuple[list[str], Floats]]] = {
    ".npz": _read_npz,
    ".csv": _read_csv,
    ".txt": _read_cofw68,
    ".json": _read_spiga,
}
