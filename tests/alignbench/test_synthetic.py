"""Synthetic faces: exact truth, the same everywhere, in WFLW's layout."""

from __future__ import annotations

import csv
import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from doubles import mean_of_frontal
from hypothesis import given, settings
from hypothesis import strategies as st

from alignbench import InputError, load_dataset, threads
from alignbench.formats.face_list import ATTRIBUTES
from alignbench.markups import COFW29, IBUG68, WFLW98, convert
from alignbench.synthetic import parameters, scene
from alignbench.synthetic.camera import photograph, project, rotation
from alignbench.synthetic.face import (
    DARK,
    PITCH,
    SIDE,
    YAW,
    chances,
    draw_box,
    draw_face,
    find_attributes,
)
from alignbench.synthetic.head import Head
from alignbench.synthetic.parameters import Expression, Lens, View
from alignbench.synthetic.raster import rasterise
from alignbench.synthetic.source import draw
from alignbench.synthetic.write import STREAMS, SUBSET_LIST, write

STRAIGHT = View(yaw=0, pitch=0, roll=0, distance=1e6, size=0.5, shift=(0, 0))
REST = Expression(jaw=0, smile=0, pucker=0, skew=0, eyes=(1, 1), brows=(0, 0), gaze=(0, 0))


def person(seed=0):
    return parameters.draw_identity(np.random.default_rng(seed))


def digest(index):
    face = draw_face(0, 1, index)
    columns = (face.points, face.visible, face.box)
    return hashlib.sha256(face.jpeg + b"".join(c.tobytes() for c in columns)).hexdigest()


def image(face):
    return cv2.imdecode(np.frombuffer(face.jpeg, np.uint8), cv2.IMREAD_COLOR_RGB)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """A folder of 24 faces, with what was told of the progress."""
    folder = tmp_path_factory.mktemp("drawn")
    told = []
    with threads.temporary_limit(1):
        write(folder, {"train": 16, "test": 8}, 5, lambda *numbers: told.append(numbers))
    return folder, told


def test_golden():
    """Whoever changes a face has to raise the data set's version, and these."""
    face = draw_face(0, 1, 0)
    assert hashlib.sha256(face.points.tobytes()).hexdigest()[:16] == "36af5850c6f14f5f"
    assert hashlib.sha256(face.jpeg).hexdigest()[:16] == "64c5c6eecc9fbc37"
    smeared = draw_face(0, 1, 57)
    assert smeared.conditions["motion"] > 0
    assert hashlib.sha256(smeared.jpeg).hexdigest()[:16] == "c33920cd0119985f"


def test_same_bytes_on_another_processor_and_with_other_thread_counts():
    # No instruction later than SSE3, other BLAS kernels, OpenCV without Intel's library.
    older = {
        "NPY_DISABLE_CPU_FEATURES": "AVX512F AVX512_SKX AVX2 FMA3 AVX512_ICL X86_V3 X86_V4",
        "OPENCV_CPU_DISABLE": "SSE4.2,AVX,AVX2,FP16,AVX512-SKX,AVX512-ICL",
        "OPENCV_IPP": "disabled",
        "OPENBLAS_CORETYPE": "Nehalem",
        "PYTHONPATH": str(Path(__file__).parents[1]),
    }
    command = [sys.executable, "-W", "ignore", __file__]
    environment = os.environ | older
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    assert done.stdout.split() == [digest(k) for k in range(12)]


def test_every_face_is_somebody_else():
    assert len(set(STREAMS.values())) == len(STREAMS)
    everybody = [
        parameters.draw_identity(chances(seed, split, index)["identity"])
        for seed in (0, 1)
        for split in STREAMS.values()
        for index in range(60)
    ]
    assert len(set(everybody)) == len(everybody)
    face = draw_face(0, STREAMS["test"], 0)
    view = parameters.draw_view(chances(0, STREAMS["test"], 0)["view"])
    assert face.conditions["yaw"] == view.yaw


def test_a_face_in_rest_seen_straight_is_symmetric():
    points = Head(person(), REST).landmarks()
    mirrored = points[WFLW98.flip_order] * [-1, 1, 1]
    np.testing.assert_allclose(mirrored, points, atol=1e-9)


