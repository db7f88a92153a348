"""Figures: what is drawn is the run's numbers, the same bytes every time, and users' mistakes."""

from __future__ import annotations

import shutil
from dataclasses import replace
from html import escape
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from doubles import QUICK, ArrayImages, Shifted, make_dataset
from hypothesis import given
from hypothesis import strategies as st
from layouts import WFLW_LIST
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import EllipseCollection, LineCollection
from matplotlib.figure import Figure
from matplotlib.text import Text

from alignbench import Batch, InputError, evaluate, load_dataset, load_predictor
from alignbench.io.images import ImageFiles
from alignbench.markups import WFLW98
from alignbench.metrics.errors import normalisers
from alignbench.stats import mean_intervals
from alignbench.synthetic.write import CONDITIONS, write
from alignbench.threads import temporary_limit
from reports import data
from reports.figures import (
    attributes,
    boundaries,
    ced,
    conditions,
    landmarks,
    samples,
    tiles,
    worst,
)
from reports.figures.style import encode, save, svg

FACES = 12
close = np.testing.assert_allclose


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """A network of one face is no faster with more, and slower where others work."""
    with temporary_limit(1):
        yield


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """A folder with a few synthetic faces."""
    folder = tmp_path_factory.mktemp("drawn") / "synthetic"
    write(folder, {"test": FACES, "train": 1}, 5, lambda done, total: None)
    return folder.parent


@pytest.fixture
def copy(root, tmp_path) -> Path:
    """A copy of these faces, to be damaged."""
    return Path(shutil.copytree(root / "synthetic", tmp_path / "synthetic"))


class Wrong(Shifted):
    """The truth, off by another noise for each face; some faces are missed."""

    def __init__(self, dataset, scale=1.0, missed=()):
        super().__init__(dataset)
        self.scale, self.missed = scale, missed
        self.rank = {name: k for k, name in enumerate(dataset.ids)}

    def predict(self, batch):
        points = []
        for name in batch.ids:
            rank = self.rank[name]
            noise = np.random.default_rng(rank).normal(0, self.scale * (1 + rank % 5), (98, 2))
            points.append(self.truth[name] + (np.nan if name in self.missed else noise))
        return np.stack(points)

    def describe(self):
        return {"source": "wrong", "scale": self.scale, "missed": list(self.missed)}


def run_of(dataset, name="wrong", limit=None, **options):
    predictor = Wrong(dataset, **options)
    predictor.name = name
    return evaluate(predictor, dataset, bootstrap=QUICK, limit=limit)


@pytest.fixture(scope="module")
def faces(root):
    return load_dataset("synthetic", root)


@pytest.fixture(scope="module")
def run(faces):
    return run_of(faces)


@pytest.fixture(scope="module")
def missing(faces):
    return run_of(faces, "missing", scale=2.0, missed=faces.ids[3:5])


def titles(figure) -> list[str]:
    """The words under each tile."""
    return [axes.get_title() for axes in figure.axes if axes.images]


def refuse(module, message, *arguments, **options):
    """A module's figure cannot be drawn, for a reason."""
    with pytest.raises(InputError, match=message):
        module.figure(*arguments, **options)


def scale_of(truth, norm="inter_ocular") -> np.ndarray:
    return normalisers(truth, WFLW98, [""] * len(truth))[norm]


def ellipses(axes) -> EllipseCollection:
    """The ellipses of a panel."""
    (drawn,) = (one for one in axes.collections if isinstance(one, EllipseCollection))
    return drawn


# Landmarks


def base_face() -> np.ndarray:
    """A face (98, 2), eyes level."""
    points = np.random.default_rng(3).uniform(-1, 1, (98, 2))
    left, right = WFLW98.normalisers["inter_ocular"]
    points[[left[0], right[0]]] = [[-0.5, -0.2], [0.5, -0.2]]
    return points


