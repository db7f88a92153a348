"""Distances, normalisers and errors of faces, landmarks and regions.

A missed face has NaN *predictions*: its distances are NaN. A landmark without annotation has NaN
*truth*: its distance is infinite, and it counts nowhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from alignbench.arrays import SLICE, Bools, Floats, Ints, blocks
from alignbench.exceptions import InputError
from alignbench.geometry import tight_boxes
from alignbench.markups import Markup

BOX, DIAGONAL = "box", "diagonal"


def distances(predicted: Floats, truth: Floats) -> Floats:
    """Euclidean distances (N, L), in pixels, of landmarks (N, L, 2).

    Infinite where the truth is NaN and the prediction is not: the landmark is not annotated. NaN
    where the prediction is NaN or a coordinate is infinite.

    Raises
    ------
    InputError
        If the shapes differ: broadcasting would compare one face with all.
    """
    if predicted.shape != truth.shape or truth.ndim != 3 or truth.shape[2] != 2:
        raise InputError(
            "predicted landmarks",
            f"shape {predicted.shape} against truth of shape {truth.shape}",
            "equal shapes (N, L, 2)",
        )
    distance = np.empty(truth.shape[:2])
    for some in blocks(len(truth), SLICE):
        difference = np.subtract(predicted[some], truth[some], dtype=np.float64, order="C")
        _lengths(difference, distance[some])
        if not np.isfinite(distance[some].sum()):
            distance[some][np.isinf(distance[some])] = np.nan
            lacking = ~is_annotated(truth[some]) & np.isfinite(predicted[some]).all(axis=2)
            distance[some][lacking] = np.inf
    return distance


def _lengths(vectors: Floats, out: Floats | None = None) -> Floats:
    """Lengths (...) of vectors (..., 2), which are contiguous."""
    # As complex numbers, because NumPy's modulus of those is ten times as fast as its hypot.
    lengths: Floats = np.abs(vectors.view(np.complex128)[..., 0], out=out)
    return lengths


def is_annotated(truth: Floats) -> Bools:
    """Whether each of the true landmarks (N, L, 2) has a position: (N, L)."""
    return np.asarray(~np.isnan(truth).any(axis=2))


def landmarks(points: object, where: str) -> Floats:
    """Landmarks as an array of real numbers.

    Raises
    ------
    InputError
        If they are no array of real numbers; ``where`` says whose landmarks they are.
    """
    try:
        array = np.asarray(points)
    except (ValueError, TypeError, RuntimeError) as error:
        # Lists of different lengths; tensors with a gradient or on a GPU beside arrays.
        raise InputError(where, f"no array ({error})", "an array of real numbers") from error
    masked = isinstance(points, np.ma.MaskedArray)
    if array.dtype.kind not in "fiu" or masked:
        found = "a masked array" if masked else f"{array.dtype} values"
        raise InputError(where, found, "real numbers, NaN for what is not there")
    return array


def column(values: object, truth: Floats) -> Floats:
    """A normaliser (N,) that the user gives, as float64."""
    return landmarks(values, "normaliser").astype(np.float64)


def normaliser_names(markup: Markup, annotated: Sequence[str] = ()) -> tuple[str, ...]:
    """Every normaliser of a mark-up: the two-point ones, ``box`` and ``diagonal``.

    The names of those that a data set annotates follow.
    """
    return tuple(dict.fromkeys((*markup.normalisers, BOX, DIAGONAL, *annotated)))


def one_normaliser(truth: Floats, markup: Markup, name: str) -> Floats:
    """A normaliser (N,), in pixels, of true landmarks (N, L, 2); NaN in a face that lacks it.

    ``inter_ocular`` is the distance of the outer eye corners, ``inter_pupil`` that of the pupils
    (where the mark-up has none: of the mean of each eye's points, as 300W papers do), ``box``
    the square root of the area of the landmarks' tight box and ``diagonal`` its diagonal.
    """
    if name in markup.normalisers:
        left, right = (
            truth[:, list(side)].mean(axis=1, dtype=np.float64) for side in markup.normalisers[name]
        )
        return _lengths(np.subtract(left, right, order="C"))
    # Products of short numbers, such as float16 and int16, would overflow.
    boxes = tight_boxes(truth).astype(np.float64)
    width, height = (boxes[:, 2:] - boxes[:, :2]).T
    return np.asarray(np.sqrt(width * height) if name == BOX else np.hypot(width, height))


def normalisers(
    truth: Floats,
    markup: Markup,
    ids: Sequence[str],
    annotated: Mapping[str, Floats] | None = None,
) -> dict[str, Floats]:
    """Every normaliser (N,), in pixels, of true landmarks (N, L, 2): see :func:`one_normaliser`.

    ``annotated`` has those (N,) that the data set itself annotates. A two-point normaliser is left
    out where a face lacks the annotation of a landmark it needs.

    Raises
    ------
    InputError
        If a normaliser of a face is zero or no number: its error would not be a number either.
    """
    scales = {}
    for name in normaliser_names(markup):
        scale = one_normaliser(truth, markup, name)
        if name not in markup.normalisers or not np.isnan(scale).any():
            scales[name] = scale
    scales |= annotated or {}
    for name, values in scales.items():
        for face in np.flatnonzero(~(values > 0)).tolist():
            raise InputError(
                f"face {ids[face]}",
                f"normaliser {name} is {'zero' if values[face] == 0 else values[face]}",
                "finite true landmarks whose normalising points differ",
                "Correct the annotation or leave the face out.",
            )
    return scales


def face_errors(distance: Floats, normaliser: Floats, mask: Bools | None = None) -> Floats:
    """Error of each face (N,): mean distance over its landmarks / normaliser.

    NME of a face (Huang et al., CVPR 2020, eq. 6): ``sum_l |p_l - g_l| / (L d)``.

    Parameters
    ----------
    distance
        (N, L) in pixels; a face that was missed holds NaN, and its error is NaN. A landmark that
        is not annotated has an infinite distance and does not count.
    normaliser
        (N,) in pixels.
    mask
        (N, L) which landmarks count; a face in which none does has NaN.
    """
    if mask is None:
        mean = distance.mean(axis=1)
        if not np.isinf(mean).any():
            return np.asarray(mean / normaliser)
    counts: Bools = ~np.isinf(distance)
    if mask is not None:
        counts &= mask
    count = counts.sum(axis=1)
    total = np.where(counts, distance, 0.0).sum(axis=1)
    missed = np.isnan(distance).any(axis=1)
    usable = (count > 0) & ~missed
    mean = np.divide(total, count, out=np.full(len(distance), np.nan), where=usable)
    return np.asarray(mean / normaliser)


def counted_faces(distance: Floats) -> Ints:
    """For each landmark (L,) the number of faces that were not missed and have it annotated."""
    detected = np.asarray(~np.isnan(distance).any(axis=1))
    return np.asarray((detected[:, None] & ~np.isinf(distance)).sum(axis=0))


def landmark_errors(distance: Floats, normaliser: Floats) -> Floats:
    """Mean error of each landmark (L,), as a fraction, over the faces it counts in.

    These are the faces that were not missed and have the landmark annotated; NaN where there are
    none.
    """
    detected = ~np.isnan(distance).any(axis=1)
    errors = distance[detected] / normaliser[detected, None]
    if len(errors) and not np.isinf(mean := errors.mean(axis=0)).any():
        return np.asarray(mean)
    counts: Bools = ~np.isinf(errors)
    number = counts.sum(axis=0)
    total = np.where(counts, errors, 0.0).sum(axis=0)
    unknown = np.full(distance.shape[1], np.nan)
    return np.asarray(np.divide(total, number, out=unknown, where=number > 0))