@settings(max_examples=25)
@given(st.integers(0, 10**6))
def test_the_parts_of_a_face_lie_as_in_wflw(seed):
    rng = np.random.default_rng(seed)
    head = Head(parameters.draw_identity(rng), parameters.draw_expression(rng))
    points = head.landmarks()
    assert points.shape == (WFLW98.landmarks, 3)
    x, y, z = points.T
    part = {name: list(chain) for name, chain in WFLW98.chains.items()}
    assert (np.diff(x[part["contour"]]) > -0.05).all()
    for name in ("left_brow_upper", "right_brow_upper", "nose_base", "upper_lip_upper"):
        assert (np.diff(x[part[name]]) > 0).all(), name
    for side in ("left", "right"):
        upper, lower = part[f"{side}_eye_upper"], part[f"{side}_eye_lower"]
        assert (y[upper] <= y[lower] + 1e-9).all()
        assert y[part[f"{side}_brow_upper"]].mean() < y[part[f"{side}_brow_lower"]].mean()
        # One brow in two hundred is so low, or frowns so much, that it touches the lid.
        assert y[part[f"{side}_brow_lower"]].mean() < y[upper].mean() + 0.1
        pupil = WFLW98.normalisers["inter_pupil"][side == "right"][0]
        assert x[upper].min() < x[pupil] < x[upper].max()
    assert (y[part["upper_lip_lower"]] <= y[part["lower_lip_upper"]] + 1e-9).all()
    assert y[part["upper_lip_upper"]].mean() < y[part["lower_lip_lower"]].mean()
    tip = part["nose_bridge"][-1]
    assert z[tip] == z.max()


def test_the_mean_of_frontal_faces_is_that_of_wflw(shared):
    """Of landmarks alone; within 2 % of the distance of the outer eye corners."""
    drawn = []
    for index in range(300):
        chance = chances(0, STREAMS["train"], index)
        identity = parameters.draw_identity(chance["identity"])
        expression = parameters.draw_expression(chance["expression"])
        head = Head(identity, expression).landmarks()
        drawn.append(project(head, parameters.draw_view(chance["view"]), SIDE)[:, :2])
    wflw = load_dataset("wflw", shared / "wflw").points
    real, ours = (mean_of_frontal(points) for points in (wflw, np.stack(drawn)))
    assert np.sqrt(((real - ours) ** 2).sum(axis=1).mean()) < 0.02


def test_boxes_lie_about_the_landmarks_as_wflws_do(shared):
    dataset = load_dataset("wflw", shared / "wflw")
    rng = np.random.default_rng(0)
    drawn = np.stack([draw_box(points, rng) for points in dataset.points])
    low, high = dataset.points.min(axis=1), dataset.points.max(axis=1)
    size = np.sqrt((high - low).prod(axis=1))[:, None]
    tight = np.concatenate([low, high], axis=1)
    for mean in (np.mean, np.std):
        real, ours = (mean((boxes - tight) / size, axis=0) for boxes in (dataset.boxes, drawn))
        np.testing.assert_allclose(ours, real, atol=0.02)


def test_landmarks_lie_on_the_mesh_that_is_drawn():
    head = Head(person(3), REST)
    mesh = head.mesh()
    view = View(yaw=20, pitch=5, roll=10, distance=10, size=0.5, shift=(0.01, 0))
    projected = project(mesh.points, view, SIDE)
    seen = rasterise(projected, mesh.triangles, SIDE)
    depth = np.full(SIDE * SIDE, np.nan, np.float32)
    depth[seen.pixels] = seen.blend(projected[:, 2:].astype(np.float32))[:, 0]
    points = project(head.landmarks(), view, SIDE)
    inner = [k for name, region in WFLW98.regions.items() if name != "contour" for k in region]
    column, row = np.round(points[inner, :2]).astype(int).T
    there = depth.reshape(SIDE, SIDE)[row, column]
    # What the nose hides is nearer than its landmark; nothing else is off the surface.
    assert np.nanmedian(np.abs(there - points[inner, 2])) < 0.02
    assert (there > points[inner, 2] - 0.07).all()


