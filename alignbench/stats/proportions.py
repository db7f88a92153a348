"""Shares of faces, such as failure rates: intervals that are not empty where no face fails.

Every interval takes arrays of any one shape. Where images have several faces, counts are divided
by the design effect (Kish, 1965). The quotient is the number of independent faces that would give
as much information.
"""

from __future__ import annotations

from statistics import NormalDist

import numpy as np

from alignbench.arrays import Bools, Floats, Ints

_HALVINGS = 60
"""Steps after which the ends of an interval are exact to the last bits."""


def design_effect(values: Floats, clusters: Ints) -> Floats:
    """How many times the variance of the means (K,) exceeds that of independent faces.

    Parameters
    ----------
    values
        (N, K): K quantities of each face.
    clusters
        (N,): number of each face's source image.

    Returns
    -------
    effects
        (K,): 1 at least, because a smaller estimate is due to chance. Nothing can be estimated
        where all faces have the same value, or are of one image. There it is the number of faces
        per image, as if each image were a single face: the frames of a video in which none fails
        must not count as independent samples.
    """
    faces, quantities = values.shape
    kinds, numbers = np.unique(clusters, return_inverse=True)
    images = len(kinds)
    greatest = np.full(quantities, max(1.0, faces / max(1, images)))
    if images < 2:
        return greatest
    around = values - values.mean(axis=0)
    sums = np.zeros((images, quantities))
    np.add.at(sums, numbers, around)
    between = images / (images - 1) * (sums**2).sum(axis=0)
    alone = faces / (faces - 1) * (around**2).sum(axis=0)
    effects = np.maximum(between / np.where(alone > 0, alone, 1.0), 1.0)
    return np.where(alone > 0, effects, greatest)


def wilson(share: Floats, faces: Floats, confidence: float) -> tuple[Floats, Floats]:
    """Wilson's score interval (JASA 1927) of a share of faces; not empty at a share of 0.

    Parameters
    ----------
    share
        Share of faces that fail, 0 to 1.
    faces
        Number of faces, divided by the design effect.
    """
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    centre = share + z**2 / (2 * faces)
    half = z * np.sqrt(share * (1 - share) / faces + z**2 / (4 * faces**2))
    scale = 1 + z**2 / faces
    low, high = (centre - half) / scale, (centre + half) / scale
    # Exactly 0 and 1: rounding would leave a small difference.
    return np.where(share == 0, 0.0, low), np.where(share == 1, 1.0, high)


def tango(first: Floats, second: Floats, faces: Floats, confidence: float) -> tuple[Floats, Floats]:
    """Tango's score interval (Statistics in Medicine 1998) of a paired difference of shares.

    It holds the differences that a score test does not reject. For a difference of 0, this test is
    McNemar's in its normal approximation. The interval is not empty where nothing fails.

    Parameters
    ----------
    first, second
        Number of faces on which the first model alone fails, and on which the second alone fails,
        of ``faces``. All three are divided by the design effect of the difference.

    Returns
    -------
    low, high
        Ends of the share of the first minus that of the second, -1 to 1.
    """
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    seen = (first - second) / faces

    def rejects(difference: Floats) -> Bools:
        # The share on which the second alone fails: maximum likelihood at this difference.
        linear = (2 * faces - first + second) * difference - first - second
        constant = -second * difference * (1 - difference)
        root = np.sqrt(np.maximum(linear**2 - 8 * faces * constant, 0))
        alone = (root - linear) / (4 * faces)
        variance = faces * (2 * alone + difference * (1 - difference))
        return np.asarray((faces * (seen - difference)) ** 2 > z**2 * variance)

    ends = []
    for beyond in (-1.0, 1.0):
        outside, inside = np.full_like(seen, beyond), seen
        for _ in range(_HALVINGS):
            middle = (outside + inside) / 2
            out = rejects(middle)
            outside, inside = np.where(out, middle, outside), np.where(out, inside, middle)
        ends.append(inside)
    return ends[0], ends[1]
