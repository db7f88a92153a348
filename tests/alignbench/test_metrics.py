"""Properties of the measures."""

from __future__ import annotations

import numpy as np
import pytest
from doubles import make_dataset
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps

from alignbench import InputError, parse_measure
from alignbench.arrays import SLICE
from alignbench.geometry import tight_boxes
from alignbench.markups import COFW29, IBUG68, WFLW98
from alignbench.metrics.ced import ced, ced_steps
from alignbench.metrics.errors import (
    counted_faces,
    distances,
    face_errors,
    landmark_errors,
    normaliser_names,
    normalisers,
)
from alignbench.runs.measure import evaluate_points
from alignbench.stats import Bootstrap

errors = nps.arrays(
    np.float64, st.integers(1, 60), elements=st.floats(0, 0.5, allow_subnormal=False)
)
thresholds = st.sampled_from([0.05, 0.07, 0.08, 0.10, 0.3])


def measure(text: str, values: np.ndarray) -> float:
    return parse_measure(text).value(values)


def nme_of(predicted: np.ndarray, truth: np.ndarray, markup) -> dict[str, np.ndarray]:
    names = [str(k) for k in range(len(truth))]
    return {
        name: face_errors(distances(predicted, truth), scale)
        for name, scale in normalisers(truth, markup, names).items()
    }


@given(thresholds, st.integers(1, 3000))
def test_auc_of_a_perfect_predictor_is_exactly_one(threshold, faces):
    assert measure(f"auc@{threshold}", np.zeros(faces)) == 1.0
    assert measure(f"fr@{threshold}", np.zeros(faces)) == 0.0
    assert measure("nme", np.zeros(faces)) == 0.0


@given(errors, thresholds)
def test_auc_lies_between_its_bounds(values, t):
    auc = measure(f"auc@{t}", values)
    nme, fr = measure("nme", values) / 100, measure(f"fr@{t}", values) / 100
    assert 1 - nme / t - 1e-12 <= auc <= 1 - fr + 1e-12


@given(errors, thresholds)
def test_auc_is_the_integral_of_the_ced(values, t):
    x, share = ced_steps(values, t)
    assert (x[0], x[-1]) == (0, t)
    assert len(x) == (values <= t).sum() + 2
    area = (np.diff(x) * share[:-1]).sum() / t
    assert measure(f"auc@{t}", values) == pytest.approx(area, abs=1e-12)


def test_the_steps_of_the_ced_have_faces_at_the_end_too():
    x, share = ced_steps(np.array([0.1, 0.05, 0.2]), 0.1)
    assert x.tolist() == [0, 0.05, 0.1, 0.1]
    assert share.tolist() == [0, 1 / 3, 2 / 3, 2 / 3]


@given(errors)
def test_ced_rises_from_the_share_of_zeros_to_one(values):
    x = np.linspace(0, 0.6, 50)
    share = ced(values, x)
    assert (np.diff(share) >= 0).all()
    assert share[0] == (values == 0).mean()
    assert share[-1] == 1.0


@given(errors, thresholds)
def test_ced_and_failure_rate_are_complements_at_the_threshold(values, t):
    values = np.append(values, t)  # a face exactly at the threshold has not failed
    assert measure(f"fr@{t}", values) / 100 == pytest.approx(1 - ced(values, np.array([t]))[0])
    assert measure(f"fr@{t}", np.array([t])) == 0.0


@given(errors, st.randoms(use_true_random=False))
def test_order_of_faces_does_not_matter(values, random):
    shuffled = values.copy()
    random.shuffle(shuffled)
    for text in ("nme", "fr@0.10", "auc@0.08"):
        assert measure(text, shuffled) == pytest.approx(measure(text, values), abs=1e-12)


@given(errors, st.data())
def test_the_whole_is_the_weighted_mean_of_a_partition(values, data):
    part = data.draw(nps.arrays(np.bool_, len(values)))
    assume(part.any() and not part.all())
    for text in ("nme", "fr@0.10", "auc@0.08"):
        together = (
            part.sum() * measure(text, values[part]) + (~part).sum() * measure(text, values[~part])
        ) / len(values)
        assert measure(text, values) == pytest.approx(together, abs=1e-10)


