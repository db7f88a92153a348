"""The numbers of a comparison: levels of runs, differences with intervals, and tests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import NamedTuple

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
from reports.compare.pairing import Pairing, choose_subsets, merge_ties, pair

_EXACT = 1e-12
"""A difference of means below this share of them is rounding, and counts as 0."""


@dataclass(frozen=True)
class Level:
    """One run's measure on a subset, over the faces all runs share.

    The interval is the one a run itself has: the percentile bootstrap, or Wilson's for shares of
    faces. Runs that share a letter cannot be told apart by the corrected tests.
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

    The interval is BCa and the test Student's with the jackknife's standard error, with errors
    that tie made equal. For shares of faces they are Tango's and McNemar's, and ``detectable`` is
    NaN.
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
        """The run that is better by the corrected test; None if neither is."""
        if not self.holm < 1 - confidence:
            return None
        return self.first if (self.value < 0) == smaller_is_better(self.measure) else self.second


@dataclass(frozen=True)
class FaceByFace:
    """How often each of two runs is nearer to the truth of a face, and by how much typically.

    Errors within :data:`~reports.compare.pairing.TIE` of each other tie, and differ by 0. A run
    that misses a face loses it; if both miss it, it is a tie. Missed faces are left out of the
    shift (Hodges-Lehmann, percent of the normaliser) and of the test (Wilcoxon's signed rank).
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
    """The result of :func:`compare`.

    Attributes
    ----------
    pairing
        The runs and their shared faces.
    missed
        How many shared faces each run missed.
    seen
        How many shared faces no run missed: NME is over these.
    """

    pairing: Pairing
    normaliser: str
    subsets: tuple[str, ...]
    measures: tuple[Measure, ...]
    bootstrap: Bootstrap
    missed: tuple[int, ...]
    seen: int
    levels: tuple[Level, ...]
    differences: tuple[Difference, ...]
    faces: tuple[FaceByFace, ...]

    @property
    def tests(self) -> int:
        """Number of p-values, all of which the correction takes into account."""
        p = [one.p for one in self.differences] + [one.p for one in self.faces]
        return int((~np.isnan(p)).sum())


def smaller_is_better(measure: Measure) -> bool:
    """Whether a smaller number is better: an error of 0 adds less than one above any threshold."""
    best, worst = measure.per_face(np.array([0.0, 2.0]))
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
        By default NME, and FR and AUC at ``threshold``, by default the data set's. If a measure
        has a normaliser, it takes precedence over ``normaliser``.
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
    chosen = choose_subsets(pairing, subsets)
    levels, differences = [], []
    for sample in _samples(pairing, bound, chosen, bootstrap):
        numbers = _means(sample) if sample.measure.whole is None else _rates(sample)
        subset, measure, faces = sample.subset, sample.measure, numbers.faces
        levels += [
            Level(run, subset, measure, faces, *row)
            for run, row in enumerate(numbers.levels.tolist())
        ]
        differences += [
            Difference(first, second, subset, measure, faces, *row)
            for (first, second), row in zip(
                _pairs(len(runs)), numbers.differences.tolist(), strict=True
            )
        ]
    errors = 100 * merge_ties(pairing.errors(norm))
    missed = np.isinf(errors)
    face_by_face = [
        _face_by_face(errors, runs_compared, subset, pairing, bootstrap.confidence)
        for subset in chosen
        for runs_compared in _pairs(len(runs))
    ]
    comparison = Comparison(
        pairing,
        norm,
        tuple(chosen),
        tuple(bound),
        bootstrap,
        missed=tuple(missed.sum(axis=1).tolist()),
        seen=int((~missed.any(axis=0)).sum()),
        levels=tuple(levels),
        differences=tuple(differences),
        faces=tuple(face_by_face),
    )
    return _correct(comparison)


def _pairs(runs: int) -> list[tuple[int, int]]:
    return list(combinations(range(runs), 2))


@dataclass(frozen=True, eq=False)
class _Sample:
    """What a measure of R runs is compared from, over the N faces of a subset.

    Attributes
    ----------
    values, merged
        (R, N): what each face adds, by its own error and with errors that tie made equal.
    clusters
        (N,): number of each face's source image.
    replicates, jackknife
        (B, R) and (C, R): the means of bootstrap samples and without one image each, of ``merged``.
    """

    measure: Measure
    subset: str
    values: Floats
    merged: Floats
    clusters: Ints
    replicates: Floats
    jackknife: Floats
    confidence: float


def _samples(
    pairing: Pairing, measures: Sequence[Measure], subsets: Sequence[str], bootstrap: Bootstrap
) -> Iterator[_Sample]:
    """A sample for each subset and measure, all read off the draws of one joint bootstrap."""
    errors = {m.normaliser: pairing.errors(str(m.normaliser)) for m in measures}
    ties = {norm: merge_ties(of_norm) for norm, of_norm in errors.items()}
    values, merged = _values(measures, errors), _values(measures, ties)
    members = np.stack([pairing.subsets[name] for name in subsets])
    # The runs side by side in one array of columns.
    columns = merged.reshape(-1, values.shape[-1]).T
    shape = (-1, len(subsets), *values.shape[:2])
    replicates = replicated_means(columns, members, pairing.clusters, bootstrap).reshape(shape)
    jackknife = jackknife_means(columns, members, pairing.clusters).reshape(shape)
    for s, subset in enumerate(subsets):
        inside = members[s]
        for k, measure in enumerate(measures):
            yield _Sample(
                measure,
                subset,
                values[:, k, inside],
                merged[:, k, inside],
                pairing.clusters[inside],
                replicates[:, s, :, k],
                jackknife[:, s, :, k],
                bootstrap.confidence,
            )


def _values(measures: Sequence[Measure], errors: Mapping[str | None, Floats]) -> Floats:
    """What each face adds to each measure, (R, K, N); NaN in all runs if it is NaN in one."""
    values = np.stack(
        [[m.per_face(of_run) for of_run in errors[m.normaliser]] for m in measures], axis=1
    )
    return np.where(np.isnan(values).any(axis=0), np.nan, values)


class _Numbers(NamedTuple):
    """Numbers of R runs and P pairs of them."""

    faces: int
    """Faces that count."""
    levels: Floats
    """(R, 3): value, low and high of each run."""
    differences: Floats
    """(P, 5): value, low, high, detectable difference and p-value of each pair."""


def _means(sample: _Sample) -> _Numbers:
    """Levels and differences of a measure that is a mean of any numbers."""
    counts = ~np.isnan(sample.values[0])
    faces = int(counts.sum())
    means, even = (
        x[:, counts].mean(axis=1) if faces else np.full(len(x), np.nan)
        for x in (sample.values, sample.merged)
    )
    tail = (1 - sample.confidence) / 2
    complete = sample.replicates[~np.isnan(sample.replicates).any(axis=1)]
    ends = np.full((2, len(means)), np.nan)
    if len(complete):
        ends = np.quantile(complete, [tail, 1 - tail], axis=0)
    first, second = np.array(_pairs(len(means))).T
    estimates, drawn, left = (
        _difference(x, first, second) for x in (even, sample.replicates, sample.jackknife)
    )
    low, high = bca_intervals(estimates, drawn, left, sample.confidence)
    errors, freedom = standard_errors(left)
    least = detectable(errors, freedom, sample.confidence)
    p = mean_test(estimates, errors, freedom)
    return _Numbers(
        faces, np.stack([means, *ends], axis=1), np.stack([estimates, low, high, least, p], axis=1)
    )


def _difference(means: Floats, first: Ints, second: Ints) -> Floats:
    """Differences of means (..., R) by pair; exactly 0 where they differ by rounding alone."""
    one, two = means[..., first], means[..., second]
    difference = one - two
    rounding = np.abs(difference) <= _EXACT * np.maximum(np.abs(one), np.abs(two))
    return np.where(rounding, 0.0, difference)


def _rates(sample: _Sample) -> _Numbers:
    """Levels and differences of a share of faces.

    The bootstrap is not used: it knows nothing of failures that did not happen. A face fails by
    its own error, ties or not, as in its run's table.
    """
    whole = sample.measure.whole
    assert whole is not None
    failed = (sample.values > 0).astype(np.float64)
    runs, faces = failed.shape
    first, second = np.array(_pairs(runs)).T
    if not faces:
        return _Numbers(0, np.full((runs, 3), np.nan), np.full((len(first), 5), np.nan))
    share = failed.mean(axis=1)
    counted = faces / design_effect(failed.T, sample.clusters)
    ends = wilson(share, counted, sample.confidence)
    alone = failed[first] - failed[second]
    effect = design_effect(alone.T, sample.clusters)
    one, two = (cell.sum(axis=1) / effect for cell in (alone > 0, alone < 0))
    between = tango(one, two, faces / effect, sample.confidence)
    p = [mcnemar(difference.astype(np.intp), sample.clusters)[0] for difference in alone]
    return _Numbers(
        faces,
        whole * np.stack([share, *ends], axis=1),
        np.stack(
            [
                *(whole * numbers for numbers in (share[first] - share[second], *between)),
                np.full(len(first), np.nan),
                np.array(p),
            ],
            axis=1,
        ),
    )


def _face_by_face(
    errors: Floats, runs: tuple[int, int], subset: str, pairing: Pairing, confidence: float
) -> FaceByFace:
    member: Bools = pairing.subsets[subset]
    first, second = errors[list(runs)][:, member]
    seen = np.isfinite(first) & np.isfinite(second)
    differences = first[seen] - second[seen]
    clusters = pairing.clusters[member][seen]
    shift, low, high = hodges_lehmann(differences, clusters, confidence)
    wins, losses = int((first < second).sum()), int((first > second).sum())
    p = signed_rank(differences, clusters) if len(differences) else np.nan
    ties = int(member.sum()) - wins - losses
    return FaceByFace(*runs, subset, wins, ties, losses, shift, low, high, p)


def _correct(comparison: Comparison) -> Comparison:
    """The comparison with Holm's correction over all its p-values, and the letters it leads to."""
    tests: list[Difference | FaceByFace] = [*comparison.differences, *comparison.faces]
    corrected = iter(holm(np.array([one.p for one in tests])).tolist())
    differences = tuple(replace(one, holm=next(corrected)) for one in comparison.differences)
    faces = tuple(replace(one, holm=next(corrected)) for one in comparison.faces)
    levels: list[Level] = []
    for subset in comparison.subsets:
        for measure in comparison.measures:
            same = [x for x in comparison.levels if (x.subset, x.measure) == (subset, measure)]
            between = [x for x in differences if (x.subset, x.measure) == (subset, measure)]
            levels += _add_letters(same, between, 1 - comparison.bootstrap.confidence)
    return replace(comparison, levels=tuple(levels), differences=differences, faces=faces)


def _add_letters(
    levels: Sequence[Level], differences: Sequence[Difference], alpha: float
) -> list[Level]:
    """Levels of one measure on one subset with their letters, a for the best."""
    order = [level.run for level in best_first(levels)]
    different = np.zeros((len(levels), len(levels)), np.bool_)
    for one in differences:
        different[one.first, one.second] = different[one.second, one.first] = one.holm < alpha
    by_run = dict(zip(order, letters(different[np.ix_(order, order)]), strict=True))
    return [replace(level, letters=by_run[level.run]) for level in levels]
