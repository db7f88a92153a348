"""What a model may give: landmarks, finite and of an image's size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from alignbench.arrays import Floats, plausible
from alignbench.errors import InputError


def check_landmarks(output: object, ids: Sequence[str], landmarks: int, model: str) -> Floats:
    """A model's output as landmarks (B, L, 2): finite, or NaN in all of them for a missed face.

    A torch tensor of any device and precision is taken, and whatever NumPy makes an array of.

    Raises
    ------
    InputError
        If it is complex, masked, no array of numbers, or of another shape.
    """
    where = f"model {model!r}"
    accepted = f"landmarks of shape {(len(ids), landmarks, 2)}"
    if isinstance(output, np.ma.MaskedArray):
        raise InputError(
            where,
            "gave a masked array",
            accepted,
            "Fill a missed face with NaN: .filled(numpy.nan).",
        )
    try:
        points = np.asarray(_to_host(output))
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(
            where, f"gave a {type(output).__name__} that is no array of numbers", accepted
        ) from error
    if points.ndim and points.dtype.kind not in "fiu":
        raise InputError(
            where, f"gave a {type(output).__name__} of {points.dtype} values", f"real {accepted}"
        )
    if points.shape != (len(ids), landmarks, 2):
        what = f"landmarks of shape {points.shape}" if points.ndim else f"a {type(output).__name__}"
        raise InputError(where, f"gave {what}", accepted)
    points = points.astype(np.float64)
    broken = ~plausible(points).all(axis=(1, 2)) & ~np.isnan(points).all(axis=(1, 2))
    for face in np.flatnonzero(broken).tolist():
        raise InputError(
            f"{where}, face {ids[face]}",
            "gave a landmark that is not finite or not of an image's size",
            "finite landmarks, or NaN in all of them for a face that was missed",
        )
    return points


def _to_host(output: Any) -> Any:
    """Torch tensors, and lists of them, as something NumPy can take."""
    if isinstance(output, list | tuple):
        return [_to_host(part) for part in output]
    if not hasattr(output, "detach"):
        return output
    tensor = output.detach().cpu()
    # NumPy has no bfloat16 and no float of eight bits.
    return tensor.float() if tensor.is_floating_point() and tensor.element_size() < 4 else tensor
