"""Models that others publish: MediaPipe's face mesh and face-alignment."""

from __future__ import annotations

import sys
from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest
import torch
from doubles import QUICK, make_dataset

from alignbench import Batch, InputError, evaluate, load_dataset, load_predictor
from alignbench.markups import IBUG68, MEDIAPIPE468
from alignbench.predictors import mediapipe
from alignbench.predictors.fetch import fetched_files
from alignbench.predictors.mediapipe import MediapipePredictor
from reports.labels import protocol_notes

try:  # while tests are collected, the cache is still the user's own
    FETCHED = fetched_files("mediapipe", MediapipePredictor.package)
except InputError:
    FETCHED = None

RNG = np.random.default_rng(0)
IN_WINDOW = RNG.uniform(0, 192, (468, 3)).astype(np.float32)


# --- mediapipe --------------------------------------------------------------------------------


@pytest.fixture
def stand_in(monkeypatch, tmp_path):
    """A network that gives the same landmarks for each window, and the windows that it saw."""
    windows = []

    def network(pixels):
        windows.append(pixels)
        return np.tile(IN_WINDOW.reshape(1, 1, 1, -1), (len(pixels), 1, 1, 1))

    files = dict.fromkeys(MediapipePredictor.package.files, tmp_path / "mesh.tflite")
    monkeypatch.setattr(mediapipe, "fetched_files", lambda name, package: files)
    monkeypatch.setattr(mediapipe.open_vino, "load", lambda *arguments: network)
    return windows


def test_mediapipe_looks_at_a_window_about_the_box_and_gives_its_pixels_back(stand_in):
    picture = np.zeros((400, 300, 3), np.uint8)
    picture[:, 150:, 0] = 255  # the right half is red
    predictor = load_predictor("mediapipe")
    points = predictor.predict(Batch(["a"], [picture], np.array([[100.0, 150, 200, 250]])))
    assert predictor.boxes == "tight"
    side, centre = 1.7 * 100, np.array([150.0, 200.0])
    expected = IN_WINDOW[:, :2] * side / 192 + centre - side / 2 + 0.5
    np.testing.assert_allclose(points[0], expected, atol=1e-4)
    (window,) = stand_in
    assert window.shape == (1, 192, 192, 3)
    assert (window.dtype, window.max()) == (np.float32, 1)
    assert window[0, 96, 100].tolist() == [1, 0, 0]
    assert not window[0, :, :94].any()


def test_mediapipe_on_68_points_and_what_its_tables_say(stand_in):
    run = evaluate(load_predictor("mediapipe"), make_dataset(3, IBUG68), bootstrap=QUICK)
    assert run.points.shape == (3, 68, 2)
    assert run.record.protocol.leak == "ground-truth landmarks"
    assert run.record.protocol.conversion == "mediapipe468 -> ibug68"
    assert run.record.model.identity["source"] == "mediapipe==0.10.21, mesh.tflite"
    notes = [*protocol_notes(run), *run.record.model.notes]
    for part in ("openvino", "only approximates 17 of the 68", "it is upright, 1.7 times"):
        assert any(part in note for note in notes)


def test_mediapipe_that_has_not_been_fetched_or_is_damaged(monkeypatch, tmp_path):
    with pytest.raises(InputError, match=r"has not been fetched\. Run `alignbench models fetch"):
        load_predictor("mediapipe")
    damaged = tmp_path / "mesh.tflite"
    damaged.write_bytes(b"\x1c\0\0\0TFL3" + bytes(100))
    files = dict.fromkeys(MediapipePredictor.package.files, damaged)
    monkeypatch.setattr(mediapipe, "fetched_files", lambda name, package: files)
    with pytest.raises(InputError, match=r"mesh.tflite: not a usable TensorFlow Lite model"):
        load_predictor("mediapipe")
    with pytest.raises(InputError, match="takes no backend"):
        load_predictor("mediapipe", backend="eager")