def test_eyes_are_painted_where_their_landmarks_are():
    """The iris is darker than the eyeball beside it, in the image, at the landmark."""
    darker = 0
    for index in range(40):
        face = draw_face(0, 1, index)
        if face.conditions["defocus"] or face.conditions["motion"]:
            continue
        grey = cv2.cvtColor(image(face), cv2.COLOR_RGB2GRAY).astype(float)
        for side in (0, 1):
            pupil = WFLW98.normalisers["inter_pupil"][side][0]
            if not face.visible[pupil] or face.conditions["eyes"] < 0.6:
                continue
            region = list(WFLW98.regions["right_eye" if side else "left_eye"])
            low, high = face.points[region].min(axis=0), face.points[region].max(axis=0)
            eye = grey[int(low[1]) : int(high[1]) + 2, int(low[0]) : int(high[0]) + 2]
            x, y = np.round(face.points[pupil]).astype(int)
            darker += 1 if grey[y - 1 : y + 2, x - 1 : x + 2].mean() < eye.mean() else -1
    assert darker > 20


def test_camera_turns_the_face_as_it_says():
    nose = np.array([[0.0, 0.35, 1.2]])
    right = project(nose, View(30, 0, 0, 10, 0.5, (0, 0)), SIDE)[0]
    down = project(nose, View(0, 20, 0, 10, 0.5, (0, 0)), SIDE)[0]
    middle = (SIDE - 1) / 2
    assert right[0] > middle + 10
    assert right[1] == pytest.approx(middle)
    assert down[1] > middle + 10
    top = project(np.array([[0.0, -0.65, 0.2]]), View(0, 0, 20, 10, 0.5, (0, 0)), SIDE)[0]
    assert top[0] > middle  # clockwise
    turn = rotation(View(20, 10, 5, 1, 1, (0, 0)))
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-12)


