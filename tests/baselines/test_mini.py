"""The narrow networks that come with the package: fully trained, on drawn faces alone."""

from __future__ import annotations

import hashlib
from importlib.resources import files

import numpy as np
import pytest

from alignbench import evaluate, load_predictor, parse_measure
from alignbench.markups import WFLW98
from baselines.checkpoints import read
from baselines.mean_shape import MeanShape, save
from baselines.training.recipe import MODELS, read_recipe
from baselines.training.setup import set_up

MINIS = [f"{model}-mini" for model in MODELS]


def nme(predictor, faces):
    return evaluate(predictor, faces).row(parse_measure("nme")).value


@pytest.mark.parametrize("name", MINIS)
def test_finds_landmarks_far_better_than_a_mean_shape(name, drawn_faces, tmp_path):
    save(tmp_path / "mean.safetensors", drawn_faces)  # even of these very faces
    lower = nme(MeanShape(tmp_path / "mean.safetensors"), drawn_faces)
    predictor = load_predictor(name)
    assert predictor.name == name
    assert nme(predictor, drawn_faces) < 0.5 * lower
    assert any(
        "Trained on synthetic:heads + synthetic train" in note
        for note in predictor.describe()["notes"]
    )


@pytest.mark.parametrize("name", MINIS)
def test_is_small_and_what_its_recipe_makes(name):
    path = files("baselines") / "weights" / f"{name}.safetensors"
    assert len(path.read_bytes()) < 12_000_000
    stored = read(path)
    _, recipe = read_recipe(f"{name}/heads")
    setup = set_up(recipe, WFLW98, boxed=True)
    assert stored.model == recipe.model
    assert stored.settings == setup.settings
    shapes = {key: tensor.shape for key, tensor in setup.network.state_dict().items()}
    assert {key: tensor.shape for key, tensor in stored.state.items()} == shapes
    assert all(np.isfinite(t.float().numpy()).all() for t in stored.state.values())


@pytest.mark.parametrize("name", MINIS)
def test_its_card_is_of_this_file(name):
    weights = files("baselines") / "weights"
    card = (weights / f"{name}.md").read_text(encoding="utf-8")
    assert hashlib.sha256((weights / f"{name}.safetensors").read_bytes()).hexdigest() in card
    _, recipe = read_recipe(f"{name}/heads")
    assert f"seed {recipe.seed} |" in card
    assert f"{recipe.epochs} epochs" in card
    for key, value in recipe.network.items():
        assert f"{key} = {str(value).lower()}" in card
