"""Decoding: against its definition, one map at a time, and known answers."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps
from scipy import ndimage, special

from alignbench import heatmaps
from alignbench.predictors.settings import Decoder

maps = nps.arrays(
    np.float32,
    st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(1, 9), st.integers(1, 9)),
    elements=st.integers(-4, 4),
)


def quarter_of_one(one: np.ndarray) -> tuple[float, float]:
    """The definition, for one map."""
    height, width = one.shape
    y, x = np.unravel_index(one.argmax(), one.shape)
    if not (0 < x < width - 1 and 0 < y < height - 1):
        return x, y
    dx = 0.25 * np.sign(one[y, x + 1] - one[y, x - 1])
    dy = 0.25 * np.sign(one[y + 1, x] - one[y - 1, x])
    return x + dx, y + dy


@given(maps)
def test_quarter_and_argmax_are_their_definitions(batch):
    got = heatmaps.quarter(batch)
    peak = heatmaps.argmax(batch)
    for n, landmark in np.ndindex(batch.shape[:2]):
        one = batch[n, landmark]
        assert tuple(got[n, landmark]) == quarter_of_one(one)
        assert tuple(peak[n, landmark])[::-1] == np.unravel_index(one.argmax(), one.shape)


@pytest.mark.parametrize("decoder", heatmaps.DECODERS.values(), ids=heatmaps.DECODERS)
def test_a_gaussian_is_found_within_half_a_pixel(decoder):
    y, x = np.mgrid[:64, :64]
    centre = np.random.default_rng(0).uniform(15, 48, (5, 7, 2))
    batch = np.exp(
        -((x - centre[..., 0, None, None]) ** 2 + (y - centre[..., 1, None, None]) ** 2) / 6
    )
    limit = {"argmax": 0.5, "quarter": 0.25, "dark": 1e-3, "local-soft-argmax": 0.03}
    name = next(name for name, one in heatmaps.DECODERS.items() if one is decoder)
    assert np.abs(decoder(batch) - centre).max() <= limit.get(name, 1e-6)


def test_settings_name_every_decoder():
    assert set(get_args(get_args(Decoder)[0])) == set(heatmaps.DECODERS)


def noisy_gaussians(sigma, size, noise, seed):
    """A batch of maps of a Gaussian each, also near and beyond the border, with smooth noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size]
    shape = (6, 20)
    a, b = rng.uniform(-1, size, (2, *shape, 1, 1))
    peaks = rng.uniform(0.2, 1.1, (*shape, 1, 1))
    maps = peaks * np.exp(-((x - a) ** 2 + (y - b) ** 2) / (2 * sigma**2))
    return maps + noise * ndimage.gaussian_filter(rng.normal(size=maps.shape), (0, 0, 1, 1))


def dark_of_one(one, sigma):
    """DARK for one map: the whole map is blurred, and derivatives are matrices."""
    y, x = np.unravel_index(one.argmax(), one.shape)
    height, width = one.shape
    reach = next(r for r in range(999) if r >= 2.5 * sigma)
    blurred = ndimage.gaussian_filter(one, sigma, mode="constant", radius=reach)
    blurred *= one.max() / blurred.max()  # equation 11; the minimum is about 0
    if not (2 <= x <= width - 3 and 2 <= y <= height - 3):
        return np.array([x, y], float)
    if blurred[y - 2 : y + 3, x - 2 : x + 3].min() <= 0:
        return np.array([x, y], float)
    log = np.log(np.maximum(blurred, 1e-300))
    wide = np.array([-0.5, 0, 0.5])
    along_x, along_y = (ndimage.correlate1d(log, wide, axis) for axis in (1, 0))
    slope = np.array([along_x[y, x], along_y[y, x]])
    hessian = np.empty((2, 2))
    for row, first in enumerate((along_x, along_y)):
        for column in range(2):
            hessian[row, column] = ndimage.correlate1d(first, wide, 1 - column)[y, x]
    if (np.linalg.eigvalsh(hessian) >= 0).any():
        return np.array([x, y], float)
    return [x, y] - np.linalg.solve(hessian, slope)