@pytest.mark.real_data
@pytest.mark.skipif(FETCHED is None, reason="no MediaPipe: run `alignbench models fetch mediapipe`")
def test_mediapipe_on_the_lfpw_test_faces(monkeypatch, shared):
    monkeypatch.setattr(mediapipe, "fetched_files", lambda name, package: FETCHED)
    dataset = load_dataset("300w", shared, "test")
    dataset = dataset.take(np.flatnonzero(dataset.images.available()))
    run = evaluate(load_predictor("mediapipe"), dataset, bootstrap=QUICK)
    left, right = (dataset.points[:, ends[0]] for ends in IBUG68.normalisers["inter_ocular"])
    errors = np.linalg.norm(run.points - dataset.points, axis=2)
    errors /= np.linalg.norm(left - right, axis=1)[:, None]
    assert len(errors) == 163
    assert 100 * errors.mean() == pytest.approx(5.03, abs=0.02)
    inner = np.setdiff1d(np.arange(68), MEDIAPIPE468.approximate["ibug68"])
    assert 100 * errors[:, inner].mean() == pytest.approx(3.91, abs=0.02)
    # Mirrored faces have mirrored landmarks, if the flip pairs are right.
    predictor = load_predictor("mediapipe")
    picture = dataset.images.read(0)
    width = picture.shape[1]
    low, high = dataset.points[0].min(axis=0), dataset.points[0].max(axis=0)
    boxes = [[*low, *high], [width - 1 - high[0], low[1], width - 1 - low[0], high[1]]]
    plain, mirrored = predictor.predict(
        Batch("ab", [picture, np.ascontiguousarray(picture[:, ::-1])], np.array(boxes))
    )
    mirrored = mirrored[MEDIAPIPE468.flip_order]
    mirrored[:, 0] = width - 1 - mirrored[:, 0]
    distances = np.linalg.norm(plain - mirrored, axis=1) / np.linalg.norm(high - low)
    assert distances.max() < 0.05


# --- face-alignment ---------------------------------------------------------------------------


def stand_in_package(error=None, compiles=False):
    """A package face_alignment whose landmarks are the corners of the boxes it gets."""

    class FaceAlignment:
        def __init__(self, landmarks_type, device="cuda", flip_input=False):
            if error:
                raise error
            self.options = (landmarks_type, device, flip_input)
            self.face_alignment_net = torch.nn.Linear(2, 2)
            self.face_detector = self

        def detect_from_image(self, image):
            height, width = image.shape[:2]
            return [np.array([0, 0, width - 1, height - 1, 0.9], np.float32)]

        def get_landmarks_from_image(self, image, detected_faces):
            (box,) = detected_faces
            return [np.repeat([box[:2], box[2:]], 34, axis=0)]

    class Compiling(FaceAlignment):
        def __init__(self, landmarks_type, device="cuda", flip_input=False, compile=True):  # noqa: A002
            assert not compile
            super().__init__(landmarks_type, device, flip_input)

    package = ModuleType("face_alignment")
    package.__version__ = "1.0"
    package.LandmarksType = type("LandmarksType", (), {"TWO_D": 1})
    package.FaceAlignment = Compiling if compiles else FaceAlignment
    return package


@pytest.mark.parametrize("compiles", [False, True])
def test_face_alignment_gets_its_detectors_boxes_or_others(monkeypatch, compiles):
    package = stand_in_package(compiles=compiles)
    monkeypatch.setitem(sys.modules, "face_alignment", package)
    predictor = load_predictor("face-alignment", device="cpu")
    assert predictor._aligner.options == (1, "cpu", True)
    dataset = make_dataset(3, IBUG68)
    given = evaluate(predictor, dataset, boxes="rect", bootstrap=QUICK)
    np.testing.assert_allclose(given.points[:, 0], dataset.boxes[:, :2])
    np.testing.assert_allclose(given.points[:, 67], dataset.boxes[:, 2:])
    own = evaluate(predictor, dataset, bootstrap=QUICK)
    assert own.record.protocol.leak == "none"
    assert own.points[0, 67].tolist() == [149, 149]
    assert own.record.model.notes[0].startswith("Weights: BSD-3-Clause; trained on 300W-LP")
    seen = evaluate(predictor, replace(dataset, name="300w"), boxes="rect", bootstrap=QUICK)
    assert "training error" in seen.record.model.notes[-1]
    identity = own.record.model.identity
    assert identity["source"] == "face-alignment 1.0, 2DFAN-4"
    assert len(identity["parameters"]) == 64
    assert identity["flip_test"]
    assert not load_predictor("face-alignment", device="cpu", flip_test=False).describe()[
        "flip_test"
    ]


def test_face_alignment_that_is_not_installed_or_cannot_download_its_weights(monkeypatch):
    monkeypatch.setitem(sys.modules, "face_alignment", None)
    with pytest.raises(InputError, match=r"cannot be imported .*pip install face-alignment"):
        load_predictor("face-alignment")
    package = stand_in_package(error=OSError("no network"))
    monkeypatch.setitem(sys.modules, "face_alignment", package)
    with pytest.raises(InputError, match=r"weights cannot be downloaded .no network.*first use"):
        load_predictor("face-alignment")
