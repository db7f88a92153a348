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
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from alignbench import arrays
from alignbench.arrays import SLICE, Floats, plausible
from alignbench.errors import InputError
from alignbench.io import npz as archives
from alignbench.io.notation import parse_json
from alignbench.io.pts import read_pts
from alignbench.io.text import id_table, in_blocks, lines_of, numbers


@dataclass(frozen=True)
class Saved:
    """Stored predictions: format, N ids and points (N, L, 2)."""

    format: str
    ids: tuple[str, ...]
    points: Floats

    def digest(self) -> str:
        """sha256 of ids and points."""
        digest = hashlib.sha256("\n".join(self.ids).encode())
        digest.update(np.ascontiguousarray(self.points).data)
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
    if len(set(ids)) < len(ids):
        twice, times = Counter(ids).most_common(1)[0]
        raise InputError(path, f"face {twice!r} stands {times} times", "every face once")
    if points.ndim != 3 or points.shape[2] != 2 or len(points) != len(ids):
        raise InputError(
            path, f"points of shape {points.shape} for {len(ids)} ids", "shape (N, L, 2)"
        )
    for rows in arrays.blocks(len(points)):
        for bad, landmark, _ in np.argwhere(~plausible(points[rows])):
            face = rows.start + bad
            raise InputError(
                f"{path}, face {ids[face]!r}, landmark {landmark}",
                f"found {points[face, landmark].tolist()}",
                "finite coordinates of an image's size",
                "Leave a face that was missed out of the file: it is counted as missed.",
            )
    return Saved(ending[1:] or "pts", tuple(ids), points)


def _read_npz(path: Path) -> tuple[list[str], Floats]:
    try:
        with archives.open_archive(path, "ids", "points") as (ids, points):
            if (
                points.dtype.kind not in "fiu"
                or points.dtype.itemsize > 8
                or len(points.shape) != 3
                or len(ids.shape) != 1
                or ids.dtype.kind not in "Uiu"
            ):
                raise InputError(
                    path,
                    f"ids {ids.dtype} {ids.shape}, points {points.dtype} {points.shape}",
                    "ids: text (N,); points: numbers (N, L, 2)",
                )
            names = [str(name) for rows in ids.rows() for name in rows.tolist()]
            return names, arrays.join(rows.astype(np.float64) for rows in points.rows())
    except InputError:
        raise
    except (OSError, ValueError) as error:
        raise InputError(
            path, f"not a usable .npz file ({error})", "arrays ids and points",
            "Write it with numpy.savez.",
        ) from error  # fmt: skip


def _read_cofw68(path: Path) -> tuple[list[str], Floats]:
    ids: list[str] = []

    def faces() -> Iterator[Floats]:
        rows = ((line, text.split()) for line, text in lines_of(path))
        landmarks = 0
        for block in in_blocks(rows, 4 * SLICE):  # whole faces: four lines each
            landmarks = landmarks or len(block[min(1, len(block) - 1)][1])
            for place, (line, fields) in enumerate(block):
                wanted = landmarks if place % 4 else 1
                if len(fields) != wanted:
                    raise InputError(
                        f"{path}, line {line}",
                        f"{len(fields)} values",
                        f"{wanted}",
                        "Every face has four lines: id, x, y, occlusion.",
                    )
            if len(block) % 4:
                raise InputError(
                    f"{path}, line {block[-1][0]}",
                    f"ends after {len(block) % 4} lines of a face",
                    "four lines a face: id, x, y, occlusion",
                )
            ids.extend(fields[0] for _, fields in block[::4])
            kept = [row for place, row in enumerate(block) if place % 4 in (1, 2)]
            values = numbers(path, [fields for _, fields in kept], [line for line, _ in kept])
            # MATLAB's pixels are counted from 1.
            yield values.reshape(-1, 2, landmarks).transpose(0, 2, 1) - 1

    points = arrays.join(faces())
    return ids, points


def _read_spiga(path: Path) -> tuple[list[str], Floats]:
    try:
        faces = parse_json("\n".join(text for _, text in lines_of(path)))
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
    if not files:
        return [], np.empty((0, 0, 2))
    landmarks = len(read_pts(files[0]))
    ids = [file.relative_to(path).with_suffix("").as_posix() for file in files]
    return ids, arrays.join(read_pts(file, landmarks)[None] for file in files)


def _read_csv(path: Path) -> tuple[list[str], Floats]:
    ids, values = id_table(path)
    return ids, values.reshape(len(ids), -1, 2)


_READERS: dict[str, Callable[[Path], tuple[list[str], Floats]]] = {
    ".npz": _read_npz,
    ".csv": _read_csv,
    ".txt": _read_cofw68,
    ".json": _read_spiga,
}
