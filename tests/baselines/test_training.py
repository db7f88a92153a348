"""Training: recipes, augmentation, samples, exact resume, several processes, every mistake."""

from __future__ import annotations

import io
import json
import math
import os
import signal
import subprocess
import sys
import time
import tomllib
from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from doubles import ArrayImages, make_dataset, torchrun
from layouts import write_300w, write_wflw
from PIL import Image

from alignbench import (
    InputError,
    evaluate,
    load_dataset,
    load_predictor,
    parse_measure,
    plugins,
    threads,
)
from alignbench.geometry import crop_transforms, square_crops, transform, warp
from alignbench.io import files
from alignbench.io.models import toml_text
from alignbench.markups import COFW29, IBUG68, WFLW98, Markup
from baselines import checkpoints
from baselines.lab.adversarial import Adversarial
from baselines.model import save
from baselines.shipped import shipped_recipes
from baselines.training import train
from baselines.training.augmentation import Augmentation, change_picture, draw_map, join
from baselines.training.average import Average
from baselines.training.data import Loader, Samples, chance, draw_order, hold_out, make_batches
from baselines.training.folder import (
    CHECKPOINT,
    LOG,
    RECORD,
    WEIGHTS,
    Row,
    draw_curves,
    find_difference,
)
from baselines.training.learner import Learner
from baselines.training.recipe import (
    MODELS,
    SCHEMAS,
    Coarse,
    Initial,
    Optimiser,
    complete,
    read_recipe,
)
from baselines.training.setup import set_up
from baselines.training.start import _workers

TINY = {
    "propnet": {"stacks": 1, "width": 16, "depth": 2, "hidden": [2], "attention_depth": 1},
    "awing": {"stacks": 1, "width": 16, "depth": 2},
    "lab": {"stacks": 1, "width": 16, "regressor_width": 8, "message_passing": False},
}
ROOT = Path(__file__).parents[2]
SIZE = {"propnet": 32, "awing": 32, "lab": 64}
STILL = Augmentation(rotation=0, scale=0, shift=0, flip=0)


def write_recipe(folder, model="propnet", **changes):
    content = {
        "model": model, "dataset": "wflw", "epochs": 2, "batch_size": 4,
        "network": TINY[model], "crop": {"size": SIZE[model]},
        "optimiser": {"lr": 1e-3}, **changes,
    }  # fmt: skip
    path = folder / "tiny.toml"
    path.write_text(toml_text(content))
    return path


@pytest.fixture
def data(tmp_path):
    """12 training faces, 3 steps an epoch, and 5 test faces."""
    root = tmp_path / "data"
    write_wflw(root, 5, "test")
    write_wflw(root, 12, "train")
    return root


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    with threads.temporary_limit(1):
        yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def no_curves(monkeypatch):
    """Drawn after each epoch, they would take a third of the time of a tiny training."""
    monkeypatch.setattr("baselines.training.loop.draw_curves", lambda *_: None)


def learn(recipe, data, out, *changes, **options):
    return train(recipe, data_root=data, out=out, device="cpu", overrides=changes, **options)


# Recipes


def test_a_recipe_goes_there_and_back():
    for name in shipped_recipes():
        _, recipe = read_recipe(name)
        path_text = toml_text(complete(recipe))
        assert complete(recipe) == complete(type(recipe).model_validate(tomllib.loads(path_text)))


def test_a_written_recipe_is_one(tmp_path, data):
    first = learn(write_recipe(tmp_path), data, tmp_path / "a", "epochs=1")
    second = learn(first / "recipe.toml", data, tmp_path / "b")
    assert (first / WEIGHTS).read_bytes() == (second / WEIGHTS).read_bytes()


def test_two_keys_are_enough(tmp_path):
    path = tmp_path / "short.toml"
    path.write_text('model = "awing"\ndataset = "wflw"\n')
    name, recipe = read_recipe(path)
    assert name == "short"
    assert recipe.augmentation == Augmentation(rotation=30, scale=0.15, shift=25, flip=0.5)
    assert recipe.optimiser.lr == 1e-4


def test_values_are_set_from_outside(tmp_path):
    _, recipe = read_recipe(
        write_recipe(tmp_path),
        ["network.stacks=2", "precision=bf16", "optimiser.milestones=[0.5]", "validation=0.2"],
    )
    assert recipe.network["stacks"] == 2
    assert (recipe.precision, recipe.validation) == ("bf16", 0.2)
    assert recipe.optimiser.milestones == (0.5,)


def test_a_table_is_left_out_from_outside(tmp_path):
    path = write_recipe(tmp_path, coarse={"epochs": 1, "size": 16}, crop={"rounding": "integer"})
    assert read_recipe(path)[1].coarse
    _, recipe = read_recipe(path, ["coarse=none", "crop.rounding=none"])
    assert recipe.coarse is None
    assert recipe.crop.rounding == "none"  # a value, not a table


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("epoch=3", r"--set, key 'epoch': unknown.*Did you mean 'epochs'"),
        ("optimiser.rate=3", r"--set, key 'optimiser.rate': unknown.*optimiser.lr"),
        ("epochs=0", "--set, key epochs: Input should be greater than or equal to 1, found 0"),
        ("epochs=many", "--set, key epochs: .*valid integer, found 'many'"),
        ("validation=[1]", r"--set, key validation: "),
        ("epochs", "'epochs': no key and value; accepted: key=value"),
        ("epochs=1\nseed=7", r"--set .*seed.*: holds a line break or another control character"),
        ("epo\x1bchs=1", "holds a line break or another control character"),
        ("epochs.x=1", "epochs is no table"),
        ("loss.regressor=2", "key loss.regressor: is not a key for model 'propnet', only for lab"),
        ("adversarial.epochs=2", "key adversarial: is not a key for model 'propnet'"),
        ("model=propnot", "model 'propnot': unknown.*'propnet'"),
        ("dataset=wflv", "dataset 'wflv': unknown.*'wflw'"),
        ("split=trian", "split of wflw 'trian': unknown.*'train'"),
        ("subset=large", "subset of wflw 'large': unknown"),
        ("markup=x", "markup 'x': unknown"),
        ("network.stack=1", "option 'stack': unknown.*'stacks'"),
        ("network.markup=wflw98", r"is not a key of \[network\]"),
        ("crop.size=36", "key crop.size: this network cannot take a window of 36 pixels"),
        ("crop.boxes=detector", "'detector': needs a detector"),
        ("batch_size=13", "13, of 12 faces to train on"),
        ("targets.decoder=soft-argmax", "key targets.decoder: Input should be centre-of-mass, the"),
        ("loss.focal=sometimes", "key loss.focal: Input should be 'printed'"),
        ("validation=0.001", "leaves a side without faces"),
        ("initial.weights=nothing", "key initial.weights 'nothing': unknown"),
        ("coarse.size=32", "key coarse.epochs: is missing"),
        ("coarse={epochs=2, size=16}", "key coarse.epochs: 2 of 2 epochs; accepted: less than 2"),
        ("coarse={epochs=1, size=128}", "key coarse.size: 128, with crop.size .*; accepted: less"),
        ("coarse={epochs=1, size=20}", "key coarse.size: .* of 20 pixels; .* a multiple of 16"),
    ],
)
def test_a_mistake_is_named(tmp_path, data, override, message):
    with pytest.raises(InputError, match=message):
        learn(write_recipe(tmp_path), data, tmp_path / "out", override)
    assert not (tmp_path / "out").exists()


