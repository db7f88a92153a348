"""Distances, normalisers and errors of torch tensors, as :mod:`alignbench.metrics.errors` has them.

Nothing leaves the device, and everything is float64 where the device has that type.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from alignbench.exceptions import InputError
from alignbench.markups import Markup
from alignbench.metrics.errors import BOX


def landmarks(points: object, where: str) -> Tensor:
    """Landmarks without a gradient; InputError if they are no tensor of real numbers."""
    if not isinstance(points, Tensor):
        raise InputError(where, f"a {type(points).__name__}", "a tensor, as the other landmarks")
    if points.is_complex() or points.dtype == torch.bool:
        raise InputError(where, f"{points.dtype} values", "real numbers")
    return points.detach().to(widest(points.device))


def widest(device: torch.device) -> torch.dtype:
    """The widest real type of a device: Apple's has no float64."""
    return torch.float32 if device.type == "mps" else torch.float64


def column(values: Any, truth: Tensor) -> Tensor:
    """A normaliser (N,) that the user gives, on the device of the true landmarks."""
    try:
        tensor = torch.as_tensor(values)
    except (ValueError, TypeError, RuntimeError) as error:
        raise InputError(
            "normaliser", f"no tensor ({error})", "a tensor of real numbers"
        ) from error
    return landmarks(tensor, "normaliser").to(truth)


def distances(predicted: Tensor, truth: Tensor) -> Tensor:
    """Euclidean distances (N, L); infinite where the truth is NaN and the prediction is not.

    NaN where the prediction is NaN or a coordinate is infinite.
    """
    distance: Tensor = torch.linalg.vector_norm(predicted - truth, dim=2)
    lacking = truth.isnan().any(dim=2) & predicted.isfinite().all(dim=2)
    return distance.masked_fill(distance.isinf(), math.nan).masked_fill(lacking, math.inf)


def one_normaliser(truth: Tensor, markup: Markup, name: str) -> Tensor:
    """A normaliser (N,), in pixels, of true landmarks (N, L, 2); NaN in a face that lacks it."""
    if name in markup.normalisers:
        left, right = (truth[:, list(side)].mean(dim=1) for side in markup.normalisers[name])
        length: Tensor = torch.linalg.vector_norm(left - right, dim=1)
        return length
    low = truth.nan_to_num(math.inf, math.inf, math.inf).amin(dim=1)
    high = truth.nan_to_num(-math.inf, -math.inf, -math.inf).amax(dim=1)
    width, height = (high - low).unbind(dim=1)
    return (width * height).sqrt() if name == BOX else torch.hypot(width, height)


def face_errors(distance: Tensor, normaliser: Tensor, mask: Tensor | None = None) -> Tensor:
    """Error (N,) of each face; NaN for one that was missed or in which no landmark counts."""
    counts = ~distance.isinf()
    if mask is not None:
        counts &= mask
    total = torch.where(counts, distance, 0.0).sum(dim=1)
    # A missed face has NaN in every distance. A mask would hide that, so NaN is set afterwards.
    missed = distance.isnan().any(dim=1)
    return (total / counts.sum(dim=1) / normaliser).masked_fill(missed, math.nan)
