"""Paired statistics against textbooks, other implementations and their own definitions."""

from __future__ import annotations

from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from simulation.coverage import SECOND, Case, coverage, draw, measures, null, truth

from alignbench.stats import Bootstrap, bootstrap_means, mean_intervals
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

RNG = np.random.default_rng(5)
SKEWED = RNG.lognormal(0, 1, 40) - 1.2
OWN = np.arange(40)
"""Every face has an image of its own."""
TRIPLED = np.repeat(SKEWED, 3), np.repeat(OWN, 3)
"""Three times each face, in one image: as much information as once."""


def everyone(values):
    return np.ones((1, len(values)), np.bool_)


def bca(values, clusters, replicates=4000, confidence=0.95):
    column, asked = values[:, None], Bootstrap(replicates, confidence)
    drawn = bootstrap_means(column, everyone(values), clusters, asked)[:, 0]
    left = jackknife_means(column, everyone(values), clusters)[:, 0]
    low, high = bca_intervals(column.mean(axis=0), drawn, left, confidence)
    return low[0], high[0]


def resampled_means(values, replicates):
    rng = np.random.default_rng(1)
    return rng.choice(values, (replicates, len(values))).mean(axis=1)


def scipys_bca(values, drawn, confidence):
    given = SimpleNamespace(bootstrap_distribution=drawn)
    return tuple(
        scipy_stats.bootstrap(
            (values,),
            np.mean,
            method="BCa",
            n_resamples=0,
            bootstrap_result=given,
            confidence_level=confidence,
        ).confidence_interval
    )


@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.99])
def test_bca_is_scipys_from_the_same_replicates(confidence):
    drawn = resampled_means(SKEWED, 3000)
    left = jackknife_means(SKEWED[:, None], everyone(SKEWED), OWN)[:, 0]
    low, high = bca_intervals(SKEWED[None].mean(axis=1), drawn[:, None], left, confidence)
    assert (low[0], high[0]) == pytest.approx(scipys_bca(SKEWED, drawn, confidence), rel=1e-9)


def test_bca_counts_replicates_equal_to_the_estimate_by_half():
    values = np.array([0.0, 1, 1, 2, 2, 3, 4, 7, 7, 3])  # many means of ten are 3, as theirs is
    drawn = resampled_means(values, 500)
    assert (drawn == 3).sum() > 10
    left = jackknife_means(values[:, None], everyone(values), np.arange(10))[:, 0]
    low, high = bca_intervals(np.array([3.0]), drawn[:, None], left, 0.95)
    assert (low[0], high[0]) == pytest.approx(scipys_bca(values, drawn, 0.95), rel=1e-9)


def test_bca_of_each_column_is_its_own():
    rng = np.random.default_rng(6)
    estimates, drawn, left = np.zeros(6), rng.normal(size=(200, 6)), rng.gamma(2, size=(9, 6))
    left[2:, 1], left[1:, 2] = np.nan, np.nan  # two images count, and one
    drawn[:, 3], drawn[1:, 4], drawn[::2, 5] = (
        np.nan,
        np.nan,
        np.nan,
    )  # none, one, half say anything
    low, high = bca_intervals(estimates, drawn, left, 0.9)
    assert (
        np.isnan(low).tolist()
        == np.isnan(high).tolist()
        == [False, False, True, True, False, False]
    )
    assert low[4] == high[4] == drawn[0, 4]
    for k in (0, 1, 5):
        said = drawn[~np.isnan(drawn[:, k]), k][:, None]
        alone = bca_intervals(estimates[:1], said, left[:, k : k + 1], 0.9)
        assert (low[k], high[k]) == (alone[0][0], alone[1][0])


