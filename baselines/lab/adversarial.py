"""LAB's second stage: the estimator against a discriminator of boundary maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F  # noqa: N812 (its usual name)
from torch.optim import Adam

from baselines.lab.loss import LABMethod
from baselines.lab.network import Discriminator, LABOutput
from baselines.model import Faces, SecondStage

if TYPE_CHECKING:
    from lightning_fabric import Fabric


class Adversarial(SecondStage):
    """Table ``[adversarial]`` of a recipe.

    ``lr`` is the rate of network and discriminator, ``weight`` the adversarial loss's weight;
    ``theta``, in pixels of the window, and ``delta`` as in :func:`boundary_effectiveness`.
    """

    weight: float = Field(default=1.0, ge=0)
    theta: float = Field(default=1.5, gt=0)
    delta: float = Field(default=0.8, ge=0, le=1)

    def opponent(self, fabric: Fabric, method: LABMethod, side: int, seed: int) -> LABOpponent:
        """A discriminator of maps of ``side`` pixels."""
        return LABOpponent(fabric, method, self, side, seed)


class LABOpponent:
    """LAB's discriminator, ``network``, with an optimiser of its own."""

    def __init__(
        self, fabric: Fabric, method: LABMethod, table: Adversarial, side: int, seed: int
    ) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.network: nn.Module = Discriminator(side)
        self._fabric, self._method, self._table = fabric, method, table
        self._optimiser = Adam(self.network.parameters(), lr=table.lr)
        self._module, self._update = fabric.setup(self.network, self._optimiser)

    def respond(self, output: LABOutput, faces: Faces) -> Tensor:
        """Learn to tell these maps from true ones; gives the adversarial loss, weighted."""
        maps = output.boundaries[-1]
        with torch.no_grad():
            points, table = self._method.window_pixels(output, faces), self._table
            effective = boundary_effectiveness(
                points, faces.points, self._method.chains, theta=table.theta, delta=table.delta
            )
        # One call for both: several processes expect one forward for each backward.
        verdict = self._module(torch.cat([faces.maps["boundaries"], maps.detach()]))
        real, fake = verdict.chunk(2)
        self._update.zero_grad()
        self._fabric.backward(discriminator_loss(real, fake, effective))
        self._update.step()
        # With its weights as constants, so that the estimator's loss leaves no gradient on them.
        frozen = {name: weight.detach() for name, weight in self.network.named_parameters()}
        verdict = functional_call(self.network, frozen, (maps,))
        return self._table.weight * adversarial_loss(verdict)

    def state(self) -> dict[str, Any]:
        """All that :meth:`load` needs to go on exactly."""
        return {
            "discriminator": self.network.state_dict(),
            "discriminator_optimiser": self._optimiser.state_dict(),
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Go on from what :meth:`state` gave."""
        self.network.load_state_dict(state["discriminator"])
        self._optimiser.load_state_dict(state["discriminator_optimiser"])


def boundary_effectiveness(
    points: Tensor,
    target: Tensor,
    chains: Sequence[Sequence[int]],
    *,
    theta: float = 1.5,
    delta: float = 0.8,
) -> Tensor:
    """Which estimated boundaries were good enough to regress from, (B, M) of zeros and ones.

    LAB's eq. 4: 1 where at least the share ``delta`` of the boundary's landmarks lies within
    ``theta`` of the truth. The defaults are guesses: the paper prints neither.
    """
    near = (torch.linalg.vector_norm(points - target, dim=2) < theta).to(points.dtype)
    shares = torch.stack([near[:, list(chain)].mean(dim=1) for chain in chains], dim=1)
    return (shares >= delta).to(points.dtype)


def discriminator_loss(real: Tensor, fake: Tensor, effective: Tensor) -> Tensor:
    """LAB's discriminator, a scalar: the mean of ``-log D(real) - log(1 - |D(fake) - effective|)``.

    ``real`` and ``fake`` are logits (B, 13). As ``effective`` is 0 or 1, the second term is the
    cross entropy of D(fake) with it, which is computed from logits without a logarithm of 0.
    """
    return F.binary_cross_entropy_with_logits(
        real, torch.ones_like(real)
    ) + F.binary_cross_entropy_with_logits(fake, effective)


def adversarial_loss(fake: Tensor) -> Tensor:
    """LAB's estimator against the discriminator, a scalar: mean of ``log(1 - D(fake))``.

    ``fake`` are logits (B, 13).
    """
    return F.logsigmoid(-fake).mean()
