"""The baselines that are fitted in closed form: linear and mean-shape."""

from __future__ import annotations

import numpy as np
import pytest
from doubles import make_dataset

from alignbench import InputError, evaluate, load_predictor, parse_measure
from baselines import linear, mean_shape

HOMES = {"linear": linear, "mean-shape": mean_shape}


@pytest.mark.parametrize("name", HOMES)
def test_shipped_weights_are_near_what_fitting_other_faces_gives(name, drawn_faces, tmp_path):
    """They come from 8,000 faces of another split, which would take minutes to draw."""
    predictor = load_predictor(name)
    (note,) = predictor.describe()["notes"]
    assert "fitted on synthetic train (8,000 faces), which are drawn" in note
    path = tmp_path / "w.safetensors"
    HOMES[name].save(path, drawn_faces)
    shipped, fitted = (
        evaluate(one, drawn_faces).row(parse_measure("nme")).value
        for one in (predictor, load_predictor(name, path))
    )
    assert fitted < shipped < 1.5 * fitted or name == "linear"


def test_a_model_that_looks_beats_one_that_does_not(drawn_faces):
    looking, blind = (
        evaluate(load_predictor(name), drawn_faces).row(parse_measure("nme")).value
        for name in HOMES
    )
    assert looking < 0.8 * blind


def test_mean_shape_of_its_own_faces_has_no_bias():
    dataset = make_dataset(30)
    corner, extent = (
        dataset.boxes[:, None, :2],
        dataset.boxes[:, None, 2:] - dataset.boxes[:, None, :2],
    )
    left = (dataset.points - corner) / extent - mean_shape.fit(dataset)
    np.testing.assert_allclose(left.mean(axis=0), 0, atol=1e-12)


@pytest.mark.parametrize("name", HOMES)
def test_weights_of_another_kind_are_refused(name, tmp_path):
    path = tmp_path / "w.safetensors"
    path.write_bytes(b"\x08\x00\x00\x00\x00\x00\x00\x00{}      ")
    with pytest.raises(InputError, match="accepted: a file that baselines"):
        load_predictor(name, path)
