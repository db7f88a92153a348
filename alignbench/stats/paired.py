"""Two models on the same faces: tests of the mean and of the typical difference."""

from __future__ import annotations

import numpy as np
from scipy.special import gammaln, ndtr, ndtri, stdtr, stdtrit

from alignbench.arrays import Floats, Ints

_HALVINGS = 64
"""Steps after which the averages in an interval, if more than N, are ties up to rounding."""
_FEW = 50
"""Most differences of which SciPy takes the signed ranks' exact distribution."""


def standard_errors(jackknife: Floats) -> tuple[Floats, Ints]:
    """Standard errors of K means, and their degrees of freedom.

    ``sqrt((C - 1) / C sum_c (m_c - mean m)^2)`` over the C images that count. Where each face has
    an image of its own it is the standard error of the mean.

    Parameters
    ----------
    jackknife
        (C, K) of :func:`~alignbench.stats.bca.jackknife_means`, or differences of them.

    Returns
    -------
    errors, freedom
        (K,) each: NaN and 0 where fewer than two images count.
    """
    images = (~np.isnan(jackknife)).sum(axis=0)
    several = np.maximum(images, 1)
    mean = np.nansum(jackknife, axis=0) / several
    squares = np.nansum((jackknife - mean) ** 2, axis=0)
    errors = np.sqrt((several - 1) / several * squares)
    return np.where(images > 1, errors, np.nan), np.maximum(images - 1, 0)


def mean_test(differences: Floats, errors: Floats, freedom: Ints) -> Floats:
    """Two-sided p-values (K,) of Student's t test that mean differences (K,) are 0.

    Where each face has an image of its own this is the paired t test. A difference of 0 with a
    standard error of 0, as between equal runs, has p = 1; NaN where there is no standard error.
    """
    ratio = np.divide(
        np.abs(differences), errors, out=np.where(differences == 0, 0.0, np.inf), where=errors != 0
    )
    return np.asarray(2 * stdtr(np.maximum(freedom, 1), -ratio))


def detectable(errors: Floats, freedom: Ints, confidence: float, power: float = 0.8) -> Floats:
    """The smallest true difference of means that :func:`mean_test` detects with this power.

    ``(t(1 - alpha / 2) + t(power)) SE``, for the same number of images and the same standard error.
    """
    degrees = np.maximum(freedom, 1)
    quantiles = stdtrit(degrees, (1 + confidence) / 2) + stdtrit(degrees, power)
    return np.asarray(quantiles * errors)


def signed_rank(differences: Floats, clusters: Ints) -> float:
    """Two-sided p-value of Wilcoxon's signed-rank test that differences (N,) lie around 0.

    Differences of exactly 0 are left out; if all are 0, p = 1. Where images have several
    faces, signed ranks are summed by image (Rosner, Glynn and Lee, Biometrics 2006).
    """
    kept = differences != 0
    differences, clusters = differences[kept], clusters[kept]
    if not len(differences):
        return 1.0
    if len(differences) <= _FEW and len(np.unique(clusters)) == len(clusters):
        from scipy.stats import wilcoxon  # slow to import

        return float(wilcoxon(differences).pvalue)
    sums = _signed_rank_sums(differences, clusters)
    return float(2 * ndtr(-abs(sums.sum()) / np.sqrt((sums**2).sum())))


def _signed_rank_sums(differences: Floats, clusters: Ints) -> Floats:
    """Sums of signed ranks by image."""
    ranks = np.sign(differences) * _ranks(np.abs(differences))
    return np.asarray(np.bincount(clusters, weights=ranks))


def _ranks(values: Floats) -> Floats:
    """Ranks from 1; equal values share the mean of their ranks."""
    _, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[which])


