"""Processes and devices, by Lightning Fabric: one process, several GPUs, several machines.

Fabric, because it leaves the loop where one can read it: it wraps network and optimiser for the
device, the precision and ``torchrun``'s processes, and has no configuration of its own.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning_fabric.strategies.ddp import DDPStrategy
from lightning_fabric.utilities.exceptions import MisconfigurationException

from alignbench import threads
from alignbench.backends.torch_module import device_of
from alignbench.distributed import lost_process, processes
from alignbench.errors import InputError
from baselines.training.recipe import Recipe


@contextmanager
def launch(recipe: Recipe, device: str) -> Iterator[Fabric]:
    """Fabric for this process, together with those ``torchrun`` started beside it.

    Raises InputError if the device is not there, the processes cannot reach each other, or a
    batch cannot be shared among them.
    """
    where, ranks = device_of(device), processes()
    if recipe.batch_size % ranks or recipe.batch_size // ranks < 2:
        raise InputError(
            "key batch_size", f"{recipe.batch_size} for {ranks} processes",
            f"a multiple of {ranks}, at least {2 * ranks}",
        )  # fmt: skip
    if ranks > 1 and where.type == "cuda" and ":" in device:
        raise InputError(
            f"device {device!r}", f"one GPU for {ranks} processes", "cuda, auto",
            "Each process takes the one of its local rank.",
        )  # fmt: skip
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    before = torch.get_num_threads()
    torch.set_num_threads(threads.count())
    try:
        fabric = Fabric(
            accelerator=where.type,
            precision="bf16-mixed" if recipe.precision == "bf16" else "32-true",
            **_places(where, ranks),
        )
        fabric.launch()
    except (RuntimeError, ValueError, MisconfigurationException) as error:
        raise InputError(
            "torch.distributed", f"the processes cannot join ({error})",
            remedy="Start them by torchrun.",
        ) from error  # fmt: skip
    try:
        with _deterministic(where):
            yield fabric
    except RuntimeError as error:
        if ranks > 1 and _lost(error):
            raise lost_process() from error
        raise
    finally:
        torch.set_num_threads(before)
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()


def _lost(error: RuntimeError) -> bool:
    """Whether an error is that of a collective operation, which gloo has no type for."""
    return isinstance(error, torch.distributed.DistError) or "gloo" in str(error)


def _places(device: torch.device, ranks: int) -> dict[str, Any]:
    """Fabric's words for where this process and the others are."""
    if ranks == 1:
        return {"devices": 1 if device.index is None else [device.index]}
    here = int(os.environ.get("LOCAL_WORLD_SIZE", ranks))
    strategy = DDPStrategy(
        cluster_environment=TorchElasticEnvironment(),
        process_group_backend="gloo" if device.type == "cpu" else "nccl",
    )
    return {"devices": here, "num_nodes": ranks // here, "strategy": strategy}


@contextmanager
def _deterministic(device: torch.device) -> Iterator[None]:
    """The same bits every time, as far as the GPU's algorithms go; on a CPU they always are."""
    if device.type == "cpu":
        yield
        return
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    cudnn = torch.backends.cudnn
    switches = cudnn.benchmark, cudnn.deterministic
    cudnn.benchmark, cudnn.deterministic = False, True
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*deterministic.*", category=UserWarning)
            yield
    finally:
        torch.use_deterministic_algorithms(before)
        cudnn.benchmark, cudnn.deterministic = switches
