"""Bias-corrected and accelerated bootstrap intervals (Efron, JASA 1987).

The bias is estimated from the replicates. The acceleration comes from the jackknife, which leaves
out one image at a time; for means it has a closed form.
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr, ndtri

from alignbench.arrays import Bools, Floats, Ints


def jackknife_means(values: Floats, subsets: Bools, clusters: Ints) -> Floats:
    """Means over subsets without one image each, from the arguments of ``bootstrap_means``.

    Returns
    -------
    means
        (C, S, K): without image c. NaN where image c has no face that counts, so that its absence
        changes nothing, and where no other image has one.
    """
    counts = ~np.isnan(values)
    filled = np.where(counts, values, 0.0)
    size = int(clusters.max(initial=-1)) + 1
    out = np.empty((size, len(subsets), values.shape[1]))
    for s, member in enumerate(subsets):
        sums, numbers = np.zeros((2, size, values.shape[1]))
        np.add.at(sums, clusters[member], filled[member])
        np.add.at(numbers, clusters[member], counts[member])
        left = numbers.sum(axis=0) - numbers
        usable = (numbers > 0) & (left > 0)
        out[:, s] = np.divide(
            sums.sum(axis=0) - sums, left, out=np.full_like(sums, np.nan), where=usable
        )
    return out


def bca_intervals(
    estimates: Floats, replicates: Floats, jackknife: Floats, confidence: float
) -> tuple[Floats, Floats]:
    """BCa intervals of K estimates.

    Parameters
    ----------
    estimates
        (K,): the statistics of the sample itself.
    replicates
        (B, K): those of the bootstrap samples; NaN for a sample without a face that counts.
    jackknife
        (C, K): those of the sample without one image; NaN for an image that does not count.

    Returns
    -------
    low, high
        (K,) each; NaN where fewer than two images count or all replicates are NaN.
    """
    counted = ~np.isnan(jackknife)
    counts = (~np.isnan(replicates)).sum(axis=0)
    usable = (counted.sum(axis=0) > 1) & (counts > 0)
    low, high = np.full((2, len(estimates)), np.nan)
    if not usable.any():
        return low, high
    theta, jack = estimates[usable], jackknife[:, usable]
    # Contiguous by column, because columns are sorted; NaN goes last.
    ordered = np.sort(replicates[:, usable].T, axis=1)
    counts = counts[usable]
    below = (ordered < theta[:, None]).sum(axis=1) + (ordered <= theta[:, None]).sum(axis=1)
    # If all replicates lie on one side, the bias would be infinite: half of one counts as beyond.
    share = np.clip(below / (2 * counts), 0.5 / counts, 1 - 0.5 / counts)
    bias, acceleration = ndtri(share), _acceleration(jack)
    tail = ndtri((1 - confidence) / 2)
    for ends, z in ((low, tail), (high, -tail)):
        shifted = bias + z
        level = ndtr(bias + shifted / (1 - acceleration * shifted))
        ends[usable] = _quantiles(ordered, counts, level)
    return low, high


def _acceleration(jackknife: Floats) -> Floats:
    """One sixth of the skewness of the images' influence (K,); 0 where they have none."""
    from_mean = np.nanmean(jackknife, axis=0) - jackknife
    second, third = (np.nansum(from_mean**power, axis=0) for power in (2, 3))
    scale = 6 * second**1.5
    return np.asarray(third / np.where(scale > 0, scale, 1.0))


def _quantiles(ordered: Floats, counts: Ints, level: Floats) -> Floats:
    """A quantile of each row (K, B), at its own level and by linear interpolation.

    Row k holds ``counts[k]`` numbers in ascending order, then NaN.
    """
    place = level * (counts - 1)
    first = np.floor(place).astype(np.intp)
    rows = np.arange(len(ordered))
    left, right = ordered[rows, first], ordered[rows, np.minimum(first + 1, counts - 1)]
    return np.asarray(left + (place - first) * (right - left))