def test_bca_of_replicates_on_one_side_is_as_if_half_a_replicate_were_on_the_other():
    drawn, symmetric = np.array([[1.0], [2], [4], [8]]), np.array([[-1.0], [0], [1]])
    low, high = bca_intervals(np.zeros(1), drawn, symmetric, 0.95)
    bias = scipy_stats.norm.ppf(0.5 / 4)
    place = 3 * scipy_stats.norm.cdf(2 * bias + scipy_stats.norm.ppf(0.975))
    assert 1 < place < 2  # between the second and the third
    assert high[0] == pytest.approx(2 + (place - 1) * 2)
    assert low[0] == pytest.approx(1, abs=1e-4)
    mirrored = bca_intervals(np.zeros(1), -drawn, -symmetric, 0.95)
    assert np.ravel(mirrored) == pytest.approx([-high[0], -low[0]])


def test_bca_without_influence_has_no_acceleration():
    drawn = np.linspace(-1, 1, 9)[:, None]
    low, high = bca_intervals(np.zeros(1), drawn, np.full((5, 1), 3.0), 0.8)
    assert (low[0], high[0]) == pytest.approx(np.quantile(drawn, [0.1, 0.9]))


def test_bca_at_a_confidence_of_almost_one_is_the_range():
    drawn = np.array([[-2.0], [-1], [1], [2], [3], [np.nan], [np.nan]])
    low, high = bca_intervals(np.zeros(1), drawn, np.array([[-1.0], [0], [1]]), 1 - 1e-16)
    assert (low[0], high[0]) == pytest.approx((-2, 3))


def test_bca_corrects_what_the_percentile_interval_gets_wrong():
    low, high = bca(SKEWED, OWN)
    plain = mean_intervals(SKEWED[:, None], everyone(SKEWED), OWN, Bootstrap(4000))
    assert low > plain[0][0, 0]
    assert high > plain[1][0, 0]  # towards the long tail


def test_the_jackknife_leaves_out_one_image_at_a_time():
    values = RNG.normal(size=(12, 2))
    values[3, 1] = np.nan
    clusters = np.array([0, 0, 1, 2, 2, 2, 3, 4, 4, 5, 5, 6])
    subsets = np.array([np.ones(12, bool), np.arange(12) < 6])
    got = jackknife_means(values, subsets, clusters)
    for c, s, k in np.ndindex(got.shape):
        counts = subsets[s] & ~np.isnan(values[:, k])
        kept = counts & (clusters != c)
        if (counts & (clusters == c)).any():
            assert got[c, s, k] == pytest.approx(values[kept, k].mean())
        else:
            assert np.isnan(got[c, s, k])
    assert got.shape == (7, 2, 2)


def test_the_jackknife_of_few_faces():
    pair, everyone_of_two = np.array([[1.0], [2.0]]), np.ones((1, 2), np.bool_)
    assert jackknife_means(pair, everyone_of_two, np.arange(2)).ravel().tolist() == [2, 1]
    none = jackknife_means(pair[:0], everyone_of_two[:, :0], np.arange(0))
    assert none.shape == (0, 1, 1)


def test_standard_errors_need_two_images():
    left = np.array([[1.0, 2, np.nan], [np.nan, 4, np.nan], [np.nan, np.nan, np.nan]])
    errors, freedom = standard_errors(left)
    np.testing.assert_array_equal(errors, [np.nan, 1, np.nan])
    assert freedom.tolist() == [0, 1, 0]


def test_copies_of_a_face_in_its_image_say_nothing_new():
    assert bca(*TRIPLED) == pytest.approx(bca(SKEWED, OWN))
    ours = standard_errors(jackknife_means(TRIPLED[0][:, None], everyone(TRIPLED[0]), TRIPLED[1]))
    one = standard_errors(jackknife_means(SKEWED[:, None], everyone(SKEWED), OWN))
    for got, wanted in zip(ours, one, strict=True):
        np.testing.assert_allclose(got, wanted)
    # The signed-rank test in its normal approximation, which is what it is with images of several.
    assert signed_rank(*TRIPLED) == pytest.approx(
        scipy_stats.wilcoxon(SKEWED, method="approx").pvalue, abs=0.01
    )
    many, few = (hodges_lehmann(*x, 0.95) for x in (TRIPLED, (SKEWED, OWN)))
    assert many == pytest.approx(few, abs=0.05)
    failures = RNG.choice([-1, 0, 0, 1, 1], 40)
    assert mcnemar(np.repeat(failures, 3), TRIPLED[1]) == pytest.approx(mcnemar(failures, OWN))
    assert design_effect(TRIPLED[0][:, None], TRIPLED[1])[0] == pytest.approx(3, rel=0.03)


