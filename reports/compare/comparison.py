"""The numbers of a comparison: intervals of differences and what tests say of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations

import numpy as np

from alignbench import Measure, Run
from alignbench.arrays import Bools, Floats, Ints
from alignbench.metrics import usual_measures
from alignbench.stats import Bootstrap, replicated_means
from alignbench.stats.bca import bca_intervals, jackknife_means
from alignbench.stats.multiple import holm, letters
from alignbench.stats.paired import (
    detectable,
    hodges_lehmann,
    mcnemar,
    mean_test,
    signed_rank,
    standard_errors,
)
from alignbench.stats.proportions import design_effect, tango, wilson
from reports.compare.pairing import Pairing, chosen_subsets, pair, tied

_EXACT = 1e-12
"""A mean difference below this share of the means is none: what is left is rounding."""


@dataclass(frozen=True)
class Level:
    """One run's measure on a subset, over the faces all runs share.

    The interval is the runs' own, the percentile bootstrap, but Wilson's for FR. Runs that share
    a letter cannot be told apart by the corrected tests.
    """

    run: int
    subset: str
    measure: Measure
    faces: int
    value: float
    low: float
    high: float
    letters: str = ""


@dataclass(frozen=True)
class Difference:
    """A run's measure minus another's on a subset, in the measure's unit.

    The interval is BCa, the test Student's with the jackknife's standard error, of errors of which
    those that tie are one; for FR they are Tango's and McNemar's, and ``detectable`` is NaN.
    """

    first: int
    second: int
    subset: str
    measure: Measure
    faces: int
    value: float
    low: float
    high: float
    detectable: float
    p: float
    holm: float = np.nan

    def better(self, confidence: float) -> int | None:
        """The run that is better beyond the corrected test's doubt; None if neither is."""
        if not self.holm < 1 - confidence:
            return None
        return self.first if (self.value < 0) == smaller_is_better(self.measure) else self.second


@dataclass(frozen=True)
class FaceByFace:
    """Two runs' errors face by face: who is nearer how often, and by how much typically.

    Errors within :data:`~reports.compare.pairing.TIE` of each other tie, and differ by 0.

    A missed face is lost by who missed it, and a tie if both did; it is left out of the shift
    (Hodges-Lehmann, percent of the normaliser) and of the test (Wilcoxon's signed rank).
    """

    first: int
    second: int
    subset: str
    wins: int
    ties: int
    losses: int
    shift: float
    low: float
    high: float
    p: float
    holm: float = np.nan


@dataclass(frozen=True)
class Comparison:
    """What :func:`compare` found.

    Attributes
    ----------
    pairing
        The runs and their shared faces.
    missed
        Shared faces that each run missed.
    found
        Shared faces that every run found: NME is over these.
    """

    pairing: Pairing
    normaliser: str
    subsets: tuple[str, ...]
    measures: tuple[Measure, ...]
    bootstrap: Bootstrap
    missed: tuple[int, ...]
    found: int
    levels: tuple[Level, ...]
    differences: tuple[Difference, ...]
    faces: tuple[FaceByFace, ...]

    @property
    def tests(self) -> int:
        """Number of p-values, all of which the correction takes into account."""
        p = [one.p for one in self.differences] + [one.p for one in self.faces]
        return int((~np.isnan(p)).sum())


def smaller_is_better(measure: Measure) -> bool:
    """Whether a smaller number is better: an error of 0 adds less than a large one."""
    best, worst = measure.per_face(np.array([0.0, 2.0]))  # above any threshold
    return bool(best < worst)


def best_first(levels: Sequence[Level]) -> list[Level]:
    """Levels of one measure, the best first and those without a value last."""
    sign = 1 if smaller_is_better(levels[0].measure) else -1
    return [levels[k] for k in np.argsort([sign * level.value for level in levels], kind="stable")]


