"""The bootstrap: seeded, right where theory says so, and clustered by image."""

from __future__ import annotations

import numpy as np
import pytest

from alignbench import parse_measure
from alignbench.arrays import blocks
from alignbench.runs.measure import metric_rows
from alignbench.stats import Bootstrap, bootstrap, bootstrap_means, mean_intervals

RNG = np.random.default_rng(0)


def intervals(values, clusters=None, subsets=None, **options):
    values = np.asarray(values, np.float64).reshape(len(values), -1)
    clusters = np.arange(len(values)) if clusters is None else clusters
    subsets = np.ones((1, len(values)), np.bool_) if subsets is None else subsets
    return mean_intervals(values, subsets, clusters, Bootstrap(**options))


def test_the_same_seed_gives_the_same_bits_and_another_does_not():
    values = RNG.lognormal(size=200)
    assert np.array_equal(intervals(values, seed=1), intervals(values, seed=1))
    assert not np.array_equal(intervals(values, seed=1), intervals(values, seed=2))


def test_what_every_published_interval_rests_on():
    assert Bootstrap() == Bootstrap(replicates=10_000, confidence=0.95, seed=0)


@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.99])
def test_the_confidence_is_the_share_of_samples_between_the_ends(confidence):
    values = RNG.normal(size=(80, 1))
    everyone, alone = np.ones((1, 80), np.bool_), np.arange(80)
    asked = Bootstrap(2000, confidence)
    low, high = mean_intervals(values, everyone, alone, asked)
    means = bootstrap_means(values, everyone, alone, asked)[:, 0, 0]
    inside = ((means >= low[0, 0]) & (means <= high[0, 0])).mean()
    assert inside == pytest.approx(confidence, abs=0.002)


def test_an_interval_is_the_normal_one_for_a_mean_of_many():
    values = RNG.normal(5, 2, 3000)
    low, high = intervals(values, replicates=20_000)
    half = 1.959964 * values.std() / np.sqrt(3000)
    assert low[0, 0] == pytest.approx(values.mean() - half, abs=0.06 * half)
    assert high[0, 0] == pytest.approx(values.mean() + half, abs=0.06 * half)


def test_coverage_of_the_mean():
    truth = np.exp(0.5 * 0.5**2)  # mean of the log-normal
    hits = 0
    for trial in range(300):
        sample = np.random.default_rng(trial).lognormal(0, 0.5, 150)
        low, high = intervals(sample, replicates=400, seed=trial)
        hits += low[0, 0] <= truth <= high[0, 0]
    assert 0.90 <= hits / 300 <= 0.98


def test_faces_of_one_image_are_drawn_together():
    # Ten copies of each face say no more than one.
    values = RNG.lognormal(size=60)
    alone = intervals(values, replicates=20_000)
    copies = intervals(np.repeat(values, 10), np.repeat(np.arange(60), 10), replicates=20_000)
    np.testing.assert_allclose(copies, alone)
    unclustered = intervals(np.repeat(values, 10), replicates=20_000)
    assert np.ptp(unclustered) < 0.5 * np.ptp(alone)


def test_a_subset_is_the_mean_of_its_faces_in_each_draw():
    values = RNG.normal(size=(40, 2))
    values[::3, 1] = np.nan
    subsets = np.array([np.ones(40, bool), np.arange(40) < 15])
    clusters = RNG.integers(0, 25, 40)
    got = bootstrap_means(values, subsets, clusters, Bootstrap(50, seed=3))
    size = clusters.max() + 1
    draws = np.random.default_rng(3).integers(0, size, (50, size))
    for b in range(50):
        faces = np.concatenate([np.flatnonzero(clusters == image) for image in draws[b]])
        for s, k in np.ndindex(2, 2):
            chosen = values[faces[subsets[s][faces]], k]
            assert got[b, s, k] == pytest.approx(np.nanmean(chosen))


def test_chunks_do_not_change_the_draws(monkeypatch):
    values = RNG.normal(size=30)
    whole = intervals(values, replicates=500)
    monkeypatch.setattr(bootstrap, "_CHUNK", 300)
    np.testing.assert_allclose(intervals(values, replicates=500), whole, rtol=1e-12)


def test_where_no_face_counts_there_is_no_interval():
    subsets = np.array([[True, True, True], [False, False, False]])
    low, high = intervals([1.0, 2, 3], subsets=subsets, replicates=200)
    assert np.isnan([low[1, 0], high[1, 0]]).all()
    assert np.isfinite([low[0, 0], high[0, 0]]).all()


def test_nothing_counts_anywhere():
    low, high = intervals([np.nan, np.nan], replicates=100)
    assert np.isnan([low, high]).all()