def test_one_image_gives_no_interval_and_no_test():
    values, image = SKEWED[:4, None], np.zeros(4, int)
    left = jackknife_means(values, everyone(values), image)[:, 0]
    errors, freedom = standard_errors(left)
    assert np.isnan([*errors, *mean_test(values.mean(axis=0), errors, freedom)]).all()
    drawn = bootstrap_means(values, everyone(values), image, Bootstrap(100))[:, 0]
    assert np.isnan(bca_intervals(values.mean(axis=0), drawn, left, 0.95)).all()


def test_the_test_of_the_mean_is_the_paired_t_test():
    other = RNG.lognormal(0, 1, 40)
    difference = (SKEWED - other)[:, None]
    errors = standard_errors(jackknife_means(difference, everyone(difference), OWN)[:, 0])
    (p,) = mean_test(difference.mean(axis=0), *errors)
    assert p == pytest.approx(scipy_stats.ttest_rel(SKEWED, other).pvalue, rel=1e-9)


def test_the_test_of_the_mean_with_one_degree_of_freedom():
    # Student's t is Cauchy's distribution then: tan(pi / 4) = 1 is exceeded by a quarter.
    p = mean_test(np.array([1.0, 0, 5]), np.array([1.0, 0, 0]), np.array([1, 1, 1]))
    assert p == pytest.approx([0.5, 1, 0], abs=1e-15)
    least = detectable(np.array([2.0]), np.array([1]), 0.95)
    assert least == pytest.approx(2 * (np.tan(0.475 * np.pi) + np.tan(0.3 * np.pi)))


def test_what_can_be_detected_is_detected_that_often():
    errors, freedom = np.array([0.5]), np.array([400])
    (least,) = detectable(errors, freedom, 0.95)
    critical = scipy_stats.t.ppf(0.975, 400)
    power = scipy_stats.nct.sf(critical, 400, least / 0.5)
    assert power == pytest.approx(0.8, abs=0.002)


def test_nothing_differs():
    nothing = np.zeros(7)
    assert mean_test(np.zeros(1), np.zeros(1), np.array([6])) == [1.0]
    assert signed_rank(nothing, np.arange(7)) == 1.0
    assert hodges_lehmann(nothing, np.arange(7), 0.95) == (0, 0, 0)
    assert mcnemar(nothing.astype(int), np.arange(7)) == (1.0, 0.0)


@pytest.mark.parametrize("digits", [0, 1, 9], ids=lambda d: f"{d} digits")  # with ties
@pytest.mark.parametrize("size", [1, 2, 9, 40])
def test_hodges_lehmann_is_the_median_of_walsh_averages(size, digits):
    values = np.round(SKEWED[:size], digits)
    averages = np.sort(np.add.outer(values, values)[np.triu_indices(size)] / 2)
    middle, low, high = hodges_lehmann(values, np.arange(size), 0.95)
    assert middle == pytest.approx(np.median(averages))
    assert min(abs(averages - low)) < 1e-12
    assert min(abs(averages - high)) < 1e-12


def test_the_hodges_lehmann_interval_of_a_textbook():
    # Depression scores, Hollander and Wolfe, table 3.1: estimate -0.46; 96 % from -0.786 to -0.01.
    before = np.array([1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30])
    after = np.array([0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29])
    middle, low, high = hodges_lehmann(after - before, np.arange(9), 0.961)
    assert (middle, low, high) == pytest.approx((-0.46, -0.786, -0.01), abs=1e-9)


def test_the_hodges_lehmann_interval_ends_where_the_test_begins_to_reject():
    _, low, high = hodges_lehmann(SKEWED, OWN, 0.95)
    for end, outwards in ((low, -1), (high, 1)):
        p = [
            scipy_stats.wilcoxon(SKEWED - end - step * outwards, method="approx").pvalue
            for step in (-0.02, 0.02)
        ]
        assert p[0] > 0.05 > p[1]