@settings(max_examples=30)
@given(st.integers(0, 10**6))
def test_raster_against_every_pixel_of_every_triangle(seed):
    rng = np.random.default_rng(seed)
    side = 24
    points = np.column_stack([rng.uniform(-4, side + 4, (12, 2)), rng.normal(size=12)])
    triangles = rng.integers(0, 12, (8, 3))
    one, other = (points[triangles[:, k], :2] - points[triangles[:, 0], :2] for k in (1, 2))
    # Slivers, whose weights are steep, belong to no head.
    triangles = triangles[np.abs(one[:, 0] * other[:, 1] - one[:, 1] * other[:, 0]) > 40]
    seen = rasterise(points, triangles, side)
    y, x = np.divmod(np.arange(side * side), side)
    best = np.full(side * side, -np.inf)
    clear = np.ones(side * side, bool)
    for triangle in triangles:
        a, b, c = points[triangle, :2]
        size = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
        if size < 0:
            continue
        second = ((x - a[0]) * (c[1] - a[1]) - (y - a[1]) * (c[0] - a[0])) / size
        third = ((b[0] - a[0]) * (y - a[1]) - (b[1] - a[1]) * (x - a[0])) / size
        least = np.minimum(np.minimum(second, third), 1 - second - third)
        inside = least >= 0
        clear &= (least < -2e-3) | (least > 1e-3)  # not the edge
        best[inside] = np.maximum(best[inside], points[triangle, 2].sum())
    covered = np.zeros(side * side, bool)
    covered[seen.pixels] = True
    np.testing.assert_array_equal(covered[clear], np.isfinite(best)[clear])
    np.testing.assert_allclose(seen.weights.sum(axis=1), 1, atol=1e-4)
    chosen = points[seen.corners, 2].sum(axis=1)
    np.testing.assert_allclose(chosen[clear[seen.pixels]], best[seen.pixels][clear[seen.pixels]])
    placed = np.stack([seen.blend(points[:, k : k + 1].astype(np.float32))[:, 0] for k in (0, 1)])
    there = np.stack([seen.pixels % side, seen.pixels // side])
    np.testing.assert_allclose(placed, there, atol=0.05)


def test_light_from_one_side_lights_that_side():
    normals = np.array([[-0.9, 0, 0.43], [0.9, 0, 0.43]], np.float32)
    light = parameters.Light((-1, 0, 0), key=0.8, ambient=0.2, colour=(1, 1, 1), exposure=1)
    left, right = scene._light(np.full((2, 3), 100, np.float32), normals, np.zeros(2), light)
    assert (left > 2 * right).all()


@pytest.mark.parametrize("angle", [0, 40, 90, 135])
def test_a_smear_stays_within_its_length_and_brings_in_no_other_border(angle):
    picture = np.full((64, 64, 3), 10, np.uint8)
    picture[:, 40:] = 250
    picture[50:] = 250
    lens = Lens(defocus=0.0, motion=0.2, motion_angle=angle, noise=0.0, quality=95)
    seen = photograph(picture, lens, 40.0, np.random.default_rng(0))
    assert (seen[:30, :30] == 10).all()
    assert (seen[:30, 50:] == 250).all()
    assert (seen[59:] == 250).all()


def test_attributes_are_thresholds():
    light = parameters.Light((0, 0, 1), key=0.5, ambient=0.5, colour=(1, 1, 1), exposure=1)
    bare = parameters.MakeUp(0, (0, 0, 0), (0, 0, 0))
    sharp = parameters.Lens(0, 0, 0, 2, 90)

    def names(view=STRAIGHT, expression=REST, light=light, make_up=bare, hidden=0.0, lens=sharp):
        flags = find_attributes(view, expression, light, make_up, hidden, lens)
        return [name for name, flag in flags.items() if flag]

    assert names() == []
    assert names(view=replace(STRAIGHT, yaw=YAW + 1)) == ["pose"]
    assert names(view=replace(STRAIGHT, pitch=-PITCH - 1)) == ["pose"]
    assert names(expression=replace(REST, jaw=0.5)) == ["expression"]
    assert names(expression=replace(REST, eyes=(1, 0.1))) == ["expression"]
    assert names(light=replace(light, exposure=DARK - 0.01)) == ["illumination"]
    assert names(make_up=replace(bare, strength=0.5)) == ["make-up"]
    assert names(hidden=0.05) == ["occlusion"]
    assert names(lens=replace(sharp, defocus=0.03)) == ["blur"]


def test_fractions_are_like_wflw():
    """Of what is drawn as numbers; WFLW's test set has 13, 13, 28, 8 and 31 percent."""
    percentages = {"pose": 13, "expression": 13, "illumination": 28, "make-up": 8, "blur": 31}
    p, rng = parameters, np.random.default_rng(0)
    draws = (p.draw_view, p.draw_expression, p.draw_light, p.draw_make_up)
    flags = [
        find_attributes(*(draw(rng) for draw in draws), hidden=0, lens=p.draw_lens(rng))
        for _ in range(3000)
    ]
    for name, percent in percentages.items():
        share = np.mean([face[name] for face in flags])
        assert 100 * share == pytest.approx(percent, abs=3), name


def test_occluders_cover_about_as_many_faces_as_in_wflw():
    faces = [draw_face(0, 1, k) for k in range(60)]
    assert 0.15 < np.mean([face.attributes["occlusion"] for face in faces]) < 0.45
    hidden = np.concatenate([face.visible for face in faces])
    assert 0.75 < hidden.mean() < 0.95
    for face in faces:
        # Whatever is covered is not visible; a landmark is where it is whether or not it is seen.
        assert face.visible.sum() <= round((1 - face.conditions["occluded"]) * len(face.visible))
        assert np.isfinite(face.points).all()
        assert image(face).shape == (SIDE, SIDE, 3)


def test_written_faces_are_read_as_synthetic_and_as_wflw(drawn, tmp_path):
    folder, told = drawn
    assert told[0] == (0, 24)
    assert told[-1] == (24, 24)
    for split, faces in {"train": 16, "test": 8}.items():
        dataset = load_dataset("synthetic", folder, split)
        assert len(dataset) == faces
        assert dataset.shortfall() == {}
        assert dataset.visible.dtype == bool
        assert dataset.images.available().all()
    shutil.copytree(folder, tmp_path / "wflw")
    same = load_dataset("wflw", tmp_path)
    test = load_dataset("synthetic", folder)
    np.testing.assert_array_equal(same.points, test.points)
    for name in ATTRIBUTES:
        np.testing.assert_array_equal(same.subsets[name], test.subsets[name])
    pose = SUBSET_LIST.format(subset="largepose")
    assert len((folder / pose).read_text().splitlines()) == test.subsets["pose"].sum()
    expected = draw_face(5, 1, 3)
    np.testing.assert_array_equal(test.points[3], expected.points)
    np.testing.assert_array_equal(test.images.read(3), image(expected))
    np.testing.assert_array_equal(test.visible[3], expected.visible)
    with (folder / "WFLW_annotations/conditions_test.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert float(rows[3]["yaw"]) == pytest.approx(expected.conditions["yaw"], rel=1e-4)


def test_processes_draw_what_one_draws(drawn, tmp_path):
    folder, _ = drawn
    with threads.temporary_limit(2):
        write(tmp_path, {"train": 16, "test": 8}, 5, lambda *_: None)
    files = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    assert files == sorted(p.relative_to(tmp_path) for p in tmp_path.rglob("*") if p.is_file())
    for path in files:
        assert (tmp_path / path).read_bytes() == (folder / path).read_bytes(), path


def test_a_process_that_dies_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    with (
        threads.temporary_limit(2),
        pytest.raises(InputError, match="a process stopped with status 1"),
    ):
        draw(tmp_path / "new", {"test": 4}, 0)
    assert list(tmp_path.iterdir()) == []


def test_bad_folders(drawn, tmp_path):
    folder, _ = drawn
    with pytest.raises(InputError, match="is there already"):
        draw(folder, {"test": 4}, 0)
    with pytest.raises(InputError, match=r"no split 'validation' was drawn; accepted: train, test"):
        load_dataset("synthetic", folder, "validation")
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    visible = copy / "WFLW_annotations/visible_test.txt"
    visible.write_text(visible.read_text().replace("1", "2", 1))
    with pytest.raises(InputError, match=r"visible_test.txt, line 1: .*zeros and ones"):
        load_dataset("synthetic", copy)
    (copy / "synthetic.json").write_text("{}")
    with pytest.raises(InputError, match=r"synthetic.json: no record"):
        load_dataset("synthetic", copy)


def test_command_line(cli, tmp_path):
    done = cli("data", "synthesize", "--faces", 8, "--out", "faces", "--threads", 1)
    assert done.code == 0, done.err
    assert "6 faces to train and 2 to test" in done.out
    assert cli("data", "synthesize", "--faces", 8, "--out", "faces").code == 2
    assert cli("data", "synthesize", "--faces", 1, "--out", "other").code == 2
    run = cli("run", "--model", "mean-shape", "--dataset", "synthetic", "--data-root", "faces")
    assert run.code == 0, run.err
    assert "INCOMPLETE" not in run.out
    sheet = cli("data", "show", "synthetic", "--data-root", "faces", "--out", "sheet.png")
    assert sheet.code == 0, sheet.err
    assert cv2.imread(str(tmp_path / "sheet.png")).shape == (256, 516, 3)
    assert cli("data", "show", "synthetic", "--data-root", "faces", "--out", "x.gif").code == 2
    listed = cli("data", "list")
    assert "8,000 faces, drawn on first use" in listed.out


@pytest.mark.parametrize(("markup", "count"), [(IBUG68, 68), (COFW29, 29)])
def test_other_mark_ups_are_derived(markup, count):
    face = draw_face(0, 1, 4)
    derived = convert(face.points[None], WFLW98, markup)[0]
    assert derived.shape == (count, 2)
    corners = (mark.normalisers["inter_ocular"] for mark in (markup, WFLW98))
    for mine, theirs in zip(*corners, strict=True):
        np.testing.assert_allclose(
            derived[list(mine)].mean(axis=0), face.points[list(theirs)].mean(axis=0)
        )
    # Mirrored, then derived, is derived, then mirrored.
    mirrored = face.points[WFLW98.flip_order] * [-1, 1]
    np.testing.assert_allclose(
        convert(mirrored[None], WFLW98, markup)[0], derived[markup.flip_order] * [-1, 1]
    )


if __name__ == "__main__":
    cv2.setNumThreads(2)
    sys.stdout.write("\n".join(digest(k) for k in range(12)))
