"""Robustness and steadiness: corruptions do what they say, and what is measured is theirs."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest
from doubles import QUICK, Shifted, make_dataset
from hypothesis import given
from hypothesis import strategies as st
from layouts import write_300vw

from alignbench import InputError, Predictor, evaluate, load_dataset, load_predictor
from alignbench.boxes import Boxes
from alignbench.geometry import tight_boxes
from alignbench.io.images import ArrayImages
from alignbench.markups import IBUG68
from alignbench.markups.eyes_mouth5 import EYES_MOUTH5
from alignbench.stats import mean_intervals
from reports.robustness.conditions import (
    Condition,
    all_conditions,
    change_scenes,
    cut_scenes,
    generator,
    predict_conditions,
)
from reports.robustness.corruptions import CORRUPTIONS, LARGEST
from reports.robustness.degradation import (
    ALL,
    degradation_table,
    measure_degradation,
    summarise,
)
from reports.robustness.figure import degradation_figure
from reports.robustness.steadiness import (
    measure_steadiness,
    predecessors,
    run_tables,
    steadiness_table,
)
from reports.tables import render

PICTURES = [name for name, one in CORRUPTIONS.items() if one.picture]
DOTS = np.array([[100.0, 90], [200, 84], [150, 140], [110, 190], [196, 184]])
"""Landmarks of a face: two eyes, nose, two corners of the mouth."""


class Dots(Predictor):
    """Finds five bright dots, and tells them apart by where they are, as a person would."""

    name = "dots"
    markup = EYES_MOUTH5

    def __init__(self):
        self.boxes_seen, self.images_seen = [], []

    def predict(self, batch):
        self.boxes_seen += list(batch.boxes)
        self.images_seen += [image.copy() for image in batch.images]
        return np.stack([self._find(image) for image in batch.images])

    def _find(self, image):
        bright = np.argwhere(image.max(axis=2) > 140)[:, ::-1].astype(float)
        if not len(bright):
            return np.full((5, 2), np.nan)
        centres = [bright[0]]
        for _ in range(4):  # the farthest from those found: dots are far apart
            apart = np.min([np.hypot(*(bright - c).T) for c in centres], axis=0)
            centres.append(bright[apart.argmax()])
        which = np.argmin([np.hypot(*(bright - c).T) for c in centres], axis=0)
        weight = image.max(axis=2)[tuple(bright[:, ::-1].astype(int).T)].astype(float)
        found = np.stack(
            [np.average(bright[which == k], axis=0, weights=weight[which == k]) for k in range(5)]
        )
        up = found[np.argsort(found[:, 1])]
        eyes, nose, mouth = up[:2], up[2:3], up[3:]
        by_x = [part[np.argsort(part[:, 0])] for part in (eyes, nose, mouth)]
        return np.concatenate(by_x)

    def describe(self):
        return {"source": "dots"}


def dotted(faces=2, size=(260, 300)):
    """A data set of faces that are five white disks on black, each at another place."""
    y, x = np.mgrid[: size[0], : size[1]]
    shifts = np.linspace(0, 12.5, faces)
    points = DOTS + np.stack([shifts, shifts / 2], axis=1)[:, None]
    images = []
    for face in points:
        near = np.min([np.hypot(x - a, y - b) for a, b in face], axis=0)
        images.append(
            np.repeat(np.clip(255 * (8 - near), 0, 255).astype(np.uint8)[..., None], 3, 2)
        )
    dataset = make_dataset(faces, EYES_MOUTH5, images=ArrayImages(images))
    return replace(
        dataset, points=points, boxes=tight_boxes(points) + np.array([-20.0, -40, 20, 20]),
        normalisers=("box",),
    )  # fmt: skip


def shown_boxes(dataset):
    return Boxes(dataset.boxes, "rect", "ground-truth box", 1.0)


def landmarks(predictor, dataset, conditions, seed=0):
    """Landmarks (C, N, L, 2) under conditions."""
    found = np.full((len(conditions), *dataset.points.shape), np.nan)
    run = predict_conditions(predictor, dataset, shown_boxes(dataset), conditions, seed)
    for number, rows, points in run:
        found[number, rows] = points
    return found


@pytest.fixture(scope="module")
def sample():
    return load_dataset("synthetic", split="sample")


@pytest.fixture(scope="module")
def scene(sample):
    one = sample.take(np.arange(1))
    return cut_scenes(one, np.stack([one.boxes, one.boxes], axis=1))[0]


def test_fifteen_corruptions_in_five_strengths():
    assert len(CORRUPTIONS) == 15
    strengths = {name: len(one.strengths) for name, one in CORRUPTIONS.items()}
    assert strengths.pop("mirrored") == 1
    assert set(strengths.values()) == {5}
    for one in CORRUPTIONS.values():
        assert (one.picture, one.place, one.move).count(None) == 2
    assert len(all_conditions(list(CORRUPTIONS.values()))) == 1 + 14 * 5 + 1


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_gets_worse_with_each_strength(scene, name):
    before = scene.image.copy()
    changes = []
    for strength in CORRUPTIONS[name].strengths:
        image = CORRUPTIONS[name].picture(
            scene.image, scene.face, strength, generator(0, name, "a")
        )
        again = CORRUPTIONS[name].picture(
            scene.image, scene.face, strength, generator(0, name, "a")
        )
        assert image.dtype == np.uint8
        assert image.shape == scene.image.shape
        np.testing.assert_array_equal(image, again)
        changes.append(np.abs(image.astype(float) - scene.image).mean())
    np.testing.assert_array_equal(scene.image, before)
    assert changes[0] > 0
    assert (np.diff(changes) > 0).all()


def test_noise_has_the_strength_it_says(scene):
    flat = np.full((300, 300, 3), 128, np.uint8)
    for strength in (0.04, 0.13):
        noisy = CORRUPTIONS["noise"].picture(flat, scene.face, strength, generator(0, "n", "a"))
        assert noisy.std() == pytest.approx(255 * strength, rel=0.02)
        assert noisy.mean() == pytest.approx(128, abs=0.5)


def test_an_occluder_covers_its_share_and_stays_within_the_box(scene):
    flat = np.zeros((400, 400, 3), np.uint8)
    box = np.array([100.0, 120, 300, 280])
    shares = []
    for k in range(40):
        rng = generator(k, "occluder", "a")
        changed = CORRUPTIONS["occluder"].picture(flat, box, 0.2, rng).any(axis=2)
        rows, columns = np.nonzero(changed)
        assert rows.min() >= 119
        assert rows.max() <= 281
        assert columns.min() >= 99
        assert columns.max() <= 301
        shares.append(changed.sum() / (200 * 160))
    # A rectangle, or an ellipse in it: pi / 4 of that.
    assert {round(share, 1) for share in shares} == {0.2}
    assert min(shares) == pytest.approx(0.2 * np.pi / 4, rel=0.05)
    assert max(shares) == pytest.approx(0.2, rel=0.05)


def test_mild_and_strong_noise_are_one_noise(scene):
    flat = np.full((300, 300, 3), 128, np.uint8)
    mild, strong = (
        CORRUPTIONS["noise"].picture(flat, scene.face, s, generator(3, "noise", "a")).astype(float)
        for s in (0.04, 0.08)
    )
    assert np.corrcoef((mild - 128).ravel(), (strong - 128).ravel())[0, 1] > 0.99


def test_what_is_drawn_depends_on_seed_corruption_and_face():
    draws = {
        generator(*key).integers(2**60)
        for key in ((0, "noise", "a"), (1, "noise", "a"), (0, "fog", "a"), (0, "noise", "b"))
    }
    assert len(draws) == 4


def test_places_and_boxes_move_landmarks_as_they_move_pixels():
    dataset = dotted()
    names = ("rotation", "mirrored", "box-scale", "box-shift")
    conditions = all_conditions([CORRUPTIONS[name] for name in names])
    model = Dots()
    # Rotated by 45 degrees and more, eyes and mouth can no longer be told apart by height.
    kept = [k for k, c in enumerate(conditions) if c.name != "rotation" or c.level <= 2]
    found = landmarks(model, dataset, [conditions[k] for k in kept])
    np.testing.assert_allclose(found, np.broadcast_to(dataset.points, found.shape), atol=0.25)


def test_the_image_ends_where_the_face_is_cut_off():
    dataset = dotted(1)
    scenes = cut_scenes(dataset, np.stack([dataset.boxes, dataset.boxes], axis=1))
    face = scenes[0].face
    for level in range(1, 6):
        share = CORRUPTIONS["cut-off"].strengths[level - 1]
        edges = set()
        for seed in range(20):
            (cut,) = change_scenes(
                scenes, dataset.ids, Condition(CORRUPTIONS["cut-off"], level), seed
            )
            shift = cut.matrix[:, 2] - scenes[0].matrix[:, 2]
            low, high = face[:2] + shift, face[2:] + shift
            size = np.array(cut.image.shape[1::-1])
            beyond = np.array([-low[0], -low[1], high[0] - size[0], high[1] - size[1]])
            sides = np.tile(face[2:] - face[:2], 2)
            edges.add(int(beyond.argmax()))
            assert (beyond / sides).max() == pytest.approx(share, abs=0.006)
        assert edges == {0, 1, 2, 3}


def test_boxes_are_moved_by_what_their_strength_says():
    dataset = dotted(1)
    model = Dots()
    conditions = all_conditions([CORRUPTIONS["box-scale"], CORRUPTIONS["box-shift"]])
    landmarks(model, dataset, conditions)
    clean, *moved = model.boxes_seen
    for condition, box in zip(conditions[1:], moved, strict=True):
        factor = (box[2:] - box[:2]) / (clean[2:] - clean[:2])
        shift = ((box[:2] + box[2:]) - (clean[:2] + clean[2:])) / 2 / (clean[2:] - clean[:2])
        if condition.name == "box-scale":
            grown = 1 + condition.strength
            assert factor[0] == pytest.approx(factor[1])
            assert min(abs(factor[0] - grown), abs(factor[0] - 1 / grown)) < 1e-9
            np.testing.assert_allclose(shift, 0, atol=1e-9)
        else:
            np.testing.assert_allclose(factor, 1)
            assert np.hypot(*shift) == pytest.approx(condition.strength)


@given(st.integers(0, 10_000), st.floats(20, 900), st.floats(0.5, 2))
def test_every_face_is_shown_in_one_scale_whatever_its_image(seed, side, ratio):
    rng = np.random.default_rng(seed)
    size = rng.integers(30, 500, 2)
    points = rng.uniform(0, 1, (1, 5, 2)) * [side, side * ratio] + rng.uniform(-200, 400, 2)
    dataset = replace(
        make_dataset(1, EYES_MOUTH5, images=ArrayImages([np.zeros((*size, 3), np.uint8)])),
        points=points,
    )
    (scene,) = cut_scenes(dataset, np.repeat(tight_boxes(points)[:, None], 2, axis=1))
    assert max(scene.image.shape[:2]) <= LARGEST
    longer = (scene.face[2:] - scene.face[:2]).max()
    if min(scene.image.shape[:2]) >= 20:  # else the face lies outside, but for a pixel or two
        assert longer == pytest.approx(208, rel=0.06)
    back = np.linalg.inv(np.vstack([scene.matrix, [0, 0, 1]]))
    corner = back @ [*scene.face[:2], 1]
    np.testing.assert_allclose(corner[:2], tight_boxes(points)[0, :2], atol=1e-6)


def test_without_corruption_a_model_finds_what_it_finds_in_the_image(sample):
    model, faces = load_predictor("awing-mini"), sample.take(np.arange(12))
    result = measure_degradation(model, faces, corruptions=["mirrored"])
    run = evaluate(model, faces, bootstrap=QUICK, progress=False)
    own = run.errors("inter_ocular")
    # The image is resampled twice instead of once.
    assert result.errors[0].mean() == pytest.approx(own.mean(), rel=0.05)
    assert np.corrcoef(result.errors[0], own)[0, 1] > 0.98


def test_a_face_is_corrupted_alike_in_any_company(sample):
    model = load_predictor("linear")
    names = ["noise", "occluder", "box-shift"]
    many = measure_degradation(model, sample.take(np.arange(8)), corruptions=names, seed=4)
    one = measure_degradation(model, sample.take(np.array([6])), corruptions=names, seed=4)
    other = measure_degradation(model, sample.take(np.array([6])), corruptions=names, seed=5)
    np.testing.assert_allclose(one.errors[:, 0], many.errors[:, 6], rtol=1e-4)
    assert (one.errors[1:, 0] != other.errors[1:, 0]).all()


@pytest.fixture
def degradation(monkeypatch):
    """Errors that are known: 100 faces, two corruptions."""
    dataset = dotted(3)
    made = measure_degradation(Dots(), dataset, corruptions=["mirrored", "box-shift"])
    rng = np.random.default_rng(0)
    errors = rng.gamma(4, 0.02, (7, 100)) * np.arange(1, 8)[:, None] ** 0.5
    errors[3, :5] = np.nan
    return replace(made, errors=errors, clusters=np.arange(100) // 2)


def test_changes_are_those_of_the_means(degradation):
    nme, fr, rows = summarise(degradation, QUICK)
    errors = 100 * degradation.errors
    assert nme == pytest.approx(errors[0].mean())
    assert fr == pytest.approx(100 * (errors[0] > 10).mean())
    mirrored, shifted, everything = rows
    assert (mirrored.name, shifted.name, everything.name) == ("mirrored", "box-shift", ALL)
    means = np.nanmean(errors, axis=1)
    assert mirrored.nme == pytest.approx((means[1],))
    assert shifted.nme == pytest.approx(means[2:])
    assert shifted.mean == pytest.approx(means[2:].mean())
    failed = np.where(np.isnan(errors), np.inf, errors) > 10
    assert shifted.fr == pytest.approx(100 * failed[2:].mean())
    assert everything.mean == pytest.approx((means[1] + means[2:].mean()) / 2)
    for row in rows:
        assert row.change[0] == pytest.approx(row.mean - nme)
        assert row.relative[0] == pytest.approx(100 * (row.mean / nme - 1))
        assert row.change[1] < row.change[0] < row.change[2]
        assert row.relative[1] < row.relative[0] < row.relative[2]


def test_an_interval_of_a_change_is_that_of_the_differences_of_faces(degradation):
    rows = summarise(degradation, QUICK)[2]
    differences = 100 * (degradation.errors[1] - degradation.errors[0])
    everyone = np.ones((1, 100), np.bool_)
    low, high = mean_intervals(differences[:, None], everyone, degradation.clusters, QUICK)
    np.testing.assert_allclose(rows[0].change[1:], [low[0, 0], high[0, 0]])


def test_one_image_has_no_interval(degradation):
    alone = replace(degradation, clusters=np.zeros(100, np.intp))
    assert np.isnan(summarise(alone, QUICK)[2][0].change[1:]).all()


def test_a_table_says_what_was_missed(degradation):
    table = degradation_table(degradation, QUICK)
    assert any("most with a corruption: 5 (box-shift, strength 2)" in note for note in table.notes)
    records = list(csv.DictReader(io.StringIO(render([table], "csv"))))
    assert len(records) == 1 + 2 + 6 + 1
    last = records[-1]
    assert (last["corruption"], last["strength"]) == (ALL, "mean")
    assert float(last["change_low"]) < float(last["change"]) < float(last["change_high"])


def test_a_figure_has_a_panel_for_each_corruption(degradation):
    figure = degradation_figure([degradation, replace(degradation, model="other")], QUICK)
    shown = [axes for axes in figure.axes if axes.axison]
    assert [axes.get_title() for axes in shown] == ["mirrored", "box-shift"]
    means = 100 * np.nanmean(degradation.errors, axis=1)
    assert shown[1].lines[0].get_ydata() == pytest.approx(means[[0, 2, 3, 4, 5, 6]])
    block = degradation.dataset.model_copy(update={"fingerprint": "0"})
    with pytest.raises(InputError, match="different faces"):
        degradation_figure([degradation, replace(degradation, dataset=block)], QUICK)


def test_a_model_that_finds_nothing_is_counted():
    dataset = dotted(2)
    result = measure_degradation(Dots(), dataset, corruptions=["contrast"])
    assert not np.isnan(result.errors[0]).any()
    dark = replace(dataset, images=ArrayImages([np.zeros((260, 300, 3), np.uint8)] * 2))
    nothing = measure_degradation(Dots(), dark, corruptions=["mirrored"])
    assert np.isnan(nothing.errors).all()
    table = degradation_table(nothing, QUICK)
    assert "–" in render([table], "md")


def test_wrong_requests_are_refused():
    dataset = dotted(2)
    with pytest.raises(InputError, match=r"noize.*noise"):
        measure_degradation(Dots(), dataset, corruptions=["noize"])
    with pytest.raises(InputError, match="does not look at images"):
        measure_degradation(Shifted(dataset), dataset)
    stored = Dots()
    stored.uses_boxes = False
    with pytest.raises(InputError, match="takes no boxes"):
        measure_degradation(stored, dataset)
    for options, where in (({"shifts": 1}, "--shifts"), ({"shift": 0.7}, "--shift")):
        with pytest.raises(InputError, match=where):
            measure_steadiness(Dots(), dataset, **options)


class Finder(Dots):
    boxes = "detector"

    def detect(self, image):
        return np.array([[0.0, 0, 100, 100]])


def test_boxes_that_a_detector_finds_anew_are_refused():
    for measure in (measure_degradation, measure_steadiness):
        with pytest.raises(InputError, match=r"own detector.*detector:FILE"):
            measure(Finder(), dotted(2))


def test_a_mark_up_without_pairs_is_not_mirrored():
    dataset = dotted(2)
    bare = replace(dataset, markup=replace(dataset.markup, flip_pairs=()))
    model = Dots()
    model.markup = bare.markup
    result = measure_degradation(model, bare, corruptions=["box-shift"])
    assert len(result.conditions) == 6
    with pytest.raises(InputError, match="no flip pairs"):
        measure_degradation(model, bare, corruptions=["mirrored", "noise"])
    with pytest.raises(InputError, match="no flip pairs"):
        measure_steadiness(model, bare)


def test_faces_of_one_photograph_are_no_frames(sample):
    one = replace(sample, clusters=("a",) * len(sample))
    from reports.robustness import steadiness

    run = evaluate(sample.points + 1.0, one, bootstrap=QUICK, progress=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(steadiness, "evaluated_faces", lambda run, root: one)
        with pytest.raises(InputError, match="has no videos"):
            steadiness.run_steadiness(run)


def test_a_limit_below_one_is_refused():
    for measure in (measure_degradation, measure_steadiness):
        with pytest.raises(InputError, match="--limit"):
            measure(Dots(), dotted(2), limit=0)


class Jumpy(Dots):
    """Dots, moved right by a known number of pixels at every second call."""

    def predict(self, batch):
        points = super().predict(batch)
        self.calls = getattr(self, "calls", -1) + 1
        return points + np.array([2.0 * (self.calls % 2), 0])


def test_a_model_that_does_not_look_at_its_box_is_steady():
    table = steadiness_table([measure_steadiness(Dots(), dotted(3))], QUICK)
    nme, shift, mirror = (cell.value for cell in table.rows[0][2:])
    assert shift == pytest.approx(0, abs=1e-9)
    assert mirror < 0.2
    assert nme < 0.3


def test_notes_name_the_model_that_they_are_about():
    dataset = dotted(3)
    first, second = (measure_steadiness(model, dataset) for model in (Dots(), Jumpy()))
    values = {**second.values, "NME": np.array([np.nan, *second.values["NME"][1:]])}
    second = replace(second, values=values, notes=(*second.notes, "It was trained on these."))
    notes = steadiness_table([first, second], QUICK).notes
    assert f"1 missed faces of {second.model} are left out." in notes
    assert f"{second.model}: It was trained on these." in notes
    assert sum("shifts of at most" in note for note in notes) == 1


@pytest.mark.parametrize("measure", [measure_degradation, measure_steadiness])
def test_a_model_sees_the_data_set_first(measure):
    class Picky(Dots):
        def prepare(self, dataset):
            raise InputError(f"data set {dataset.name!r}", "not mine", "another one")

    with pytest.raises(InputError, match="not mine"):
        measure(Picky(), dotted(3))


def test_jitter_is_the_standard_distance_from_the_mean():
    dataset = dotted(2)
    result = measure_steadiness(Jumpy(), dataset, shifts=4)
    scenes = cut_scenes(dataset, np.stack([dataset.boxes, dataset.boxes], axis=1))
    pixels = np.array([1 / scene.matrix[0, 0] for scene in scenes])  # of the image
    box = tight_boxes(dataset.points)
    size = np.sqrt(np.prod(box[:, 2:] - box[:, :2], axis=1))
    # Half of the calls lie 2 pixels to the right: all are 1 from their mean.
    np.testing.assert_allclose(result.values["Shift"], 100 * pixels / size)


def test_differences_from_the_first_model_have_intervals():
    dataset = dotted(6)
    results = [measure_steadiness(model, dataset) for model in (Dots(), Jumpy())]
    table = steadiness_table(results, QUICK)
    assert table.rows[0][5].value is None
    difference = table.rows[1][5]
    expected = (results[1].values["Shift"] - results[0].values["Shift"]).mean()
    assert difference.value == pytest.approx(expected)
    assert difference.low <= difference.value <= difference.high
    record = [r for r in table.records if r["measure"] == "Shift"][1]
    assert record["minus_first"] == difference.value
    assert record["minus_first_low"] == difference.low
    other = measure_steadiness(Dots(), dotted(5))
    with pytest.raises(InputError, match="different faces"):
        steadiness_table([results[0], other], QUICK)


@pytest.fixture
def video(tmp_path):
    write_300vw(tmp_path / "300vw", frames=5)
    return load_dataset("300vw", tmp_path)


def test_frames_follow_their_predecessors(video):
    before = predecessors(video.ids, video.clusters)
    for k, previous in enumerate(before):
        if previous < 0:
            assert video.ids[k].endswith("000001")
        else:
            assert video.clusters[previous] == video.clusters[k]
            assert int(video.ids[previous][-6:]) == int(video.ids[k][-6:]) - 1
    assert predecessors(["a/1", "a/3", "x", "b/2"], ["a", "a", "x", "b"]).tolist() == [-1] * 4


def test_frame_to_frame_is_zero_for_a_constant_offset(video):
    steady = evaluate(video.points + np.array([3.0, -2]), video, bootstrap=QUICK, progress=False)
    moving = video.points.copy()
    moving[1::2] += [4.0, 0]
    jumping = evaluate(moving, video, bootstrap=QUICK, progress=False, name="jumping")
    from reports.robustness.steadiness import run_steadiness

    root = None
    results = []
    for run in (steady, jumping):
        root = video.images.location(0).split("/300vw/")[0]
        results.append(run_steadiness(run, root))
    constant, jumps = (one.values["Frame to frame"] for one in results)
    before = predecessors(video.ids, video.clusters)
    assert np.isnan(constant[before < 0]).all()
    np.testing.assert_allclose(constant[before >= 0], 0, atol=1e-9)
    eyes = video.points[
        :, list(IBUG68.normalisers["inter_ocular"][0] + IBUG68.normalisers["inter_ocular"][1])
    ]
    scale = np.hypot(*(eyes[:, 0] - eyes[:, 1]).T)
    follows = before >= 0
    parity = (np.arange(len(before)) - before) % 2 == 1
    np.testing.assert_allclose(jumps[follows & parity], 400 / scale[follows & parity])
    table = run_tables([steady, jumping], root, QUICK)
    assert [row[0] for row in table.rows] == [steady.record.model.name, "jumping"]


def test_a_run_without_videos_is_refused(sample):
    run = evaluate(sample.points + 1.0, sample, bootstrap=QUICK, progress=False)
    with pytest.raises(InputError, match="has no videos"):
        run_tables([run], None, QUICK)


def test_robustness_from_the_command_line(cli, tmp_path):
    done = cli(
        "robustness", "--model", "awing-mini", "--dataset", "synthetic", "--split", "sample",
        "--limit", "4", "--corruption", "mirrored", "--corruption", "noise", "--format", "csv",
        "--out", "table.csv", "--figure", "curves.png", "--bootstrap", "200",
    )  # fmt: skip
    assert (done.code, done.out) == (0, "")
    rows = list(csv.DictReader((tmp_path / "table.csv").read_text().splitlines()))
    assert [row["strength"] for row in rows if row["corruption"] == "noise"] == [
        "1", "2", "3", "4", "5", "mean",
    ]  # fmt: skip
    assert (tmp_path / "curves.png").stat().st_size > 10_000
    refused = cli(
        "robustness", "--model", "awing-mini", "--dataset", "synthetic", "--split", "sample",
        "--corruption", "fogg",
    )  # fmt: skip
    assert refused.code == 2
    assert "fog" in refused.err


def test_steadiness_from_the_command_line(cli):
    done = cli(
        "steadiness", "--model", "awing-mini", "--dataset", "synthetic", "--split", "sample",
        "--limit", "3", "--shifts", "2", "--format", "json", "--bootstrap", "200",
    )  # fmt: skip
    assert done.code == 0
    (table,) = json.loads(done.out)
    assert table["columns"] == ["Model", "Boxes", "NME", "Shift", "Mirror"]
    assert 0 < table["rows"][0]["Shift"]["low"] < table["rows"][0]["Shift"]["high"]
    refused = cli("steadiness")
    assert refused.code == 2
    assert "--model and --dataset" in refused.err
    refused = cli("steadiness", "run", "--backend", "openvino", "--shifts", "3")
    assert refused.code == 2
    assert "runs and --shifts, --backend; accepted" in refused.err


def test_the_sheet_shows_every_strength(cli, tmp_path):
    done = cli(
        "figure", "corruptions", "--dataset", "synthetic", "--split", "sample",
        "--corruption", "noise", "--corruption", "mirrored", "--out", "sheet.png",
    )  # fmt: skip
    assert done.code == 0
    assert (tmp_path / "sheet.png").stat().st_size > 10_000
    refused = cli(
        "figure", "corruptions", "--dataset", "synthetic", "--split", "sample",
        "--face", "nobody", "--out", "sheet.png",
    )  # fmt: skip
    assert refused.code == 2
