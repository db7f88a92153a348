"""Systematic faults in landmarks are found, and nothing else is taken for one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from doubles import make_dataset
from typer.testing import CliRunner

from alignbench import evaluate, load_dataset, load_predictor
from alignbench.cli import app
from alignbench.geometry import tight_boxes
from alignbench.runs.doctor import Fault, examine, unchecked


def centre(dataset):
    boxes = tight_boxes(dataset.points)
    return (boxes[:, None, :2] + boxes[:, None, 2:]) / 2


def sides(dataset):
    boxes = tight_boxes(dataset.points)
    return (boxes[:, 2:] - boxes[:, :2])[:, None]


def corner(dataset):
    return tight_boxes(dataset.points)[:, None, :2]


def scramble(points):
    return points[:, np.random.default_rng(1).permutation(points.shape[1])]


def in_window(points, dataset, change):
    """Landmarks of a window of 1.2 faces, as fractions of its side that are changed."""
    window = 1.2 * sides(dataset).max(axis=2, keepdims=True)
    start = centre(dataset) - window / 2
    return start + window * change((points - start) / window)


FAULTS = {
    "not found": (
        lambda p, d: np.where(np.arange(len(p))[:, None, None] % 9 == 4, 0, p),
        Fault.PLACEHOLDERS, "gives None",
    ),
    "same": (lambda p, d: np.repeat(p[:1], len(p), axis=0), Fault.CONSTANT, "face's image and box"),
    "fractions of the box": (
        lambda p, d: (p - corner(d)) / sides(d), Fault.FRACTIONS, "--points-unit box",
    ),
    "fractions of the image": (
        lambda p, d: p / (1.01 * p.max()), Fault.FRACTIONS, "--points-unit image or box",
    ),
    "signed": (
        lambda p, d: 2 * (p - corner(d)) / sides(d) - 1, Fault.FRACTIONS, 'unit = "signed"',
    ),
    "signed taken for fractions": (
        lambda p, d: in_window(p, d, lambda t: 2 * t - 1), Fault.FRACTIONS, "",
    ),
    "fractions taken for signed": (
        lambda p, d: in_window(p, d, lambda t: (t + 1) / 2), Fault.FRACTIONS, "",
    ),
    "axes": (lambda p, d: p[:, :, ::-1], Fault.AXES, "give --points-axes yx"),
    "all x before all y": (
        lambda p, d: p.swapaxes(1, 2).reshape(p.shape), Fault.ARRANGEMENT,
        "--points-axes x-then-y",
    ),
    "by turns": (
        lambda p, d: p.reshape(len(p), 2, -1).swapaxes(1, 2), Fault.ARRANGEMENT, "xy-pairs",
    ),
    "next": (lambda p, d: np.roll(p, 1, axis=0), Fault.IDS, "the previous one"),
    "previous": (lambda p, d: np.roll(p, -1, axis=0), Fault.IDS, "the next one"),
    "of other faces": (
        lambda p, d: p[::-1], Fault.IDS, "Compare names and order",
    ),
    "half of them of other faces": (
        lambda p, d: np.concatenate([p[: len(p) // 2], np.roll(p[len(p) // 2 :], 1, axis=0)]),
        Fault.IDS, "Compare names and order",
    ),
    "from the right": (lambda p, d: [999, 0] + p * [-1, 1], Fault.MIRRORED, "width - x"),
    "mirrored": (lambda p, d: p[:, d.markup.flip_order], Fault.MIRRORED, "flip pair"),
    "order": (lambda p, d: scramble(p), Fault.ORDER, "stored as"),
    "crop": (
        lambda p, d: 256 * ((p - centre(d)) / (1.2 * sides(d).max(axis=2, keepdims=True)) + 0.5),
        Fault.CROP, "from the crop back to the image",
    ),
    "box's corner": (lambda p, d: p - corner(d), Fault.CROP, "from the box's corner"),
    "half the size": (lambda p, d: p / 2, Fault.CROP, "multiply them by 2"),
    "box": (lambda p, d: centre(d) + 1.3 * (p - centre(d)), Fault.BOXES, "check --boxes"),
    "one": (lambda p, d: p + 1, Fault.ORIGIN, "--points-origin 1"),
    "minus one": (lambda p, d: p - 1, Fault.ORIGIN, "shifted once too often"),
    "half": (lambda p, d: p + 0.5, Fault.ORIGIN, "--points-origin 0.5"),
}  # fmt: skip
HALF = {"half"}


@pytest.fixture(scope="module")
def dataset():
    """Faces like those of people: one shape, many places, sizes and expressions."""
    rng = np.random.default_rng(5)
    drawn = load_dataset("synthetic", split="sample")
    scale, place = rng.uniform(0.5, 3, (60, 1, 1)), rng.uniform(0, 900, (60, 1, 2))
    points = drawn.points * scale + place
    return replace(drawn, points=points, boxes=None)


def predict(dataset, error=0.01):
    rng = np.random.default_rng(7)
    size = np.sqrt(sides(dataset).prod(axis=2, keepdims=True))
    return dataset.points + error * size * rng.normal(size=dataset.points.shape)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found(dataset, fault):
    spoil, kind, remedy = FAULTS[fault]
    (finding,) = examine(spoil(predict(dataset), dataset), dataset)
    assert finding.fault == kind
    assert remedy in finding.remedy


def test_every_fault_is_tested():
    assert {kind for _, kind, _ in FAULTS.values()} == set(Fault)


@pytest.mark.parametrize("error", [0, 0.01, 0.05, 0.2, 1])
def test_a_poor_model_is_no_fault(dataset, error):
    assert examine(predict(dataset, error), dataset) == []


def test_a_mean_shape_is_no_fault(dataset):
    mean = ((dataset.points - corner(dataset)) / sides(dataset)).mean(axis=0)
    assert examine(mean * sides(dataset) + corner(dataset), dataset) == []


def test_an_odd_landmark_that_moves_every_box_is_no_fault(dataset):
    """The mean shape in tight boxes, of four faces that have one landmark far outside."""
    few = dataset.take(np.arange(4))
    mean = ((few.points - corner(few)) / sides(few)).mean(axis=0)
    points = few.points.copy()
    points[:, 0, 0] = points[:, :, 0].min(axis=1) - 0.3 * sides(few)[:, 0, 0]
    few = replace(few, points=points)
    assert examine(mean * sides(few) + corner(few), few) == []


@pytest.mark.parametrize(("error", "number"), [(0.06, 0), (0.03, 1)])
def test_landmarks_that_only_come_near_another_face_are_no_fault(dataset, error, number):
    points = predict(dataset)
    near = np.roll(dataset.points, -1, axis=0) + error * sides(dataset)
    points[::3] = near[::3]
    assert len(examine(points, dataset)) == number


def test_missed_faces_do_not_hide_a_fault(dataset):
    points = predict(dataset)[:, :, ::-1].copy()
    points[::3] = np.nan
    assert examine(points, dataset)[0].fault == Fault.AXES
    points[2:] = np.nan
    assert examine(points, dataset) == []


def test_a_run_says_it_before_its_table(tmp_path):
    dataset = make_dataset(12)
    np.savez(tmp_path / "p.npz", ids=dataset.ids, points=dataset.points[:, :, ::-1])
    run = evaluate(load_predictor(f"saved:{tmp_path / 'p.npz'}"), dataset)
    assert Fault.AXES in run.record.findings[0]


def test_the_command_names_every_check(tmp_path):
    sample = load_dataset("synthetic", split="sample")
    for name, points, status in (("good", sample.points, 0), ("bad", sample.points[:, :, ::-1], 1)):
        np.savez(tmp_path / f"{name}.npz", ids=sample.ids, points=points)
        run = ("run", "--model", f"saved:{tmp_path / name}.npz", "--dataset", "synthetic",
               "--split", "sample", "--out", str(tmp_path / name))  # fmt: skip
        text = CliRunner().invoke(app, run).output
        assert ("Doubtful: x and y are exchanged" in text) == bool(status)
        assert ("DOUBTFUL: x and y" in text) == bool(status)
        result = CliRunner().invoke(app, ["doctor", str(tmp_path / name)])
        assert result.exit_code == status
        assert all(
            (check in result.output) == (not status) for check in Fault if check != Fault.AXES
        )
        assert Fault.AXES in result.output
        assert result.output.count("FOUND") == status


def test_checks_that_were_not_made_are_named():
    assert set(unchecked(2)) == set(Fault)
    assert unchecked(3) == {Fault.ORIGIN: "fewer than 30 faces"}
    assert unchecked(30) == {}


REAL = {
    "spiga": ("300w", "saved:{}/predictions/spiga_300w_public.json"),
    "cfss": ("cofw68", "saved:{}/cofw68/predictions/CFSS_CFOW68.txt"),
    "rcpr": ("cofw68", "saved:{}/cofw68/predictions/RCPR-occ_300w.txt"),
    "tcdcn": ("cofw68", "saved:{}/cofw68/predictions/TCDCN_CFOW68.txt"),
    "pfld": ("wflw", "onnx:{}/models/PFLD_GhostOne_112_1_opt_sim.onnx"),
}


@pytest.mark.real_data
@pytest.mark.parametrize("name", REAL)
def test_published_models_are_well_and_their_faults_are_found(shared, name):
    data, model = REAL[name]
    run = evaluate(load_predictor(model.format(shared)), load_dataset(data, shared))
    assert run.record.findings == ()
    if name in ("rcpr", "tcdcn"):
        return
    # As the run's: PFLD has images of a part of the faces alone.
    every = load_dataset(data, shared)
    row = {face: number for number, face in enumerate(every.ids)}
    dataset = every.take(np.array([row[face] for face in run.ids]))
    # Half a pixel is less than the bias of these models themselves.
    for fault, (spoil, kind, _) in FAULTS.items():
        if fault not in HALF:
            found = [finding.fault for finding in examine(spoil(run.points, dataset), dataset)]
            assert found == [kind], fault
