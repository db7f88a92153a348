"""Each peer's convention, and how it differs from ours."""

from __future__ import annotations

import json

import numpy as np
import pytest

from alignbench import InputError, load_dataset, parse_measure
from alignbench.metrics import compat
from alignbench.metrics.errors import distances, face_errors, normalisers
from alignbench.predictors import load_predictor
from alignbench.predictors.base import Batch

RNG = np.random.default_rng(0)
ERRORS = RNG.lognormal(np.log(0.037), 0.42, 2500)


def ours(errors: np.ndarray, t: float) -> compat.Summary:
    fr, auc = (parse_measure(f"{name}@{t}").value(errors) for name in ("fr", "auc"))
    return compat.Summary(fr, auc)


@pytest.mark.parametrize("t", [0.08, 0.10])
def test_simpson_grid_is_right_where_its_grid_ends_at_the_threshold(t):
    assert compat.simpson_grid(ERRORS, t).fr == pytest.approx(ours(ERRORS, t).fr)
    assert compat.simpson_grid(ERRORS, t).auc == pytest.approx(ours(ERRORS, t).auc, abs=1e-4)
    assert compat.simpson_grid(np.zeros(7), t).auc == pytest.approx(1)


@pytest.mark.parametrize("t", [0.05, 0.07])
def test_simpson_grid_overruns_where_rounding_adds_a_step(t):
    # Faces between t and t + 1e-4 have failed, but not on this grid.
    beyond = np.full(10, t + 5e-5)
    assert ours(beyond, t).fr == 100
    assert compat.simpson_grid(beyond, t).fr == 0
    assert compat.simpson_grid(np.zeros(7), t).auc == pytest.approx(1 + 1e-4 / t)
    assert compat.simpson_grid(ERRORS, t).auc > ours(ERRORS, t).auc + 1e-3


def test_menpofit_is_the_grid_with_a_step_of_its_own():
    assert compat.menpofit(ERRORS, 1e-4, 0.08) == compat.simpson_grid(ERRORS, 0.08)
    coarse = compat.menpofit(ERRORS, 0.01, 0.08)
    assert abs(coarse.auc - ours(ERRORS, 0.08).auc) > 1e-4


def test_san_counts_strictly_below():
    at = np.full(4, 0.08)
    assert compat.san(at, 0.08).fr == 100
    assert ours(at, 0.08).fr == 0
    assert compat.san(np.zeros(4), 0.08).auc == pytest.approx(1 - 0.5 / 1999)
    assert compat.san(ERRORS, 0.08).auc == pytest.approx(ours(ERRORS, 0.08).auc, abs=1e-4)
    assert compat.san(ERRORS, 0.08) == compat.san(ERRORS, 0.08, points=2000)
    # The last two of 2,000 points are 0.07996 and 0.08.
    assert compat.san(np.array([0.01, 0.07998, 0.08, 0.2]), 0.08).fr == 50


def test_spiga_is_half_to_a_whole_point_too_high():
    theirs = compat.spiga(ERRORS, 0.08)
    assert 0 < theirs.auc - ours(ERRORS, 0.08).auc < 0.01
    assert compat.spiga(np.full(3, 0.5), 0.08) == compat.Summary(100.0, 0.0)
    assert theirs == compat.spiga(ERRORS, 0.08, bins=10_000)
    with pytest.raises(InputError) as refused:
        compat.spiga(np.array([0.1, np.inf]), 0.08)
    assert str(refused.value) == "spiga: a missed face (infinite error); accepted: finite errors."


def test_spiga_by_hand():
    # Left edges 0, 1, 2, 3; of five errors one in each bin, and two in the last.
    errors = np.array([0.0, 0.01, 0.02, 0.03, 0.04])
    found = compat.spiga(errors, 0.025, bins=4)
    assert found == pytest.approx((40, (0.2 + 4 * 0.4 + 0.6) / 3 / 2.5))
    # An edge at the threshold itself is not below it.
    assert compat.spiga(errors, 0.02, bins=4) == pytest.approx((60, (0.2 + 0.4) / 2 / 2))
    # All errors below the threshold: the rest up to it is added as a rectangle.
    found = compat.spiga(errors[:4], 0.05, bins=3)
    assert found == pytest.approx((0, (0.25 + 4 * 0.5 + 1) / 3 / 5 + (5 - 2) / 5))


def test_mmpose_pools_points_where_we_average_faces():
    distance = np.array([[1.0, 1, 1, 1], [4, 4, 4, 4]])
    visible = np.array([[True, True, True, True], [True, False, False, False]])
    scale = np.array([10.0, 10])
    pooled = compat.mmpose_nme(distance, scale, visible)
    by_face = 100 * face_errors(distance, scale, visible).mean()
    assert pooled == pytest.approx(100 * (4 * 0.1 + 0.4) / 5)
    assert by_face == pytest.approx(25)
    assert compat.mmpose_nme(distance, scale, np.ones_like(visible)) == pytest.approx(25)
    assert pooled != 100 * (4 * 0.1 + 0.4) / 5  # float32
    assert compat.mmpose_nme(distance, scale, np.arange(8).reshape(2, 4) == 4) == pytest.approx(40)
    assert compat.mmpose_nme(distance, scale, np.zeros_like(visible)) == 0


def test_hrnet_cuts_to_whole_pixels():
    assert compat.hrnet_points(np.array([[[10.9, 3.2], [-0.5, 7.0]]])).tolist() == [
        [[10, 3], [0, 7]]
    ]
    truth = RNG.uniform(100, 200, (40, 98, 2))
    cut = np.hypot(*(compat.hrnet_points(truth) - truth).T).mean()
    assert 0.7 < cut < 0.83  # a perfect prediction loses about 0.77 pixels


def test_adnet_divides_by_one_face_too_few():
    assert compat.adnet_nme(np.full(5, 0.04)) == pytest.approx(5.0)
    assert compat.adnet_nme(np.array([0.02, 0.04])) == pytest.approx(6.0)
    with pytest.raises(InputError) as refused:
        compat.adnet_nme(np.array([0.04]))
    assert str(refused.value) == "adnet_nme: 1 faces; accepted: two or more."


@pytest.mark.real_data
def test_spiga_convention_gives_spigas_own_metrics_file(shared):
    """AUC and FR of SPIGA's own evaluation of its own predictions, to all printed digits."""
    dataset = load_dataset("300w", shared)
    predictor = load_predictor(f"saved:{shared}/predictions/spiga_300w_public.json")
    predictor.prepare(dataset)
    points = predictor.predict(Batch(dataset.ids, [], np.zeros((689, 4))))
    scale = normalisers(dataset.points, dataset.markup, dataset.ids)["inter_ocular"]
    errors = face_errors(distances(points, dataset.points), scale)
    published = {
        "full": (62.72750851023099, 0.7256894049346929),
        "common": (67.6676731570753, 0.0),
        "challenging": (42.44787101795513, 3.703703703703709),
        "helen": (68.51294946769845, 0.0),
        "lfpw": (66.42133313963284, 0.0),
    }
    text = (shared / "predictions" / "spiga_300w_public_metrics.txt").read_text()
    for subset, (auc, fr) in published.items():
        assert json.dumps(auc) in text  # typed from that very file
        theirs = compat.spiga(errors[dataset.subsets[subset]], 0.08)
        assert 100 * theirs.auc == pytest.approx(auc, abs=2e-3)
        assert theirs.fr == pytest.approx(fr)
