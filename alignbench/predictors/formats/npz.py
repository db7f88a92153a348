"""NumPy archives of ids and points, which every run writes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from alignbench.arrays import join
from alignbench.errors import InputError
from alignbench.io.npz import open_archive
from alignbench.predictors.formats import PredictionFormat, Stored


def _read(path: Path) -> Stored:
    try:
        with open_archive(path, "ids", "points") as (ids, points):
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
            return Stored(names, join(rows.astype(np.float64) for rows in points.rows()))
    except InputError:
        raise
    except (OSError, ValueError) as error:
        raise InputError(
            path, f"not a usable .npz file ({error})", "arrays ids and points",
            "Write it with numpy.savez.",
        ) from error  # fmt: skip


NPZ = PredictionFormat(
    "npz",
    ".npz: arrays ids (N,) and points (N, L, 2), 0-based",
    lambda path: path.suffix.lower() == ".npz",
    _read,
)