@pytest.mark.parametrize("sigma", [1.2, 1.75, 2.0, 3.0])
@pytest.mark.parametrize("noise", [0.0, 0.2])
def test_dark_is_the_papers_formula(sigma, noise):
    batch = noisy_gaussians(sigma, 40, noise, seed=int(100 * sigma))
    found = heatmaps.dark(batch, sigma)
    for place in np.ndindex(batch.shape[:2]):
        np.testing.assert_allclose(found[place], dark_of_one(batch[place], sigma), atol=1e-6)
    moved = (found != heatmaps.argmax(batch)).any(axis=2)
    assert moved.mean() > 0.6
    assert not moved.all()


def test_dark_does_not_depend_on_the_height_of_a_map():
    batch = noisy_gaussians(1.75, 32, 0.1, seed=0)
    np.testing.assert_allclose(heatmaps.dark(1e-3 * batch), heatmaps.dark(batch), atol=1e-6)


@given(maps, st.sampled_from([3, 5, 7]), st.floats(0.01, 10))
def test_local_soft_argmax_is_its_definition(batch, window, temperature):
    found = heatmaps.local_soft_argmax(batch, window, temperature)
    for place in np.ndindex(batch.shape[:2]):
        one = batch[place].astype(float)
        y, x = np.unravel_index(one.argmax(), one.shape)
        rows, columns = np.indices(one.shape)
        near = np.maximum(abs(rows - y), abs(columns - x)) <= window // 2
        weight = special.softmax(one[near] / temperature)
        wanted = [weight @ columns[near], weight @ rows[near]]
        np.testing.assert_allclose(found[place], wanted, atol=1e-9)


def test_a_low_temperature_gives_the_highest_pixel_and_a_high_one_the_windows_middle():
    batch = noisy_gaussians(1.75, 32, 0.1, seed=0)
    cold, hot = (heatmaps.local_soft_argmax(batch, 5, t) for t in (1e-3, 1e6))
    peak = heatmaps.argmax(batch)
    inside = ((peak >= 2) & (peak <= 29)).all(axis=2)
    assert np.median(np.abs(cold - peak)) < 1e-3
    np.testing.assert_allclose(hot[inside], peak[inside], atol=1e-5)


@pytest.mark.parametrize("decoder", heatmaps.DECODERS)
def test_decode_calls_the_decoder_of_the_name(decoder):
    batch = noisy_gaussians(1.5, 24, 0.1, seed=1)
    call = heatmaps.DECODERS[decoder]
    options = {"dark": {"sigma": 1.5}, "local-soft-argmax": {"window": 5, "temperature": 0.3}}
    found = heatmaps.decode(batch, decoder, sigma=1.5, window=5, temperature=0.3)
    np.testing.assert_array_equal(found, call(batch, **options.get(decoder, {})))
    np.testing.assert_array_equal(heatmaps.decode(batch, decoder), call(batch))


@pytest.mark.parametrize("decoder", heatmaps.DECODERS)
def test_logarithms_of_zero_are_values(decoder):
    one = np.full((1, 1, 9, 9), -np.inf)
    one[0, 0, 4, 5] = -1.0
    found = heatmaps.decode(one, decoder)
    assert found.tolist() == [[[4.0, 4.0] if decoder == "centre-of-mass" else [5.0, 4.0]]]


def test_centre_of_mass_of_an_empty_map_is_its_middle():
    assert heatmaps.centre_of_mass(np.full((1, 1, 5, 9), -1.0)).tolist() == [[[4.0, 2.0]]]


def test_pixel_centres_go_to_pixel_centres():
    # The first of 64 heatmap pixels covers crop pixels 0 to 3, whose middle is 1.5.
    np.testing.assert_allclose(
        heatmaps.to_crop(np.array([0.0, 31.5, 63]), 64, 256), [1.5, 127.5, 253.5]
    )
