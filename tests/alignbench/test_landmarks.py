"""Measuring the landmarks that a model and a data set share (--landmarks)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from doubles import make_dataset
from typer.testing import CliRunner

from alignbench import InputError, Predictor, evaluate, load_predictor, load_run, parse_measure
from alignbench.cli import app
from alignbench.datasets.landmarks import select_landmarks
from alignbench.geometry import tight_boxes
from alignbench.markups import (
    IBUG68,
    WFLW98,
    Markup,
    approximate_landmarks,
    convert,
    find_common,
    load_markup,
)  # fmt: skip
from alignbench.markups.base import part_of, span
from reports.compare.pairing import pair
from reports.data import evaluated_faces
from reports.labels import protocol_notes

NME = parse_measure("nme(inter_ocular)")


class Shifted(Predictor):
    """Truth of some mark-up, x shifted by its landmark's number; boxes are kept."""

    needs_images = False
    name = "shifted"
    boxes = "tight"

    def __init__(self, dataset, markup):
        self.markup = markup
        self._points = dict(
            zip(dataset.ids, convert(dataset.points, dataset.markup, markup), strict=True)
        )
        self.seen = []

    def predict(self, batch):
        self.seen.append(batch.boxes)
        points = np.stack([self._points[name] for name in batch.ids])
        points[:, :, 0] += np.arange(self.markup.landmarks)
        return points

    def describe(self):
        return {}


def ocular(dataset):
    left, right = (60, 72) if dataset.markup == WFLW98 else (36, 45)
    return np.linalg.norm(dataset.points[:, left] - dataset.points[:, right], axis=1)


def test_inner51_divides_by_the_normalisers_of_the_whole_annotation():
    dataset = make_dataset(6, IBUG68)
    predictor = Shifted(dataset, IBUG68)
    run = evaluate(predictor, dataset, landmarks="inner51")
    assert run.points.shape == (6, 51, 2)
    expected = 100 * (np.arange(17, 68).mean() / ocular(dataset)).mean()
    assert run.row(NME).value == pytest.approx(expected)
    low, high = tight_boxes(dataset.points)[:, :2], tight_boxes(dataset.points)[:, 2:]
    box = np.sqrt((high - low).prod(axis=1))
    assert run.row(parse_measure("nme(box)")).value == pytest.approx(
        100 * (np.arange(17, 68).mean() / box).mean()
    )
    # The model still sees the boxes of all landmarks.
    np.testing.assert_allclose(np.concatenate(predictor.seen), tight_boxes(dataset.points))
    assert run.record.dataset.title.endswith(", landmarks inner51")
    assert any("the 51 of inner51, not all of ibug68" in note for note in protocol_notes(run))


def test_a_model_of_68_points_on_faces_of_98():
    dataset = make_dataset(5, WFLW98)
    predictor = Shifted(dataset, IBUG68)
    with pytest.raises(InputError, match=r"ibug68 \(68 points\) where .* --landmarks common"):
        evaluate(predictor, dataset)
    run = evaluate(predictor, dataset, landmarks="common")
    assert run.markup.name == "ibug68"
    assert run.row(NME).value == pytest.approx(100 * (33.5 / ocular(dataset)).mean())


def test_a_model_without_a_mark_up_gives_the_whole_annotation():
    dataset = make_dataset(5, IBUG68)
    predictor = Shifted(dataset, IBUG68)
    predictor.markup = None
    predictor.predict = lambda batch: np.stack([predictor._points[name] for name in batch.ids])
    assert evaluate(predictor, dataset, landmarks="eyes-mouth5").row(NME).value == 0


@pytest.mark.parametrize(
    ("one", "other", "shared"),
    [
        ("wflw98", "ibug68", "ibug68"),
        ("ibug68", "wflw98", "ibug68"),
        ("ibug68", "ibug68", "ibug68"),
        ("jd106", "wflw98", "inner51"),
        ("mediapipe468", "ibug68", "inner51"),
        ("ibug68", "cofw29", "eyes-mouth5"),
        ("wflw98", "cofw29", "cofw29"),
        ("inner51", "wflw98", "inner51"),
        ("aflw19", "jd106", "eyes-mouth5"),
    ],
)
def test_what_two_mark_ups_share(one, other, shared):
    assert find_common(load_markup(one), load_markup(other)).name == shared


def test_landmarks_that_a_conversion_only_comes_near_are_not_shared():
    own = Markup(
        "own", 68, conversions={"ibug68": tuple((k,) for k in range(68))},
        approximate={"ibug68": span(0, 16)},
    )  # fmt: skip
    assert find_common(own, IBUG68).name == "inner51"
    assert approximate_landmarks(own, IBUG68) == span(0, 16)
    assert approximate_landmarks(own, load_markup("inner51")) == ()
    with pytest.raises(InputError, match="own and lone share no registered mark-up"):
        find_common(own, Markup("lone", 3))


