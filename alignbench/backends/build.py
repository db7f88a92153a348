"""Build a network from a torch module, for a back end, a precision and a device."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from alignbench.backends import (
    AUTO,
    BACKENDS,
    Backend,
    Network,
    Precision,
    onnx_runtime,
    open_vino,
    parse_backend,
    parse_precision,
    torch_module,
)
from alignbench.distributed import processes
from alignbench.exceptions import InputError

_TRIAL_FACES = {"cpu": 4, "cuda": 64}
_CLEARLY = 0.95
"""``auto`` prefers a back end to an earlier one of :data:`BACKENDS` only if its time is less than
this share of the earlier one's. Chance then does not decide between equally fast back ends."""


@dataclass(frozen=True)
class Execution:
    """How a network is computed.

    Attributes
    ----------
    backend
        One of :data:`BACKENDS`, or ``auto``: the fastest one in a short trial.
    precision
        ``fp32`` or ``bf16``.
    device
        ``cpu``, ``cuda``, ``cuda:N``, or ``auto``: a GPU where there is one.
    """

    backend: str = "eager"
    precision: str = "fp32"
    device: str = "auto"


class Built(NamedTuple):
    """A network, how it is computed, and the result of an ``auto`` trial as a sentence."""

    network: Network
    execution: Execution
    trial: str | None


def build_network(module: nn.Module, shape: tuple[int, int, int], requested: Execution) -> Built:
    """A module as a network.

    Parameters
    ----------
    module
        Takes images (B, *shape) and gives one tensor, in evaluation mode.

    Raises
    ------
    InputError
        If back end, precision or device is unknown or not available, or they do not go together.
    """
    backend = None if requested.backend == AUTO else parse_backend(requested.backend)
    precision = parse_precision(requested.precision)
    on_cpu = requested.device == AUTO and backend in ("onnxruntime", "openvino")
    device = torch_module.device_of("cpu" if on_cpu else requested.device)
    exported = functools.cache(lambda: torch_module.to_onnx(module, shape))

    make = functools.partial(
        _make, module=module, precision=precision, device=device, exported=exported
    )
    execution = replace(requested, device=str(device))
    if backend is not None:
        return Built(make(backend), execution, None)
    if processes() > 1:
        raise InputError(
            "--backend auto",
            "cannot be used with several processes: each would make its own choice",
            ", ".join(BACKENDS), "Try auto in one process, and name the one that it chooses.",
        )  # fmt: skip
    network, best, seconds = _try(make, shape, device)
    faces = _TRIAL_FACES[device.type]
    speeds = ", ".join(f"{name} {faces / time_:.3g}" for name, time_ in seconds.items())
    trial = (
        f"back end auto: {best}. Faces per second: {speeds}. The back end is part of a run: "
        f"resume it with --backend {best}."
    )
    return Built(network, replace(execution, backend=best), trial)


def _make(
    backend: Backend,
    module: nn.Module,
    precision: Precision,
    device: torch.device,
    exported: Callable[[], bytes],
) -> Network:
    if backend in ("eager", "channels-last", "compile"):
        return torch_module.load(module, backend, precision, device)
    if device.type != "cpu":
        accepted = "eager, channels-last, compile"
        raise InputError(f"back end {backend!r}", f"runs on the CPU, not on {device}", accepted)
    if backend == "openvino":
        return open_vino.load(exported(), "the exported network", precision=precision)
    if precision != "fp32":
        accepted = "fp32; or eager, channels-last, compile, openvino"
        raise InputError(f"back end {backend!r}", f"has no {precision} on the CPU", accepted)
    return onnx_runtime.load(exported(), "the exported network")


def _try(
    make: Callable[[Backend], Network], shape: tuple[int, int, int], device: torch.device
) -> tuple[Network, Backend, dict[Backend, float]]:
    """The fastest back end here, and the seconds that each needs for a small batch."""
    pixels = np.random.default_rng(0).random((_TRIAL_FACES[device.type], *shape), dtype=np.float32)
    seconds: dict[Backend, float] = {}
    best: tuple[Backend, Network] | None = None
    for backend in BACKENDS:
        # On a CPU, compiling takes longer than most runs.
        if backend == "compile" and device.type == "cpu":
            continue
        try:
            network = make(backend)
            network(pixels)
        except InputError:
            continue  # not installed, or not for this device and precision
        seconds[backend] = min(_seconds(network, pixels) for _ in range(2))
        if best is None or seconds[backend] < _CLEARLY * seconds[best[0]]:
            best = backend, network
    assert best is not None  # eager is always available
    # A compiled network would keep the batch size of the trial.
    network = make("compile") if best[0] == "compile" else best[1]
    return network, best[0], seconds


def _seconds(network: Network, pixels: NDArray[np.float32]) -> float:
    started = time.perf_counter()
    network(pixels)
    return time.perf_counter() - started