def test_a_recipe_that_is_none(tmp_path):
    with pytest.raises(InputError, match=r"'propnet/wflv': unknown.*'propnet/wflw'"):
        train("propnet/wflv")
    with pytest.raises(InputError, match="cannot be read"):
        train(tmp_path / "none.toml")
    (tmp_path / "broken.toml").write_text("model = ")
    with pytest.raises(InputError, match="not TOML"):
        train(tmp_path / "broken.toml")
    (tmp_path / "short.toml").write_text('model = "lab"')
    with pytest.raises(InputError, match="key dataset: is missing"):
        train(tmp_path / "short.toml")


def test_missing_data_is_named(tmp_path, data):
    with pytest.raises(InputError, match="not found in"):
        learn(write_recipe(tmp_path), tmp_path / "nowhere", tmp_path / "out")
    for image in data.rglob("*.jpg"):
        image.unlink()
    with pytest.raises(InputError, match="none of 12 faces has its image"):
        learn(write_recipe(tmp_path), data, tmp_path / "out")


def test_faces_without_image_are_left_out_and_counted(tmp_path, data):
    (data / "WFLW_images/0--Parade/11.jpg").unlink()
    lines = []
    out = learn(write_recipe(tmp_path), data, tmp_path / "o", "epochs=1", say=lines.append)
    assert lines[0] == "1 faces have no image: left out"
    record = json.loads((out / RECORD).read_text())
    assert (record["data"]["train"]["faces"], record["faces_without_image"]) == (11, 1)


@pytest.mark.parametrize("name", shipped_recipes())
def test_shipped_recipes_build_their_networks(name):
    _, recipe = read_recipe(name)
    assert recipe.about
    markup = {"300w": IBUG68, "cofw": COFW29}.get(recipe.dataset, WFLW98)
    with torch.device("meta"):
        setup = set_up(recipe, markup, recipe.dataset not in ("300w", "cofw"))
    size = setup.settings.crop.size
    assert size == (recipe.crop.size or 256)
    if recipe.dataset == "300w":
        assert setup.settings.crop.boxes == "tight"


def test_dark_is_told_the_sigma_of_the_targets():
    for decoder, sigma in (("dark", 1.2), ("parabola", 1.75)):
        _, recipe = read_recipe("propnet-mini/synthetic", [f"targets.decoder={decoder}"])
        output = set_up(recipe, WFLW98, boxed=True).settings.output
        assert (output.decoder, output.sigma) == (decoder, sigma)


# Augmentation


def test_nothing_changes_where_nothing_is_asked():
    matrix, mirrored = draw_map(np.random.default_rng(0), STILL, 64)
    np.testing.assert_array_equal(matrix, [[1, 0, 0], [0, 1, 0]])
    assert not mirrored
    window = np.random.default_rng(0).integers(0, 255, (16, 16, 3)).astype(np.uint8)
    assert change_picture(np.random.default_rng(0), STILL, window) is window


def test_augmentation_stays_in_its_range():
    wanted = Augmentation(rotation=30, scale=0.15, shift=25, flip=0.5)
    drawn = [draw_map(np.random.default_rng(seed), wanted, 128) for seed in range(400)]
    linear = np.stack([matrix[:, :2] for matrix, _ in drawn])
    scale = np.sqrt(np.abs(np.linalg.det(linear)))
    assert 0.85 <= scale.min() < 0.87
    assert 1.13 < scale.max() <= 1.15
    angle = np.degrees(np.arcsin(linear[:, 1, 0] / scale))
    assert 28 < np.abs(angle).max() <= 30
    middle = np.full((1, 1, 2), 63.5)
    moved = np.concatenate([transform(middle, matrix[None]) - middle for matrix, _ in drawn])
    assert 12 < np.abs(moved).max() <= 12.5
    assert 150 < sum(mirrored for _, mirrored in drawn) < 250
    np.testing.assert_array_equal(np.linalg.det(linear) < 0, [mirrored for _, mirrored in drawn])


@pytest.mark.parametrize("seed", range(6))
def test_landmarks_move_with_the_pixels(seed):
    truth = np.array([[[60.0, 50.0], [95.0, 70.0], [70.0, 100.0]]])
    image = np.zeros((150, 150, 3), np.uint8)
    for channel, (x, y) in enumerate(truth[0].astype(int)):
        image[y - 1 : y + 2, x - 1 : x + 2, channel] = 255
    crop = crop_transforms(square_crops(np.array([[40.0, 30, 110, 120]]), 1.3), 128)[0]
    change, _ = draw_map(np.random.default_rng(seed), Augmentation(), 128)
    matrix = join(crop, change)
    window = warp(image, matrix, 128).astype(float)
    y, x = np.mgrid[:128, :128]
    seen = [[(w * x).sum() / w.sum(), (w * y).sum() / w.sum()] for w in np.moveaxis(window, 2, 0)]
    np.testing.assert_allclose(seen, transform(truth, matrix[None])[0], atol=0.1)


