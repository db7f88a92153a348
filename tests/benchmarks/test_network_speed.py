"""Speed of AWing's network (26.7 G multiply-adds a face) by back end, and of a run around it.

What a back end can reach at best is a plain 3 x 3 convolution's throughput, measured beside it.
"""

from __future__ import annotations

import time

import numpy as np
import pytest
import torch
from torch import nn

from alignbench import evaluate, load_dataset, load_predictor, threads
from alignbench.backends.build import Execution, build_network
from alignbench.predictors.network import Inference
from alignbench.stats import Bootstrap
from baselines.awing.network import AWing
from reports.robustness.degradation import measure_degradation

BATCH = 4
AWING_GMACS = 26.7096
FACES = 96


@pytest.fixture(scope="module")
def awing():
    torch.manual_seed(0)
    return Inference(AWing()).eval()


@pytest.fixture(scope="module")
def pixels():
    return np.random.default_rng(0).random((BATCH, 3, 256, 256), dtype=np.float32)


GROUP = pytest.mark.benchmark(group="AWing, 4 faces of 256 x 256", min_rounds=7)


@GROUP
@pytest.mark.parametrize("order", ["contiguous", "channels last"])
def test_convolution(benchmark, order):
    torch.set_num_threads(threads.count())
    memory = torch.channels_last if order == "channels last" else torch.contiguous_format
    layer = nn.Conv2d(256, 256, 3, padding=1, bias=False).to(memory_format=memory)
    maps = torch.rand(2 * BATCH, 256, 64, 64).to(memory_format=memory)
    benchmark.extra_info["gmacs"] = 2 * BATCH * 64 * 64 * 256 * 256 * 9 / 1e9
    with torch.inference_mode():
        assert benchmark(layer, maps).shape == maps.shape


@GROUP
@pytest.mark.parametrize(
    ("backend", "precision"),
    [
        *((name, "fp32") for name in ("eager", "channels-last", "onnxruntime", "openvino")),
        *((name, "bf16") for name in ("eager", "channels-last", "openvino")),
    ],
)
def test_awing(benchmark, awing, pixels, backend, precision):
    call = build_network(awing, (3, 256, 256), Execution(backend, precision, "cpu")).network
    benchmark.extra_info["gmacs"] = BATCH * AWING_GMACS
    benchmark.extra_info["faces"] = BATCH
    benchmark(call, pixels)


@pytest.mark.benchmark(group=f"a run of {FACES} faces, AWing by OpenVINO")
def test_whole_run(benchmark, tmp_path):
    """Images from disk, crops, network, decoding, measures with intervals, files.

    Before each round the bare network computes as many windows in the same batches: the two in
    turn, because a machine's speed drifts by more than they differ.
    """
    predictor = load_predictor("awing", "random", backend="openvino", device="cpu")
    faces = load_dataset("synthetic", split="sample").take(np.arange(FACES))
    size = predictor.batch_size
    windows = np.random.default_rng(0).random((size, 3, 256, 256), dtype=np.float32)
    alone = []

    def network():
        started = time.perf_counter()
        for _ in range(FACES // size):
            predictor.compute(windows)
        alone.append(time.perf_counter() - started)

    def run():
        evaluate(predictor, faces, out=tmp_path, fresh=True, bootstrap=Bootstrap())

    benchmark.extra_info["faces"] = FACES
    benchmark.pedantic(run, setup=network, rounds=3, warmup_rounds=1)
    whole = benchmark.stats.stats.data
    ratios = np.array(whole) / np.array(alone[-len(whole) :])
    benchmark.extra_info["times the bare network, measured in turn"] = float(np.median(ratios))


@pytest.mark.benchmark(group="awing-mini on 60 faces: 72 conditions, and 72 runs without any")
@pytest.mark.parametrize("way", ["72 conditions", "72 runs"])
def test_robustness(benchmark, way):
    """Each image is decoded once for all conditions, and 72 times for as many runs."""
    predictor = load_predictor("awing-mini", device="cpu")
    faces = load_dataset("synthetic", split="sample")
    few = Bootstrap(100)

    def conditions():
        measure_degradation(predictor, faces)

    def runs():
        for _ in range(72):
            evaluate(predictor, faces, bootstrap=few, progress=False)

    benchmark.pedantic(conditions if way == "72 conditions" else runs, rounds=3)
