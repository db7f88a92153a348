"""What a network costs: time and memory, by back end, precision, batch size and threads."""

from __future__ import annotations

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

from alignbench import threads
from alignbench.backends.network import AUTO, parse_backend, parse_precision
from alignbench.complexity import network_of
from alignbench.datasets import load_dataset
from alignbench.errors import InputError
from alignbench.predictors import RANDOM_IF_TAKEN, Batch, load_predictor
from alignbench.predictors.network import NetworkPredictor


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


def measure(
    call: Callable[[], object], faces: int, *, device: str = "cpu", seconds: float = 3.0
) -> Latency:
    """Time a call of ``faces`` faces, again and again for about ``seconds``, at least 5 times.

    The call must return when its work is done. Two calls go before, unmeasured.
    """
    with _peak_memory(device) as peak:
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
def _peak_memory(device: str) -> Iterator[Callable[[], int | None]]:
    """Gives a function that tells how far memory rose since, in bytes.

    On a GPU the memory PyTorch allocated there, else the process's resident memory, whose high
    mark Linux lets one reset.
    """
    if device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        yield lambda: torch.cuda.max_memory_allocated(device) - before
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
class Setting:
    """How a network is run; back end, precision and threads None for what is usual.

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
        None where the setting is not to be had, for the reason in ``failure``.
    moved
        Mean distance, in pixels of the network's window, of its landmarks from those of the
        usual setting, on faces of the demo data set.
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
    device: str | None = None,
    seconds: float = 3.0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Timing]:
    """Time of a model's network, without images and decoding, in several settings.

    Random weights where none are given and the model takes them.

    Raises
    ------
    InputError
        If the model has no torch network.
    """
    given: dict[str, Any] = {} if device is None else {"device": device}
    usual = network_of(name, load_predictor(name, weights, RANDOM_IF_TAKEN, **given))
    faces = _demo_faces()
    torch_threads = torch.get_num_threads()
    timings = []
    for done, setting in enumerate(settings):
        progress(done, len(settings))
        wanted = {"backend": setting.backend, "precision": setting.precision}
        options = given | {key: value for key, value in wanted.items() if value is not None}
        with threads.limited(setting.threads):
            used = replace(setting, threads=threads.count())
            try:
                made = load_predictor(name, weights, RANDOM_IF_TAKEN, **options)
            except InputError as error:
                timings.append(Timing(name, used, failure=str(error)))
                continue
            timings.append(_measured(name, used, network_of(name, made), usual, faces, seconds))
    torch.set_num_threads(torch_threads)
    progress(len(settings), len(settings))
    return timings


def _measured(
    name: str,
    setting: Setting,
    made: NetworkPredictor,
    usual: NetworkPredictor,
    faces: Batch,
    seconds: float,
) -> Timing:
    execution = made.execution
    shape = (setting.batch_size, *made.input_shape)
    pixels = np.random.default_rng(0).random(shape, dtype=np.float32)
    latency = measure(
        partial(made.compute, pixels), setting.batch_size, device=execution.device, seconds=seconds
    )
    used = replace(setting, backend=execution.backend, precision=execution.precision)
    return Timing(name, used, execution.device, latency, _moved(made, usual, faces))


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
