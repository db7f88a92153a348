"""The numbers of a comparison: levels of runs, differences with intervals, and tests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from alignbench import Measure, Run
from alignbench.arrays import Bools, Floats, Ints
from alignbench.metrics import usual_measures
from alignbench.stats import Bootstrap, bca, bootstrap_means, multiple, paired
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

    The interval is BCa, and the test is Student's with the jackknife's standard error. Both use
    errors in which ties are made equal. For shares of faces they are Tango's and McNemar's, and
    ``detectable`` is NaN.
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
    holm: float

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
    def tests(self) -> list[Difference | FaceByFace]:
        """Everything with a p-value that is not NaN; the correction takes all into account."""
        return [*self.differences, *self.faces]

    @cached_property
    def level_of(self) -> dict[tuple[int, str, Measure], Level]:
        """The levels by number of the run, subset and measure."""
        return {(one.run, one.subset, one.measure): one for one in self.levels}


def smaller_is_better(measure: Measure) -> bool:
    """Whether a smaller number is better: an error of 0 then adds less than a large error."""
    best, worst = measure.per_face(np.array([0.0, 2.0]))
    return bool(best < worst)


def best_first(measure: Measure, values: ArrayLike) -> list[int]:
    """Numbers of runs by their values of a measure: the best first, those without a value last."""
    sign = 1 if smaller_is_better(measure) else -1
    order: list[int] = np.argsort(sign * np.asarray(values), kind="stable").tolist()
    return order


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
        By default 10,000 replicates, 95 %, seed 0. All runs, measures and subsets share the same
        draws.

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
    measures = [measure.with_normaliser(measure.normaliser or norm) for measure in measures]
    subsets = choose_subsets(pairing, subsets)
    numbers = list(_numbers(pairing, measures, subsets, bootstrap))
    errors = 100 * merge_ties(pairing.errors(norm))
    missed = np.isinf(errors)
    pairs = _pairs(len(runs))
    faces = [
        _face_by_face(errors, two, subset, pairing, bootstrap.confidence)
        for subset in subsets
        for two in pairs
    ]
    p = [row[-1] for one in numbers for row in one.differences] + [one.p for one in faces]
    corrected = multiple.holm(np.array(p)).reshape(-1, len(pairs))
    levels: list[Level] = []
    differences: list[Difference] = []
    for one, by_pair in zip(numbers, corrected[: len(numbers)], strict=True):
        rows = np.column_stack([one.differences, by_pair]).tolist()
        differences += [
            Difference(*two, one.subset, one.measure, one.faces, *row)
            for two, row in zip(pairs, rows, strict=True)
        ]
        names = _group_letters(one.measure, one.levels[:, 0], by_pair < 1 - bootstrap.confidence)
        for run, (value, low, high) in enumerate(one.levels.tolist()):
            what = (run, one.subset, one.measure, one.faces)
            levels.append(Level(*what, value, low, high, names[run]))
    faces = [
        replace(one, holm=p)
        for one, p in zip(faces, corrected[len(numbers) :].ravel().tolist(), strict=True)
    ]
    return Comparison(
        pairing,
        norm,
        tuple(subsets),
        tuple(measures),
        bootstrap,
        missed=tuple(missed.sum(axis=1).tolist()),
        seen=int((~missed.any(axis=0)).sum()),
        levels=tuple(levels),
        differences=tuple(differences),
        faces=tuple(faces),
    )


def _pairs(runs: int) -> list[tuple[int, int]]:
    return list(combinations(range(runs), 2))


class _Numbers(NamedTuple):
    """Numbers of R runs and their P pairs by a measure, over the faces of a subset that count.

    ``levels`` (R, 3): value, low, high; ``differences`` (P, 5): value, low, high, detectable, p.
    """

    subset: str
    measure: Measure
    faces: int
    levels: Floats
    differences: Floats


def _numbers(
    pairing: Pairing, measures: Sequence[Measure], subsets: Sequence[str], bootstrap: Bootstrap
) -> Iterator[_Numbers]:
    """Numbers of each measure on each subset, all from the draws of one joint bootstrap."""
    errors = {m.normaliser: pairing.errors(str(m.normaliser)) for m in measures}
    ties = {norm: merge_ties(of_norm) for norm, of_norm in errors.items()}
    values, merged = _values(measures, errors), _values(measures, ties)
    members = np.stack([pairing.subsets[name] for name in subsets])
    # The runs side by side in one array of columns.
    columns = merged.reshape(-1, values.shape[-1]).T
    shape = (-1, len(subsets), *values.shape[:2])
    replicates = bootstrap_means(columns, members, pairing.clusters, bootstrap).reshape(shape)
    jackknife = bca.jackknife_means(columns, members, pairing.clusters).reshape(shape)
    for s, (subset, inside) in enumerate(zip(subsets, members, strict=True)):
        clusters = pairing.clusters[inside]
        for k, measure in enumerate(measures):
            one, even = values[:, k, inside], merged[:, k, inside]
            if measure.whole is None:
                drawn, left = replicates[:, s, :, k], jackknife[:, s, :, k]
                numbers = _means(one, even, drawn, left, bootstrap.confidence)
            else:
                numbers = _rates(one, clusters, measure.whole, bootstrap.confidence)
            yield _Numbers(subset, measure, *numbers)


def _values(measures: Sequence[Measure], errors: Mapping[str | None, Floats]) -> Floats:
    """What each face adds to each measure, (R, K, N); NaN in all runs if it is NaN in one."""
    values = np.stack(
        [[m.per_face(of_run) for of_run in errors[m.normaliser]] for m in measures], axis=1
    )
    return np.where(np.isnan(values).any(axis=0), np.nan, values)


def _means(
    values: Floats, merged: Floats, replicates: Floats, jackknife: Floats, confidence: float
) -> tuple[int, Floats, Floats]:
    """Faces, levels and differences of a measure that is a mean of any numbers.

    Parameters
    ----------
    values, merged
        (R, N): what each face adds, by its own error, and by errors in which ties are made equal.
    replicates, jackknife
        (B, R) and (C, R): the means of bootstrap samples and without one image each, of ``merged``.
    """
    counts = ~np.isnan(values[0])
    faces = int(counts.sum())
    means, even = (
        x[:, counts].mean(axis=1) if faces else np.full(len(x), np.nan) for x in (values, merged)
    )
    tail = (1 - confidence) / 2
    complete = replicates[~np.isnan(replicates).any(axis=1)]
    ends = np.full((2, len(means)), np.nan)
    if len(complete):
        ends = np.quantile(complete, [tail, 1 - tail], axis=0)
    estimates, drawn, left = map(_differences, (even, replicates, jackknife))
    low, high = bca.bca_intervals(estimates, drawn, left, confidence)
    errors, freedom = paired.standard_errors(left)
    least = paired.detectable(errors, freedom, confidence)
    p = paired.mean_test(estimates, errors, freedom)
    return faces, np.column_stack([means, *ends]), np.column_stack([estimates, low, high, least, p])


def _differences(means: Floats) -> Floats:
    """Differences of means (..., R) by pair; exactly 0 where they differ by rounding alone."""
    first, second = np.array(_pairs(means.shape[-1])).T
    one, two = means[..., first], means[..., second]
    difference = one - two
    rounding = np.abs(difference) <= _EXACT * np.maximum(np.abs(one), np.abs(two))
    return np.where(rounding, 0.0, difference)


def _rates(
    values: Floats, clusters: Ints, whole: float, confidence: float
) -> tuple[int, Floats, Floats]:
    """Faces, levels and differences of a share of faces, from what each face adds, (R, N).

    The bootstrap is not used, because its interval has no width where no face fails. A face fails
    by its own error, ties or not, as in its run's table.
    """
    failed = (values > 0).astype(np.float64)
    runs, faces = failed.shape
    first, second = np.array(_pairs(runs)).T
    if not faces:
        return 0, np.full((runs, 3), np.nan), np.full((len(first), 5), np.nan)
    share = failed.mean(axis=1)
    ends = wilson(share, faces / design_effect(failed.T, clusters), confidence)
    alone = failed[first] - failed[second]
    effect = design_effect(alone.T, clusters)
    one, two = (cell.sum(axis=1) / effect for cell in (alone > 0, alone < 0))
    between = tango(one, two, faces / effect, confidence)
    p = [paired.mcnemar(difference.astype(np.intp), clusters)[0] for difference in alone]
    differences = whole * np.stack([share[first] - share[second], *between])
    return (
        faces,
        whole * np.column_stack([share, *ends]),
        np.column_stack([*differences, np.full(len(first), np.nan), p]),
    )


def _face_by_face(
    errors: Floats, runs: tuple[int, int], subset: str, pairing: Pairing, confidence: float
) -> FaceByFace:
    member = pairing.subsets[subset]
    first, second = errors[list(runs)][:, member]
    seen = np.isfinite(first) & np.isfinite(second)
    differences = first[seen] - second[seen]
    clusters = pairing.clusters[member][seen]
    shift, low, high = paired.hodges_lehmann(differences, clusters, confidence)
    wins, losses = int((first < second).sum()), int((first > second).sum())
    p = paired.signed_rank(differences, clusters) if len(differences) else np.nan
    ties = int(member.sum()) - wins - losses
    return FaceByFace(*runs, subset, wins, ties, losses, shift, low, high, p)


def _group_letters(measure: Measure, values: Floats, different: Bools) -> list[str]:
    """Letters of R runs, a for the best; ``different`` says which of the P pairs differ."""
    order = best_first(measure, values)
    matrix = np.zeros((len(order), len(order)), np.bool_)
    first, second = np.array(_pairs(len(order))).T
    matrix[first, second] = matrix[second, first] = different
    by_run = dict(zip(order, multiple.letters(matrix[np.ix_(order, order)]), strict=True))
    return [by_run[run] for run in range(len(order))]