@pytest.mark.parametrize("markup", (WFLW98, IBUG68, COFW29), ids=lambda m: m.name)
@given(
    angle=st.floats(-3, 3),
    scale=st.floats(0.1, 10),
    shift=st.tuples(st.floats(-500, 500), st.floats(-500, 500)),
)
def test_similarity_changes_no_two_point_or_mean_error(markup, angle, scale, shift):
    rng = np.random.default_rng(3)
    truth = rng.uniform(0, 100, (4, markup.landmarks, 2))
    predicted = truth + rng.normal(0, 3, truth.shape)
    spin = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    before = nme_of(predicted, truth, markup)
    after = nme_of(predicted @ spin.T + shift, truth @ spin.T + shift, markup)
    for name in markup.normalisers:  # box and diagonal depend on the axes
        np.testing.assert_allclose(after[name], before[name], rtol=1e-9)


@pytest.mark.parametrize("markup", (WFLW98, IBUG68, COFW29), ids=lambda m: m.name)
def test_mirroring_image_and_landmarks_changes_nothing(markup):
    rng = np.random.default_rng(4)
    truth = rng.uniform(0, 100, (5, markup.landmarks, 2))
    predicted = truth + rng.normal(0, 3, truth.shape)

    def mirror(points):
        return (points * [-1, 1] + [200, 0])[:, markup.flip_order]

    before, after = (
        nme_of(predicted, truth, markup),
        nme_of(mirror(predicted), mirror(truth), markup),
    )
    for name in normaliser_names(markup):
        np.testing.assert_allclose(after[name], before[name], rtol=1e-12)


def test_single_precision_agrees():
    rng = np.random.default_rng(5)
    truth = rng.uniform(0, 100, (50, 98, 2)).astype(np.float32)
    predicted = truth + rng.normal(0, 3, truth.shape).astype(np.float32)
    single = nme_of(predicted, truth, WFLW98)
    double = nme_of(predicted.astype(np.float64), truth.astype(np.float64), WFLW98)
    for name, values in double.items():
        np.testing.assert_allclose(single[name], values, rtol=1e-5)


def test_normalisers_are_the_distances_they_are_named_after():
    truth = np.zeros((1, 68, 2))
    truth[0, 36], truth[0, 45] = (0, 0), (60, 80)  # outer corners
    truth[0, 37:42], truth[0, 42], truth[0, 43:45], truth[0, 46:48] = (
        0,
        (60, 80),
        (60, 80),
        (60, 80),
    )
    found = normalisers(truth, IBUG68, ["a"])
    assert found["inter_ocular"] == pytest.approx([100])
    assert found["inter_pupil"] == pytest.approx([100])
    assert found["diagonal"] == pytest.approx([100])
    assert found["box"] == pytest.approx([np.sqrt(60 * 80)])


def test_one_landmark_off_by_a_normaliser_counts_one_over_l():
    truth = np.random.default_rng(6).uniform(0, 100, (1, 29, 2))
    scale = normalisers(truth, COFW29, ["a"])["inter_pupil"][0]
    predicted = truth.copy()
    predicted[0, 5, 0] += scale
    assert nme_of(predicted, truth, COFW29)["inter_pupil"] == pytest.approx([1 / 29])


def test_zero_normaliser_names_the_face():
    truth = np.random.default_rng(7).uniform(0, 100, (3, 98, 2))
    truth[1, 72] = truth[1, 60]
    with pytest.raises(InputError) as refused:
        normalisers(truth, WFLW98, ["a", "b", "c"])
    assert str(refused.value) == (
        "face b: normaliser inter_ocular is zero; accepted: finite true landmarks whose "
        "normalising points differ. Correct the annotation or leave the face out."
    )