def compare(
    runs: Sequence[Run],
    *,
    normaliser: str | None = None,
    subsets: Sequence[str] | None = None,
    measures: Sequence[Measure] | None = None,
    threshold: float | None = None,
    bootstrap: Bootstrap | None = None,
) -> Comparison:
    """Compare runs on the faces all of them have, each with each.

    Parameters
    ----------
    normaliser
        By default the data set's usual one.
    subsets
        By default all.
    measures
        By default NME, and FR and AUC at ``threshold``, by default the data set's. A measure's
        own normaliser goes before ``normaliser``.
    bootstrap
        By default 10,000 replicates, 95 %, seed 0. All runs, measures and subsets are read off
        the same draws.

    Raises
    ------
    InputError
        If the runs cannot be paired, or there is no such subset or normaliser.
    """
    pairing = pair(runs)
    dataset = runs[0].record.dataset
    bootstrap = bootstrap or Bootstrap()
    norm = normaliser or dataset.normalisers[0]
    measures = measures or usual_measures(threshold or dataset.threshold)
    bound = [measure.with_normaliser(measure.normaliser or norm) for measure in measures]
    chosen = chosen_subsets(pairing, subsets)
    members = np.stack([pairing.subsets[name] for name in chosen])
    values, merged = _values(pairing, bound, np.asarray), _values(pairing, bound, tied)
    levels, differences = [], []
    # The runs side by side in one array of columns: one joint bootstrap.
    columns = merged.reshape(-1, values.shape[-1]).T
    shape = (len(chosen), len(runs), len(bound))
    replicates = replicated_means(columns, members, pairing.clusters, bootstrap)
    jackknife = jackknife_means(columns, members, pairing.clusters)
    for s, subset in enumerate(chosen):
        member = members[s]
        inside, even = values[:, :, member], merged[:, :, member]
        clusters = pairing.clusters[member]
        drawn, left = (x[:, s].reshape(-1, *shape[1:]) for x in (replicates, jackknife))
        for k, measure in enumerate(bound):
            kind = _means if measure.whole is None else partial(_rates, measure.whole)
            count, own, between = kind(
                inside[:, k], even[:, k], clusters, drawn[:, :, k], left[:, :, k], bootstrap
            )
            levels += [Level(r, subset, measure, count, *row) for r, row in enumerate(own.tolist())]
            differences += [
                Difference(i, j, subset, measure, count, *row)
                for (i, j), row in zip(_pairs(len(runs)), between.tolist(), strict=True)
            ]
    errors = 100 * tied(pairing.errors(norm))
    missed = np.isinf(errors)
    faces = [
        _face_by_face(errors, pairs, subset, pairing, bootstrap.confidence)
        for subset in chosen
        for pairs in _pairs(len(runs))
    ]
    return _corrected(
        Comparison(
            pairing,
            norm,
            tuple(chosen),
            tuple(bound),
            bootstrap,
            tuple(missed.sum(axis=1).tolist()),
            int((~missed.any(axis=0)).sum()),
            tuple(levels),
            tuple(differences),
            tuple(faces),
        )
    )


def _pairs(runs: int) -> list[tuple[int, int]]:
    return list(combinations(range(runs), 2))


def _values(
    pairing: Pairing, measures: Sequence[Measure], change: Callable[[Floats], Floats]
) -> Floats:
    """What each face adds to each measure, (R, K, N); NaN in all runs if it is in one.

    ``change`` is made to the errors (R, N) first.
    """
    values = np.stack(
        [
            [measure.per_face(errors) for errors in change(pairing.errors(str(measure.normaliser)))]
            for measure in measures
        ],
        axis=1,
    )
    return np.where(np.isnan(values).any(axis=0), np.nan, values)


def _means(
    values: Floats,
    merged: Floats,
    clusters: Ints,
    replicates: Floats,
    jackknife: Floats,
    bootstrap: Bootstrap,
) -> tuple[int, Floats, Floats]:
    """Levels and differences of a measure that is a mean of any numbers.

    Parameters
    ----------
    values, merged
        (R, N): what each face of the subset adds, by its own error and by that of which those
        that tie are one.
    replicates, jackknife
        (B, R) and (C, R): the means of bootstrap samples and without one image each, of ``merged``.

    Returns
    -------
    faces
        Faces that count.
    levels
        (R, 3): value, low, high of each run.
    differences
        (P, 5): value, low, high, detectable, p of each pair.
    """
    counts = ~np.isnan(values[0])
    faces = int(counts.sum())
    means, even = (
        x[:, counts].mean(axis=1) if faces else np.full(len(x), np.nan) for x in (values, merged)
    )
    tail = (1 - bootstrap.confidence) / 2
    said = replicates[~np.isnan(replicates).any(axis=1)]
    ends = np.full((2, len(means)), np.nan)
    if len(said):
        ends = np.quantile(said, [tail, 1 - tail], axis=0)
    first, second = np.array(_pairs(len(values))).T
    estimates, drawn, left = (_difference(x, first, second) for x in (even, replicates, jackknife))
    low, high = bca_intervals(estimates, drawn, left, bootstrap.confidence)
    errors, freedom = standard_errors(left)
    least = detectable(errors, freedom, bootstrap.confidence)
    p = mean_test(estimates, errors, freedom)
    return faces, np.stack([means, *ends], axis=1), np.stack([estimates, low, high, least, p], 1)


