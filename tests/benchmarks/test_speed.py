"""Speed, measured beside the ways others do it; nothing is asserted of time.

``tox -e benchmark``, or ``pytest tests/benchmarks --benchmark-only``. The ratio column within a
group is what counts: absolute times are the machine's.
"""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from ways import ERRORS, FACES, IDS, PREDICTED, RNG, TRUTH, grid_fr_auc, loop_nme

from alignbench import heatmaps, nme, parse_measure
from alignbench.geometry import crop_transforms, square_crops, warp
from alignbench.markups import WFLW98
from alignbench.metrics.errors import distances, face_errors, normalisers, one_normaliser
from alignbench.stats import Bootstrap, mean_intervals
from baselines.awing.loss import chains as awing_chains
from baselines.awing.loss import draw_merged_boundary
from baselines.lab.boundaries import chains as lab_chains
from baselines.lab.loss import draw_distance_boundaries
from baselines.landmark_maps import gaussians
from baselines.propnet.loss import draw_blurred_boundaries


def ours_nme():
    distance = distances(PREDICTED, TRUTH)
    scales = normalisers(TRUTH, WFLW98, IDS)
    return {name: face_errors(distance, scale) for name, scale in scales.items()}["inter_ocular"]


def ours_fr_auc():
    return [parse_measure(text).value(ERRORS) for text in ("fr@0.10", "auc@0.10")]


@pytest.mark.benchmark(group="errors of 2,500 faces (ours: all four normalisers; loop: one)")
@pytest.mark.parametrize("way", [ours_nme, loop_nme])
def test_errors(benchmark, way):
    np.testing.assert_allclose(benchmark(way), loop_nme())


def bare_nme():
    scale = one_normaliser(TRUTH, WFLW98, "inter_ocular")
    return parse_measure("nme").value(face_errors(distances(PREDICTED, TRUTH), scale))


def checked_nme():
    return nme(PREDICTED, TRUTH, "wflw98")


@pytest.mark.benchmark(group="NME of 2,500 faces in memory (bare functions; alignbench.nme)")
@pytest.mark.parametrize("way", [bare_nme, checked_nme])
def test_nme_in_memory(benchmark, way):
    assert benchmark(way) == bare_nme()


@pytest.mark.benchmark(group="FR and AUC of 2,500 faces")
@pytest.mark.parametrize("way", [ours_fr_auc, grid_fr_auc])
def test_fr_and_auc(benchmark, way):
    np.testing.assert_allclose(benchmark(way), grid_fr_auc(), atol=1e-4)


@pytest.fixture
def one_thread():
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    yield
    cv2.setNumThreads(before)


BATCH = 16
ON_MAP = RNG.uniform(0, 64, (BATCH, 98, 2))


@pytest.mark.benchmark(group="decode 16 x 98 maps of 64 x 64, one thread")
@pytest.mark.parametrize("decoder", list(heatmaps.DECODERS))
def test_decoding(benchmark, decoder):
    maps = RNG.random((BATCH, 98, 64, 64), dtype=np.float32)
    benchmark.extra_info["faces"] = BATCH
    assert benchmark(heatmaps.DECODERS[decoder], maps).shape == (BATCH, 98, 2)


TARGETS = {
    "landmarks": lambda p: gaussians(p, 64),
    "15 boundaries (PropNet)": lambda p: draw_blurred_boundaries(p, WFLW98.chains.values(), 64),
    "13 boundaries (LAB)": lambda p: draw_distance_boundaries(p, lab_chains(WFLW98).values(), 64),
    "merged boundary (AWing)": lambda p: draw_merged_boundary(p, awing_chains(WFLW98).values(), 64),
}


@pytest.mark.benchmark(group="targets of 16 faces, 98 landmarks, 64 x 64, one thread")
@pytest.mark.parametrize("name", TARGETS)
def test_targets(benchmark, one_thread, name):
    benchmark.extra_info["faces"] = BATCH
    assert benchmark(TARGETS[name], ON_MAP).shape[::3] == (BATCH, 64)


@pytest.mark.benchmark(group="crop 256 x 256 from 1280 x 720, one thread")
def test_crop(benchmark, one_thread):
    benchmark.extra_info["faces"] = 1
    image = RNG.integers(0, 255, (720, 1280, 3)).astype(np.uint8)
    matrix = crop_transforms(square_crops(np.array([[400.0, 100, 800, 560]]), 1.2), 256)[0]
    assert benchmark(warp, image, matrix, 256).shape == (256, 256, 3)


@pytest.mark.benchmark(group="10,000 bootstrap samples: 2,500 faces, 7 subsets, 20 quantities")
def test_bootstrap(benchmark):
    values, subsets = RNG.random((FACES, 20)), RNG.random((7, FACES)) < 0.5
    low, high = benchmark.pedantic(
        mean_intervals, (values, subsets, np.arange(FACES), Bootstrap()), rounds=3
    )
    assert (low < high).all()