@pytest.mark.parametrize(
    ("predicted", "truth"),
    [
        ((1, 98, 2), (5, 98, 2)),
        ((5, 98, 2), (1, 98, 2)),
        ((5, 97, 2), (5, 98, 2)),
        ((98, 2), (98, 2)),
        ((1, 5, 98, 2), (1, 5, 98, 2)),
        ((5, 98, 1), (5, 98, 1)),
        ((5, 98, 3), (5, 98, 3)),
    ],
)
def test_shapes_that_would_broadcast_or_are_none_are_refused(predicted, truth):
    with pytest.raises(InputError) as refused:
        distances(np.zeros(predicted), np.zeros(truth))
    assert str(refused.value) == (
        f"predicted landmarks: shape {predicted} against truth of shape {truth}; "
        "accepted: equal shapes (N, L, 2)."
    )


def test_masked_error_is_the_mean_over_the_mask():
    distance = np.array([[1.0, 3, 8], [2, 2, 2], [np.nan, np.nan, np.nan]])
    mask = np.array([[True, True, False], [False, False, False], [True, True, True]])
    np.testing.assert_array_equal(face_errors(distance, np.full(3, 2.0), mask), [1, np.nan, np.nan])


def test_a_missed_face_fails_and_is_left_out_of_nme():
    values = np.array([0.02, 0.04, np.inf])
    assert measure("nme", values) == pytest.approx(3.0)
    assert measure("fr@0.10", values) == pytest.approx(100 / 3)
    assert measure("auc@0.10", values) == pytest.approx((0.8 + 0.6 + 0) / 3)


def test_landmark_errors_are_means_over_the_faces_found():
    rng = np.random.default_rng(8)
    distance, scale = rng.uniform(0, 9, (20, 98)), rng.uniform(40, 90, 20)
    distance[3] = np.nan
    each = landmark_errors(distance, scale)
    found = [face for face in range(20) if face != 3]
    for landmark in (0, 41, 97):
        by_hand = np.mean([distance[face, landmark] / scale[face] for face in found])
        assert each[landmark] == pytest.approx(by_hand)
    assert each.mean() == pytest.approx(np.delete(face_errors(distance, scale), 3).mean())
    nothing = landmark_errors(np.full((20, 98), np.nan), scale)
    assert nothing.shape == (98,)
    assert np.isnan(nothing).all()


def test_every_row_of_an_evaluation_is_its_measure_of_its_faces():
    dataset = make_dataset(faces=15, visible=True)
    predicted = dataset.points + np.random.default_rng(9).normal(0, 3, dataset.points.shape)
    measures = [parse_measure(text) for text in ("nme", "fr@0.07", "auc(box)@0.10")]
    result = evaluate_points(predicted, dataset, measures, Bootstrap(200))
    each = nme_of(predicted, dataset.points, WFLW98)
    assert len(result.metrics) == 3 * (4 + 4 + 1)
    for row in result.metrics:
        text = f"{row.metric}({row.norm})" + (f"@{row.threshold}" if row.threshold else "")
        member = dataset.subsets[row.subset]
        assert row.faces == member.sum()
        assert row.value == pytest.approx(measure(text, each[row.norm][member]), abs=1e-12)
        assert row.ci_low <= row.value <= row.ci_high
    box = result.breakdown[result.breakdown["norm"] == "box"].set_index(["kind", "name"])
    seen = box.loc["visibility"]["nme"]
    whole = 100 * each["box"].mean()
    assert box.loc["landmark"]["nme"].mean() == pytest.approx(whole)
    regions = box.loc["region"]
    sizes = {name: len(members) for name, members in WFLW98.regions.items()}
    assert sum(regions["nme"][n] * size for n, size in sizes.items()) / 98 == pytest.approx(whole)
    assert (regions["ci_low"] < regions["nme"]).all()
    assert (regions["nme"] < regions["ci_high"]).all()
    distance = distances(predicted, dataset.points)
    scale = normalisers(dataset.points, WFLW98, dataset.ids)["box"]
    for name, mask in (("visible", dataset.visible), ("occluded", ~dataset.visible)):
        by_hand = [d[m].mean() / s for d, m, s in zip(distance, mask, scale, strict=True)]
        assert seen[name] == pytest.approx(100 * np.mean(by_hand))


