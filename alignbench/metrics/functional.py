"""NME, FR, AUC and CED of landmarks in memory: NumPy arrays, or torch tensors on their device.

Conventions are those of a run (:mod:`alignbench.metrics`), and so are the digits. Landmarks are
(N, L, 2) in pixels. A face whose predicted landmarks are all NaN was missed: it fails in FR, adds
nothing to AUC and is left out of NME. A landmark whose true position is NaN is not annotated and
does not count.

For arrays, results are floats and arrays of float64. For tensors, they are tensors on the same
device, in float64 where the device has it, without a gradient; no landmark is copied to the CPU.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from alignbench.arrays import Floats
from alignbench.exceptions import InputError, unknown
from alignbench.markups import Markup, load_markup
from alignbench.metrics import errors as arrays
from alignbench.metrics.auc import AUC
from alignbench.metrics.ced import ced_steps
from alignbench.metrics.errors import BOX, normaliser_names
from alignbench.metrics.fr import FR
from alignbench.metrics.measure import Measure, check_threshold, mean_counted
from alignbench.metrics.nme import NME

Array = Any
"""A NumPy array, or a torch tensor."""

_USUAL = "inter_ocular"


def nme(
    predicted: Array,
    truth: Array,
    markup: str | Markup,
    *,
    normaliser: str | Array | None = None,
    mask: Array | None = None,
) -> Any:
    """Normalised mean error in percent: the mean over faces of :func:`errors`.

    Huang et al., CVPR 2020, equation 6. A missed face is left out.

    Parameters
    ----------
    predicted, truth, markup, normaliser, mask
        As in :func:`errors`.

    Returns
    -------
    float or torch.Tensor
        Percent of the normaliser; NaN where no face counts. For tensors, a tensor of shape ().

    Raises
    ------
    InputError
        As :func:`errors`.

    Examples
    --------
    >>> import numpy as np
    >>> truth = np.random.default_rng(0).uniform(0, 100, (10, 98, 2))
    >>> round(nme(truth + [3.0, 4.0], truth, "wflw98", normaliser=np.full(10, 100.0)), 6)
    5.0
    """
    return _value(NME(), errors(predicted, truth, markup, normaliser=normaliser, mask=mask))


def fr(
    predicted: Array,
    truth: Array,
    markup: str | Markup,
    threshold: float = 0.10,
    *,
    normaliser: str | Array | None = None,
    mask: Array | None = None,
) -> Any:
    """Failure rate in percent: the share of faces whose error is larger than the threshold.

    A missed face fails. An error equal to the threshold does not (Wu et al., CVPR 2018).

    Parameters
    ----------
    threshold
        A fraction of the normaliser, above 0 and at most 1.
    predicted, truth, markup, normaliser, mask
        As in :func:`errors`.

    Returns
    -------
    float or torch.Tensor
        Percent of the faces; NaN where no face counts. For tensors, a tensor of shape ().

    Raises
    ------
    InputError
        As :func:`errors`; or if the threshold is out of range.
    """
    measure = FR(None, check_threshold(threshold, "fr"))
    return _value(measure, errors(predicted, truth, markup, normaliser=normaliser, mask=mask))


def auc(
    predicted: Array,
    truth: Array,
    markup: str | Markup,
    threshold: float = 0.10,
    *,
    normaliser: str | Array | None = None,
    mask: Array | None = None,
) -> Any:
    """Area under the CED from 0 to the threshold, divided by the threshold.

    It is the exact integral, ``1 - mean(min(e, t)) / t``. A missed face adds 0.

    Parameters
    ----------
    threshold
        A fraction of the normaliser, above 0 and at most 1.
    predicted, truth, markup, normaliser, mask
        As in :func:`errors`.

    Returns
    -------
    float or torch.Tensor
        A fraction from 0 to 1; NaN where no face counts. For tensors, a tensor of shape ().

    Raises
    ------
    InputError
        As :func:`errors`; or if the threshold is out of range.
    """
    measure = AUC(None, check_threshold(threshold, "auc"))
    return _value(measure, errors(predicted, truth, markup, normaliser=normaliser, mask=mask))


def ced(
    predicted: Array,
    truth: Array,
    markup: str | Markup,
    maximum: float = 0.10,
    *,
    normaliser: str | Array | None = None,
    mask: Array | None = None,
) -> tuple[Floats, Floats]:
    """Cumulative error distribution from 0 to ``maximum``: a staircase, a step for each face.

    Parameters
    ----------
    maximum
        Right end of the curve: a fraction of the normaliser, above 0 and at most 1.
    predicted, truth, markup, normaliser, mask
        As in :func:`errors`.

    Returns
    -------
    x : numpy.ndarray
        (K,) errors, fractions, in ascending order: 0, those of the faces up to ``maximum``, and
        ``maximum``.
    share : numpy.ndarray
        (K,) share of faces with an error of at most ``x``, from 0 to 1. Plot it with
        ``axes.step(x, share, where="post")``. For tensors, both are arrays too, to be plotted.

    Raises
    ------
    InputError
        As :func:`errors`; or if ``maximum`` is out of range or no face counts.
    """
    check_threshold(maximum, "ced")
    values = errors(predicted, truth, markup, normaliser=normaliser, mask=mask)
    counted = to_numpy(values)
    counted = counted[~np.isnan(counted)]
    if not len(counted):
        raise InputError("ced", "no face counts", "one face or more")
    return ced_steps(counted, maximum)


def errors(
    predicted: Array,
    truth: Array,
    markup: str | Markup,
    *,
    normaliser: str | Array | None = None,
    mask: Array | None = None,
) -> Any:
    """Error of each face: the mean distance of its landmarks, divided by its normaliser.

    Parameters
    ----------
    predicted
        (N, L, 2) landmarks in pixels, x before y; NaN in all of them for a face that was missed.
    truth
        (N, L, 2) true landmarks in the same pixels; NaN for a landmark that is not annotated.
    markup
        The mark-up of both, or its name, such as ``"wflw98"``; `alignbench list markups` shows
        all of them.
    normaliser
        ``"inter_ocular"``, ``"inter_pupil"``, ``"box"``, ``"diagonal"``, or an array (N,) of
        pixels. By default ``"inter_ocular"``, and ``"box"`` for a mark-up without it. It is that
        of all true landmarks, whatever ``mask`` says.
    mask
        (N, L) of bool: the landmarks that count, such as those that are visible. By default all.

    Returns
    -------
    numpy.ndarray or torch.Tensor
        (N,) fractions of the normaliser; infinite for a missed face, NaN for a face in which no
        landmark counts.

    Raises
    ------
    InputError
        If shapes do not fit, a prediction is infinite or only in part NaN, or a face has no
        normaliser that is above 0.

    Examples
    --------
    >>> import numpy as np
    >>> truth = np.random.default_rng(0).uniform(0, 100, (2, 98, 2))
    >>> errors(truth + [0.0, 1.0], truth, "wflw98", normaliser=np.array([10.0, 20.0])).round(6)
    array([0.1 , 0.05])
    """
    chosen = load_markup(markup) if isinstance(markup, str) else markup
    # The two modules have the same functions, for arrays and for tensors.
    kind: Any = arrays
    if is_tensor(predicted) or is_tensor(truth):
        from alignbench.metrics import tensors as kind
    predicted, truth = kind.landmarks(predicted, "predicted"), kind.landmarks(truth, "truth")
    _check_shapes(predicted, truth, mask, chosen)
    if isinstance(normaliser, str | None):
        scale = kind.one_normaliser(truth, chosen, choose_normaliser(chosen, normaliser))
    else:
        scale = kind.column(normaliser, truth)
    if tuple(scale.shape) != (len(truth),):
        raise InputError("normaliser", f"shape {tuple(scale.shape)}", f"({len(truth)},)")
    if not ((scale > 0) & (scale < np.inf)).all():
        _check_faces(predicted, truth, scale)
    distance = kind.distances(predicted, truth)
    result = kind.face_errors(distance, scale, mask)
    # The sum shows every NaN and infinity, without a look at each landmark.
    if not abs(result.sum()) < np.inf:
        _check_faces(predicted, truth, scale)
        result[_is_nan(distance).any(1)] = np.inf
    return result


def choose_normaliser(markup: Markup, name: str | None) -> str:
    """The name of a normaliser of a mark-up; by default ``inter_ocular``, else ``box``.

    Raises
    ------
    InputError
        If the mark-up has no such normaliser.
    """
    names = normaliser_names(markup)
    if name is None:
        return _USUAL if _USUAL in names else BOX
    if name not in names:
        raise unknown(f"normaliser of {markup.name}", name, names)
    return name


def is_tensor(values: object) -> bool:
    """Whether values are a torch tensor; torch is not imported for it."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(values, torch.Tensor)