def test_light_changes_are_pixels_of_the_same_shape():
    window = np.random.default_rng(0).integers(0, 255, (32, 32, 3)).astype(np.uint8)
    for name in ("brightness", "contrast", "colour", "blur", "noise", "erase"):
        wanted = Augmentation(**{name: {"blur": 8.0, "noise": 20.0}.get(name, 1.0)})
        changed = change_picture(np.random.default_rng(1), wanted, window)
        assert (changed.shape, changed.dtype) == (window.shape, np.uint8)
        assert not np.array_equal(changed, window), name


# Samples


def samples_of(model, dataset, tmp_path, augmentation=None):
    _, recipe = read_recipe(write_recipe(tmp_path, model, seed=3))
    if augmentation is not None:
        recipe = recipe.model_copy(update={"augmentation": augmentation})
    setup = set_up(recipe, dataset.markup, dataset.boxes is not None)
    return Samples(dataset, setup, recipe)


def places(faces, size, epoch=0):
    return [[(epoch, k) for k in batch] for batch in draw_order(faces, size, 3, epoch).tolist()]


def noisy(faces=8):
    rng = np.random.default_rng(5)
    images = ArrayImages([rng.integers(0, 255, (150, 150, 3)).astype(np.uint8)] * faces)
    return make_dataset(faces, images=images)


def tensors(faces):
    return [faces.indices, faces.images, faces.points, faces.attributes, *faces.maps.values()]


@pytest.mark.parametrize(("model", "workers"), [*((model, 0) for model in TINY), ("propnet", 2)])
def test_a_face_is_the_same_in_any_batch(model, workers, tmp_path):
    samples = samples_of(model, noisy(), tmp_path)
    together = samples.__getitems__([(2, face) for face in range(8)])
    for part in make_batches(samples, places(8, 4, epoch=2), workers):
        for whole, piece in zip(tensors(together), tensors(part), strict=True):
            assert torch.equal(whole[part.indices], piece)


class Failing(ArrayImages):
    """Images of which one cannot be read, or ends the process that reads it."""

    def __init__(self, images, how):
        super().__init__(images)
        self.how = how

    def read(self, index):
        if index == 5 and self.how == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if index == 5:
            raise InputError("face5.jpg", "image cannot be read")
        return super().read(index)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("refused", r"^face5.jpg: image cannot be read\.$"),
        ("killed", r"^--workers: a process that makes batches died \(.*from the last"),
    ],
)
def test_what_stops_a_worker_is_one_message(how, message, tmp_path):
    images = Failing([np.zeros((150, 150, 3), np.uint8)] * 8, how)
    samples = samples_of("propnet", make_dataset(8, images=images), tmp_path)
    with pytest.raises(InputError, match=message):
        list(make_batches(samples, places(8, 4), 1))


@pytest.mark.parametrize("error", [EOFError(), ConnectionResetError(104, "reset")])
def test_a_worker_that_dies_while_it_sends_is_one_message(error, tmp_path, monkeypatch):
    def broken(*_, **options):
        yield "the first"
        raise error

    monkeypatch.setattr("baselines.training.data.DataLoader", broken)
    batches = make_batches(samples_of("propnet", noisy(), tmp_path), places(8, 4), 2)
    assert next(batches) == "the first"
    with pytest.raises(InputError, match=f"batches died .{type(error).__name__}"):
        next(batches)


def test_a_face_differs_from_epoch_to_epoch(tmp_path):
    samples = samples_of("propnet", noisy(), tmp_path)
    first, second = (samples.__getitems__([(epoch, 0)]) for epoch in (0, 1))
    assert not torch.equal(first.images, second.images)


def test_the_first_epochs_see_a_smaller_window(tmp_path):
    dataset = noisy(3)
    _, recipe = read_recipe(write_recipe(tmp_path, coarse={"epochs": 1, "size": 16}, epochs=3))
    setup = set_up(recipe, WFLW98, True)
    _, plain = read_recipe(write_recipe(tmp_path))
    samples, usual = Samples(dataset, setup, recipe), Samples(dataset, setup, plain)
    coarse, fine = ([(epoch, face) for face in range(3)] for epoch in (0, 1))
    for found, expected in zip(*(map(tensors, (s.__getitems__(fine) for s in (samples, usual)))),
                               strict=True):  # fmt: skip
        assert torch.equal(found, expected)
    small, large = samples.__getitems__(coarse), usual.__getitems__(coarse)
    assert small.images.shape[-2:] == (16, 16)
    assert {maps.shape[-1] for maps in small.maps.values()} == {4}
    fractions = ((faces.points + 0.5) / faces.images.shape[-1] for faces in (small, large))
    torch.testing.assert_close(*fractions, atol=1e-5, rtol=0)


def test_lab_takes_one_size_alone(tmp_path, data):
    recipe = write_recipe(tmp_path, "lab", coarse={"epochs": 1, "size": 128})
    with pytest.raises(InputError, match=r"table \[coarse\]: this network takes one size alone"):
        learn(recipe, data, tmp_path / "out")


@pytest.mark.parametrize("model", TINY)
def test_without_augmentation_it_is_what_a_run_shows_the_network(model, tmp_path):
    from alignbench.predictors.base import Batch
    from alignbench.predictors.crop import CropPredictor

    dataset = noisy(3)
    samples = samples_of(model, dataset, tmp_path, STILL)
    found = samples.__getitems__([(0, face) for face in range(3)])
    images = [dataset.images.read(k) for k in range(3)]
    predictor = CropPredictor("it", samples._settings, lambda pixels: pixels, {})
    shown = predictor.preprocess(Batch(dataset.ids, images, dataset.boxes))
    np.testing.assert_array_equal(found.images.numpy(), shown.pixels)
    size = shown.pixels.shape[-1]
    fractions = (found.points.numpy() + 0.5) / size
    back = fractions * shown.crops[:, None, 2:] + shown.crops[:, None, :2] - 0.5
    np.testing.assert_allclose(back, dataset.points, atol=1e-3)