def test_spread_undoes_turn_and_scale():
    rng = np.random.default_rng(0)
    base, faces = base_face(), 30
    angle, scale = rng.uniform(-0.6, 0.6, faces), rng.uniform(20, 90, faces)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    noise = rng.normal(0.02, 0.05, (faces, 98, 2)) * [2.0, 1.0]

    def put(points):
        return scale[:, None, None] * np.einsum("ijn,nlj->nli", turn, points) + 100

    truth, points = put(np.broadcast_to(base, noise.shape)), put(base + noise)
    spread = landmarks.spread_of(points, truth, WFLW98, scale_of(truth), "inter_ocular")
    close(spread.mean, base - base.mean(axis=0), atol=1e-9)
    close(spread.offset, noise.mean(axis=0), atol=1e-9)
    for landmark in range(98):
        expected = np.cov(noise[:, landmark].T, bias=True)
        close(spread.covariance[landmark], expected, atol=1e-9)
    close(spread.errors, np.hypot(*noise.T).T.mean(axis=0), atol=1e-9)


def test_an_ellipses_axes_are_those_of_its_covariance():
    angle, long, short = 0.7, 0.3, 0.1
    axis = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    covariance = axis @ np.diag([long**2, short**2]) @ axis.T
    nothing = np.zeros((1, 2))
    spread = landmarks.Spread(nothing, np.zeros(1), nothing, covariance[None], 1)
    lengths, degrees = spread.axes(2.0)
    close(lengths, [[2 * 2 * long, 2 * 2 * short]])
    assert degrees[0] % 180 == pytest.approx(np.degrees(angle))


def test_colours_are_the_runs_errors_and_ellipses_lie_where_predictions_do(run, faces, root):
    figure = landmarks.figure([run], data_root=root)
    drawn = ellipses(figure.axes[0])
    rows = run.breakdown.query("kind == 'landmark' and norm == 'inter_ocular'")
    close(drawn.get_array(), rows["nme"], rtol=1e-9)
    mean = np.stack(figure.axes[0].lines[0].get_data(), axis=1)
    expected = landmarks.spread_of(
        run.points, faces.points, WFLW98, scale_of(faces.points), "inter_ocular"
    )
    close(mean, expected.mean)
    close(drawn.get_offsets(), expected.mean + expected.offset)
    wide = landmarks.figure([run], data_root=root, sigma=3.0)
    close(ellipses(wide.axes[0]).get_widths(), 3 * drawn.get_widths())
    assert "Ellipses: 3 standard deviations" in wide.get_supxlabel()


def test_a_subset_and_missed_faces_are_left_out_of_ellipses(missing, faces, root):
    figure = landmarks.figure([missing], data_root=root)
    assert figure.axes[0].get_title() == f"missing: {FACES - 2} faces"
    subset = max(missing.subsets[1:], key=lambda name: missing.faces[name].sum())
    chosen = np.isin(missing.ids, missing.faces["id"][missing.faces[subset] == 1])
    rows = [faces.ids.index(name) for name in np.array(missing.ids)[chosen]]
    expected = landmarks.spread_of(
        missing.points[chosen],
        faces.points[rows],
        WFLW98,
        scale_of(faces.points[rows], "box"),
        "box",
    )
    figure = landmarks.figure([missing], data_root=root, subset=subset, normaliser="box")
    close(ellipses(figure.axes[0]).get_array(), 100 * expected.errors)


def test_without_the_data_set_errors_stand_on_the_mean_prediction():
    run = run_of(make_dataset(8))  # registered nowhere
    figure = landmarks.figure([run])
    drawn = ellipses(figure.axes[0])
    rows = run.breakdown.query("kind == 'landmark' and norm == 'inter_ocular'")
    np.testing.assert_array_equal(drawn.get_array(), rows["nme"])
    assert len(set(drawn.get_widths())) == 1
    assert "mean predicted face" in figure.get_supxlabel()
    refuse(landmarks, "dataset 'made': unknown", [run], ellipses=True)
    refuse(landmarks, "subset 'even': has no stored errors", [run], subset="even")
    for module in (landmarks, conditions):  # without the data
        refuse(module, "subset of made 'nobody': unknown", [run], subset="nobody")


