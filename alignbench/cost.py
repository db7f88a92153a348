"""What a network costs: parameters, operations, time and memory.

Published tables mix counters of operations. Three are here, each with its name:

``conv``
    Multiply-adds of convolutions and fully connected layers, each counted once.
``thop``
    As the package thop counts: ``conv``, and one operation for each output element of a
    convolution with bias, and two for each element of a batch normalisation. Activations,
    pooling, upsampling and fixed filters count nothing.
``flops``
    PyTorch's own counter: two operations for each multiply-add, fixed filters included.
"""

from __future__ import annotations

import copy
import ctypes
import gc
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from alignbench import threads
from alignbench.backends import AUTO, parse_backend, parse_precision
from alignbench.datasets import load_dataset
from alignbench.exceptions import InputError
from alignbench.predictors import RANDOM_IF_TAKEN, Batch, Predictor, load_predictor
from alignbench.predictors.network import Inference, NetworkPredictor


@dataclass(frozen=True)
class Counts:
    """Learned parameters of a network, and its operations for one image by three counters."""

    parameters: int
    conv: int
    thop: int
    flops: int


_SAME_SHAPE = (nn.ReLU, nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
"""Layers that keep the shape of their input, and whose operations no count below finds in the
tensors. A class derived from them may do more, and is run."""


def _identity(values: Tensor) -> Tensor:
    return values


def count(network: nn.Module, example: Tensor) -> Counts:
    """Parameters of a network, and the operations of its forward pass on an example.

    Parameters
    ----------
    network
        Counted as it is in evaluation; its mode is put back.
    example
        Its input, a batch of one. Network and example may be on the ``meta`` device, where
        nothing is computed.
    """
    conv, extra = [0], [0]

    def layer(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        if isinstance(module, nn.modules.conv._ConvNd):
            # In a transposed convolution each input element meets every weight.
            elements = inputs[0] if module.transposed else output
            conv[0] += elements.numel() * module.weight[0].numel()
            extra[0] += 0 if module.bias is None else output.numel()
        elif isinstance(module, nn.Linear):
            conv[0] += output.numel() * module.in_features
        elif isinstance(module, nn.modules.batchnorm._BatchNorm):
            extra[0] += 2 * output.numel()

    hooks = [module.register_forward_hook(layer) for module in network.modules()]
    # On the meta device, layers that change no shape would take most of the time.
    plain = [m for m in network.modules() if example.is_meta and type(m) in _SAME_SHAPE]
    for module in plain:
        vars(module)["forward"] = _identity
    training = network.training
    counter = FlopCounterMode(display=False)
    try:
        with torch.no_grad(), counter:
            network.eval()(example)
    finally:
        network.train(training)
        for hook in hooks:
            hook.remove()
        for module in plain:
            del vars(module)["forward"]
    parameters = sum(parameter.numel() for parameter in network.parameters())
    return Counts(parameters, conv[0], conv[0] + extra[0], counter.get_total_flops())


@dataclass(frozen=True)
class Complexity:
    """Counts of a model: of its whole network, and of what it computes to find landmarks."""

    name: str
    network: Counts
    inference: Counts


def count_predictor(name: str, predictor: Predictor) -> Complexity:
    """Counts of a predictor's network, under the requested name.

    A network with options is named after them, whether they were given or stored with its weights.

    Raises
    ------
    InputError
        If it has no torch network.
    """
    model = network_of(name, predictor)
    if model.variant or model.name == name.partition(":")[0]:
        name = f"{model.name}:{model.variant}".rstrip(":")
    # On the meta device nothing is computed: counting takes a hundredth of the time.
    unreal = copy.deepcopy(model.network).to("meta")
    try:
        return Complexity(name, *_count_both(unreal, model.input_shape, "meta"))
    except (NotImplementedError, RuntimeError):  # the network needs values of tensors
        return Complexity(name, *_count_both(model.network, model.input_shape, "cpu"))


def _count_both(network: nn.Module, shape: Sequence[int], device: str) -> tuple[Counts, Counts]:
    """Counts of a network, and of what it computes to find landmarks; its input is (C, S, S)."""
    example = torch.zeros(1, *shape, device=device)
    return count(network, example), count(Inference(network), example)


def network_of(name: str, predictor: Predictor) -> NetworkPredictor:
    """A predictor that is a torch network; InputError if it is none."""
    if not isinstance(predictor, NetworkPredictor):
        raise InputError(f"model {name!r}", "is no torch network", "such as propnet, awing, lab")
    return predictor


@dataclass(frozen=True)
class Latency:
    """Time of one call of a network, and its memory.

    Attributes
    ----------
    p50, p90, p99
        Percentiles of the time of a call, in seconds.
    faces_per_second
        Faces of a call over its median time.
    peak_bytes
        Most memory in use during the calls, beyond what was in use before; None where the
        system does not report it.
    """

    p50: float
    p90: float
    p99: float
    faces_per_second: float
    peak_bytes: int | None


def measure(
    call: Callable[[], object], faces: int, *, device: str = "cpu", seconds: float = 3.0
) -> Latency:
    """Time a call of ``faces`` faces repeatedly for about ``seconds``, at least 5 times.

    The call must return when its work is done. Two calls go before, unmeasured.
    """
    with _peak_memory(device) as peak:
        for _ in range(2):
            call()
        times: list[float] = []
        begun = now = time.perf_counter()
        while len(times) < 5 or now - begun < seconds:
            started = time.perf_counter()
            call()
            now = time.perf_counter()
            times.append(now - started)
    p50, p90, p99 = map(float, np.percentile(times, (50, 90, 99)))
    return Latency(p50, p90, p99, faces / p50, peak())


@contextmanager
def _peak_memory(device: str) -> Iterator[Callable[[], int | None]]:
    """Yield a function that returns by how many bytes memory has risen since.

    On a GPU this is the memory that PyTorch allocated there. On a CPU it is the resident memory of
    the process, whose maximum Linux can reset.
    """
    if device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        yield lambda: torch.cuda.max_memory_allocated(device) - before
        return
    gc.collect()
    try:
        # Memory that was freed but not given back would be used again without a rise.
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
class Setting:
    """How a network is computed; None for the default back end, precision or threads.

    Raises
    ------
    InputError
        If a name is unknown or a number below 1.
    """

    backend: str | None = None
    precision: str | None = None
    batch_size: int = 1
    threads: int | None = None

    def __post_init__(self) -> None:
        if self.backend not in (None, AUTO):
            parse_backend(self.backend)
        if self.precision is not None:
            parse_precision(self.precision)
        for option, value in (("--batch-size", self.batch_size), ("--threads", self.threads)):
            if value is not None and value < 1:
                raise InputError(option, f"{value}", "1 or more")


@dataclass(frozen=True)
class Timing:
    """Time and memory of a model in a setting, on a device.

    Attributes
    ----------
    latency
        None where the setting is not available, for the reason in ``failure``.
    moved
        Mean distance, in pixels of the network's window, of its landmarks from those of the
        default setting, on some synthetic faces.
    """

    name: str
    setting: Setting
    device: str = ""
    latency: Latency | None = None
    moved: float | None = None
    failure: str | None = None


def measure_settings(
    name: str,
    weights: str | Path | None,
    settings: Sequence[Setting],
    *,
    device: str | None = None,
    seconds: float = 3.0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Timing]:
    """Time of a model's network, without images and decoding, in several settings.

    Its weights are random where none are given and the model allows it.

    Raises
    ------
    InputError
        If the model has no torch network.
    """
    faces = _some_faces()
    torch_threads = torch.get_num_threads()

    def load(setting: Setting) -> NetworkPredictor:
        names = {"device": device, "backend": setting.backend, "precision": setting.precision}
        options: dict[str, Any] = {key: v for key, v in names.items() if v is not None}
        return network_of(name, load_predictor(name, weights, RANDOM_IF_TAKEN, **options))

    reference = load(Setting())
    timings = []
    for done, setting in enumerate(settings):
        progress(done, len(settings))
        with threads.temporary_limit(setting.threads):
            used = replace(setting, threads=threads.count())
            try:
                model = load(setting)
            except InputError as error:
                timings.append(Timing(name, used, failure=str(error)))
                continue
            execution, size = model.execution, setting.batch_size
            shape = (size, *model.input_shape)
            pixels = np.random.default_rng(0).random(shape, dtype=np.float32)
            call = partial(model.compute, pixels)
            latency = measure(call, size, device=execution.device, seconds=seconds)
            used = replace(used, backend=execution.backend, precision=execution.precision)
            moved = _distance(model, reference, faces)
            timings.append(Timing(name, used, execution.device, latency, moved))
    torch.set_num_threads(torch_threads)
    progress(len(settings), len(settings))
    return timings


def _some_faces(count: int = 4) -> Batch:
    """Synthetic faces in their annotated boxes."""
    dataset = load_dataset("synthetic", split="sample").take(np.arange(count))
    assert dataset.boxes is not None
    return Batch(dataset.ids, [dataset.images.read(k) for k in range(count)], dataset.boxes)


def _distance(model: NetworkPredictor, reference: NetworkPredictor, faces: Batch) -> float:
    """Mean distance between two predictors' landmarks, in pixels of the window."""
    distance = np.linalg.norm(model.predict(faces) - reference.predict(faces), axis=2)
    window = reference.preprocess(faces).crops[:, 2:]
    return float((distance / window).mean() * reference.input_shape[-1])