def test_a_mirrored_face_has_its_landmarks_changed_over(tmp_path):
    dataset = noisy(1)
    mirror = STILL.model_copy(update={"flip": 1.0})
    one, other = (
        samples_of("propnet", dataset, tmp_path, amounts).__getitems__([(0, 0)])
        for amounts in (STILL, mirror)
    )
    np.testing.assert_allclose(other.images, one.images.flip(3), atol=2 / 255)
    mirrored = one.points[:, WFLW98.flip_order] * torch.tensor([-1.0, 1.0])
    torch.testing.assert_close(other.points, mirrored + torch.tensor([31.0, 0.0]))


def test_two_processes_share_every_batch(tmp_path):
    samples = samples_of("propnet", noisy(22), tmp_path)

    def batches(epoch=1, first=0, rank=0, ranks=1):
        fabric = SimpleNamespace(device=torch.device("cpu"), global_rank=rank, world_size=ranks)
        loader = Loader(samples, 6, 0, 0, fabric)
        assert loader.steps == 3
        return [faces.indices.tolist() for faces in loader.epoch(epoch, first)]

    one = batches()
    shares = [batches(rank=rank, ranks=2) for rank in (0, 1)]
    assert [a + b for a, b in zip(*shares, strict=True)] == one
    assert len(one) == 3
    assert len({face for batch in one for face in batch}) == 18
    assert batches(first=2) == one[2:]
    assert batches(epoch=2) != one


def test_no_two_things_share_a_random_stream():
    places = [("hold-out",), *(("order", e) for e in range(3))]
    places += [("face", e, f) for e in range(3) for f in range(3)]
    drawn = [chance(place[0], seed, *place[1:]).random() for seed in (0, 1) for place in places]
    assert len(set(drawn)) == len(drawn)


def test_faces_of_one_image_are_held_out_together():
    images = ArrayImages([np.zeros((4, 4, 3), np.uint8)] * 40, [f"{k // 4}" for k in range(40)])
    train_side, held = hold_out(make_dataset(40, images=images), 0.3, seed=1)
    assert (len(train_side), len(held)) == (28, 12)
    assert not set(train_side.images.sources()) & set(held.images.sources())
    assert hold_out(make_dataset(40, images=images), 0.3, seed=1)[1].ids == held.ids


def test_the_rate_follows_its_schedule():
    assert Optimiser(lr=1).rate(7, 10) == 1
    step = Optimiser(lr=1, schedule="step", milestones=[0.5, 0.8], factor=0.1)
    found = [step.rate(k, 10) for k in (4, 5, 8)]
    assert found == pytest.approx([1, 0.1, 0.01])
    cosine = Optimiser(lr=1, schedule="cosine", warmup=0.2)
    values = [cosine.rate(k, 100) for k in range(101)]
    assert values[20] == max(values) == 1
    assert values[:20] == sorted(values[:20])
    assert values[60] == pytest.approx(0.5)
    assert values[100] == pytest.approx(0)


# The whole


@pytest.mark.parametrize("model", TINY)
def test_the_loss_falls_and_the_weights_run(model, tmp_path, data, cli):
    changes = ("epochs=4", "optimiser.lr=5e-3", "optimiser.clip=100")
    out = learn(write_recipe(tmp_path, model), data, tmp_path / "out", *changes)
    rows = (out / LOG).read_text().splitlines()
    assert rows[0] == "epoch,step,seconds,lr,loss,nme,fr,auc"
    losses = [float(row.split(",")[4]) for row in rows[1:]]
    assert losses[-1] < 0.9 * losses[0]
    record = json.loads((out / RECORD).read_text())
    assert record["processes"] == 1
    assert record["recipe"]["epochs"] == 4
    result = cli("run", "--model", model, "--weights", out / WEIGHTS, "--dataset", "wflw",
                 "--data-root", data, "--out", tmp_path / "run", "--threads", 1)  # fmt: skip
    assert result.code == 0, result.err
    metrics = json.loads((tmp_path / "run/metrics.json").read_text())
    (nme,) = (r["value"] for r in metrics if (r["metric"], r["subset"], r["norm"]) == (
        "nme", "full", "inter_ocular"))  # fmt: skip
    assert record["validation"]["nme"] == pytest.approx(nme, rel=1e-6)
    assert (out / "recipe.toml").stat().st_size > 0


def test_the_curves_are_a_picture_of_the_log(tmp_path):
    rows = [Row(k, 3 * k, 1.0, 1e-3, 9 / k, 8 / k, 50.0, 0.5) for k in (1, 2, 3)]
    draw_curves(tmp_path, rows, "tiny on wflw", "inter-ocular distance")
    first = (tmp_path / "curves.png").read_bytes()
    with Image.open(io.BytesIO(first)) as image:
        assert image.size == (960, 720)
    draw_curves(tmp_path, rows, "tiny on wflw", "inter-ocular distance")
    assert (tmp_path / "curves.png").read_bytes() == first
    draw_curves(tmp_path, rows[:2], "tiny on wflw", "inter-ocular distance")
    assert (tmp_path / "curves.png").read_bytes() != first


def test_attributes_weigh_faces(tmp_path, data):
    out = learn(write_recipe(tmp_path), data, tmp_path / "out", "epochs=1", "loss.focal=printed")
    plain = learn(write_recipe(tmp_path), data, tmp_path / "plain", "epochs=1")
    first, second = (float((f / LOG).read_text().split(",")[-4]) for f in (out, plain))
    assert first > 4 * second


def test_a_data_set_without_attributes_or_boxes(tmp_path):
    write_300w(tmp_path / "data", ("afw", "helen/trainset", "lfpw/trainset"), 4)
    recipe = write_recipe(tmp_path, dataset="300w", validation=0.25, subset="lfpw", batch_size=3)
    with pytest.raises(InputError, match="has no attribute pose"):
        learn(recipe, tmp_path / "data", tmp_path / "out", "loss.focal=printed")
    with pytest.raises(InputError, match="annotates no boxes"):
        learn(recipe, tmp_path / "data", tmp_path / "out", "crop.boxes=rect")
    out = learn(recipe, tmp_path / "data", tmp_path / "out")
    assert load_predictor("propnet", out / WEIGHTS, device="cpu").boxes == "tight"