def test_distances_of_more_faces_than_are_taken_at_a_time():
    truth = np.random.default_rng(0).random((2 * SLICE + 1, 2, 2))
    expected = np.linalg.norm(truth - 1, axis=2)
    np.testing.assert_allclose(distances(np.ones_like(truth), truth), expected, rtol=1e-13)


def test_a_face_without_annotation_has_no_normaliser():
    truth = np.random.default_rng(0).random((3, 98, 2))
    truth[1] = np.nan
    with pytest.raises(InputError, match="face b: normaliser box is nan"):
        normalisers(truth, WFLW98, ["a", "b", "c"])


def test_a_landmark_without_annotation_counts_nowhere_and_is_no_missed_face():
    rng = np.random.default_rng(0)
    truth, predicted = rng.random((40, 98, 2)), rng.random((40, 98, 2))
    truth[rng.random((40, 98)) < 0.3] = np.nan
    predicted[[3, 7]] = np.nan
    truth[:, 5] = np.nan
    distance, scale = distances(predicted, truth), rng.uniform(1, 2, 40)
    by_hand = np.hypot(*(predicted - truth).transpose(2, 0, 1))
    detected = np.delete(np.arange(40), [3, 7])
    expected = np.full(40, np.nan)
    expected[detected] = np.nanmean(by_hand[detected], axis=1) / scale[detected]
    np.testing.assert_allclose(face_errors(distance, scale), expected)
    mask = rng.random((40, 98)) < 0.5
    by_mask = np.where(mask, by_hand, np.nan)[detected]
    np.testing.assert_allclose(
        face_errors(distance, scale, mask)[detected], np.nanmean(by_mask, axis=1) / scale[detected]
    )
    each = landmark_errors(distance, scale)
    assert np.isnan(each[5])
    rest = np.delete(np.arange(98), 5)
    by_landmark = (by_hand / scale[:, None])[detected][:, rest]
    np.testing.assert_allclose(each[rest], np.nanmean(by_landmark, axis=0))
    counted = counted_faces(distance)
    assert counted[5] == 0
    assert (counted[rest] == (~np.isnan(by_landmark)).sum(axis=0)).all()


def test_a_normaliser_is_left_out_where_a_face_lacks_a_landmark_it_needs():
    truth = np.random.default_rng(0).random((2, 98, 2))
    truth[1, 60] = np.nan
    names = normalisers(truth, WFLW98, ["a", "b"], {"face_box": np.array([3.0, 4.0])})
    assert list(names) == ["inter_pupil", "box", "diagonal", "face_box"]
    box = tight_boxes(truth)[1]
    np.testing.assert_array_equal(box[:2], np.nanmin(truth[1], axis=0))
    np.testing.assert_array_equal(box[2:], np.nanmax(truth[1], axis=0))
    with pytest.raises(InputError, match="face b: normaliser face_box is zero"):
        normalisers(truth, WFLW98, ["a", "b"], {"face_box": np.array([3.0, 0.0])})


@pytest.mark.parametrize(
    "settings",
    [
        {"replicates": 0},
        {"replicates": 1_000_001},
        {"confidence": 0},
        {"confidence": 1},
        {"seed": -1},
    ],
)
def test_a_bootstrap_is_possible(settings):
    assert Bootstrap(1, 0.5, 0).replicates == 1
    assert Bootstrap(1_000_000).replicates == 1_000_000
    with pytest.raises(InputError) as refused:
        Bootstrap(**settings)
    assert str(refused.value) == (
        f"bootstrap: {unchecked(settings)}; accepted: 1 to 1,000,000 replicates, a confidence "
        "between 0 and 1, a seed of 0 or more."
    )


def unchecked(settings):
    """A bootstrap as it is printed, of settings that it does not take."""
    known = {"replicates": 10_000, "confidence": 0.95, "seed": 0} | settings
    return "Bootstrap(" + ", ".join(f"{name}={value}" for name, value in known.items()) + ")"
