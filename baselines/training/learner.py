"""One step of learning: output, loss, gradient, update."""

from __future__ import annotations

import math
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.utils import clip_grads_with_norm_, get_total_norm
from torch.optim import Adam, RMSprop

from baselines import losses
from baselines.lab.network import Discriminator, LABOutput
from baselines.training.methods import STRIDE, Faces, LABMethod, effective_boundaries
from baselines.training.recipe import Adversarial, Recipe
from baselines.training.setup import Setup

_OPTIMISERS: dict[str, type[Adam | RMSprop]] = {"adam": Adam, "rmsprop": RMSprop}


class DivergedError(ArithmeticError):
    """Loss, gradient or weights are not finite."""


class Learner:
    """A network and its optimiser, and LAB's discriminator where a recipe has one.

    Attributes
    ----------
    network
        The module itself, to be evaluated and saved.
    """

    def __init__(self, fabric: Fabric, setup: Setup, recipe: Recipe) -> None:
        wanted = recipe.optimiser
        self.network = setup.network
        self._fabric, self._method, self._clip = fabric, setup.method, wanted.clip
        # A tenth faster than the usual order on CPUs, and what GPUs compute bf16 in.
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._learning = [p for p in self.network.parameters() if p.requires_grad]
        self._optimiser = _OPTIMISERS[wanted.name](
            self._learning, lr=wanted.lr, weight_decay=wanted.weight_decay
        )
        self._module, self._update = fabric.setup(self.network, self._optimiser)
        self._opponent: Opponent | None = None
        if recipe.adversarial is not None:
            assert isinstance(setup.method, LABMethod)
            side = setup.settings.crop.size // STRIDE
            self._opponent = Opponent(fabric, setup.method, recipe.adversarial, side, recipe.seed)

    def learn(self, faces: Faces, lr: float, adversarial: bool) -> float:
        """Learn from a batch; gives the loss, meaned over the processes.

        Raises
        ------
        DivergedError
            If loss or gradient are not finite, on every process at once; the network was not
            changed by them.
        """
        output = self._module(faces.images)
        loss = self._method.loss(output, faces)
        if adversarial:
            assert self._opponent is not None
            loss = loss + self._opponent.respond(output, faces)
        self._update.zero_grad()
        self._fabric.backward(loss)
        gradients = [p.grad for p in self._learning if p.grad is not None]
        norm = get_total_norm(gradients)
        mean = self._fabric.all_reduce(loss.detach().clone(), reduce_op="mean")
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


class Opponent:
    """LAB's discriminator with its own optimiser."""

    def __init__(
        self, fabric: Fabric, method: LABMethod, wanted: Adversarial, side: int, seed: int
    ) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self._network: nn.Module = Discriminator(side)
        self._fabric, self._chains, self._wanted = fabric, method.chains, wanted
        self._optimiser = Adam(self._network.parameters(), lr=wanted.lr)
        self._module, self._update = fabric.setup(self._network, self._optimiser)

    def respond(self, output: LABOutput, faces: Faces) -> Tensor:
        """Learn to tell these maps from true ones; gives what the estimator loses by that."""
        wanted, found = self._wanted, output.boundaries[-1]
        effective = effective_boundaries(output, faces, self._chains, wanted.theta, wanted.delta)
        # One call for both: several processes expect one forward for each backward.
        verdict = self._module(torch.cat([faces.maps["boundaries"], found.detach()]))
        real, fake = verdict.chunk(2)
        self._update.zero_grad()
        self._fabric.backward(losses.discriminator_loss(real, fake, effective))
        self._update.step()
        # With its weights as constants, so that the estimator's loss leaves no gradient on them.
        frozen = {name: weight.detach() for name, weight in self._network.named_parameters()}
        return wanted.weight * losses.adversarial_loss(
            functional_call(self._network, frozen, (found,))
        )

    def state(self) -> dict[str, Any]:
        """What :meth:`load` needs."""
        return {
            "discriminator": self._network.state_dict(),
            "discriminator_optimiser": self._optimiser.state_dict(),
        }

    def load(self, state: dict[str, Any]) -> None:
        """Go on from what :meth:`state` gave."""
        self._network.load_state_dict(state["discriminator"])
        self._optimiser.load_state_dict(state["discriminator_optimiser"])