def test_a_subset_that_no_sample_draws_has_no_interval():
    subsets = np.array([np.ones(1000, np.bool_), np.arange(1000) < 2])
    ends = [intervals(np.arange(1000.0), subsets=subsets, replicates=1, seed=k) for k in range(20)]
    low = np.array([low[:, 0] for low, _ in ends])
    assert np.isfinite(low[:, 0]).all()
    assert 0 < np.isnan(low[:, 1]).sum() < 20


def test_no_faces_give_no_interval():
    nobody = np.zeros(0, np.intp)
    low, high = mean_intervals(np.zeros((0, 2)), np.ones((1, 0), bool), nobody, Bootstrap(10))
    assert np.isnan([low, high]).all()
    assert low.shape == high.shape == (1, 2)


def test_one_image_is_all_that_can_be_drawn():
    drawn = bootstrap_means(
        np.array([[1.0], [3.0]]), np.ones((1, 2), bool), np.zeros(2, np.intp), Bootstrap(50)
    )
    assert (drawn == 2).all()


def test_a_subset_of_one_image_has_no_interval():
    subsets = np.array([[True, False, False, False], [True, True, False, False]])
    for clusters, bounded in (([0, 1, 2, 3], True), ([0, 0, 1, 2], False)):
        low, high = intervals(
            [7.0, 2, 3, 4], subsets=subsets, clusters=np.array(clusters), replicates=200
        )
        assert np.isnan([low[0, 0], high[0, 0]]).all()
        assert (low[1, 0] < high[1, 0]) == bounded


def test_a_run_stores_wilsons_interval_of_its_failure_rate():
    """2 of 10 by hand: (0.2 + z^2/20 -+ z sqrt(0.016 + z^2/400)) / (1 + z^2/10), z = 1.959964."""
    errors = {"inter_ocular": np.r_[np.full(8, 0.05), np.full(2, 0.2)]}
    everyone = {"full": np.ones(10, np.bool_), "none": np.zeros(10, np.bool_)}
    asked = [parse_measure("fr(inter_ocular)@0.10"), parse_measure("nme(inter_ocular)")]
    rows = metric_rows(asked, errors, everyone, np.arange(10), Bootstrap(200))
    assert rows[0].value == 20
    assert (rows[0].ci_low, rows[0].ci_high) == (5.668215, 50.983753)
    assert rows[1].ci_low >= 5
    assert (rows[2].faces, rows[2].ci_low) == (0, None)


def test_faces_of_one_image_say_less_of_a_failure_rate():
    errors = {"box": np.r_[np.full(16, 0.05), np.full(4, 0.2)]}
    asked = [parse_measure("fr(box)@0.10")]
    everyone = {"full": np.ones(20, np.bool_)}
    alone, pairs = (
        metric_rows(asked, errors, everyone, clusters, Bootstrap(200))[0]
        for clusters in (np.arange(20), np.arange(20) // 2)
    )
    assert alone.value == pairs.value
    assert pairs.ci_low < alone.ci_low < alone.ci_high < pairs.ci_high


def test_an_interval_by_blocks_of_images_is_the_same_interval(monkeypatch):
    """Another way to draw the same bootstrap: ends differ by its Monte Carlo error alone."""
    rng = np.random.default_rng(3)
    values = rng.lognormal(0, 0.5, (600, 2))
    values[::50, 1] = np.nan
    subsets = np.stack([np.ones(600, np.bool_), rng.random(600) < 0.3])
    images = rng.permutation(np.arange(600) // 2)
    settings = Bootstrap(20_000)
    whole = mean_intervals(values, subsets, images, settings)
    monkeypatch.setattr(blocks, "__defaults__", (37,))
    blockwise = mean_intervals(values, subsets, images, settings)
    width = whole[1] - whole[0]
    for one, other in zip(whole, blockwise, strict=True):
        assert (np.abs(one - other) < 0.02 * width).all()
        assert (one != other).all()


def test_every_sample_draws_as_many_images_as_there_are(monkeypatch):
    """By blocks or not: all images' shares of a sample add up to one sample."""
    images = np.arange(50)
    drawn = []
    real = np.bincount

    def counting(numbers, minlength):
        drawn.append(len(numbers))
        return real(numbers, minlength=minlength)

    for block, cached in ((7, 1), (7, 100), (25, 100), (50, 65_536)):
        monkeypatch.setattr(blocks, "__defaults__", (block,))
        monkeypatch.setattr(bootstrap, "_CACHED", cached)
        monkeypatch.setattr(bootstrap.np, "bincount", counting)
        drawn.clear()
        ones = np.ones((50, 1))
        means = bootstrap_means(ones, np.ones((1, 50), np.bool_), images, Bootstrap(30))
        assert sum(drawn) == 30 * 50
        assert (means == 1).all()