def test_an_approximate_step_of_a_longer_route_is_seen(monkeypatch):
    """Its own landmarks, and those made of landmarks that an earlier step approximated."""
    last = Markup("last", 2)
    between = Markup("between", 3, conversions={"last": ((0,), (1, 2))}, approximate={"last": (0,)})
    first = Markup(
        "first", 3, conversions={"between": ((0,), (1,), (2,))}, approximate={"between": (2,)}
    )
    monkeypatch.setattr("alignbench.markups.load_markup", {"between": between}.__getitem__)
    assert approximate_landmarks(between, last) == (0,)
    assert approximate_landmarks(first, last) == (0, 1)
    assert approximate_landmarks(last, last) == ()


def test_an_approximate_truth_is_said():
    """106 points as 68: the outline of the truth is not where 300W has it."""
    dataset = make_dataset(4, load_markup("jd106"))
    truth = convert(dataset.points, dataset.markup, IBUG68)
    predictor = Shifted(make_dataset(4, IBUG68), IBUG68)
    predictor._points = dict(zip(dataset.ids, truth, strict=True))
    run = evaluate(predictor, dataset, landmarks="ibug68", boxes="tight")
    assert run.record.protocol.approximate == span(0, 16)
    assert any("only approximates 17 of the 68" in note for note in protocol_notes(run))


def test_visibility_follows_landmarks(tmp_path):
    dataset = make_dataset(3, IBUG68)
    visible = np.arange(68)[None].repeat(3, axis=0) % 3 > 0
    dataset = replace(dataset, visible=visible)
    inner = select_landmarks(dataset, load_markup("inner51"), {})
    assert (inner.visible == visible[:, 17:]).all()
    assert select_landmarks(dataset, load_markup("eyes-mouth5"), {}).visible is None
    assert select_landmarks(dataset, IBUG68, {}) is dataset


@pytest.mark.parametrize("name", ["ibug68", "cofw29"])
def test_nose_and_mouth_of_the_five_points_are_the_same_in_every_mark_up(name):
    markup, five = load_markup(name), load_markup("eyes-mouth5")
    faces = make_dataset(3, WFLW98)
    here = convert(convert(faces.points, WFLW98, markup), markup, five)
    np.testing.assert_allclose(here[:, 2:], convert(faces.points, WFLW98, five)[:, 2:])


def test_a_part_of_a_mark_up_keeps_its_structure():
    inner = load_markup("inner51")
    assert set(inner.regions) == set(IBUG68.regions) - {"contour"}
    assert sorted(k for group in inner.regions.values() for k in group) == list(range(51))
    order = IBUG68.flip_order
    assert [inner.flip_order[k] + 17 for k in range(51)] == order[17:].tolist()
    assert inner.normalisers["inter_ocular"] == ((19,), (28,))
    assert part_of(IBUG68, (36,), "one").normalisers == {}


def test_runs_of_other_landmarks_are_not_compared(tmp_path):
    dataset = make_dataset(6, IBUG68)
    whole = evaluate(Shifted(dataset, IBUG68), dataset)
    inner = evaluate(Shifted(dataset, IBUG68), dataset, landmarks="inner51", out=tmp_path / "a")
    with pytest.raises(InputError, match="mark-up ibug68 and inner51"):
        pair([whole, inner])
    assert load_run(tmp_path / "a").metrics == inner.metrics


def test_wrong_names_are_refused():
    dataset = make_dataset(3, IBUG68)
    with pytest.raises(InputError, match=r"--landmarks 'inner52': unknown.*Did you mean 'inner51'"):
        evaluate(Shifted(dataset, IBUG68), dataset, landmarks="inner52")
    with pytest.raises(InputError, match="the model has ibug68, which cannot be converted to it"):
        evaluate(Shifted(dataset, IBUG68), dataset, landmarks="wflw98")


def test_the_command_the_table_and_the_data_of_such_a_run(tmp_path):
    run = ("run", "--model", "propnet-mini", "--dataset", "synthetic", "--split", "sample",
           "--limit", "4", "--landmarks", "inner51", "--out", str(tmp_path / "run"))  # fmt: skip
    result = CliRunner().invoke(app, run)
    assert "propnet-mini on synthetic sample, landmarks inner51" in result.output
    stored = load_run(tmp_path / "run")
    assert stored.record.protocol.conversion == "wflw98 -> inner51"
    faces = evaluated_faces(stored)
    assert (faces.markup.name, len(faces)) == ("inner51", 4)
    assert CliRunner().invoke(app, ["figure", "landmarks", str(tmp_path / "run"), "--out",
                                    str(tmp_path / "f.svg")]).exit_code == 0  # fmt: skip
    assert CliRunner().invoke(app, ["doctor", str(tmp_path / "run")]).exit_code == 0


@pytest.mark.real_data
def test_spiga_without_the_contour(shared):
    from alignbench import load_dataset

    dataset = load_dataset("300w", shared)
    predictor = load_predictor(f"saved:{shared}/predictions/spiga_300w_public.json")
    run = evaluate(predictor, dataset)
    inner = evaluate(predictor, dataset, landmarks="inner51")
    distance = np.linalg.norm(run.points - dataset.points, axis=2)[:, 17:].mean(axis=1)
    assert inner.row(NME).value == pytest.approx(100 * (distance / ocular(dataset)).mean())
    assert inner.row(NME).value < run.row(NME).value
