"""One step of learning: output, loss, gradient, update."""

from __future__ import annotations

import math
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor
from torch.nn.utils import clip_grads_with_norm_, get_total_norm
from torch.optim import Adam, RMSprop

from baselines.model import STRIDE, Faces, Opponent
from baselines.training.recipe import Recipe
from baselines.training.setup import Setup

_OPTIMISERS: dict[str, type[Adam | RMSprop]] = {"adam": Adam, "rmsprop": RMSprop}


class DivergedError(ArithmeticError):
    """Loss, gradient or weights are not finite."""


class Learner:
    """A network and its optimiser, and the opponent of a recipe's second stage.

    Attributes
    ----------
    network
        The module itself, to be evaluated and saved.
    """

    def __init__(self, fabric: Fabric, setup: Setup, recipe: Recipe) -> None:
        self.setup, self.network, self.fabric = setup, setup.network, fabric
        self._clip = recipe.optimiser.clip
        # A tenth faster than the usual order on CPUs, and what GPUs compute bf16 in.
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._learning = [p for p in self.network.parameters() if p.requires_grad]
        self._optimiser = _OPTIMISERS[recipe.optimiser.name](
            self._learning, lr=recipe.optimiser.lr, weight_decay=recipe.optimiser.weight_decay
        )
        self._module, self._update = fabric.setup(self.network, self._optimiser)
        self._opponent: Opponent | None = None
        if recipe.adversarial is not None:
            side = setup.settings.crop.size // STRIDE
            self._opponent = recipe.adversarial.opponent(fabric, setup.method, side, recipe.seed)

    def learn(self, faces: Faces, lr: float, adversarial: bool) -> float:
        """Learn from a batch; gives the mean loss of the processes.

        Raises
        ------
        DivergedError
            If loss or gradient are not finite, on every process at once; the weights are as
            before.
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
        return mean.item()

    def finite(self) -> bool:
        """Whether every weight is a finite number."""
        return all(bool(t.isfinite().all()) for t in self.network.state_dict().values())

    def state(self) -> dict[str, Any]:
        """All that :meth:`load` needs to go on exactly."""
        opponent = {} if self._opponent is None else self._opponent.state()
        return {
            "network": self.network.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            **opponent,
        }

    def load(self, state: dict[str, Any]) -> None:
        """Go on from what :meth:`state` gave."""
        self.network.load_state_dict(state["network"])
        self._optimiser.load_state_dict(state["optimiser"])
        if self._opponent is not None:
            self._opponent.load(state)
