"""How often intervals hold the truth, and whether p-values are uniform where nothing differs.

``python tests/simulation/coverage.py [--trials N] [--replicates B]`` prints the tables of
intervals.md. Trials are columns, so that all share the draws, as all runs of one data set
do.

Errors of a face are log-normal, from a core and a tail of hard faces, as those of the real models
of results.md nearly are; two models find the same faces hard. Where images have several
faces, as many as in WFLW's test set, these have a part of their errors in common. NME, FR and AUC
of this population have closed forms.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np
from scipy.stats import kstest, norm
from tabulate import tabulate

from alignbench.arrays import Bools, Floats, Ints
from alignbench.stats import Bootstrap, bootstrap_means, mean_intervals
from alignbench.stats.bca import bca_intervals, jackknife_means
from alignbench.stats.paired import (
    hodges_lehmann,
    mcnemar,
    mean_test,
    signed_rank,
    standard_errors,
)
from alignbench.stats.proportions import design_effect, tango, wilson

HARD = 0.05
"""Share of hard faces."""
CENTRES = np.log([0.038, 0.085])
"""Mean logarithm of the errors of other and of hard faces."""
SPREADS = np.array([0.38, 0.55])
SAME_FACE, SAME_IMAGE = 0.4, 0.3
"""Parts of the variance that two models, and faces of one image, have in common."""
SECOND = np.log(1.04)
"""The second model's errors are 4 % larger, where the models differ."""
THRESHOLD = 0.10
SIZES = np.array([1451, 163, 29, 14, 8, 1])
"""Images of WFLW's test set with 1, 2, ... faces, as counted in a copy of 1,966 faces."""
CHUNK = 200
"""Trials at a time."""


@dataclass(frozen=True)
class Case:
    """A kind of test set."""

    faces: int
    clustered: bool
    threshold: float = THRESHOLD

    def __str__(self) -> str:
        images = ", several faces an image" if self.clustered else ""
        rate = "" if self.threshold == THRESHOLD else f", FR@{self.threshold:.2f}"
        return f"{self.faces:,} faces{images}{rate}"

    def clusters(self) -> Ints:
        """Number of each face's image."""
        if not self.clustered:
            return np.arange(self.faces)
        rng = np.random.default_rng(1)
        sizes = rng.choice(np.arange(len(SIZES)) + 1, self.faces, p=SIZES / SIZES.sum())
        return np.repeat(np.arange(self.faces), sizes)[: self.faces]


def draw(case: Case, trials: int, rng: np.random.Generator, shift: float) -> tuple[Floats, Floats]:
    """Errors (N, T) of two models, the second one's ``exp(shift)`` times as large."""
    clusters = case.clusters()
    shape = (case.faces, trials)
    hard = (rng.random(shape) < HARD).astype(int)
    image = rng.standard_normal((clusters.max() + 1, trials))[clusters]
    face = np.sqrt(SAME_IMAGE) * image + np.sqrt(SAME_FACE) * rng.standard_normal(shape)
    own = np.sqrt(1 - SAME_IMAGE - SAME_FACE)
    first, second = (
        np.exp(CENTRES[hard] + by + SPREADS[hard] * (face + own * rng.standard_normal(shape)))
        for by in (0.0, shift)
    )
    return first, second


def truth(shift: float, threshold: float) -> Floats:
    """NME, FR and AUC of the population, as fractions."""
    shares, centres, t = np.array([1 - HARD, HARD]), CENTRES + shift, np.log(threshold)
    mean = np.exp(centres + SPREADS**2 / 2)
    fails = norm.sf((t - centres) / SPREADS)
    capped = mean * norm.cdf((t - centres) / SPREADS - SPREADS) + threshold * fails
    return np.array([shares @ mean, shares @ fails, 1 - shares @ capped / threshold])


def measures(errors: Floats, threshold: float) -> tuple[Floats, Floats, Floats]:
    """What each face adds to NME, FR and AUC."""
    fails = (errors > threshold).astype(np.float64)
    return errors, fails, 1 - np.minimum(errors, threshold) / threshold


def held(ends: tuple[Floats, Floats], value: float) -> Bools:
    """Whether the intervals hold a value."""
    return (ends[0] <= value) & (value <= ends[1])


