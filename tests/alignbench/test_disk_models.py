"""Models that people have on their disk: dlib's files, face-api, and what is known of a model."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import cv2
import dlib
import numpy as np
import pytest
from doubles import make_dataset

from alignbench import InputError, evaluate, load_predictor
from alignbench.io.images import ArrayImages
from alignbench.markups import IBUG68
from alignbench.predictors.base import Batch
from alignbench.predictors.crop import network_input
from alignbench.predictors.face_api import PACKAGE
from alignbench.predictors.face_api_network import clip_box, read_weights
from alignbench.predictors.facts import ModelFacts
from alignbench.predictors.fetch import fetch, fetched_files
from alignbench.predictors.network import export_onnx


def train_dlib(path, points):
    """A tiny shape predictor of so many points, by dlib's own trainer."""
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (60, 60), np.uint8) for _ in range(3)]
    box = dlib.rectangle(5, 5, 54, 54)
    shapes = [
        [
            dlib.full_object_detection(
                box, [dlib.point(*p) for p in rng.integers(5, 55, (points, 2))]
            )
        ]
        for _ in images
    ]
    options = dlib.shape_predictor_training_options()
    options.cascade_depth = options.tree_depth = options.oversampling_amount = 2
    options.num_trees_per_cascade_level, options.num_threads = 2, 1
    dlib.train_shape_predictor(images, shapes, options).save(str(path))
    return path


@pytest.mark.parametrize(("points", "markup"), [(29, "cofw29"), (68, "ibug68"), (98, "wflw98")])
def test_a_file_of_dlib_has_the_markup_of_as_many_points(tmp_path, points, markup):
    file = train_dlib(tmp_path / "mine.dat", points)
    model = load_predictor(f"dlib:{file}")
    assert (model.name, model.markup.name, model.facts) == ("mine", markup, None)
    faces = make_dataset(
        2, model.markup, images=ArrayImages([np.zeros((150, 150, 3), np.uint8)] * 2)
    )
    run = evaluate(model, replace(faces, name="300w"), boxes="rect")
    assert run.points.shape == (2, points, 2)
    assert run.record.model.notes == ()
    same = load_predictor("dlib", weights=file)
    assert same.describe() == model.describe()


def test_other_files_for_dlib_are_refused(tmp_path):
    file = train_dlib(tmp_path / "odd.dat", 81)
    with pytest.raises(
        InputError, match=r"odd\.dat: 81 landmarks a face; accepted: .*68 \(ibug68\)"
    ):
        load_predictor(f"dlib:{file}")
    file.write_bytes(file.read_bytes()[:99])
    with pytest.raises(InputError, match=r"odd\.dat: is no shape predictor of dlib"):
        load_predictor(f"dlib:{file}")
    with pytest.raises(InputError, match="cannot be read"):
        load_predictor(f"dlib:{tmp_path / 'absent.dat'}")
    with pytest.raises(InputError, match="two files of weights"):
        load_predictor(f"dlib:{file}", weights=file)


