"""What a network costs: parameters, operations, time and memory.

Published tables mix counters. Three are here, each with its name:

``conv``
    Multiply-adds of convolutions and fully connected layers, each counted once.
``thop``
    As the package thop counts: ``conv``, and one operation for each output element of a
    convolution with bias, and two for each element a batch normalisation sees. Activations,
    pooling, upsampling and fixed filters count nothing.
``flops``
    PyTorch's own counter: two operations a multiply-add, fixed filters included.
"""

from __future__ import annotations

import ctypes
import gc
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from alignbench import threads
from alignbench.datasets import load_dataset
from alignbench.errors import InputError
from alignbench.predictors import Batch, Predictor, load_predictor
from alignbench.predictors.network import Inference, NetworkPredictor


@dataclass(frozen=True)
class Counts:
    """Size and operations of a network for one image.

    Attributes
    ----------
    parameters
        Elements of what is learned: running statistics and fixed filters are not.
    conv, thop, flops
        Operations by the three counters of this module.
    """

    parameters: int
    conv: int
    thop: int
    flops: int


def count(network: nn.Module, example: Tensor) -> Counts:
    """Parameters of a network, and the operations of its forward pass on an example.

    Parameters
    ----------
    network
        Counted as it stands in evaluation; its mode is put back.
    example
        Its input, a batch of one. Network and example may be on the ``meta`` device, where
        nothing is computed.
    """
    conv, extra = [0], [0]

    def layer(module: nn.Module, _: object, output: Tensor) -> None:
        if isinstance(module, nn.modules.conv._ConvNd):
            conv[0] += output.numel() * module.weight[0].numel()
            extra[0] += 0 if module.bias is None else output.numel()
        elif isinstance(module, nn.Linear):
            conv[0] += output.numel() * module.in_features
        elif isinstance(module, nn.modules.batchnorm._BatchNorm):
            extra[0] += 2 * output.numel()

    hooks = [module.register_forward_hook(layer) for module in network.modules()]
    training = network.training
    counter = FlopCounterMode(display=False)
    try:
        with torch.no_grad(), counter:
            network.eval()(example)
    finally:
        network.train(training)
        for hook in hooks:
            hook.remove()
    parameters = sum(parameter.numel() for parameter in network.parameters())
    return Counts(parameters, conv[0], conv[0] + extra[0], counter.get_total_flops())


@dataclass(frozen=True)
class Latency:
    """Time of one call of a network, and the memory it took.

    Attributes
    ----------
    p50, p90, p99
        Percentiles of the time of a call, in seconds.
    faces_per_second
        Faces of a call over its median time.
    peak_bytes
        Most memory in use during the calls, beyond what was in use before; None where the
        system does not tell.
    """

    p50: float
    p90: float
    p99: float
    faces_per_second: float
    peak_bytes: int | None


def measure(call: Callable[[], object], faces: int, *, seconds: float = 3.0) -> Latency:
    """Time a call of ``faces`` faces, again and again for about ``seconds``, at least 5 times.

    The call must return when its work is done. Two calls go before, unmeasured.
    """
    with _peak_memory() as peak:
        for _ in range(2):
            call()
        times = list(_times(call, seconds))
    p50, p90, p99 = np.percentile(times, (50, 90, 99))
    return Latency(float(p50), float(p90), float(p99), faces / float(p50), peak())


def _times(call: Callable[[], object], seconds: float, least: int = 5) -> Iterator[float]:
    begun = time.perf_counter()
    done = 0
    while done < least or time.perf_counter() - begun < seconds:
        started = time.perf_counter()
        call()
        yield time.perf_counter() - started
        done += 1