def test_two_data_sets_are_trained_on_as_one(tmp_path, data):
    write_300w(data, ("afw", "helen/trainset", "lfpw/trainset"), 4)
    both = write_recipe(tmp_path, dataset=["wflw", "300w"], markup="ibug68", validation=0.25)
    out = learn(both, data, tmp_path / "both", "epochs=1")
    record = json.loads((out / RECORD).read_text())
    assert record["recipe"]["dataset"] == ["wflw", "300w"]
    described = record["data"]
    assert list(described["parts"]) == ["wflw", "300w"]
    for side in ("train", "validation"):
        parts = [part[side] for part in described["parts"].values()]
        assert described[side]["faces"] == sum(part["faces"] for part in parts)
        prints = {described[side]["fingerprint"], *(part["fingerprint"] for part in parts)}
        assert len(prints) == 3
    predictor = load_predictor("propnet", out / WEIGHTS, device="cpu")
    assert predictor.boxes == "tight"  # 300W annotates none
    assert "Trained on wflw + 300w train." in predictor.describe()["notes"]
    for change, message in (
        ('dataset=["wflw", "wflw"]', r"key dataset: names one twice: wflw \+ wflw"),
        ("dataset=[]", "key dataset: "),
        ('dataset=["wflw", "cofw"]', "not found in"),
        ("batch_size=19", "19, of 18 faces"),
        ("loss.focal=printed", "wflw . 300w train has no attribute pose"),
    ):
        with pytest.raises(InputError, match=message):
            learn(both, data, tmp_path / "x", change)


def test_98_points_are_trained_as_68(tmp_path, data):
    out = learn(write_recipe(tmp_path, markup="ibug68"), data, tmp_path / "out")
    assert load_predictor("propnet", out / WEIGHTS, device="cpu").markup is IBUG68


@pytest.mark.parametrize(
    ("model", "without", "message"),
    [
        ("propnet", "network.propagation=false", "mark-up bare has no chains.*propagation=false"),
        ("awing", "network.boundary=false", "mark-up 'bare': has no chains.*network.boundary"),
        ("lab", None, "mark-up 'bare': has no chain 'contour'"),
    ],
)
def test_a_markup_without_chains(model, without, message, tmp_path, data, monkeypatch):
    bare = Markup("bare", WFLW98.landmarks, normalisers=WFLW98.normalisers)
    monkeypatch.setitem(sys.modules, "bare_package", SimpleNamespace(BARE=bare))
    entry = EntryPoint("bare", "bare_package:BARE", plugins.MARKUPS)
    real = plugins.entry_points
    monkeypatch.setattr(
        plugins, "entry_points",
        lambda group: real(group) | ({"bare": entry} if group == plugins.MARKUPS else {}),
    )  # fmt: skip
    faces = replace(load_dataset("wflw", data, "train"), markup=bare)
    monkeypatch.setattr("baselines.training.data.load_dataset", lambda *_: faces)
    recipe = write_recipe(tmp_path, model, validation=0.3, epochs=1)
    with pytest.raises(InputError, match=message):
        learn(recipe, data, tmp_path / "out")
    if without:
        learn(recipe, data, tmp_path / "out", without)


def test_a_network_without_propagation(tmp_path, data):
    learn(write_recipe(tmp_path), data, tmp_path / "out", "network.propagation=false")


def test_the_paper_s_second_stage_of_lab_changes_the_estimator(tmp_path, data):
    recipe = write_recipe(tmp_path, "lab", epochs=1)
    plain = learn(recipe, data, tmp_path / "plain", "epochs=2")
    both = learn(recipe, data, tmp_path / "both", "adversarial.epochs=1", "adversarial.lr=1e-3")
    states = [checkpoints.read(out / WEIGHTS).state for out in (plain, both)]
    assert states[0].keys() == states[1].keys()
    name = "estimator.stem.0.weight"
    assert not torch.equal(states[0][name], states[1][name])
    assert len((both / LOG).read_text().splitlines()) == 3


