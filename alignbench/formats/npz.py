"""NumPy archives of ids and points, which every run writes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from alignbench.arrays import join
from alignbench.errors import InputError
from alignbench.formats import Format, StoredFaces
from alignbench.io.npz import array_names, open_archive

_IDS = ("ids", "id", "names", "name", "image_names", "image_name", "images", "files", "paths")
POINTS = ("points", "landmarks", "keypoints", "lms", "pts", "predictions", "preds", "pred")
"""Names of arrays that are read, the first one that is there."""


def _read(path: Path) -> StoredFaces:
    try:
        stored = array_names(path)
        ids_name = next((name for name in _IDS if name in stored), None)
        points_name = next((name for name in POINTS if name in stored), None)
        if points_name is None:
            raise InputError(
                path, f"arrays {', '.join(stored) or 'none'}", "ids (N,) and points (N, L, 2)",
                "Write it with numpy.savez(FILE, ids=..., points=...).",
            )  # fmt: skip
        names = [points_name] if ids_name is None else [points_name, ids_name]
        with open_archive(path, *names) as arrays:
            points, *ids = arrays
            if (
                points.dtype.kind not in "fiu"
                or points.dtype.itemsize > 8
                or len(points.shape) != 3
                or any(len(one.shape) != 1 or one.dtype.kind not in "USiu" for one in ids)
            ):
                found = ", ".join(
                    f"{name} {one.dtype} {one.shape}"
                    for name, one in zip(names, arrays, strict=True)
                )
                raise InputError(path, found, "ids: text (N,); points: numbers (N, L, 2)")
            texts = [_text(name) for one in ids for rows in one.rows() for name in rows.tolist()]
            joined = join(rows.astype(np.float64) for rows in points.rows())
            return StoredFaces(texts if ids else None, joined)
    except InputError:
        raise
    except (OSError, ValueError) as error:
        raise InputError(
            path, f"not a usable .npz file ({error})", "arrays ids and points",
            "Write it with numpy.savez.",
        ) from error  # fmt: skip


def _text(name: str | bytes | int) -> str:
    return name.decode("utf-8", "backslashreplace") if isinstance(name, bytes) else str(name)


NPZ = Format(
    "npz",
    ".npz: arrays ids (N,) and points (N, L, 2), counted from 0; or the folder of a run",
    lambda path: path.suffix.lower() == ".npz",
    _read,
)
