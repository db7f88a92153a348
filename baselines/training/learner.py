"""Processes and devices, and one step of learning: output, loss, gradient, update.

Lightning Fabric handles processes and devices. It leaves the training loop where one can read it:
it wraps network and optimiser for the device, the precision and ``torchrun``'s processes, and has
no configuration of its own.
"""

from __future__ import annotations

import copy
import logging
import math
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning_fabric.strategies.ddp import DDPStrategy
from lightning_fabric.utilities.exceptions import MisconfigurationException
from torch import Tensor, nn
from torch.nn.utils import clip_grads_with_norm_, get_total_norm
from torch.optim import Adam, RMSprop

from alignbench import threads
from alignbench.backends.torch_module import device_of
from alignbench.distributed import lost_process, processes
from alignbench.exceptions import InputError
from baselines.checkpoints import round_parameters
from baselines.model import STRIDE, Faces, Opponent
from baselines.training.average import Average
from baselines.training.recipe import Recipe
from baselines.training.setup import Setup
from baselines.whole_batch import normalise_whole_batches

# Fused, Adam's step takes a quarter of the time on a CPU; RMSprop has no fused form.
_OPTIMISERS: dict[str, Callable[..., Adam | RMSprop]] = {
    "adam": partial(Adam, fused=True), "rmsprop": RMSprop,
}  # fmt: skip


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
        if ranks > 1 and _is_lost_process(error):
            raise lost_process() from error
        raise
    finally:
        torch.set_num_threads(before)
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()


def _is_lost_process(error: RuntimeError) -> bool:
    """Whether an error is that of a collective operation, for which gloo has no type."""
    return isinstance(error, torch.distributed.DistError) or "gloo" in str(error)


def _places(device: torch.device, ranks: int) -> dict[str, Any]:
    """Fabric's settings for the places of this process and of the others."""
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
    """Give the same bits every time, as far as a GPU's algorithms allow it; a CPU always does."""
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


class DivergedError(ArithmeticError):
    """Loss, gradient or weights are not finite."""


class Learner:
    """A network and its optimiser, and the opponent of a recipe's second stage.

    ``network`` is the module itself, ``result`` what is learnt: the average of its weights where
    the recipe asks for one, else the network.
    """

    def __init__(self, fabric: Fabric, setup: Setup, recipe: Recipe) -> None:
        self.setup, self.network, self.fabric = setup, setup.network, fabric
        self._clip, self._storage = recipe.optimiser.clip, recipe.storage
        # A tenth faster than the usual order on CPUs, and what GPUs compute bf16 in.
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._learning = [p for p in self.network.parameters() if p.requires_grad]
        self._optimiser = _OPTIMISERS[recipe.optimiser.name](
            self._learning, lr=recipe.optimiser.lr, weight_decay=recipe.optimiser.weight_decay
        )
        whole = recipe.batch_norm == "batch" and fabric.world_size > 1
        if whole:
            normalise_whole_batches(self.network)
        self._module, self._update = fabric.setup(self.network, self._optimiser)
        decay = recipe.optimiser.average
        self._average = Average(self.network, decay) if decay else None
        self.result = self._average.network if self._average else self.network
        self._opponent: Opponent | None = None
        if recipe.adversarial is not None:
            side = setup.settings.crop.size // STRIDE
            self._opponent = recipe.adversarial.opponent(fabric, setup.method, side, recipe.seed)
            if whole:
                normalise_whole_batches(self._opponent.network)

    def learn(self, faces: Faces, lr: float, adversarial: bool) -> float:
        """Learn from a batch; gives the mean loss of the processes.

        Raises DivergedError if loss or gradient are not finite, on every process at once; the
        weights are as before.
        """
        output = self._module(faces.images)
        loss = self.setup.method.loss(output, faces)
        if adversarial:
            assert self._opponent is not None
            loss = loss + self._opponent.respond(output, faces)
        self._update.zero_grad()
        self.fabric.backward(loss)
        gradients = [p.grad for p in self._learning if p.grad is not None]
        norm = get_total_norm(gradients)
        mean = self.fabric.all_reduce(loss.detach().clone(), reduce_op="mean")
        assert isinstance(mean, Tensor)
        if not (math.isfinite(mean.item()) and math.isfinite(norm.item())):
            raise DivergedError(f"loss {mean.item():g}, norm of the gradient {norm.item():g}")
        if self._clip:
            clip_grads_with_norm_(self._learning, self._clip, norm)
        for group in self._optimiser.param_groups:
            group["lr"] = lr
        self._update.step()
        if self._average:
            self._average.update(self.network)
        return mean.item()

    def copy_result(self) -> nn.Module:
        """A copy of the result as its file of weights will hold it."""
        network = copy.deepcopy(self.result)
        round_parameters(network, self._storage)
        return network

    def finite(self) -> bool:
        """Whether every weight is a finite number."""
        return all(bool(t.isfinite().all()) for t in self.network.state_dict().values())

    def state(self) -> dict[str, Any]:
        """All that :meth:`load` needs to go on exactly."""
        state = {"network": self.network.state_dict(), "optimiser": self._optimiser.state_dict()}
        if self._average:
            state["average"] = self._average.state()
        return state if self._opponent is None else state | self._opponent.state()

    def load(self, state: dict[str, Any]) -> None:
        """Go on from what :meth:`state` gave."""
        self.network.load_state_dict(state["network"])
        self._optimiser.load_state_dict(state["optimiser"])
        if self._average:
            self._average.load(state["average"])
        if self._opponent is not None:
            self._opponent.load(state)