def test_several_faces_share_scale_and_colours(run, missing, root):
    figure = landmarks.figure([run, missing, run, missing], data_root=root)
    panels = figure.axes[:4]
    assert len({(axes.get_xlim(), axes.get_ylim()) for axes in panels}) == 1
    assert len({ellipses(axes).get_clim() for axes in panels}) == 1


def test_panels_have_one_frame_and_one_scale_and_no_names(run, missing, root):
    panels = landmarks.panels([run, missing], data_root=root)
    whole = landmarks.figure([run, missing], data_root=root)
    assert len({(p.axes[0].get_xlim(), p.axes[0].get_ylim()) for p in panels}) == 1
    for panel, face in zip(panels, whole.axes, strict=False):
        mine, theirs = ellipses(panel.axes[0]), ellipses(face)
        assert mine.get_clim() == theirs.get_clim()
        np.testing.assert_array_equal(mine.get_array(), theirs.get_array())
        assert panel.axes[0].get_title() == ""


# Worst and samples


def test_the_worst_faces_stand_in_order_with_id_error_and_subsets(run, root):
    figure = worst.figure([run], faces=5, data_root=root)
    ordered = run.faces.sort_values("inter_ocular", ascending=False, kind="stable")
    assert len(titles(figure)) == 5
    for text, (_, face) in zip(titles(figure), ordered.iterrows(), strict=False):
        error, *rest = text.split("\n")
        assert error == f"{100 * face['inter_ocular']:.2f} %"
        names = ", ".join(n for n in run.subsets if n != "full" and face[n])
        assert "".join(rest).replace(" ", "") == (face["id"] + names).replace(" ", "")


def test_missed_faces_are_the_worst_and_have_no_landmarks(missing, root):
    figure = worst.figure([missing], faces=3, data_root=root)
    assert [text.split("\n")[0] for text in titles(figure)][:2] == ["missed"] * 2
    assert [bool(axes.lines) for axes in figure.axes[:3]] == [False, False, True]


@given(st.text("ab/_,-#.", max_size=120))
def test_an_id_in_lines_is_the_id_or_its_end(name):
    lines = worst._shorten(name)
    assert len(lines) <= 3
    assert all(len(line) <= 31 for line in lines)
    joined = "".join(lines)
    assert joined == name or (joined[0] == "…" and name.endswith(joined[1:]))


def test_samples_are_spread_over_the_order_by_error(run, faces, root):
    figure = samples.figure([run], subsets=["full"], faces=5, data_root=root, truth=True)
    ordered = np.argsort(run.errors("inter_ocular"), kind="stable")
    rows = ordered[np.linspace(0, FACES - 1, 5).round().astype(int)]
    assert titles(figure) == [f"{100 * run.errors('inter_ocular')[row]:.2f} %" for row in rows]
    windows = tiles.Windows(faces, rows)
    for k, (row, axes) in enumerate(zip(rows, figure.axes, strict=True)):
        predicted = windows.points(k, run.points[row])
        drawn = np.stack(axes.lines[-1].get_data(), axis=1)
        close(drawn, predicted)
        (_, segments) = (c for c in axes.collections if isinstance(c, LineCollection))
        ends = np.array(segments.get_segments())
        close(ends[:, 0], predicted)
        close(ends[:, 1], windows.truth[k])
    plain = samples.figure([run], subsets=["full"], faces=2, data_root=root)
    assert not any(axes.collections for axes in plain.axes)


def test_a_window_shows_the_image_where_the_landmarks_are():
    points = np.random.default_rng(0).uniform(40, 90, (1, 98, 2))
    image = np.zeros((150, 150, 3), np.uint8)
    x, y = points[0, 7].round().astype(int)
    points[0, 7] = x, y
    image[y, x] = 255
    dataset = replace(make_dataset(1), points=points, images=ArrayImages([image]))
    windows = tiles.Windows(dataset, np.array([0]))
    light = windows.pixels(0)[..., 0].astype(float)
    bright = np.argwhere(light > light.max() / 2).mean(axis=0)[::-1]
    close(windows.points(0, points[0])[7], bright, atol=0.6)


