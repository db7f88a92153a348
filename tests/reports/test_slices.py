"""Slices: the search finds what is there, and nothing where nothing is."""

from __future__ import annotations

import csv
from dataclasses import replace

import numpy as np
import pytest
from doubles import QUICK, make_dataset

from alignbench import InputError, evaluate, load_dataset
from alignbench.io.images import ArrayImages
from alignbench.markups import IBUG68, WFLW98
from alignbench.stats import Bootstrap
from reports.conditions import known_conditions
from reports.slices import candidates, search, slice_table

SETTINGS = Bootstrap(400)


def values(rng, faces):
    return {"yaw": rng.uniform(0, 90, faces), "size": rng.uniform(20, 300, faces)}


def test_candidates_are_subsets_and_ranges():
    rng = np.random.default_rng(0)
    conditions = values(rng, 80)
    subsets = {"full": np.ones(80, np.bool_), "blur": rng.random(80) < 0.3}
    found = candidates(conditions, subsets, bins=4)
    assert len(found) == 1 + 2 * (4 * 5 // 2 - 1)
    assert "full" not in found
    assert found["blur"] is subsets["blur"]
    ranges = {name: member for name, member in found.items() if name != "blur"}
    single = [name for name, member in ranges.items() if member.sum() == 20]
    assert len(single) == 8  # four quarters of each condition
    # The quarters of a condition hold every face once.
    total = np.sum([found[name] for name in single if name.startswith("yaw")], axis=0)
    assert (total == 1).all()


def test_equal_values_are_not_torn_apart():
    occlusion = np.repeat([0.0, 50.0], [90, 10])
    found = candidates({"occlusion": occlusion}, {}, bins=8)
    assert all(len(set(member[:90])) == 1 for member in found.values())


def test_a_planted_slice_is_found_first():
    rng = np.random.default_rng(1)
    conditions = values(rng, 400)
    errors = rng.gamma(9, 0.5, 400)
    hard = (conditions["yaw"] > 67.5) & (conditions["yaw"] < 90)
    errors[hard] += 3
    first = search(errors, candidates(conditions, {}), np.arange(400), SETTINGS)[0][0]
    assert first.name.startswith("yaw")
    assert (first.members & hard).sum() / (first.members | hard).sum() > 0.9
    assert first.p < 0.01
    assert first.difference[1] > 0
    assert first.inside - first.outside == pytest.approx(first.difference[0])
    assert first.inside == pytest.approx(errors[first.members].mean())
    assert first.outside == pytest.approx(errors[~first.members].mean())


def test_where_nothing_is_nothing_is_found():
    """The clearest of all slices is called clear in about 5 % of data sets without any."""
    false = 0
    for seed in range(120):
        rng = np.random.default_rng(seed)
        slices = candidates(values(rng, 100), {})
        results, _ = search(rng.normal(5, 1, 100), slices, np.arange(100), SETTINGS)
        false += bool(results) and results[0].p < 0.05
    assert false <= 13  # binomial(120, 0.05) exceeds 12 once in a hundred


def test_the_edges_of_ranges_are_told_apart():
    heights = np.linspace(1000, 1010, 90)
    assert len(candidates({"height": heights}, {})) == 8 * 9 // 2 - 1
    assert "yaw -40 to 10" in candidates({"yaw": np.linspace(-40, 60, 91)}, {}, bins=2)


def test_faces_of_one_image_are_one_sample():
    """Ten faces an image with one error: without clusters, chance would look clear."""
    rng = np.random.default_rng(2)
    images = np.repeat(np.arange(80), 10)
    errors = rng.gamma(4, 1, 80)[images]
    yaw = rng.uniform(0, 90, 80)[images] + rng.normal(0, 0.1, 800)
    slices = candidates({"yaw": yaw}, {})
    together, _ = search(errors, slices, images, SETTINGS)
    apart, _ = search(errors, slices, np.arange(800), SETTINGS)
    assert apart[0].p < 0.05
    assert together[0].p > 0.05


def test_a_missed_face_counts_nowhere():
    rng = np.random.default_rng(3)
    conditions = values(rng, 200)
    errors = rng.gamma(9, 0.5, 200)
    slices = candidates(conditions, {})
    kept = np.ones(200, np.bool_)
    kept[[3, 50]] = False
    holes = np.where(kept, errors, np.nan)
    results, _ = search(holes, slices, np.arange(200), SETTINGS)
    others, _ = search(
        errors[kept], {name: member[kept] for name, member in slices.items()},
        np.arange(198), SETTINGS,
    )  # fmt: skip
    assert [(one.name, one.p, one.inside) for one in results] == [
        (one.name, one.p, one.inside) for one in others
    ]


def test_small_slices_and_equal_errors():
    errors = np.ones(100)
    few = np.arange(100) < 5
    assert search(errors, {"few": few}, np.arange(100), SETTINGS)[0] == []
    half = np.arange(100) < 50
    assert search(errors, {"half": half}, np.arange(100), SETTINGS)[0] == []


def test_the_turn_of_a_head():
    points = np.random.default_rng(0).uniform(0, 40, (3, 98, 2))
    left, right = WFLW98.normalisers["inter_ocular"]
    points[:, list(left)] = [10.0, 20]
    points[:, list(right)] = [30.0, 20]
    points[:, 54] = [[20.0, 40], [30, 40], [35, 40]]
    points[:, :2] = [[0.0, 0], [0, 40]]
    conditions = known_conditions(replace(make_dataset(3), points=points))
    np.testing.assert_allclose(conditions["turn"], [0, 1, 1.5])
    np.testing.assert_allclose(conditions["height"], 40)


def test_the_turn_follows_the_yaw():
    faces = load_dataset("synthetic", split="sample")
    known = known_conditions(faces)
    order = np.corrcoef(
        np.argsort(np.argsort(known["turn"])), np.argsort(np.argsort(np.abs(known["yaw"])))
    )
    assert order[0, 1] > 0.9


def test_pixels_are_measured_in_the_face():
    rng = np.random.default_rng(4)
    sharp = rng.integers(0, 255, (150, 150, 3), dtype=np.uint8)
    smooth = np.repeat(np.linspace(0, 255, 150).astype(np.uint8)[None, :, None], 150, 0)
    images = [sharp, np.repeat(smooth, 3, 2), np.full((150, 150, 3), 51, np.uint8)]
    known = known_conditions(make_dataset(3, IBUG68, images=ArrayImages(images)), pixels=True)
    assert known["sharpness"][0] > 5 * known["sharpness"][1]
    assert known["brightness"][2] == pytest.approx(20)


@pytest.fixture(scope="module")
def run():
    faces = load_dataset("synthetic", split="sample")
    turned = known_conditions(faces)["turn"] > 0.5
    rng = np.random.default_rng(5)
    points = faces.points + rng.normal(0, 1, faces.points.shape)
    points[turned] += 12
    return evaluate(points, faces, bootstrap=QUICK, progress=False, name="turned")


def test_a_run_has_a_table(run):
    table = slice_table(run, bootstrap=SETTINGS)
    assert any(word in table.rows[0][0] for word in ("turn", "yaw", "pose"))
    assert table.records[0]["p"] < 0.05
    assert table.records[0]["low"] > 0
    assert not any("guesses" in note for note in table.notes)
    with pytest.raises(InputError, match=r"heigth.*height"):
        slice_table(run, conditions=["heigth"], bootstrap=SETTINGS)


def test_labels_of_people_come_with_a_warning(run, monkeypatch):
    labels = {"age": np.arange(60.0), "turn": np.arange(60.0)[::-1]}
    monkeypatch.setattr("reports.slices.known_conditions", lambda faces, pixels: labels)
    table = slice_table(run, bootstrap=SETTINGS)
    assert any("others' guesses" in note for note in table.notes)
    table = slice_table(run, conditions=["turn"], bootstrap=SETTINGS)
    assert not any("others' guesses" in note for note in table.notes)


def test_slices_from_the_command_line(cli, run, tmp_path):
    model = ("--model", "mean-shape", "--dataset", "synthetic", "--split", "sample")
    assert cli("run", *model, "--out", "mean", "--bootstrap", 200).code == 0
    done = cli("slices", "mean", "--bins", 4, "--format", "csv", "--bootstrap", 200)
    assert done.code == 0, done.err
    rows = list(csv.DictReader(done.out.splitlines()))
    assert float(rows[0]["p"]) <= float(rows[-1]["p"])
    refused = cli("slices", "mean", "--condition", "smile-angle")
    assert refused.code == 2
    assert "smile" in refused.err