def coverage(case: Case, trials: int, bootstrap: Bootstrap) -> dict[str, float]:
    """Share of trials whose interval holds the truth, by interval."""
    clusters, everyone = case.clusters(), np.ones((1, case.faces), np.bool_)
    level = bootstrap.confidence
    one, two = (truth(shift, case.threshold) for shift in (0.0, SECOND))
    found: dict[str, list[Bools]] = {}

    def note(name: str, ends: tuple[Floats, Floats], value: float) -> None:
        found.setdefault(name, []).append(held(ends, value))

    rng = np.random.default_rng(0)
    for start in range(0, trials, CHUNK):
        count = min(CHUNK, trials - start)
        pair = draw(case, count, rng, SECOND)
        (nme, fr, auc), (nme2, fr2, auc2) = (measures(errors, case.threshold) for errors in pair)
        for k, (name, values) in enumerate((("NME", nme), ("FR", fr), ("AUC", auc))):
            low, high = mean_intervals(values, everyone, clusters, bootstrap)
            note(f"{name}, percentile", (low[0], high[0]), one[k])
        share = fr.mean(axis=0)
        note("FR, Wilson", wilson(share, case.faces / design_effect(fr, clusters), level), one[1])
        for k, name, values in ((0, "NME", nme - nme2), (2, "AUC", auc - auc2)):
            replicates = bootstrap_means(values, everyone, clusters, bootstrap)[:, 0]
            jackknife = jackknife_means(values, everyone, clusters)[:, 0]
            ends = bca_intervals(values.mean(axis=0), replicates, jackknife, level)
            note(f"{name} difference, BCa", ends, one[k] - two[k])
        effect = design_effect(fr - fr2, clusters)
        alone = [x.sum(axis=0) / effect for x in (fr > fr2, fr < fr2)]
        ends = tango(*alone, case.faces / effect, level)
        note("FR difference, Tango", ends, one[1] - two[1])
    return {name: float(np.concatenate(hits).mean()) for name, hits in found.items()}


def null(case: Case, trials: int, confidence: float) -> dict[str, tuple[float, float]]:
    """Where two models do not differ: share of p-values below 0.05, and how uniform p is.

    The second number is the p-value of Kolmogorov and Smirnov's test. McNemar's p has few values,
    so for that test it is spread evenly over its step; the first number is of p as it is. The last
    entry is the coverage of the Hodges-Lehmann interval.
    """
    clusters, everyone = case.clusters(), np.ones((1, case.faces), np.bool_)
    rng = np.random.default_rng(1)
    p: dict[str, list[float]] = {}
    spread, covered = [], []
    for start in range(0, trials, CHUNK):
        pair = draw(case, min(CHUNK, trials - start), rng, 0.0)
        of = [measures(errors, case.threshold) for errors in pair]
        for k, name in ((0, "NME, t test"), (2, "AUC, t test")):
            difference = of[0][k] - of[1][k]
            spreads = standard_errors(jackknife_means(difference, everyone, clusters)[:, 0])
            p.setdefault(name, []).extend(mean_test(difference.mean(axis=0), *spreads))
        for trial, difference in enumerate((pair[0] - pair[1]).T):
            p.setdefault("errors, Wilcoxon", []).append(signed_rank(difference, clusters))
            _, low, high = hodges_lehmann(difference, clusters, confidence)
            covered.append(low <= 0 <= high)
            alone = (of[0][1][:, trial] - of[1][1][:, trial]).astype(np.intp)
            value, beyond = mcnemar(alone, clusters)
            p.setdefault("FR, McNemar", []).append(value)
            spread.append(value - rng.random() * (value - beyond))
    out = {}
    for name, values in p.items():
        uniform = spread if name == "FR, McNemar" else values
        rejected = float((np.array(values) < 1 - confidence).mean())
        out[name] = (rejected, float(kstest(uniform, "uniform").pvalue))
    return out | {"shift, Hodges-Lehmann interval": (float(np.mean(covered)), np.nan)}


CASES = (Case(500, False), Case(500, True), Case(2500, False), Case(2500, True))
RARE = (Case(500, False, 0.20), Case(2500, False, 0.20))


def main() -> None:
    """Print both tables in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--trials", type=int, default=4000)
    parser.add_argument("--replicates", type=int, default=4000)
    options = parser.parse_args()
    bootstrap = Bootstrap(options.replicates)
    cases = CASES + RARE
    held_by = [coverage(case, options.trials, bootstrap) for case in cases]
    rows = [[name, *(f"{100 * case[name]:.1f}" for case in held_by)] for name in held_by[0]]
    rates = [f"{100 * truth(0.0, case.threshold)[1]:.2f}" for case in cases]
    print(tabulate([["true FR, %", *rates], *rows], ["coverage, %", *map(str, cases)], "pipe"))  # noqa: T201
    tests = [null(case, options.trials, bootstrap.confidence) for case in CASES]
    rows = [
        [name, *(f"{100 * case[name][0]:.1f} ({case[name][1]:.2f})" for case in tests)]
        for name in tests[0]
    ]
    print("\n" + tabulate(rows, ["p < 0.05, % (KS p)", *map(str, CASES)], "pipe"))  # noqa: T201


if __name__ == "__main__":
    main()