def test_an_average_is_of_the_weights_after_each_step():
    network = torch.nn.Sequential(torch.nn.Linear(1, 1, bias=False), torch.nn.BatchNorm1d(1))
    network.requires_grad_(False)
    average = Average(network, 0.3)
    weights, expected = [4.0, 2.0, 8.0, 1.0], float(network[0].weight)
    for step, value in enumerate(weights):
        network[0].weight.fill_(value)
        network[1].running_mean.fill_(-value)
        network[1].num_batches_tracked.fill_(step)
        average.update(network)
        decay = min(0.3, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * value
    linear, norm = average.network
    assert float(linear.weight) == pytest.approx(expected)
    assert float(norm.running_mean) != -weights[-1]
    assert int(norm.num_batches_tracked) == 3
    again = Average(network, 0.3)
    again.load(average.state())
    for one in (average, again):
        one.update(network)
    assert torch.equal(again.network[0].weight, linear.weight)


def test_the_rounded_average_is_what_is_saved_and_validated(tmp_path, data):
    recipe = write_recipe(tmp_path, storage="float16", epochs=1)
    out = learn(recipe, data, tmp_path / "out", "optimiser.average=0.5")
    kept = torch.load(out / CHECKPOINT, weights_only=True)["learner"]
    stored = checkpoints.read(out / WEIGHTS)
    for name, average in kept["average"]["network"].items():
        half = average.half() if stored.state[name].dtype == torch.float16 else average
        assert torch.equal(stored.state[name], half)
    name = "stem.conv.conv.weight"
    assert not torch.equal(stored.state[name], kept["network"][name].half())
    predictor = load_predictor("propnet", out / WEIGHTS, device="cpu")
    assert predictor.describe()["storage"] == stored.storage == "float16"
    assert all(parameter.dtype == torch.float32 for parameter in predictor.network.parameters())
    nme = evaluate(predictor, load_dataset("wflw", data)).row(parse_measure("nme")).value
    record = json.loads((out / RECORD).read_text())
    assert record["validation"]["nme"] == pytest.approx(nme, rel=1e-6)
    assert record["recipe"]["storage"] == "float16"


def test_float16_halves_a_file_and_refuses_what_is_too_large(tmp_path):
    awing = MODELS["awing"]
    network = awing.network(stacks=1, width=64)
    sizes = []
    for storage in ("float32", "float16"):
        path = tmp_path / f"{storage}.safetensors"
        save(path, network, awing, storage=storage, stacks=1, width=64)
        sizes.append(path.stat().st_size)
        described = load_predictor("awing", path).describe()
        assert described.get("storage", "float32") == storage
    assert sizes[1] < 0.6 * sizes[0]
    with torch.no_grad():
        next(network.parameters()).fill_(70_000)
    with pytest.raises(InputError, match="70000 is too large for float16"):
        save(tmp_path / "x.safetensors", network, awing, storage="float16", stacks=1, width=64)


def test_weights_to_begin_with(tmp_path, data):
    recipe = write_recipe(tmp_path)
    first = learn(recipe, data, tmp_path / "first")
    given = [f"initial.weights={first / WEIGHTS}", "epochs=1", "optimiser.lr=1e-9"]
    again = learn(recipe, data, tmp_path / "again", *given)
    before, after = (checkpoints.read(out / WEIGHTS).state for out in (first, again))
    torch.testing.assert_close(before["stem.conv.conv.weight"], after["stem.conv.conv.weight"])
    new = learn(recipe, data, tmp_path / "new", *given, 'initial.anew=["stages.0.head"]')
    drawn = checkpoints.read(new / WEIGHTS).state["stages.0.head.weight"]
    assert (drawn - before["stages.0.head.weight"]).abs().max() > 1e-3
    for change, message in (
        ("network.width=24", "shape"),
        ('initial.anew=["stages.0.haed"]', "'stages.0.haed': unknown.*'stages.0.head'"),
        ("network.stacks=2", "are missing"),
    ):
        with pytest.raises(InputError, match=message):
            learn(recipe, data, tmp_path / "x", *given, change)
    awing = MODELS["awing"]
    network = awing.network(stacks=1, width=16)
    save(tmp_path / "awing.safetensors", network, awing, stacks=1, width=16)
    with pytest.raises(InputError, match="holds weights of 'awing'"):
        learn(recipe, data, tmp_path / "x", f"initial.weights={tmp_path / 'awing.safetensors'}")


def test_a_recipe_to_begin_with_is_trained_first(tmp_path, data):
    start = write_recipe(tmp_path)
    changes = ("epochs=1", "seed=3")
    out = learn(start, data, tmp_path / "both", f"initial.recipe={start}", *changes)
    first = learn(start, data, tmp_path / "first")
    assert (out / "initial" / WEIGHTS).read_bytes() == (first / WEIGHTS).read_bytes()
    by_hand = learn(start, data, tmp_path / "hand", f"initial.weights={first / WEIGHTS}", *changes)
    assert (out / WEIGHTS).read_bytes() == (by_hand / WEIGHTS).read_bytes()
    # Called again, both are finished before.
    learn(start, data, tmp_path / "both", f"initial.recipe={start}", *changes)
    fresh = learn(start, data, tmp_path / "both", f"initial.recipe={start}", *changes, fresh=True)
    assert (fresh / WEIGHTS).read_bytes() == (by_hand / WEIGHTS).read_bytes()
    for wrong in (
        (f"initial.recipe={start}", f"initial.weights={first / WEIGHTS}"),
        ("initial.anew=[]",),
    ):
        with pytest.raises(InputError, match="one of weights and recipe"):
            learn(start, data, tmp_path / "x", *wrong)


# Resume


class Stop:
    """Interrupts after so many steps."""

    def __init__(self, step):
        self.step = step

    def __call__(self, done, total, said):
        if done == self.step:
            raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("model", "changes", "cuts"),
    [
        # At the first step, at the last of an epoch, and within one of each stage.
        (
            "propnet",
            ["optimiser.average=0.9", "coarse={epochs=1, size=16}"],
            [(1, 1e9), (3, 0), (5, 1e9)],
        ),
        ("lab", ["epochs=1", "adversarial.epochs=1"], [(2, 1e9), (5, 1e9)]),
    ],
)
def test_a_training_cut_short_ends_with_the_same_bytes(model, changes, cuts, tmp_path, data):
    recipe = write_recipe(tmp_path, model)
    whole = learn(recipe, data, tmp_path / "whole", *changes)
    for step, every in cuts:
        out = tmp_path / f"cut{step}"
        kept = f"the checkpoint of epoch {(step - 1) // 3 + 1}"
        with pytest.raises(KeyboardInterrupt, match=kept):
            learn(recipe, data, out, *changes, checkpoint_seconds=every, progress=Stop(step))
        assert not (out / RECORD).exists()
        learn(recipe, data, out, *changes)
        assert (out / WEIGHTS).read_bytes() == (whole / WEIGHTS).read_bytes(), step


def command(data, recipe, out, *more):
    return [sys.executable, "-m", "alignbench", "train", str(recipe), "--out", str(out),
            "--data-root", str(data), "--threads", "1", "--device", "cpu", *more]  # fmt: skip


def test_a_killed_training_ends_with_the_same_bytes(tmp_path, data):
    recipe = write_recipe(tmp_path, epochs=4)
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    learn(recipe, data, whole)
    with subprocess.Popen(
        command(data, recipe, cut, "--checkpoint-seconds", "0"), stderr=subprocess.DEVNULL
    ) as process:
        deadline = time.monotonic() + 60
        while not (cut / CHECKPOINT).exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    assert (cut / CHECKPOINT).exists()
    assert not (cut / RECORD).exists()
    said = []
    learn(recipe, data, cut, say=said.append)
    assert said[0].startswith("goes on after epoch")
    assert (cut / WEIGHTS).read_bytes() == (whole / WEIGHTS).read_bytes()