def _difference(means: Floats, first: Ints, second: Ints) -> Floats:
    """Differences of means (..., R) by pair; exactly 0 where rounding alone tells them apart."""
    one, two = means[..., first], means[..., second]
    difference = one - two
    rounding = np.abs(difference) <= _EXACT * np.maximum(np.abs(one), np.abs(two))
    return np.where(rounding, 0.0, difference)


def _rates(
    whole: float,
    values: Floats,
    merged: Floats,
    clusters: Ints,
    replicates: Floats,
    jackknife: Floats,
    bootstrap: Bootstrap,
) -> tuple[int, Floats, Floats]:
    """Levels and differences of a share of faces; arguments and results as :func:`_means`'.

    ``whole`` is what a face adds that is among them, all others adding 0.

    The bootstrap knows nothing of failures that did not happen, so it is not asked. A face fails by
    its own error, as in its run's table.
    """
    failed = (values > 0).astype(np.float64)
    faces = failed.shape[1]
    first, second = np.array(_pairs(len(failed))).T
    if not faces:
        return 0, np.full((len(failed), 3), np.nan), np.full((len(first), 5), np.nan)
    share = failed.mean(axis=1)
    ends = wilson(share, faces / design_effect(failed.T, clusters), bootstrap.confidence)
    alone = failed[first] - failed[second]
    effect = design_effect(alone.T, clusters)
    one, two = (cell.sum(axis=1) / effect for cell in (alone > 0, alone < 0))
    between = tango(one, two, faces / effect, bootstrap.confidence)
    p = [mcnemar(difference.astype(np.intp), clusters)[0] for difference in alone]
    numbers = whole * np.stack([share[first] - share[second], *between], axis=1)
    tested = np.stack([np.full(len(first), np.nan), p], axis=1)
    return (
        faces,
        whole * np.stack([share, *ends], axis=1),
        np.concatenate([numbers, tested], axis=1),
    )


def _face_by_face(
    errors: Floats, pairs: tuple[int, int], subset: str, pairing: Pairing, confidence: float
) -> FaceByFace:
    member: Bools = pairing.subsets[subset]
    first, second = errors[list(pairs)][:, member]
    found = np.isfinite(first) & np.isfinite(second)
    differences = first[found] - second[found]
    clusters = pairing.clusters[member][found]
    shift, low, high = hodges_lehmann(differences, clusters, confidence)
    wins, losses = int((first < second).sum()), int((first > second).sum())
    p = signed_rank(differences, clusters) if len(differences) else np.nan
    ties = int(member.sum()) - wins - losses
    return FaceByFace(*pairs, subset, wins, ties, losses, shift, low, high, p)


def _corrected(comparison: Comparison) -> Comparison:
    """With Holm's correction over every p-value there is, and the letters it leads to."""
    p = [one.p for one in comparison.differences] + [one.p for one in comparison.faces]
    corrected = holm(np.array(p)).tolist()
    cut = len(comparison.differences)
    differences = tuple(
        replace(one, holm=p) for one, p in zip(comparison.differences, corrected[:cut], strict=True)
    )
    faces = tuple(
        replace(one, holm=p) for one, p in zip(comparison.faces, corrected[cut:], strict=True)
    )
    marked: list[Level] = []
    for subset in comparison.subsets:
        for measure in comparison.measures:
            levels = [x for x in comparison.levels if (x.subset, x.measure) == (subset, measure)]
            between = [x for x in differences if (x.subset, x.measure) == (subset, measure)]
            marked += _lettered(levels, between, 1 - comparison.bootstrap.confidence)
    return replace(comparison, levels=tuple(marked), differences=differences, faces=faces)


def _lettered(
    levels: Sequence[Level], differences: Sequence[Difference], alpha: float
) -> list[Level]:
    """Levels of one measure on one subset with their letters, a for the best."""
    order = [level.run for level in best_first(levels)]
    different = np.zeros((len(levels), len(levels)), np.bool_)
    for one in differences:
        different[one.first, one.second] = different[one.second, one.first] = one.holm < alpha
    of = dict(zip(order, letters(different[np.ix_(order, order)]), strict=True))
    return [replace(level, letters=of[level.run]) for level in levels]
