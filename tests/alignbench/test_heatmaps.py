"""Decoding: against its definition, one map at a time, and known answers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps

from alignbench import heatmaps

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
    limit = 0.01 if decoder is heatmaps.soft_argmax else 0.5
    assert np.abs(decoder(batch) - centre).max() <= limit


def test_soft_argmax_of_an_empty_map_is_its_middle():
    assert heatmaps.soft_argmax(np.full((1, 1, 5, 9), -1.0)).tolist() == [[[4.0, 2.0]]]


def test_pixel_centres_go_to_pixel_centres():
    # The first of 64 heatmap pixels covers crop pixels 0 to 3, whose middle is 1.5.
    np.testing.assert_allclose(
        heatmaps.to_crop(np.array([0.0, 31.5, 63]), 64, 256), [1.5, 127.5, 253.5]
    )
