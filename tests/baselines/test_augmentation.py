"""What a face is changed by each time it is seen: each effect does what its key says."""

from __future__ import annotations

import numpy as np
import pytest

from alignbench import InputError
from alignbench.effects import compress, reduce_resolution, tint
from baselines.training.augmentation import Augmentation, change_picture, draw_map
from baselines.training.effects import apply_gamma, blur_motion, cover
from baselines.training.recipe import read_recipe

STILL = Augmentation(rotation=0, scale=0, shift=0, flip=0)
STRONG = {"cutouts": 3, "motion": 40.0, "tint": 1.0, "grey": 1.0, "gamma": 1.0, "resolution": 0.2,
          "jpeg": 10}  # fmt: skip


@pytest.fixture
def window():
    """A smooth picture (96, 96, 3) with a channel each of its own."""
    y, x = np.mgrid[:96, :96] / 95
    return np.rint(255 * np.stack([x, y, x * y], axis=2)).astype(np.uint8)


def spot(y, x):
    """A black window with a bright disc of 6 pixels about a place."""
    rows, columns = np.mgrid[:96, :96]
    disc = 255.0 * (np.hypot(rows - y, columns - x) < 6)
    return np.repeat(disc[..., None], 3, axis=2).astype(np.uint8)


def moments(window):
    """Centre (y, x) and covariance (2, 2) of a window's light."""
    weight = window[..., 0] / window[..., 0].sum()
    places = np.stack(np.mgrid[:96, :96])
    centre = (weight * places).sum(axis=(1, 2))
    away = places - centre[:, None, None]
    return centre, np.einsum("hw,ihw,jhw->ij", weight, away, away)


@pytest.mark.parametrize("name", STRONG)
def test_each_key_changes_the_picture(name, window):
    amounts = STILL.model_copy(update={name: STRONG[name], "probability": 1.0})
    before = window.copy()
    changed = change_picture(np.random.default_rng(3), amounts, window)
    assert (changed.shape, changed.dtype) == (window.shape, np.uint8)
    assert not np.array_equal(changed, window)
    np.testing.assert_array_equal(window, before)
    again = change_picture(np.random.default_rng(3), amounts, window)
    np.testing.assert_array_equal(changed, again)


def test_what_is_off_draws_nothing():
    """A recipe of before the newer keys shows the faces that it showed then."""
    usual = Augmentation(brightness=0.2, contrast=0.2, colour=0.1, blur=1.5, noise=8, erase=1)
    rng = np.random.default_rng(5)
    matrix, _ = draw_map(rng, usual, 64)
    golden = [[-1.03713, 0.34300, 53.55671], [0.34300, 1.03713, -14.65181]]
    np.testing.assert_allclose(matrix, golden, atol=1e-5)
    changed = change_picture(rng, usual, np.full((64, 64, 3), 100, np.uint8))
    assert changed.mean() == pytest.approx(100.36, abs=0.1)
    assert rng.random() == pytest.approx(0.63661, abs=1e-5)


def test_a_key_happens_with_its_probability(window):
    amounts = STILL.model_copy(update={"jpeg": 10, "probability": 0.25})
    changed = [change_picture(np.random.default_rng(k), amounts, window) for k in range(200)]
    assert 30 < sum(not np.array_equal(one, window) for one in changed) < 70


def test_a_box_is_jittered_by_shares_of_its_side():
    amounts = STILL.model_copy(update={"box_shift": 0.1, "box_scale": 0.2})
    drawn = [draw_map(np.random.default_rng(k), amounts, 128, 1.28)[0] for k in range(2000)]
    maps = np.stack(drawn)
    logs = np.log(maps[:, 0, 0])
    assert (logs.mean(), logs.std()) == pytest.approx((0, 0.2), abs=0.015)
    np.testing.assert_allclose(maps[:, 0, 0], maps[:, 1, 1])
    moved = maps[:, :, 2] + (maps[:, :, :2] - np.eye(2)) @ np.full(2, 63.5)
    # The box has 100 of the window's 128 pixels.
    assert moved.std(axis=0) == pytest.approx(10, abs=0.5)


