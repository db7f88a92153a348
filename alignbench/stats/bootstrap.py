"""Confidence intervals from one seeded bootstrap over faces.

Faces of one source image are not independent, so what is drawn is the image with all its faces
(cluster bootstrap; Field and Welsh, JRSS B 2007). Every subset and every measure is read off the
same draws: a measure is a mean over faces, so one product of the draws' counts with sums by
image gives them all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from alignbench.arrays import Bools, Floats, Ints

_CHUNK = 4_000_000
"""Draws held in memory at a time."""


@dataclass(frozen=True)
class Bootstrap:
    """How intervals are made.

    Attributes
    ----------
    replicates
        Number of bootstrap samples.
    confidence
        Coverage aimed at.
    seed
        Seed of the draws (PCG64).
    """

    replicates: int = 10_000
    confidence: float = 0.95
    seed: int = 0


def mean_intervals(
    values: Floats, subsets: Bools, clusters: Ints, bootstrap: Bootstrap
) -> tuple[Floats, Floats]:
    """Percentile bootstrap intervals of means over subsets of faces.

    Parameters
    ----------
    values
        (N, K): K quantities a face; NaN where a face does not count for one.
    subsets
        (S, N): membership of the faces in S subsets.
    clusters
        (N,): number of each face's source image, 0 to C - 1.

    Returns
    -------
    low, high
        (S, K) each; NaN where no face counts.
    """
    replicated = replicated_means(values, subsets, clusters, bootstrap)
    tail = (1 - bootstrap.confidence) / 2
    low, high = np.full((2, *replicated.shape[1:]), np.nan)
    # A subset of very few images can be drawn empty; such a sample says nothing about it.
    counted = ~np.isnan(replicated).all(axis=0)
    if counted.any():
        low[counted], high[counted] = np.nanquantile(
            replicated[:, counted], [tail, 1 - tail], axis=0
        )
    return low, high


def replicated_means(
    values: Floats, subsets: Bools, clusters: Ints, bootstrap: Bootstrap
) -> Floats:
    """The bootstrap means (B, S, K) behind :func:`mean_intervals`, from the same arguments."""
    quantities = values.shape[1]
    counts = ~np.isnan(values)
    filled = np.where(counts, values, 0.0)
    # One image at least, so that of no faces every mean is NaN.
    size = int(clusters.max(initial=0)) + 1
    # (C, S, 2, K): sums and numbers of faces by source image.
    sums = np.zeros((size, len(subsets), 2, quantities))
    for s, member in enumerate(subsets):
        np.add.at(sums[:, s, 0], clusters[member], filled[member])
        np.add.at(sums[:, s, 1], clusters[member], counts[member])
    table = sums.reshape(size, -1)
    rng = np.random.default_rng(bootstrap.seed)
    out = np.empty((bootstrap.replicates, len(subsets), quantities))
    step = max(1, _CHUNK // size)
    for start in range(0, bootstrap.replicates, step):
        rows = min(step, bootstrap.replicates - start)
        drawn = rng.integers(0, size, (rows, size))
        drawn += np.arange(rows)[:, None] * size
        weights = np.bincount(drawn.ravel(), minlength=rows * size).reshape(rows, size)
        totals = (weights.astype(np.float64) @ table).reshape(rows, len(subsets), 2, quantities)
        with np.errstate(invalid="ignore"):
            out[start : start + rows] = totals[:, :, 0] / totals[:, :, 1]
    return out
