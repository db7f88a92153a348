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

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode


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
    try:
        Path("/proc/self/clear_refs").write_text("5")
        before = _resident("VmRSS")
    except OSError:
        yield lambda: None
        return
    yield lambda: _resident("VmHWM") - before


def _resident(field: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024
    raise OSError(f"/proc/self/status has no {field}")


__all__: Sequence[str] = ["Counts", "Latency", "count", "measure"]
