"""Read a network's output as heatmaps or points of a mark-up, whatever the order of its axes."""

from __future__ import annotations

from math import prod

import numpy as np
from numpy.typing import NDArray

from alignbench.exceptions import InputError
from alignbench.markups import Markup, markups_of
from alignbench.predictors.settings import Output

Values = NDArray[np.floating]


def read_heatmaps(values: Values, output: Output, markup: Markup, where: str) -> Values:
    """The heatmaps (B, L, H, H) in a network's output (B, M, H, H).

    Boundary maps, where a network gives them, follow the landmarks' maps and are left out. A number
    of maps that equals another mark-up's number of landmarks is an error. Of several stacks (B, S,
    M, H, H) the last one is taken. ``where`` names the model in messages.

    Raises
    ------
    InputError
        If the output has another shape.
    """
    maps = values[:, -1] if values.ndim == 5 else values
    if maps.ndim == 4 and output.layout == "nhwc":
        maps = np.ascontiguousarray(maps.transpose(0, 3, 1, 2))
    if maps.ndim == 4 and maps.shape[2] == maps.shape[3]:
        surplus = maps.shape[1] - markup.landmarks
        if surplus == 0 or (surplus > 0 and not markups_of(maps.shape[1])):
            return maps[:, : markup.landmarks]
    axes = f"{markup.landmarks}, H, H" if output.layout == "nchw" else f"H, H, {markup.landmarks}"
    accepted = f"(B, {axes}) heatmaps for mark-up {markup.name}"
    raise _shape_error(where, values, accepted, _maps_remedy(maps.shape, output, markup))


def read_points(values: Values, output: Output, markup: Markup, size: int, where: str) -> Values:
    """The points (B, L, 2) in a network's output, as fractions of its window's side, ``size``.

    The output is (B, L, 2), (B, 2, L) or flat, (B, 2 L) in the order that ``output`` says, and may
    have more axes of length 1. ``where`` names the model in messages.

    Raises
    ------
    InputError
        If the output has another shape.
    """
    batch, landmarks, numbers = len(values), markup.landmarks, output.coordinates
    shape = tuple(side for side in values.shape[1:] if side != 1)
    flat = shape == (numbers * landmarks,)
    if shape == (landmarks, numbers) or (flat and output.order == "xy-pairs"):
        points = values.reshape(batch, landmarks, numbers)
    elif shape == (numbers, landmarks) or flat:
        points = values.reshape(batch, numbers, landmarks).swapaxes(1, 2)
    else:
        rows = f"{(batch, landmarks, numbers)}, {(batch, numbers, landmarks)}"
        accepted = f"{rows} or {(batch, numbers * landmarks)} for mark-up {markup.name}"
        raise _shape_error(where, values, accepted, _points_remedy(values.shape, output, markup))
    points = points[..., :2]
    if output.unit == "pixel":
        return points.astype(np.float64) / size
    if output.unit == "signed":
        return (points.astype(np.float64) + 1) / 2
    return points


def missed_faces(maps: Values) -> NDArray[np.bool_]:
    """(B,) whether one of a face's heatmaps (B, L, H, H) has no finite maximum.

    Values may be minus infinity, the logarithm of 0, but not in a whole map.
    """
    return np.asarray(~np.isfinite(maps.max(axis=(2, 3))).all(axis=1))


def _shape_error(where: str, values: Values, accepted: str, remedy: str) -> InputError:
    return InputError(where, f"the network gave shape {values.shape}", accepted, remedy)


def _points_remedy(shape: tuple[int, ...], output: Output, markup: Markup) -> str:
    numbers = prod(shape[1:])
    if len(shape) >= 4 and markup.landmarks in shape[1:] and numbers > 3 * markup.landmarks:
        return 'If these are heatmaps, set output.kind = "heatmaps" in the model\'s settings.'
    if output.coordinates == 2 and numbers == 3 * markup.landmarks:
        return (
            "If the third number of each landmark is a depth or a score, set "
            "output.coordinates = 3 in the model's settings: it is left out."
        )
    if numbers % output.coordinates:
        return "Check markup and output in the model's settings."
    return _count_remedy(numbers // output.coordinates, "points")


def _maps_remedy(shape: tuple[int, ...], output: Output, markup: Markup) -> str:
    if prod(shape[1:]) in (2 * markup.landmarks, 3 * markup.landmarks):
        return 'If these are points, set output.kind = "points" in the model\'s settings.'
    if len(shape) != 4:
        return "Check markup and output in the model's settings."
    if output.layout == "nchw" and shape[1] == shape[2] != shape[3]:
        return 'If the maps are the last axis, set output.layout = "nhwc" in the model\'s settings.'
    return _count_remedy(shape[1], "maps")


def _count_remedy(number: int, what: str) -> str:
    """What to do about another number of landmarks."""
    names = " or ".join(f'"{name}"' for name in markups_of(number))
    if names:
        return f"It has {number} {what}: set markup = {names} in the model's settings."
    return (
        f"It has {number} {what}, and no registered mark-up has as many landmarks: register one "
        "(docs/how-to/extend.md), or check markup and output in the model's settings."
    )