@pytest.fixture(scope="module")
def face_api():
    """The model with its real weights; skipped where they cannot be fetched."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    try:
        fetch("face-api", PACKAGE)
    except InputError as error:
        pytest.skip(f"npm's registry cannot be reached: {error}")
    return load_predictor("face-api")


def test_the_network_gives_what_the_package_gives(face_api):
    noise = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    image = cv2.resize(noise, (112, 112))
    points = face_api.compute(network_input(face_api.settings.input, image[None]))[0].ravel()
    # What the package's own code gave for this image under Node.js, on its backend "cpu".
    official = [0.305374, 0.48065439, 0.32496661, 0.46519208, 0.35931832, 0.56818867]
    assert points[:6] == pytest.approx(official, abs=1e-5)
    assert points.shape == (136,)


@pytest.mark.real_data
def test_face_api_on_the_lfpw_test_images(face_api, cli, shared):
    out = cli("run", "--model", "face-api", "--dataset", "300w", "--data-root", shared,
              "--out", "run").out  # fmt: skip
    (line,) = [x for x in out.splitlines() if x.split()[:2] == ["lfpw", "163"]][:1]
    assert 4.6 < float(line.split()[2]) < 5.3


def test_without_weights_the_command_that_fetches_them_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(InputError, match="Run `alignbench models fetch face-api`"):
        load_predictor("face-api")


@pytest.fixture(scope="module")
def untrained():
    return load_predictor("face-api", weights="random", device="cpu")


def batch(image, box):
    return Batch(["face"], [image], np.array([box], np.float64))


def test_the_window_is_the_box_alone_made_square_by_black_edges(untrained):
    white = np.full((100, 100, 3), 255, np.uint8)
    prepared = untrained.preprocess(batch(white, (40, 30, 60, 70)))
    mean, std = np.array(untrained.settings.input.mean), 255.0
    pixels = prepared.pixels[0] * std + mean[:, None, None]
    columns = pixels.mean(axis=(0, 1)) > 128
    # 22 of 44 pixels are the box.
    assert columns.sum() == pytest.approx(56, abs=1)
    assert columns[28:84].all()
    (left, top, side) = prepared.crops[0]
    assert side == 44
    assert (left, top) == pytest.approx((39.5 - 11, 28.5))
    # A landmark in the window's middle is the middle of the box, in canvas coordinates.
    points = untrained.postprocess((np.full((1, 68, 2), 0.5, np.float32), prepared.crops))
    assert points[0, 0] == pytest.approx((50.5, 50.5))


def test_a_box_is_cut_at_the_image_and_missed_outside(untrained):
    image = np.full((100, 100, 3), 255, np.uint8)
    assert clip_box(np.array([-5.5, 10.2, 50.4, 120.0]), 100, 90) == (0, 10, 49, 90)
    inside = untrained.predict(batch(image, (-20, 20, 40, 60)))
    assert np.isfinite(inside).all()
    assert np.isnan(untrained.predict(batch(image, (200, 20, 240, 60)))).all()


def test_an_export_that_would_crop_otherwise_is_refused(untrained, tmp_path):
    with pytest.raises(InputError, match="makes its windows in a way that no settings describe"):
        export_onnx(untrained, tmp_path / "m.onnx")


def manifest_of(shape, dtype="uint8"):
    quantisation = {"dtype": dtype, "scale": 1, "min": 0}
    return [{"weights": [{"name": "a", "shape": shape, "quantization": quantisation}]}]


@pytest.mark.parametrize(
    "manifest",
    [[], {}, [{"weights": [{"name": 1}]}], [{"weights": []}], manifest_of([-1]),
     manifest_of([99999999999]), manifest_of([10**30]), manifest_of([4], "uint16"),
     manifest_of([[0], 2**31])],
)  # fmt: skip
def test_weights_that_do_not_fit_their_manifest_are_refused(tmp_path, manifest):
    (tmp_path / "m.json").write_text(json.dumps(manifest))
    (tmp_path / "w.bin").write_bytes(bytes(4))
    with pytest.raises(InputError, match=r"m\.json: does not fit w\.bin"):
        read_weights(tmp_path / "m.json", tmp_path / "w.bin")


def test_a_run_on_faces_of_the_training_says_so(cli, monkeypatch):
    from baselines import mean_shape

    arguments = ("run", "--model", "mean-shape", "--dataset", "synthetic", "--split", "sample")
    other = cli(*arguments, "--out", "other")
    assert "trained on these faces" not in other.out + other.err
    seen = replace(mean_shape.DRAWN, seen=(("synthetic", "sample"),))
    monkeypatch.setattr(mean_shape.load, "facts", seen)
    result = cli(*arguments, "--out", "run")
    assert "Warning: The model was trained on these faces" in result.err
    assert "The model was trained on these faces" in cli("report", "run").out


def test_facts_hold_for_the_models_own_weights_alone(tmp_path):
    from baselines import mean_shape

    assert isinstance(load_predictor("mean-shape").facts, ModelFacts)
    faces = make_dataset(3, IBUG68)
    mean_shape.save(tmp_path / "m.safetensors", faces)
    assert load_predictor("mean-shape", weights=tmp_path / "m.safetensors").facts is None


@pytest.mark.parametrize("columns", ["80", "100"])
def test_models_are_listed_with_their_facts(cli, monkeypatch, tmp_path, columns):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", columns)
    lines = cli("list", "models").out.splitlines()
    assert lines[0].split() == ["model", "points", "weights", "licence", "about"]
    assert any(x.split()[:5] == ["dlib", "68", "by", "its", "package"] for x in lines)
    assert any(x.split()[:6] == ["face-api", "68", "to", "be", "fetched", "MIT"] for x in lines)
    assert any(x.split()[:3] == ["onnx", "An", "ONNX"] for x in lines)


def test_fetched_weights_are_listed_as_such(face_api, cli):
    assert fetched_files("face-api", PACKAGE)
    assert any(
        x.split()[:4] == ["face-api", "68", "fetched", "MIT"]
        for x in cli("list", "models").out.splitlines()
    )