def test_samples_of_runs_are_the_same_faces(run, missing, faces, root):
    figure = samples.figure([run, missing], subsets=["full"], faces=FACES, data_root=root)
    shown = titles(figure)
    order = np.argsort(run.errors("inter_ocular"), kind="stable")
    errors = missing.errors("inter_ocular")[order]
    assert shown[FACES:] == [f"{100 * e:.2f} %" if np.isfinite(e) else "missed" for e in errors]
    short = run_of(faces, limit=FACES - 4)
    figure = samples.figure([run, short], subsets=["full"], faces=FACES, data_root=root)
    shown = titles(figure)
    assert len(shown) == 2 * (FACES - 4)
    assert shown[: FACES - 4] == shown[FACES - 4 :]  # the same model, on other numbers of faces


def test_faces_without_image_are_left_out_and_it_is_said(run, copy, tmp_path):
    for source in run.faces["image"][:7]:
        (copy / "WFLW_images" / source).unlink()
    figure = worst.figure([run], data_root=tmp_path)
    assert len(titles(figure)) == FACES - 7
    assert f"of the {FACES - 7} whose image is there" in figure.get_suptitle()
    figure = samples.figure([run], faces=20, subsets=["full"], data_root=tmp_path)
    assert len(titles(figure)) == FACES - 7
    shutil.rmtree(copy / "WFLW_images")
    for module in (worst, samples):
        message = r"no image is there, the first missing one is .*jpg"
        refuse(module, message, [run], data_root=tmp_path)


# Conditions


@given(
    st.lists(st.integers(0, 12) | st.floats(-1e3, 1e3), min_size=1, max_size=60),
    st.integers(1, 9),
)
def test_groups_are_ordered_and_hold_equal_values_together(values, bins):
    values = np.array(values, dtype=np.float64)
    group = conditions.group(values, bins)
    assert set(group) == set(range(group.max() + 1))
    assert group.max() < bins
    order = np.argsort(values, kind="stable")
    assert (np.diff(group[order]) >= 0).all()
    for value in values:
        assert len(set(group[values == value])) == 1


def test_distinct_values_make_groups_of_one_size_and_a_frequent_one_a_group_of_its_own():
    values = np.random.default_rng(0).permutation(80) / 7
    assert np.bincount(conditions.group(values, 8)).tolist() == [10] * 8
    group = conditions.group(np.concatenate([np.zeros(60), 1 + np.arange(40)]), 4)
    assert (group[:60] == 0).all()
    assert (group[60:] > 0).all()


def test_means_and_intervals_of_groups_are_the_runs(run, missing, faces, root):
    figure = conditions.figure(
        [run, missing], conditions=["occlusion", "size", "jaw"], bins=3, data_root=root
    )
    rows = (root / "synthetic" / CONDITIONS.format(split="test")).read_text().splitlines()
    jaw = [float(row.split(",")[rows[0].split(",").index("jaw")]) for row in rows[1:]]
    extent = faces.points.max(axis=1) - faces.points.min(axis=1)
    known = {
        "Hidden landmarks, %": 100 - 100 * faces.visible.mean(axis=1),
        "Face size, pixels": np.sqrt(extent.prod(axis=1)),
        "jaw": np.array(jaw),
    }
    assert [axes.get_xlabel() for axes in figure.axes] == list(known)
    for axes, values in zip(figure.axes, known.values(), strict=True):
        for container, one in zip(axes.containers, (run, missing), strict=True):
            errors = 100 * one.errors("inter_ocular")
            rows = np.flatnonzero(np.isfinite(errors))
            group = conditions.group(values[rows], 3)
            member = group == np.arange(group.max() + 1)[:, None]
            means = [[x[rows][inside].mean() for inside in member] for x in (values, errors)]
            close(container.lines[0].get_data(), means)
            low, high = mean_intervals(errors[rows][:, None], member, rows, QUICK)
            bars = [bar[:, 1] for bar in container.lines[2][0].get_segments() if len(bar)]
            bounded = ~np.isnan(low[:, 0])  # a group of one image has no interval
            close(bars, np.concatenate([low, high], axis=1)[bounded])
    assert "2 missed faces left out" in figure.get_suptitle()


