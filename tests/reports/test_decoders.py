"""Decoders: errors on drawn maps are those that geometry gives, the model's own those of a run."""

from __future__ import annotations

import json

import numpy as np
import pytest
from doubles import SAMPLE

from alignbench import InputError, evaluate, load_dataset, load_predictor, parse_measure
from alignbench.geometry import square_crops
from alignbench.heatmaps import DECODERS
from alignbench.metrics.errors import one_normaliser
from alignbench.predictors.settings import Output
from alignbench.stats import Bootstrap
from reports.decoders import decoder_table, draw_maps

FACES = 6
QUICK = Bootstrap(300)


@pytest.fixture(scope="module")
def sample():
    return load_dataset("synthetic", split="sample")


@pytest.fixture(scope="module")
def predictor():
    return load_predictor("propnet-mini", device="cpu")


@pytest.fixture(scope="module")
def table(predictor, sample):
    """In tight boxes, whose crops cut off no landmark's Gaussian."""
    options = {"boxes": "tight", "limit": FACES, "bootstrap": QUICK}
    return decoder_table(predictor, sample, sigma=1.2, **options)


def column(table, name):
    k = table.columns.index(name)
    return {row[0]: row[k].value for row in table.rows}


def test_the_models_own_maps_have_the_numbers_of_a_run(table, predictor, sample):
    options = {"boxes": "tight", "limit": FACES, "bootstrap": QUICK}
    run = evaluate(predictor, sample, progress=False, **options)
    own = column(table, "Model's own")
    assert own[predictor.decoding] == pytest.approx(run.row(parse_measure("nme")).value, abs=1e-9)
    change = next(row[-1] for row in table.rows if row[0] == "dark")
    assert change.low <= change.value <= change.high
    assert change.value == pytest.approx(own["dark"] - own["quarter"])


def test_drawn_maps_are_decoded_as_far_as_a_decoder_can(table, sample):
    perfect, pixel = column(table, "Perfect"), column(table, "On the pixel")
    assert list(perfect) == list(DECODERS)
    assert perfect["parabola"] < 1e-3
    assert perfect["dark"] < 0.02
    assert 0 < perfect["quarter"] < 0.6 * perfect["argmax"]
    # Nothing finds again what was rounded to a pixel: on average 0.3826 of it.
    faces = sample.take(np.arange(FACES))
    scale = one_normaliser(faces.points, faces.markup, "inter_ocular")
    side = square_crops(faces.tight_boxes(), 1.344, of="mean")[:, 2]
    rounded = 100 * 0.3826 * (side / 24 / scale).mean()
    for name in ("argmax", "quarter", "parabola", "dark"):
        assert pixel[name] == pytest.approx(rounded, rel=0.05)
    noisy = column(table, "Noisy")
    assert perfect["dark"] < noisy["dark"] < noisy["parabola"] < noisy["quarter"]


def test_a_landmark_outside_the_map_is_left_out():
    crops = np.array([[10.0, 20, 64]])
    truth = np.array([[[10.0, 20], [73, 83], [9, 50], [30, 84]]])
    maps = draw_maps(truth, crops, 16, Output(kind="heatmaps"), 0.0, np.random.default_rng(0))
    for values, at in maps.values():
        assert values.shape == (1, 4, 16, 16)
        assert np.isnan(at[0, :, 0]).tolist() == [False, False, True, True]


def test_the_command_writes_the_table(cli):
    call = ("decoders", "--model", "awing-mini", "--dataset", *SAMPLE, "--limit", 2)
    result = cli(*call, "--bootstrap", 100, "--format", "json")
    assert result.code == 0, result.err
    rows = json.loads(result.out)
    assert "centre-of-mass" in json.dumps(rows)


def test_a_model_without_heatmaps_is_refused(sample):
    with pytest.raises(InputError, match=r"'mean-shape': gives no heatmaps.*such as propnet-mini"):
        decoder_table(load_predictor("mean-shape"), sample)
