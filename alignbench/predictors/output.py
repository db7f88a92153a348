"""What a predictor may give."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from alignbench.arrays import Floats, plausible
from alignbench.errors import InputError


def check_landmarks(given: object, ids: Sequence[str], landmarks: int, model: str) -> Floats:
    """A predictor's output as landmarks (B, L, 2): all finite, or all NaN for a missed face.

    Raises
    ------
    InputError
        If it is anything else.
    """
    shape = (len(ids), landmarks, 2)
    if hasattr(given, "detach"):  # a torch tensor, on whatever device
        given = given.detach().cpu()
    try:
        points = np.asarray(given, np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"model {model!r}", f"gave a {type(given).__name__} that is no array of numbers",
            f"landmarks of shape {shape}",
        ) from error  # fmt: skip
    if points.shape != shape:
        what = f"landmarks of shape {points.shape}" if points.ndim else repr(given)
        raise InputError(f"model {model!r}", f"gave {what}", f"landmarks of shape {shape}")
    broken = ~plausible(points).all(axis=(1, 2)) & ~np.isnan(points).all(axis=(1, 2))
    for face in np.flatnonzero(broken).tolist():
        raise InputError(
            f"model {model!r}, face {ids[face]}",
            "gave a landmark that is not finite or not of an image's size",
            "finite landmarks, or NaN in all of them for a face that was missed",
        )
    return points