def test_only_what_is_known_is_drawn(run, root):
    labels = [axes.get_xlabel() for axes in conditions.figure([run], data_root=root).axes]
    assert labels == ["Yaw, degrees", "Face size, pixels", "Hidden landmarks, %"]
    assert set(conditions.known_conditions(make_dataset(4))) == {"size", "height", "turn"}
    message = r"condition of synthetic 'yam': unknown.*Did you mean"
    refuse(conditions, message, [run], conditions=["yam"], data_root=root)


@pytest.mark.parametrize("change", [lambda t: t.replace(",", ",x", 20), lambda t: t[: len(t) // 2]])
def test_a_damaged_file_of_conditions(change, run, copy, tmp_path):
    path = copy / CONDITIONS.format(split="test")
    path.write_text(change(path.read_text()))
    refuse(conditions, "conditions_test.csv: damaged", [run], data_root=tmp_path)


# Attributes


def test_bars_are_the_shares_of_faces(root, faces):
    figure = attributes.figure(dataset="synthetic", data_root=root, splits=["test", "train"])
    (axes,) = figure.axes
    names = [text.get_text() for text in axes.get_xticklabels()]
    assert names == [name for name in faces.subsets if name != "full"]
    for bars, split in zip(axes.containers, ("test", "train"), strict=True):
        subsets = load_dataset("synthetic", root, split).subsets
        heights = [bar.get_height() for bar in bars]
        close(heights, [100 * subsets[name].mean() for name in names])
    hatches = {bars[0].get_hatch() for bars in axes.containers}
    assert len(hatches) == 2


def test_splits_that_nobody_named_are_not_drawn(monkeypatch, root):
    def locate(split, progress):
        drawn.append(split)
        return root / "synthetic"

    drawn, there = [], set()
    source = replace(attributes.source("synthetic"), locate=locate, is_drawn=there.__contains__)
    monkeypatch.setattr(attributes, "source", lambda name: source)
    monkeypatch.setattr("alignbench.datasets.source", lambda name: source)
    monkeypatch.delenv("ALIGNBENCH_DATA", raising=False)
    title = attributes.figure(dataset="synthetic").axes[0].get_title("left")
    assert (drawn, "train, validation, sample: not there" in title) == (["test"], True)
    there.add("train")
    attributes.figure(dataset="synthetic")
    assert drawn == ["test", "test", "train"]


def test_a_split_that_is_not_there_is_named(copy, tmp_path):
    (copy.rename(tmp_path / "wflw") / WFLW_LIST.format("train")).unlink()
    figure = attributes.figure(dataset="wflw", data_root=tmp_path)
    assert figure.axes[0].get_title("left") == "wflw: faces with each attribute (train: not there)"
    assert figure.legends[0].get_texts()[0].get_text() == f"test: {FACES} of 2,500 faces"
    refuse(attributes, "cannot be read", dataset="wflw", data_root=tmp_path, splits=["train"])
    refuse(attributes, "not found in", dataset="wflw", data_root=tmp_path / "else")
    refuse(attributes, "figure of attributes, no --dataset: no run")


# Boundaries


def test_a_boundary_lies_over_a_dimmed_image():
    image = np.full((8, 8, 3), 200, np.uint8)
    nothing = boundaries.overlay(image, np.zeros((4, 4), np.float32))
    assert np.unique(nothing).tolist() == [round(200 * boundaries._DIM)]
    left = np.zeros((4, 4), np.float32)
    left[:, 0] = 7  # beyond 1 is as 1
    drawn = boundaries.overlay(image, left).astype(int)
    assert (drawn[:, 0] > drawn[:, -1]).all()
    assert (drawn[:, -1] == nothing[0, 0]).all()


@pytest.mark.parametrize("model", ["propnet-mini", "awing-mini", "lab-mini"])
def test_boundaries_are_the_last_maps_of_the_network(model):
    predictor = load_predictor(model, device="cpu")
    pixels = np.random.default_rng(0).random((1, *predictor.input_shape), dtype=np.float32)
    with torch.inference_mode():
        maps = predictor.network(torch.from_numpy(pixels)).boundaries[-1].numpy()
    np.testing.assert_array_equal(boundaries.boundary_maps(predictor, pixels), maps.max(axis=1))


def test_boundaries_lie_over_the_crop_the_network_was_shown(faces, root):
    model = "propnet-mini"
    figure = boundaries.figure([model], "synthetic", faces=2, data_root=root)
    drawn = [axes.images[0].get_array() for axes in figure.axes]
    predictor = load_predictor(model, device="cpu")
    for face, picture in zip((0, FACES - 1), drawn, strict=True):
        shown = faces.take(np.array([face]))
        inputs = predictor.preprocess(Batch(shown.ids, [shown.images.read(0)], shown.boxes))
        (boundary,) = boundaries.boundary_maps(predictor, inputs.pixels)
        # The window it was shown, enlarged, is the picture under the boundaries.
        window = cv2.resize(inputs.pixels[0].transpose(1, 2, 0), picture.shape[:2])
        share = 0.8 * np.clip(cv2.resize(boundary, picture.shape[:2]), 0, 1)[..., None]
        expected = (1 - share) * boundaries._DIM * 255 * window + share * boundaries._COLOUR
        assert np.abs(expected - picture).mean() < 4
        assert np.abs(expected[:, ::-1] - picture).mean() > 8


SMALL = "propnet:propagation=false,stacks=1,width=16,depth=2"


@pytest.mark.parametrize(
    ("models", "options", "message"),
    [
        (["linear"], {}, "'linear': has no boundary maps: it is no torch network"),
        ([SMALL], {"weights": "random"}, "'propnet': has no boundary maps: it gives none"),
        ([SMALL, SMALL], {"weights": "random"}, "--model with --weights: 2 models"),
        (["propnet-mini"], {"subset": "blurr"}, "Did you mean 'blur'"),
    ],
)
def test_models_without_boundaries_are_refused(root, models, options, message):
    refuse(boundaries, message, models, "synthetic", data_root=root, **options)


# Files and data


DRAWINGS = {
    "landmarks": lambda run, root: landmarks.figure([run], data_root=root),
    "worst": lambda run, root: worst.figure([run], faces=2, data_root=root),
    "samples": lambda run, root: samples.figure([run], ["full"], faces=2, data_root=root),
    "conditions": lambda run, root: conditions.figure([run], bins=2, data_root=root),
    "attributes": lambda run, root: attributes.figure([run], splits=["test"], data_root=root),
    "ced": lambda run, root: ced.figure([run] * 3),
    "compared": lambda run, root: samples.figure([run] * 2, ["full"], faces=4, data_root=root),
}


@pytest.mark.parametrize("name", ["landmarks", "worst", "samples", "conditions", "attributes"])
def test_every_figure_is_the_same_bytes_every_time(name, run, root, tmp_path):
    for ending in ("svg", "png", "pdf"):
        for file in "ab":
            save(DRAWINGS[name](run, root), tmp_path / f"{file}.{ending}")
        assert (tmp_path / f"a.{ending}").read_bytes() == (tmp_path / f"b.{ending}").read_bytes()


INTO = {
    "landmarks": lambda run, root, into: landmarks.figure([run], data_root=root, into=into),
    "worst": lambda run, root, into: worst.figure([run], faces=2, data_root=root, into=into),
    "samples": lambda run, root, into: samples.figure(
        [run], ["full"], faces=2, data_root=root, into=into
    ),
    "conditions": lambda run, root, into: conditions.figure(
        [run], bins=2, data_root=root, into=into
    ),
    "attributes": lambda run, root, into: attributes.figure(
        [run], splits=["test"], data_root=root, into=into
    ),
}


@pytest.mark.parametrize("name", INTO)
def test_every_figure_is_drawn_into_one_of_the_caller(name, run, root):
    whole = Figure(figsize=(9, 4), layout="constrained")
    left, right = whole.subfigures(1, 2)
    assert INTO[name](run, root, right) is right
    assert right.axes and not left.axes
    assert whole.get_size_inches().tolist() == [9, 4]
    assert not any(text.get_parse_math() for text in right.findobj(Text))
    assert encode(whole, ".png")


@pytest.mark.parametrize("name", DRAWINGS)
@pytest.mark.parametrize("called", ["wrong", "a model whose name is long " * 4])
def test_no_words_leave_a_figure_or_lie_on_each_other(name, called, run, root, monkeypatch):
    model = run.record.model.model_copy(update={"name": called})
    run = replace(run, record=run.record.model_copy(update={"model": model}))
    figure = DRAWINGS[name](run, root)
    words = []
    draw = Text.draw

    def note_place(self, renderer):
        if self.get_visible() and self.get_text().strip():
            words.append((self.get_text(), self.get_window_extent(renderer).padded(-1)))
        draw(self, renderer)

    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # lays it out
    monkeypatch.setattr(Text, "draw", note_place)
    canvas.draw()
    assert len(words) >= 3
    width, height = figure.get_size_inches() * figure.dpi
    for k, (text, box) in enumerate(words):
        assert 0 <= box.x0 < box.x1 <= width, text
        assert 0 <= box.y0 < box.y1 <= height, text
        for other, against in words[:k]:
            assert not box.overlaps(against), (text, other)


HOSTILE = "_a$x_1$&<b>\\frac{1}{2}--é漢"


def test_names_are_text_whatever_they_hold(faces, tmp_path):
    run = run_of(faces, HOSTILE)
    figure = ced.figure([run])
    text = svg(figure, HOSTILE + '"')
    assert text.startswith("<svg")
    assert text.rstrip().endswith("</svg>")
    assert "<b>" not in text
    assert f'aria-label="{escape(HOSTILE)}&quot;"' in text
    assert not any(one.get_parse_math() for one in figure.findobj(Text))
    names = ("p$qr$s", "pxqrxs")
    assert all(name in svg(ced.figure([run_of(faces, name)]), "") for name in names)
    # As many glyphs as letters: a formula would have no dollars.
    one, other = (encode(ced.figure([run_of(faces, name)]), ".svg").decode() for name in names)
    assert one.count("<use") == other.count("<use")


def test_an_svg_in_a_page_takes_the_pages_colours(faces):
    figure = ced.figure([run_of(faces, "one")])
    assert "#000000" in encode(figure, ".svg").decode()
    text = svg(figure, "a plot")
    assert "currentColor" in text
    assert "#000000" not in text and "#ffffff" not in text  # a ground would hide that of the page


def test_an_unknown_ending_is_refused(tmp_path):
    for name, ending in (("a.bmp", ".bmp"), ("a", "")):
        message = f"unknown ending '{ending}'; accepted: .svg, .png, .pdf"
        with pytest.raises(InputError, match=message):
            save(Figure(), tmp_path / name)


def test_other_data_than_the_runs_are_refused(run, copy, tmp_path):
    path = copy / WFLW_LIST.format("test")
    text = path.read_text()
    path.write_text(f"1{text}")  # the first coordinate
    with pytest.raises(InputError, match=r"is not the one wrong was evaluated on.*--data-root"):
        data.evaluated_faces(run, tmp_path)
    path.write_text("".join(text.splitlines(keepends=True)[1:]))
    with pytest.raises(InputError):
        data.evaluated_faces(run, tmp_path)
    refuse(worst, "not found in", [run], data_root=tmp_path / "nowhere")


def test_a_run_on_part_of_a_data_set_finds_its_faces(faces, root):
    first = data.evaluated_faces(run_of(faces, limit=5), root)
    assert first.ids == faces.ids[:5]
    assert isinstance(first.images, ImageFiles)


def test_runs_of_two_data_sets_make_no_figure(run):
    other = run_of(replace(make_dataset(6), name="other"))
    for module in (landmarks, samples, conditions, ced):
        refuse(module, "runs on synthetic test, other test", [run, other])
        refuse(module, "no run", [])
    refuse(worst, "2 runs; accepted: one run", [run, run])


def test_an_empty_or_unknown_subset_is_refused(faces, root):
    empty = {**faces.subsets, "nobody": np.zeros(FACES, np.bool_)}
    run = run_of(replace(faces, subsets=empty))
    assert data.member(run, "blur").sum() == faces.subsets["blur"].sum()
    with pytest.raises(InputError, match="subset 'nobody': has no faces in run wrong"):
        data.member(run, "nobody")
    for module in (landmarks, conditions, worst):
        refuse(module, "Did you mean 'pose'", [run_of(faces)], "poze", data_root=root)
        message = "normaliser 'eyes': unknown"
        refuse(module, message, [run_of(faces)], normaliser="eyes", data_root=root)


# The command line


@pytest.fixture
def stored(cli, root):
    """Two runs on the drawn faces, stored in the working folder."""
    for name in ("mean-shape", "linear"):
        arguments = ("--data-root", root, "--out", name, "--bootstrap", 200)
        result = cli("run", "--model", name, "--dataset", "synthetic", *arguments)
        assert result.code == 0, result.err
    return ["mean-shape", "linear"]


def test_every_figure_from_the_command_line(cli, stored, root):
    listed = [line.split()[0] for line in cli("figure", "--list").out.splitlines()]
    commands = {
        "attributes": ("--dataset", "synthetic", "--split", "test"),
        "boundaries": ("--dataset", "synthetic", "--model", "propnet-mini", "--faces", 2),
        "ced": (*stored, "--max", "0.3", "--subset", "full", "--norm", "box"),
        "conditions": (*stored, "--condition", "yaw", "--bins", 3),
        "corruptions": ("--dataset", "synthetic", "--corruption", "fog"),
        "landmarks": (*stored, "--sigma", 2),
        "progress": ("--dataset", "300w", "--metric", "nme"),
        "samples": (*stored, "--subset", "full", "--faces", 3, "--truth"),
        "worst": (stored[0], "--faces", 3, "--no-truth"),
    }
    assert listed == sorted(commands)
    for name, arguments in commands.items():
        place = () if name in ("ced", "progress") else ("--data-root", root)
        result = cli("figure", name, *arguments, *place, "--out", f"figures/{name}.svg")
        assert result.code == 0, result.err
        assert Path(f"figures/{name}.svg").read_text().startswith("<?xml")
    assert cli("ced", *stored, "--out", "a.png").code == 0
    assert cli("figure", "ced", *stored, "--out", "b.png").code == 0
    assert Path("a.png").read_bytes() == Path("b.png").read_bytes()
    result = cli("figure", "landmarks", stored[0], "--no-ellipses", "--out", "c.pdf")
    assert result.code == 0, result.err


def test_mistakes_are_one_message(cli, stored):
    for name, arguments, part in (
        ("cedd", (), "figure 'cedd': unknown"),
        ("ced", ("--out", "a.txt"), "unknown ending '.txt'"),
        ("ced", ("--faces", 3), "No such option: --faces"),
        ("worst", ("--split", "test"), "No such option: --split"),
        ("worst", ("--faces", 0), "--faces: 0; accepted: 1 to 400"),
        ("worst", ("--data-root", "none"), "not found in none"),
        ("landmarks", ("--data-root", "none"), "not found in none"),
        ("boundaries", (), "Missing option '--model'"),
        ("samples", ("nowhere",), "nowhere: no run"),
    ):
        result = cli("figure", name, stored[0], "--out", "a.svg", *arguments)
        assert result.code == 2, arguments
        assert part in " ".join(result.err.split()), result.err
        assert not Path("a.svg").exists()


def test_a_data_set_is_read_once_for_all_runs_of_a_page(run, root, monkeypatch):
    read = []
    load = data.load_dataset

    def note(*arguments, **options):
        read.append(arguments)
        return load(*arguments, **options)

    monkeypatch.setattr(data, "load_dataset", note)
    with data.read_once():
        first = data.evaluated_faces(run, root)
        with data.read_once():  # a page inside a site
            assert data.evaluated_faces(run, root).fingerprint() == first.fingerprint()
    assert len(read) == 1
    data.evaluated_faces(run, root)
    data.evaluated_faces(run, root)
    assert len(read) == 3  # outside nothing is kept