def test_a_disk_that_fills_up_leaves_a_training_that_goes_on(tmp_path, data, monkeypatch):
    """Full at each of its writes in turn: what was kept before is there, and it ends the same."""
    recipe = write_recipe(tmp_path)
    whole = learn(recipe, data, tmp_path / "whole")
    real, written = files.write_atomic, []

    def full(path, data):
        if len(written) == last:
            raise files.WriteError(path, "cannot be written (No space left on device)")
        written.append(path.name)
        real(path, data)

    for last in (1, 4, 7):
        out = tmp_path / f"cut{last}"
        written.clear()
        with monkeypatch.context() as disk:
            for module in ("training.start", "training.folder", "checkpoints"):
                disk.setattr(f"baselines.{module}.write_atomic", full)
            with pytest.raises(InputError, match="No space left"):
                learn(recipe, data, out)
        assert not (out / RECORD).exists()
        said = []
        learn(recipe, data, out, say=said.append)
        assert any("goes on after epoch" in line for line in said) == (CHECKPOINT in written)
        assert (out / WEIGHTS).read_bytes() == (whole / WEIGHTS).read_bytes()
        assert {entry.name for entry in out.iterdir()} == {entry.name for entry in whole.iterdir()}


def test_a_finished_training_is_left_as_it_is(tmp_path, data, cli):
    recipe = write_recipe(tmp_path)
    ask = command(data, recipe, "out")[3:]
    first = cli(*ask)
    assert (first.code, first.out) == (0, "Training kept in out\n"), first.err
    assert "epoch 2/2: loss" in first.err
    before = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "out").iterdir()}
    assert "finished before; --fresh trains again" in cli(*ask).err
    assert before == {p.name: p.stat().st_mtime_ns for p in (tmp_path / "out").iterdir()}
    other = cli(*ask, "--set", "optimiser.lr=0.5")
    assert other.code == 2
    assert "recipe.optimiser.lr (0.001 there, 0.5 now) differs" in other.err.replace("\n", " ")
    assert cli(*ask, "--set", "epochs=1", "--fresh").code == 0
    assert len((tmp_path / "out" / LOG).read_text().splitlines()) == 2