def test_the_hodges_lehmann_interval_of_few_differences_is_their_range():
    assert hodges_lehmann(np.array([1.0, 2.0]), np.arange(2), 0.9999) == (1.5, 1, 2)


def test_images_whose_faces_cancel_do_not_narrow_the_hodges_lehmann_interval():
    values = np.array([-1.0, 1, -2, 2, -3, 3, -4, 4, -5, 5, -6, 6])
    pairs = hodges_lehmann(values, np.arange(12) // 2, 0.9)
    assert pairs == hodges_lehmann(values, np.arange(12), 0.9)
    assert hodges_lehmann(values, np.arange(12) % 2, 0.9)[1] < pairs[1] < 0


@pytest.mark.parametrize("outlier", [-1e13, 1e13])
def test_one_far_difference_does_not_blur_the_others(outlier):
    values = np.append(SKEWED, outlier)
    averages = np.sort(np.add.outer(values, values)[np.triu_indices(41)] / 2)
    assert hodges_lehmann(values, np.arange(41), 0.95)[0] == pytest.approx(np.median(averages))


@example([0, 0, 0, 0, 64])
@example([1, 2, 4, 8, 16, 32, 64, 128, -3, -7])
@given(st.lists(st.integers(-300, 300), min_size=1, max_size=30))
def test_hodges_lehmann_scales_and_mirrors(values):
    values, clusters = np.array(values) / 64, np.arange(len(values)) // 2  # ties stay ties
    before = np.array(hodges_lehmann(values, clusters, 0.9))
    assert before[1] <= before[0] <= before[2]
    np.testing.assert_allclose(hodges_lehmann(4 * values, clusters, 0.9), 4 * before, atol=1e-9)
    mirrored = hodges_lehmann(-values, clusters, 0.9)
    np.testing.assert_allclose(mirrored, -before[[0, 2, 1]], atol=1e-9)
    np.testing.assert_allclose(hodges_lehmann(values + 3, clusters, 0.9), before + 3, atol=1e-9)


def test_wilson_of_a_textbook():
    # Newcombe, Statistics in Medicine 1998, 17:857: the intervals of method 3.
    failed, faces = np.array([81.0, 15, 0, 1]), np.array([263.0, 148, 20, 29])
    low, high = wilson(failed / faces, faces, 0.95)
    np.testing.assert_allclose(low, [0.2553, 0.0624, 0, 0.0061], atol=5e-5)
    np.testing.assert_allclose(high, [0.3662, 0.1605, 0.1611, 0.1718], atol=5e-5)
    mirrored = wilson(1 - failed / faces, faces, 0.95)
    np.testing.assert_allclose(mirrored, [1 - high, 1 - low])


def test_wilsons_ends_at_none_and_all_are_exact():
    faces = np.arange(1.0, 2000)
    low, high = wilson(np.zeros_like(faces), faces, 0.95)
    assert (low == 0).all()
    assert (high < 1).all()
    low, high = wilson(np.ones_like(faces), faces, 0.95)
    assert (high == 1).all()
    assert (low > 0).all()


def test_tango_and_mcnemar_of_a_textbook():
    # Airway hyper-responsiveness before and after transplantation (Fagerland, Lydersen and Laake,
    # Statistics in Medicine 2014): 1 before alone, 7 after alone, of 21.
    ends = tango(*(np.array([x]) for x in (1.0, 7, 21)), 0.95)
    assert np.ravel(ends) == pytest.approx([-0.517, -0.026], abs=5e-4)
    p, beyond = mcnemar(np.repeat([1, -1, 0], [1, 7, 13]), np.arange(21))
    assert p == pytest.approx(0.0703, abs=5e-5)
    assert (p + beyond) / 2 == pytest.approx(0.0391, abs=5e-5)


@pytest.mark.parametrize(("z", "confidence"), [(1.959964, 0.95), (0.1256613, 0.1)])
@pytest.mark.parametrize("faces", [1.0, 507])
def test_tango_says_something_where_nothing_fails(faces, z, confidence):
    low, high = tango(*(np.array([x]) for x in (0.0, 0, faces)), confidence)
    wanted = z**2 / (faces + z**2)
    assert (low[0], high[0]) == pytest.approx((-wanted, wanted), rel=1e-6)


def test_tango_begins_where_mcnemars_statistic_does():
    # At a difference of 0 the score is McNemar's: b - c over the root of b + c.
    first, second = 31.0, 17.0
    confidence = 2 * scipy_stats.norm.cdf((first - second) / np.sqrt(first + second)) - 1
    low, _ = tango(*(np.array([x]) for x in (first, second, 300.0)), confidence)
    assert low[0] == pytest.approx(0, abs=1e-12)


@given(*[st.integers(0, 30)] * 3)
def test_tango_mirrors_and_holds_the_difference(first, second, other):
    faces = first + second + other
    if faces:
        cells = [np.array([float(x)]) for x in (first, second, faces)]
        low, high = tango(*cells, 0.95)
        mirrored = tango(cells[1], cells[0], cells[2], 0.95)
        np.testing.assert_allclose([low, high], [-mirrored[1], -mirrored[0]], atol=1e-9)
        difference = (first - second) / faces
        assert -1 <= low[0] <= difference <= high[0] <= 1


@given(st.integers(0, 40), st.integers(0, 40))
def test_mcnemar_is_the_binomial_test_of_single_faces(first, second):
    failures = np.repeat([1, -1, 0], [first, second, 5])
    p, beyond = mcnemar(failures, np.arange(len(failures)))
    wanted = scipy_stats.binomtest(first, first + second).pvalue if first + second else 1
    assert p == pytest.approx(wanted, rel=1e-9)
    assert 0 <= beyond <= p <= 1


def test_a_probability_is_no_more_than_one():
    # Rounding adds a trace to the sum of the whole distribution.
    for images in range(2, 200, 2):
        p, _ = mcnemar(np.repeat([1, -1], images // 2), np.arange(images))
        assert p <= 1
        assert p == pytest.approx(1, abs=1e-12)


def test_mcnemar_by_images_counts_every_toss():
    totals = np.array([2, -1, 0, 3, 1, 1])
    faces = np.repeat(np.sign(totals), np.abs(totals))
    clusters = np.repeat(np.arange(6), np.abs(totals))
    sums = [abs(np.dot(signs, totals)) for signs in product((-1, 1), repeat=6)]
    p, beyond = mcnemar(faces, clusters)
    assert p == pytest.approx(np.mean([x >= abs(totals.sum()) for x in sums]))
    assert beyond == pytest.approx(np.mean([x > abs(totals.sum()) for x in sums]))


def test_the_signed_rank_test_sums_by_image():
    # Twelve differences in five images, p by hand: sums of signed ranks over their root of squares.
    differences = np.array([3.0, -1, 4, 1.5, -5, 9, 2, -6, 5.5, 3.5, 8, -0.5])
    clusters = np.array([0, 0, 1, 1, 1, 2, 2, 3, 3, 3, 4, 4])
    ranks = np.sign(differences) * (np.argsort(np.argsort(np.abs(differences))) + 1)
    sums = np.array([ranks[clusters == c].sum() for c in range(5)])
    z = sums.sum() / np.sqrt((sums**2).sum())
    assert signed_rank(differences, clusters) == pytest.approx(2 * scipy_stats.norm.sf(abs(z)))
    assert signed_rank(SKEWED, OWN) == pytest.approx(scipy_stats.wilcoxon(SKEWED).pvalue, rel=1e-9)


def test_the_design_effect_is_one_without_clusters_and_never_less():
    assert design_effect(SKEWED[:, None], OWN)[0] == pytest.approx(1, abs=1e-12)
    opposite = np.tile([1.0, -1.0], 20)[:, None]
    assert design_effect(opposite, OWN // 2) == [1.0]
    assert design_effect(np.zeros((6, 1)), np.arange(6)) == [1.0]
    # Where nothing can be estimated, the faces of an image count as one.
    assert design_effect(np.zeros((6, 1)), np.arange(6) // 2) == [2.0]
    assert design_effect(np.zeros((6, 2)), np.zeros(6, int)).tolist() == [6, 6]
    assert design_effect(np.zeros((0, 2)), np.zeros(0, int)).tolist() == [1, 1]


def test_the_design_effect_by_hand():
    # Deviations of two images' sums, and of faces: 1, 1 and four of 1/2; 3, 3 and 2, 1, 0, 3.
    values = np.array([[0.0, 1, 0], [0, 2, 1], [1, 3, 0], [1, 6, 1]])
    effects = design_effect(values, np.array([4, 4, 9, 9]))
    assert effects == pytest.approx([3, (2 * 18) / (4 / 3 * 14), 1])
    assert design_effect(1e-3 * values, np.array([4, 4, 9, 9])) == pytest.approx(effects)


def holm_by_definition(p):
    order = sorted(range(len(p)), key=lambda k: p[k])
    out, largest = [0.0] * len(p), 0.0
    for place, k in enumerate(order):
        largest = max(largest, min(1.0, (len(p) - place) * p[k]))
        out[k] = largest
    return out


@given(st.lists(st.floats(0, 1), max_size=12))
def test_holm_by_definition(p):
    np.testing.assert_allclose(holm(np.array(p)), holm_by_definition(p))


def test_holm_leaves_out_what_was_not_tested():
    np.testing.assert_allclose(holm(np.array([0.01, np.nan, 0.02])), [0.02, np.nan, 0.02])


@given(st.integers(1, 7), st.data())
def test_two_models_share_a_letter_exactly_if_they_cannot_be_told_apart(size, data):
    pairs = [(i, j) for i in range(size) for j in range(i)]
    drawn = data.draw(st.lists(st.booleans(), min_size=len(pairs), max_size=len(pairs)))
    different = np.zeros((size, size), np.bool_)
    for (i, j), differs in zip(pairs, drawn, strict=True):
        different[i, j] = different[j, i] = differs
    found = letters(different)
    assert found[0][0] == "a"
    groups = [{i for i in range(size) if x in found[i]} for x in sorted(set("".join(found)))]
    assert not any(
        one <= two for k, one in enumerate(groups) for two in groups[:k] + groups[k + 1 :]
    )
    for i, j in pairs:
        assert bool(set(found[i]) & set(found[j])) != different[i, j]


def test_letters_of_a_chain():
    different = np.zeros((4, 4), np.bool_)
    for i, j in ((0, 2), (0, 3), (1, 3)):
        different[i, j] = different[j, i] = True
    assert letters(different) == ["a", "ab", "bc", "c"]


def test_letters_go_on_after_z():
    found = letters(~np.eye(53, dtype=np.bool_))
    assert found[:2] + found[25:27] + found[51:] == ["a", "b", "z", "a1", "z1", "a2"]


def test_the_simulated_population_is_what_it_says():
    first, second = draw(Case(2500, True), 100, np.random.default_rng(0), SECOND)
    for errors, shift in ((first, 0.0), (second, SECOND)):
        means = [values.mean() for values in measures(errors, 0.10)]
        np.testing.assert_allclose(means, truth(shift, 0.10), rtol=0.02)


@pytest.mark.parametrize("case", [Case(500, False), Case(500, True)], ids=str)
def test_intervals_hold_the_truth_as_often_as_they_say(case):
    # The whole simulation, of more trials and larger sets, is in docs/explanation/intervals.md.
    for name, share in coverage(case, 600, Bootstrap(600)).items():
        assert 0.925 < share < 0.98 or "FR, percentile" in name, name


def test_p_is_uniform_where_nothing_differs():
    found = null(Case(500, True), 400, 0.95)
    for name, (rejected, uniform) in found.items():
        if "interval" not in name:
            assert 0.01 < rejected < 0.09, name
            assert uniform > 1e-3, name
