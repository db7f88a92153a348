"""Targets: against their definitions, written the slow way, and known answers."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps
from scipy.interpolate import splev, splprep
from scipy.ndimage import distance_transform_edt, gaussian_filter

from alignbench import heatmaps
from alignbench.markups import COFW29, IBUG68, WFLW98
from baselines.awing.loss import draw_merged_boundary
from baselines.drawing import to_heatmap
from baselines.lab.boundaries import chains as lab_chains
from baselines.lab.loss import draw_distance_boundaries
from baselines.landmark_maps import WINDOW, gaussians
from baselines.propnet.loss import draw_blurred_boundaries

SIZE = 24
POINTS = st.integers(1, 5).flatmap(
    lambda count: nps.arrays(
        np.float64, (2, count, 2), elements=st.floats(-9, SIZE + 9, allow_subnormal=False)
    )
)


def grid():
    y, x = np.mgrid[:SIZE, :SIZE]
    return np.stack([x, y], axis=2)


@given(POINTS, st.booleans(), st.floats(0.5, 3))
def test_a_landmark_is_a_gaussian_cut_to_its_window(points, subpixel, sigma):
    found = gaussians(points, SIZE, sigma, subpixel=subpixel)
    pixel = np.floor(points + 0.5)
    middle = points if subpixel else pixel
    squared = ((grid() - middle[:, :, None, None]) ** 2).sum(axis=4)
    window = np.abs(grid() - pixel[:, :, None, None]).max(axis=4) <= WINDOW // 2
    wanted = np.where(window, np.exp(-squared / (2 * sigma**2)), 0)
    np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_awings_gaussian_has_the_published_profile():
    row = gaussians(np.array([[[10.2, 12.4]]]), SIZE)[0, 0, 12]
    np.testing.assert_allclose(row[10:14], [1, 0.849, 0.520, 0.230], atol=5e-4)
    assert row[14] == 0


@given(nps.arrays(np.float64, (2, 3, 2), elements=st.floats(4, SIZE - 5)))
def test_what_is_drawn_is_decoded(points):
    exact = gaussians(points, SIZE, subpixel=True)
    assert np.abs(heatmaps.quarter(exact) - points).max() <= 0.25 + 1e-6
    np.testing.assert_allclose(heatmaps.parabola(exact), points, atol=1e-5)
    narrow = gaussians(points, SIZE, 1.0, subpixel=True)  # hardly cut by its window
    assert np.abs(heatmaps.centre_of_mass(narrow) - points).max() < 0.02
    on_pixels = gaussians(points, SIZE)
    assert (heatmaps.quarter(on_pixels) == np.floor(points + 0.5)).all()


@given(nps.arrays(np.float64, (2, 3, 2), elements=st.floats(-10, 300)))
def test_to_heatmap_undoes_to_crop(points):
    back = to_heatmap(heatmaps.to_crop(points, 64, 256), 64, 256)
    np.testing.assert_allclose(back, points, atol=1e-9)


def drawn(points, chains):
    """Pixels of straight segments, one at a time."""
    lines = np.zeros((len(points), len(chains), SIZE, SIZE))
    for n, face in enumerate(points):
        for m, chain in enumerate(chains):
            for a, b in itertools.pairwise(chain if len(chain) > 1 else [*chain, *chain]):
                steps = int(np.ceil(np.abs(face[b] - face[a]).max()))
                for k in range(steps + 1):
                    at = face[a] + (face[b] - face[a]) * (k / max(steps, 1))
                    x, y = np.floor(at + 0.5).astype(int)
                    if 0 <= x < SIZE and 0 <= y < SIZE:
                        lines[n, m, y, x] = 1
    return lines


INSIDE = nps.arrays(np.float64, (2, 4, 2), elements=st.integers(-20, SIZE + 20).map(float))
CHAINS = [[0, 1, 2], [2, 3], [1]]


@given(INSIDE)
def test_propnets_boundaries_are_blurred_segments_of_peak_one(points):
    found = draw_blurred_boundaries(points, CHAINS, SIZE)
    wanted = gaussian_filter(drawn(points, CHAINS), (0, 0, 1, 1), mode="constant", truncate=3)
    peak = wanted.max(axis=(2, 3), keepdims=True)
    np.testing.assert_allclose(found, wanted / np.where(peak == 0, 1, peak), atol=1e-5)


@given(INSIDE, st.sampled_from([0.7, 1.0, 2.0]))
def test_labs_boundaries_are_the_profile_of_the_exact_distance(points, sigma):
    found = draw_distance_boundaries(points, CHAINS[:2], SIZE, sigma)
    for at, lines in zip(found, drawn(points, CHAINS[:2]), strict=True):
        for one, line in zip(at, lines, strict=True):
            distance = distance_transform_edt(line == 0) if line.any() else np.full_like(line, 99)
            wanted = np.where(distance < 3 * sigma, np.exp(-(distance**2) / (2 * sigma**2)), 0)
            np.testing.assert_allclose(one, wanted, atol=1e-6)


def test_labs_boundary_of_one_landmark_is_a_disc():
    found = draw_distance_boundaries(np.array([[[10.0, 8.0]]]), [[0]], SIZE)[0, 0]
    assert (found == 1).sum() == 13  # pixels within 2 of the middle
    assert found[8, 12] == 1
    assert found[8, 13] == pytest.approx(np.exp(-0.5))


def test_awings_merged_boundary_follows_the_spline_of_fitpack():
    rng = np.random.default_rng(0)
    points = np.cumsum(rng.uniform(1, 3.5, (3, 9, 2)), axis=1)
    chains = [[0, 1, 2, 3, 4, 5], [5, 6, 7], [7, 8]]
    found = draw_merged_boundary(points, chains, SIZE)
    assert found.shape == (3, 1, SIZE, SIZE)
    for face, one in zip(np.floor(points + 0.5), found[:, 0], strict=True):
        line = np.zeros((SIZE, SIZE))
        for chain in chains:
            curve, _ = splprep(face[chain].T, s=0, k=min(4, len(chain)) - 1)
            x, y = np.floor(np.array(splev(np.linspace(0, 1, 100), curve)) + 0.5).astype(int)
            inside = (x >= 0) & (x < SIZE) & (y >= 0) & (y < SIZE)
            line[y[inside], x[inside]] = 1
        distance = distance_transform_edt(line == 0)
        wanted = np.where(distance < 3, np.exp(-(distance**2) / 2), 0)
        assert (np.abs(one - wanted) > 1e-6).mean() < 0.005  # ties of rounding


def test_landmarks_on_one_pixel_do_not_break_a_boundary():
    points = np.full((1, 4, 2), 7.0)
    for draw in (draw_merged_boundary, draw_blurred_boundaries, draw_distance_boundaries):
        map_ = draw(points, [[0, 1, 2, 3]], SIZE)[0, 0]
        assert map_[7, 7] == map_.max() == 1
        assert np.isfinite(map_).all()


@pytest.mark.parametrize(
    "draw", [draw_merged_boundary, draw_blurred_boundaries, draw_distance_boundaries]
)
@pytest.mark.parametrize("markup", (WFLW98, IBUG68, COFW29), ids=lambda m: m.name)
def test_boundaries_of_a_face_do_not_depend_on_its_batch(draw, markup):
    points = np.random.default_rng(1).uniform(2, SIZE - 3, (4, markup.landmarks, 2))
    together = draw(points, lab_chains(markup).values(), SIZE)
    alone = np.concatenate([draw(p[None], lab_chains(markup).values(), SIZE) for p in points])
    np.testing.assert_allclose(together, alone, atol=1e-6)


def test_boundaries_move_with_the_landmarks():
    points = np.random.default_rng(2).integers(6, SIZE - 8, (2, 4, 2)).astype(float)
    for draw in (draw_blurred_boundaries, draw_distance_boundaries):
        still, moved = draw(points, CHAINS, SIZE), draw(points + np.array([1, 2]), CHAINS, SIZE)
        np.testing.assert_allclose(still[..., :-2, :-1], moved[..., 2:, 1:], atol=1e-6)
