"""The exponential moving average of a network's weights over its training."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn


class Average:
    """A copy of a network that follows it slowly.

    After step t, counted from 0, it is ``d average + (1 - d) network`` with
    ``d = min(decay, (1 + t) / (10 + t))``. The smaller factor of the beginning makes the first
    weights, which were drawn at random, fade at once, so that a short training has an average of
    its last steps too. The statistics of batch normalisation are averaged like weights; whole
    numbers, such as its count of batches, are taken over.

    Parameters
    ----------
    decay
        Between 0 and 1: about the last 1 / (1 - decay) steps count.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = copy.deepcopy(network).requires_grad_(False)
        self._decay, self._steps = decay, 0

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Follow a step of the network."""
        decay = min(self._decay, (1 + self._steps) / (10 + self._steps))
        self._steps += 1
        averages: list[Tensor] = []
        values: list[Tensor] = []
        theirs = network.state_dict()
        for name, ours in self.network.state_dict().items():
            if ours.is_floating_point():
                averages.append(ours)
                values.append(theirs[name])
            else:
                ours.copy_(theirs[name])
        torch._foreach_lerp_(averages, values, 1 - decay)

    def state(self) -> dict[str, Any]:
        """All that :meth:`load` needs to go on exactly."""
        return {"network": self.network.state_dict(), "steps": self._steps}

    def load(self, state: dict[str, Any]) -> None:
        """Go on from what :meth:`state` gave."""
        self.network.load_state_dict(state["network"])
        self._steps = state["steps"]