def test_an_unfinished_training_of_another_recipe_or_data_is_refused(tmp_path, data):
    recipe = write_recipe(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        learn(recipe, data, tmp_path / "out", checkpoint_seconds=0, progress=Stop(1))
    with pytest.raises(InputError, match=r"recipe.seed \(0 there, 1 now\) differs.*--fresh"):
        learn(recipe, data, tmp_path / "out", "seed=1")
    write_wflw(data, 13, "train")
    with pytest.raises(InputError, match=r"data.train.faces \(12 there, 13 now\)"):
        learn(recipe, data, tmp_path / "out")


def test_damaged_and_foreign_folders(tmp_path, data):
    recipe, out = write_recipe(tmp_path), tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        learn(recipe, data, out, checkpoint_seconds=0, progress=Stop(1))
    whole = (out / CHECKPOINT).read_bytes()
    for damaged in (b"", b"no checkpoint", whole[: len(whole) // 2]):
        (out / CHECKPOINT).write_bytes(damaged)
        with pytest.raises(InputError, match=r"checkpoint.pt: is damaged.*--fresh"):
            learn(recipe, data, out)
    learn(recipe, data, out, fresh=True)
    (out / RECORD).write_text("{")
    with pytest.raises(InputError, match=r"training.json: is damaged"):
        learn(recipe, data, out)
    (out / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match=r"holds mine.txt, which is not of a training"):
        learn(recipe, data, out, fresh=True)


def test_recipes_differ_at_a_key():
    assert (
        find_difference({"a": 1, "b": {"c": 2}}, {"a": 1, "b": {"c": 3}}) == "b.c (2 there, 3 now)"
    )
    assert find_difference({"a": 1}, {"a": 1}) is None
    assert find_difference({}, {"b": {"c": 2}}) == "b (None there, {'c': 2} now)"


@pytest.fixture
def heeded():
    """Ctrl-C counts, which a shell lets its background processes ignore."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heeded")
def test_an_interrupt_within_a_step_waits_for_its_end(cli, tmp_path, data, monkeypatch):
    """Ctrl-C and SIGTERM keep a checkpoint of the last step, from which the bytes are the same."""
    recipe = write_recipe(tmp_path)
    whole = learn(recipe, data, tmp_path / "whole")
    real, steps = Learner.learn, []
    ask = command(data, recipe, "out")[3:]

    def interrupt(*arguments):
        steps.append(1)
        if len(steps) in (2, 4):
            signal.raise_signal(signal.SIGINT if len(steps) == 2 else signal.SIGTERM)
        return real(*arguments)

    monkeypatch.setattr(Learner, "learn", interrupt)
    for place in ("epoch 1, step 2", "epoch 2, step 1"):
        result = cli(*ask)
        assert result.code == 130
        kept = f"interrupted; the checkpoint of {place} is kept; the same command goes on from it."
        assert kept in result.err.replace("\n", " ")
    assert cli(*ask).code == 0
    assert (tmp_path / "out" / WEIGHTS).read_bytes() == (whole / WEIGHTS).read_bytes()


def test_an_interrupt_says_truly_what_is_kept(cli, tmp_path, data, monkeypatch):
    ask = command(data, write_recipe(tmp_path), "out")[3:]

    def interrupt(*arguments):
        raise KeyboardInterrupt

    for place, kept in (
        ("baselines.training.data.Samples.__getitems__", "the checkpoint of epoch 1, step 0"),
        ("baselines.training.start.load_data", "no step was trained; the same command begins"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(place, interrupt)
            result = cli(*ask, *(["--fresh"] if "Samples" in place else []))
        assert result.code == 130
        assert kept in result.err.replace("\n", " ")
    monkeypatch.setattr(Learner, "learn", interrupt)  # a second Ctrl-C breaks a step off
    result = cli(*ask, "--fresh")
    assert result.code == 130
    assert "no step was trained; the same command begins where this one did" in result.err
    assert not Path("out").exists() or not (Path("out") / CHECKPOINT).exists()


def test_a_loss_that_is_no_number_stops_the_training(tmp_path, data):
    recipe = write_recipe(tmp_path)
    with pytest.raises(InputError) as raised:
        learn(recipe, data, tmp_path / "out", "optimiser.lr=1e30", checkpoint_seconds=0)
    message = str(raised.value)
    assert message.startswith("epoch 1, step 2: loss ")
    assert "at learning rate 1e+30, of faces 0--Parade/" in message
    assert "optimiser.clip" in message
    kept = torch.load(tmp_path / "out" / CHECKPOINT, weights_only=True)
    assert kept["position"]["step"] == 1
    assert math.isfinite(kept["position"]["loss"])


def test_a_last_step_that_breaks_the_weights_is_no_end(tmp_path, data):
    recipe = write_recipe(tmp_path)
    with pytest.raises(InputError, match=r"epoch 1, step 2: weights of which .* NME is nan %"):
        learn(recipe, data, tmp_path / "out", "optimiser.lr=1e30", "batch_size=12", "epochs=1")
    assert not (tmp_path / "out" / RECORD).exists()
    assert not (tmp_path / "out" / CHECKPOINT).exists()


def test_fresh_leaves_nothing_of_the_training_before(tmp_path, data):
    recipe = write_recipe(tmp_path)
    out = learn(recipe, data, tmp_path / "out")
    with pytest.raises(InputError, match="step 2"):
        learn(recipe, data, out, "optimiser.lr=1e30", fresh=True)
    assert not (out / WEIGHTS).exists()
    assert not (out / LOG).exists()


# Several processes

DUMPING = """
import os
from pathlib import Path
from types import SimpleNamespace

from alignbench.cli import main
from baselines.training import loop

run = loop.Loop.run

def dumped(self):
    run(self)
    state = self.learner.network.state_dict()
    weights = b"".join(t.numpy().tobytes() for t in state.values())
    Path(f"rank{os.environ['RANK']}").write_bytes(weights)
    Path(f"losses{os.environ['RANK']}").write_text(repr([row.loss for row in self.position.rows]))

loop.Loop.run = dumped
main()
"""


# Adam steps as far along a tiny gradient as along a large one: at larger rates rounding grows.
WHOLE = {"batch_norm": "batch", "loss": {"focal": "printed"},
         "optimiser": {"lr": 1e-5, "average": 0.9}}  # fmt: skip
TWO_STAGES = {"epochs": 1, "adversarial": {"epochs": 1}}


@pytest.mark.parametrize(
    ("model", "changes", "close"), [("propnet", WHOLE, 1e-6), ("lab", TWO_STAGES, 0.1)]
)
def test_two_processes_end_with_the_same_weights(model, changes, close, tmp_path, data):
    """With the statistics of the whole batch, their losses are one process's."""
    write_wflw(data, 12, "test")  # two batches, so that both processes validate
    recipe = write_recipe(tmp_path, model, **changes)
    ask = command(data, recipe, "two")[3:]
    (tmp_path / "dumping.py").write_text(DUMPING)
    done = torchrun(tmp_path, *ask, script=["dumping.py"])
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Training kept in two") == 1
    assert done.stderr.count("epoch 2/2") == 1
    assert (tmp_path / "rank0").read_bytes() == (tmp_path / "rank1").read_bytes()
    learn(recipe, data, tmp_path / "one")
    checkpoint = torch.load(tmp_path / "one" / CHECKPOINT, weights_only=True)
    losses = [row[4] for row in checkpoint["position"]["rows"]]
    assert json.loads((tmp_path / "losses0").read_text()) == pytest.approx(losses, rel=close)
    record = json.loads((tmp_path / "two" / RECORD).read_text())
    assert record["processes"] == 2
    # What was logged is what the weights that were saved score.
    predictor = load_predictor(model, tmp_path / "two" / WEIGHTS)
    nme = evaluate(predictor, load_dataset("wflw", data)).row(parse_measure("nme")).value
    assert record["validation"]["nme"] == pytest.approx(nme, rel=1e-4)


def test_what_stops_one_process_stops_the_others_with_a_message(tmp_path, data):
    recipe = write_recipe(tmp_path)
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "foreign.txt").write_text("mine")
    done = torchrun(tmp_path, *command(data, recipe, "two")[3:])
    assert done.returncode != 0
    assert "holds foreign.txt, which is not of a training" in done.stderr
    ours = done.stderr.partition("torch.distributed.elastic")[0].partition("ChildFailed")[0]
    assert "Traceback" not in ours.partition("torch/distributed/elastic")[0]


def test_a_batch_that_cannot_be_shared_is_refused(tmp_path, data, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "3")
    with pytest.raises(InputError, match="4 for 3 processes; accepted: a multiple of 3"):
        learn(write_recipe(tmp_path), data, tmp_path / "out")


# The command line


def test_recipes_are_listed(cli):
    listed = cli("list", "recipes").out
    for name, about in shipped_recipes().items():
        assert name in listed
        assert about in listed
    assert "recipes:" in cli("list").out


@pytest.mark.real_data
def test_real_faces_are_learnt(shared, tmp_path):
    out = train(
        "lab-mini/lfpw", data_root=shared, out=tmp_path / "out", device="cpu",
        overrides=["epochs=1", "optimiser.warmup=0.5", "crop.size=64"],
    )  # fmt: skip
    counted = json.loads((out / RECORD).read_text())["data"]
    faces = load_dataset("300w", shared, "train")
    there = faces.images.available() & faces.subsets["lfpw"]
    assert counted["train"]["faces"] + counted["validation"]["faces"] == there.sum()


def test_workers_are_none_on_a_cpu():
    fabric = SimpleNamespace(device=torch.device("cpu"))
    assert _workers(fabric, None) == 0
    assert _workers(fabric, 3) == 3


def test_the_recipe_in_the_document_shows_every_key_with_its_default():
    text = (ROOT / "docs" / "reference" / "recipes.md").read_text(encoding="utf-8")
    shown = tomllib.loads(text.split("```toml\n")[1].split("```")[0])
    lab = SCHEMAS["lab"](model="lab", dataset="wflw", adversarial=Adversarial())
    propnet = SCHEMAS["propnet"](model="propnet", dataset="wflw")
    initial = shown.pop("initial")
    assert Coarse.model_validate(shown.pop("coarse"))
    assert Initial.model_validate(initial) == Initial(weights="file.safetensors")
    known = json.loads(json.dumps(complete(propnet)))
    assert shown.pop("adversarial") == complete(lab)["adversarial"]
    assert shown["loss"].pop("regressor") == complete(lab)["loss"]["regressor"]
    assert shown == known
