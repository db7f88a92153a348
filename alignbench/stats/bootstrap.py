"""Confidence intervals from one seeded bootstrap over faces.

Faces of one source image are not independent, so whole images are drawn, each with all its faces
(cluster bootstrap; Field and Welsh, JRSS B 2007). All subsets and measures share the same draws: a
measure is a mean over faces, so one product of the draws' counts with sums by image gives them
all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from alignbench.arrays import Bools, Floats, Ints, blocks
from alignbench.exceptions import InputError

_CHUNK = 4_000_000
"""Weights of images held in memory at a time."""

_CACHED = 65_536
"""Draws counted at a time. Their counts stay in the processor's cache, which halves the time."""


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

    Raises
    ------
    InputError
        If a value is beyond its limits.
    """

    replicates: int = 10_000
    confidence: float = 0.95
    seed: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.replicates <= 1_000_000 or not 0 < self.confidence < 1 or self.seed < 0:
            raise InputError(
                "bootstrap",
                f"{self}",
                "1 to 1,000,000 replicates, a confidence between 0 and 1, a seed of 0 or more",
            )


def mean_intervals(
    values: Floats, subsets: Bools, clusters: Ints, bootstrap: Bootstrap
) -> tuple[Floats, Floats]:
    """Percentile bootstrap intervals of means over subsets of faces.

    Parameters
    ----------
    values
        (N, K): K quantities of each face; NaN where a face does not count for one.
    subsets
        (S, N): membership of the faces in S subsets.
    clusters
        (N,): number of each face's source image, 0 to C - 1.

    Returns
    -------
    low, high
        (S, K) each; NaN where fewer than two images count: one image says nothing about spread.
    """
    replicated = bootstrap_means(values, subsets, clusters, bootstrap)
    tail = (1 - bootstrap.confidence) / 2
    low, high = np.full((2, *replicated.shape[1:]), np.nan)
    # A subset of very few images can be drawn empty; such a sample has no mean.
    counted = (counted_images(values, subsets, clusters) > 1) & ~np.isnan(replicated).all(axis=0)
    if counted.any():
        low[counted], high[counted] = np.nanquantile(
            replicated[:, counted], [tail, 1 - tail], axis=0
        )
    return low, high


def counted_images(values: Floats, subsets: Bools, clusters: Ints) -> Ints:
    """Number of images (S, K) of each subset with a face that counts for each quantity."""
    patterns, pattern = np.unique(~np.isnan(values), axis=1, return_inverse=True)
    images = [
        np.count_nonzero(np.bincount(clusters[inside & counts]))
        for inside in subsets
        for counts in patterns.T
    ]
    return np.reshape(images, (len(subsets), -1))[:, pattern.ravel()]


def bootstrap_means(values: Floats, subsets: Bools, clusters: Ints, bootstrap: Bootstrap) -> Floats:
    """The bootstrap means (B, S, K) behind :func:`mean_intervals`, from the same arguments.

    The images are taken block by block: how many of a sample's draws fall into each block is
    drawn first (multinomially), then which images of the block they are. That is the same
    bootstrap, in memory that does not grow with the number of images.
    """
    # At least one image, so that without faces every mean is NaN.
    size = int(clusters.max(initial=0)) + 1
    edges = np.array([*(block.start for block in blocks(size)), size])
    order = np.argsort(clusters, kind="stable")
    of_block = np.split(order, np.searchsorted(clusters[order], edges[1:-1]))
    rng = np.random.default_rng(bootstrap.seed)
    draws = np.full((bootstrap.replicates, len(of_block)), size)
    if len(of_block) > 1:
        draws = rng.multinomial(size, np.diff(edges) / size, bootstrap.replicates)
    groups, group = np.unique(np.isnan(values), axis=1, return_inverse=True)
    totals = np.zeros((bootstrap.replicates, len(subsets), values.shape[1] + groups.shape[1]))
    for block, faces in enumerate(of_block):
        first, end = edges[block], edges[block + 1]
        here = values[faces]
        columns = np.concatenate([np.where(np.isnan(here), 0.0, here), ~groups[faces]], axis=1)
        table = _image_sums(columns, subsets[:, faces], clusters[faces] - first, end - first)
        _add_drawn(totals.reshape(bootstrap.replicates, -1), table, draws[:, block], rng)
    sums, counts = np.split(totals, [values.shape[1]], axis=2)
    with np.errstate(invalid="ignore"):
        return np.asarray(sums / counts[:, :, group.ravel()])


def _image_sums(columns: Floats, subsets: Bools, images: Ints, size: int) -> Floats:
    """Sums of columns (N, Q) over the faces of each subset and source image (size, S * Q)."""
    sums = np.zeros((size, len(subsets), columns.shape[1]))
    for s, member in enumerate(subsets):
        np.add.at(sums[:, s], images[member], columns[member])
    return sums.reshape(size, -1)


def _add_drawn(totals: Floats, table: Floats, draws: Ints, rng: np.random.Generator) -> None:
    """Add random rows of a table (C, Q) to each sample's totals (B, Q), ``draws`` (B,) of them."""
    size = len(table)
    rows = max(1, _CHUNK // size)
    weights = np.empty((min(rows, len(draws)), size))
    for start in range(0, len(draws), rows):
        chunk = draws[start : start + rows]
        for first in range(0, len(chunk), step := max(1, _CACHED // size)):
            times = chunk[first : first + step]
            drawn = rng.integers(0, size, times.sum())
            drawn += np.repeat(np.arange(len(times)) * size, times)
            counted = np.bincount(drawn, minlength=len(times) * size)
            weights[first : first + len(times)] = counted.reshape(-1, size)
        totals[start : start + rows] += weights[: len(chunk)] @ table