@contextmanager
def _peak_memory() -> Iterator[Callable[[], int | None]]:
    """Gives a function that tells how far memory rose since, in bytes.

    On a GPU the memory PyTorch allocated there, else the process's resident memory, whose high
    mark Linux lets one reset.
    """
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        yield lambda: torch.cuda.max_memory_allocated() - before
        return
    gc.collect()
    try:
        # What was freed but not given back would be taken again without a rise.
        ctypes.CDLL(None).malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")
        before = _resident("VmRSS")
    except (OSError, AttributeError):
        yield lambda: None
        return
    yield lambda: _resident("VmHWM") - before


def _resident(field: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024
    raise OSError(f"/proc/self/status has no {field}")


@dataclass(frozen=True)
class Complexity:
    """Counts of a model: of its whole network, and of what it computes to find landmarks."""

    name: str
    network: Counts
    inference: Counts


def count_predictor(name: str, predictor: Predictor) -> Complexity:
    """Counts of a predictor's network, under a name.

    Raises
    ------
    InputError
        If it has no torch network.
    """
    made = _network_of(name, predictor)
    example = torch.zeros(1, *made.input_shape)
    return Complexity(name, count(made.network, example), count(Inference(made.network), example))


@dataclass(frozen=True)
class Setting:
    """How a network is run: back end, precision, faces a call, threads (None: every core)."""

    backend: str = "eager"
    precision: str = "fp32"
    batch_size: int = 1
    threads: int | None = None


@dataclass(frozen=True)
class Timing:
    """Time and memory of a model in a setting, on a device.

    ``moved`` is the mean distance, in pixels of the network's window, by which its landmarks
    differ from those of eager fp32, on faces of the demo data set.
    """

    name: str
    setting: Setting
    device: str
    latency: Latency
    moved: float


def measure_settings(
    name: str,
    weights: str | Path | None,
    settings: Sequence[Setting],
    device: str = "auto",
    seconds: float = 3.0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Timing]:
    """Time of a model's network, without images and decoding, in several settings.

    Raises
    ------
    InputError
        If the model has no torch network, or a setting is not to be had here.
    """
    before = threads.count()
    timings = []
    faces = _demo_faces()
    reference = _network_of(name, load_predictor(name, weights, device="cpu"))
    try:
        for done, setting in enumerate(settings):
            progress(done, len(settings))
            if setting.batch_size < 1 or (setting.threads or 1) < 1:
                raise InputError("--batch-size, --threads", f"{setting}", "1 or more")
            threads.limit(setting.threads or before)
            predictor = load_predictor(
                name, weights, backend=setting.backend, precision=setting.precision, device=device
            )
            made = _network_of(name, predictor)
            shape = (setting.batch_size, *made.input_shape)
            pixels = np.random.default_rng(0).random(shape, dtype=np.float32)
            latency = measure(partial(made.compute, pixels), setting.batch_size, seconds=seconds)
            used = replace(setting, backend=made.execution.backend, threads=threads.count())
            moved = _moved(made, reference, faces)
            timings.append(Timing(name, used, made.execution.device, latency, moved))
        progress(len(settings), len(settings))
    finally:
        threads.limit(before)
    return timings


def _demo_faces(count: int = 4) -> Batch:
    """Some faces of the demo data set in their annotated boxes."""
    dataset = load_dataset("demo").take(np.arange(count))
    assert dataset.boxes is not None
    return Batch(dataset.ids, [dataset.images.read(k) for k in range(count)], dataset.boxes)


def _moved(made: NetworkPredictor, reference: NetworkPredictor, faces: Batch) -> float:
    """Mean distance between two predictors' landmarks, in pixels of the window."""
    distance = np.linalg.norm(made.predict(faces) - reference.predict(faces), axis=2)
    window = reference.preprocess(faces).crops[:, 2:]
    return float((distance / window).mean() * reference.input_shape[-1])


def _network_of(name: str, predictor: Predictor) -> NetworkPredictor:
    if not isinstance(predictor, NetworkPredictor):
        raise InputError(
            f"model {name!r}", "has no torch network to count", "such as propnet, awing, lab"
        )
    return predictor