def test_some_faces_are_turned_far():
    amounts = STILL.model_copy(update={"rotation": 10.0, "wide": 0.2, "wide_rotation": 90.0})
    maps = np.stack([draw_map(np.random.default_rng(k), amounts, 64)[0] for k in range(1000)])
    degrees = np.degrees(np.arctan2(maps[:, 1, 0], maps[:, 0, 0]))
    assert 80 < np.abs(degrees).max() <= 90
    assert (np.abs(degrees) > 10).mean() == pytest.approx(0.2 * 80 / 90, abs=0.04)


def test_rectangles_cover_a_part(window):
    assert np.array_equal(cover(np.random.default_rng(0), window, 0), window)
    for seed in range(20):
        changed = (cover(np.random.default_rng(seed), window, 1) != window).any(axis=2)
        rows, columns = (np.flatnonzero(changed.any(axis=axis)) for axis in (1, 0))
        sides = np.ptp(rows) + 1, np.ptp(columns) + 1
        assert max(sides) <= np.ceil(0.4 * 96)


def test_gamma_keeps_black_and_white():
    values = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2)
    np.testing.assert_array_equal(apply_gamma(values, 1.0), values)
    bright = apply_gamma(values, 0.5)
    assert (bright[0, 0, 0], bright[-1, -1, 0]) == (0, 255)
    assert (bright[4, 0, 0], apply_gamma(values, 2.0)[8, 0, 0]) == (128, 64)  # 255 sqrt(64 / 255)


def test_a_tint_is_the_grey_picture_in_a_colour(window):
    grey = tint(window, np.ones(3), 1.0)
    luma = window @ np.array([0.299, 0.587, 0.114])
    np.testing.assert_allclose(grey, np.repeat(luma[..., None], 3, axis=2), atol=1)
    blue = tint(window, np.array([0.2, 0.4, 1.0]), 1.0)
    np.testing.assert_allclose(blue, luma[..., None] * [0.2, 0.4, 1.0], atol=1)
    np.testing.assert_array_equal(tint(window, np.array([0.2, 0.4, 1.0]), 0.0), window)


@pytest.mark.parametrize(("length", "degrees"), [(12, 0), (9.5, 90), (15, 40)])
def test_motion_blur_spreads_light_along_its_line(length, degrees):
    before, after = spot(50, 40), blur_motion(spot(50, 40), length, np.radians(degrees))
    np.testing.assert_allclose(moments(after)[0], moments(before)[0], atol=0.05)
    added = moments(after)[1] - moments(before)[1]
    along = np.array([np.sin(np.radians(degrees)), np.cos(np.radians(degrees))])
    assert along @ added @ along == pytest.approx(length**2 / 12, abs=0.3)
    across = along[::-1] * [1, -1]
    assert abs(across @ added @ across) < 0.5


@pytest.mark.parametrize("share", [0.15, 0.5, 0.9])
def test_fewer_pixels_move_nothing(share):
    before, after = spot(50, 40), reduce_resolution(spot(50, 40), share)
    np.testing.assert_allclose(moments(after)[0], moments(before)[0], atol=0.05 / share)
    assert np.trace(moments(after)[1]) > np.trace(moments(before)[1])


def test_compression_keeps_colours_and_loses_more_at_low_quality(window):
    low, high = (np.abs(compress(window, q).astype(float) - window) for q in (10, 95))
    assert high.mean() < 2 < low.mean() < 20
    red = np.zeros((96, 96, 3), np.uint8)
    red[..., 0] = 200
    np.testing.assert_allclose(compress(red, 90), red, atol=4)


@pytest.mark.parametrize(
    ("key", "value"), [("jpeg", "0"), ("resolution", "0.0"), ("cutouts", "-1"), ("wide", "1.5")]
)
def test_an_amount_beyond_its_range_is_refused(key, value):
    with pytest.raises(InputError, match=f"key augmentation.{key}: Input should be"):
        read_recipe("propnet-mini/synthetic", [f"augmentation.{key}={value}"])