def hodges_lehmann(
    differences: Floats, clusters: Ints, confidence: float
) -> tuple[float, float, float]:
    """The Hodges-Lehmann estimate of differences (N,), and its interval.

    The estimate is the median of the Walsh averages ``(d_i + d_j) / 2``, i <= j; the ends are
    those averages at which the signed-rank test, in its normal approximation, begins to reject
    (Hollander and Wolfe, 1999, section 3.2). Where images have several faces, the spread of the
    test's statistic is that of the sums by image. NaN if there are no differences.
    """
    count = len(differences)
    if not count:
        return np.nan, np.nan, np.nan
    ordered = np.sort(differences)
    averages = count * (count + 1) // 2
    middle = _walsh(ordered, np.array([(averages - 1) // 2, averages // 2])).mean()
    around = differences - middle
    # The statistic is half the sum of signed ranks, so its spread is half of theirs.
    single = (_ranks(np.abs(around)) ** 2).sum()
    spread = np.sqrt(max(single, (_signed_rank_sums(around, clusters) ** 2).sum())) / 2
    below = int(averages / 2 - ndtri((1 + confidence) / 2) * spread)
    low, high = _walsh(ordered, np.array([max(below, 0), min(averages - 1 - below, averages - 1)]))
    return float(middle), float(low), float(high)


def _walsh(ordered: Floats, places: Ints) -> Floats:
    """The Walsh averages at these places, from 0, of differences (N,) in ascending order.

    An interval around each is halved until it holds about N of the N (N + 1) / 2 averages, and only
    those are sorted. This saves the time and the memory that all of them would take.
    """
    count = len(ordered)
    index = np.arange(count)

    def partners(sums: Floats) -> Ints:
        """For each number, the end of those from itself on that make no larger sum with it."""
        ends = np.searchsorted(ordered, sums[:, None] - ordered, side="right")
        return np.asarray(np.maximum(ends, index))

    low = np.full(len(places), np.nextafter(2 * ordered[0], -np.inf))
    high = np.full(len(places), 2 * ordered[-1])
    from_, to = partners(low), partners(high)
    for _ in range(_HALVINGS):
        if ((to - from_).sum(axis=1) <= count).all():
            break
        middle = low + (high - low) / 2
        ends = partners(middle)
        reached = (ends - index).sum(axis=1) > places
        low, high = np.where(reached, low, middle), np.where(reached, middle, high)
        from_, to = (
            np.where(reached[:, None], from_, ends),
            np.where(reached[:, None], ends, to),
        )
    averages = np.empty(len(places))
    for k, place in enumerate(places.tolist()):
        lengths = to[k] - from_[k]
        if lengths.sum() > count:
            within = np.flatnonzero(lengths)
            averages[k] = (ordered[within] + ordered[to[k][within] - 1]).max() / 2
            continue
        before = np.cumsum(lengths) - lengths
        second = np.arange(lengths.sum()) + np.repeat(from_[k] - before, lengths)
        sums = ordered[np.repeat(index, lengths)] + ordered[second]
        rank = place - int((from_[k] - index).sum())
        averages[k] = np.partition(sums, rank)[rank] / 2
    return np.asarray(averages)


def mcnemar(failures: Ints, clusters: Ints) -> tuple[float, float]:
    """McNemar's exact test that two models fail equally often.

    If they do, it is a coin's toss which of the two fails. Where images have several faces, one
    coin is tossed for all faces of an image. Otherwise this is the binomial test of the faces on
    which one model alone fails.

    Parameters
    ----------
    failures
        (N,): 1 where the first model alone fails, -1 where the second alone does, else 0.
    clusters
        (N,): number of each face's source image.

    Returns
    -------
    p, beyond
        Probability of a difference at least as large as the one seen, which is the two-sided
        p-value, and of a larger one. Their mean is the mid-p value.
    """
    totals = np.bincount(clusters, weights=failures).astype(np.intp)
    sizes = np.bincount(np.abs(totals))
    # The distribution of the sum of all totals: a convolution over the sizes of the totals.
    chance = np.ones(1)
    for size, images in enumerate(sizes.tolist()):
        if size and images:
            tosses = np.zeros(2 * size * images + 1)
            heads = np.arange(images + 1)
            choices = gammaln(images + 1) - gammaln(heads + 1) - gammaln(images - heads + 1)
            tosses[:: 2 * size] = np.exp(choices - images * np.log(2))
            chance = np.convolve(chance, tosses)
    reach = len(chance) // 2
    distance = np.abs(np.arange(-reach, reach + 1))
    seen = abs(int(totals.sum()))
    # At most 1, because rounding may add a trace.
    p, beyond = (min(1.0, float(chance[far].sum())) for far in (distance >= seen, distance > seen))
    return p, beyond