def to_numpy(values: Array) -> Floats:
    """An array or a tensor as an array of float64 on the CPU."""
    return np.asarray(values.detach().cpu() if is_tensor(values) else values, np.float64)


def _value(measure: Measure, errors: Array) -> Any:
    """The value of a measure over errors (N,)."""
    shares: Any = measure.per_face(errors)
    return shares.nanmean() if is_tensor(errors) else mean_counted(shares)


def _is_nan(values: Array) -> Any:
    return values != values  # arrays and tensors have no method for it in common


def _check_shapes(predicted: Array, truth: Array, mask: Array | None, markup: Markup) -> None:
    shape = tuple(truth.shape)
    if len(shape) != 3 or shape[1:] != (markup.landmarks, 2):
        raise InputError(
            "truth", f"shape {shape}", f"(N, {markup.landmarks}, 2) in mark-up {markup.name}",
            "Give one face as face[None]." if len(shape) == 2 else "",
        )  # fmt: skip
    if tuple(predicted.shape) != shape:
        raise InputError("predicted", f"shape {tuple(predicted.shape)}", f"{shape}, as the truth")
    if is_tensor(truth):
        _check_device("predicted", predicted, truth)
    if mask is None:
        return
    kind = str(getattr(mask, "dtype", type(mask).__name__)).removeprefix("torch.")
    if kind != "bool" or tuple(mask.shape) != shape[:2]:
        found = f"{kind} of shape {tuple(getattr(mask, 'shape', ()))}"
        raise InputError("mask", found, f"bool of shape {shape[:2]}", "Give visible > 0.")
    if is_tensor(mask) != is_tensor(truth):
        accepted = "a tensor" if is_tensor(truth) else "an array"
        raise InputError("mask", f"a {type(mask).__name__}", f"{accepted}, as the landmarks")
    if is_tensor(truth):
        _check_device("mask", mask, truth)


def _check_device(where: str, values: Array, truth: Array) -> None:
    if values.device != truth.device:
        raise InputError(where, f"on {values.device}", f"{truth.device}, where the truth is")


def _check_faces(predicted: Array, truth: Array, scale: Array) -> None:
    """Refuse values that are not finite, except for missed faces and missing annotation."""
    values, true = (points.reshape(len(points), -1) for points in (predicted, truth))
    missed, absent = _is_nan(values), _is_nan(true)
    for where, wrong, found, accepted in (
        (
            "predicted",
            (missed.any(1) & ~missed.all(1)) | (abs(values) == np.inf).any(1),
            "a landmark that is not finite",
            "finite landmarks, or NaN in all of them for a face that was missed",
        ),
        ("truth", (abs(true) == np.inf).any(1), "an infinite landmark", "finite landmarks or NaN"),
        ("truth", absent.all(1), "no landmark is annotated", "one or more"),
        (
            "normaliser",
            ~((scale > 0) & (scale < np.inf)),
            "zero, negative, infinite or no number",
            "pixels above 0: the landmarks it needs are annotated and differ",
        ),
    ):
        for face in np.flatnonzero(to_numpy(wrong)).tolist():
            raise InputError(f"{where}, face {face}", found, accepted)
