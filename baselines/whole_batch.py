"""What several processes that share a batch compute over the whole of it.

Every process of PyTorch's process group calls these functions at the same places; without a group
a process has the whole batch itself. All parts of a batch have the same number of faces.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, distributed, nn

_AXES = (0, 2, 3)
"""Axes of maps (B, C, h, w) but that of the channels."""


def processes() -> int:
    """Number of processes that share a batch."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def sum_over_processes(values: Tensor) -> Tensor:
    """The sum of all processes' tensors, which have one shape; it has no gradient."""
    total = values.detach().clone()
    if processes() > 1:
        distributed.all_reduce(total)
    return total


def normalise_whole_batches(network: nn.Module) -> None:
    """Make each batch normalisation of a network use the whole batch, in place.

    Parameters, buffers and their names stay.
    """
    for module in network.modules():
        if type(module) is nn.BatchNorm2d:
            # Only its forward differs, so that optimisers and wrappers keep what they hold.
            module.__class__ = WholeBatchNorm2d


class WholeBatchNorm2d(nn.BatchNorm2d):
    """Batch normalisation whose statistics are those of all processes' parts of a batch.

    PyTorch's ``SyncBatchNorm`` does the same on GPUs alone.
    """

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 (its parent's name)
        """Normalised maps (B, C, h, w)."""
        if not self.training:
            return super().forward(input)
        assert self.running_mean is not None and self.running_var is not None
        assert self.num_batches_tracked is not None and self.momentum is not None
        values, parts = _widen(input.detach()), processes()
        # In two steps: a difference of large squares would lose digits.
        mean = sum_over_processes(values.mean(_AXES)) / parts
        variance = sum_over_processes((values - _along(mean)).square().mean(_AXES)) / parts
        count = parts * values.numel() / len(mean)
        with torch.no_grad():
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * (count / (count - 1)), self.momentum)
        scale = (variance + self.eps).rsqrt()
        normalised: Tensor = _Normalise.apply(  # type: ignore[no-untyped-call]
            input, self.weight, self.bias, mean, scale
        )
        return normalised


def _widen(maps: Tensor) -> Tensor:
    """Maps as float32 if their type is narrower."""
    return maps.to(torch.promote_types(maps.dtype, torch.float32))


def _along(channels: Tensor) -> Tensor:
    """Values (C,) as (C, 1, 1), beside maps."""
    return channels[:, None, None]


class _Normalise(torch.autograd.Function):
    """Maps (B, C, h, w) normalised by statistics (C,) that are the whole batch's."""

    @staticmethod
    def forward(
        ctx: Any, maps: Tensor, weight: Tensor, bias: Tensor, mean: Tensor, scale: Tensor
    ) -> Tensor:
        """Give ``weight scale (maps - mean) + bias``, computed in float32 or more."""
        ctx.save_for_backward(maps, weight, mean, scale)
        factor = weight * scale
        return (_widen(maps) * _along(factor) + _along(bias - mean * factor)).to(maps.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of the sum of all processes' losses, for the maps of this process."""
        maps, weight, mean, scale = ctx.saved_tensors
        slope = _widen(gradients[0])
        standard = (_widen(maps) - _along(mean)) * _along(scale)
        sums = torch.stack([slope.sum(_AXES), (slope * standard).sum(_AXES)])
        # Mean and scale depend on every map of the batch.
        count = processes() * maps.numel() / len(mean)
        of_mean, of_scale = sum_over_processes(sums) / count
        inner = slope - _along(of_mean) - standard * _along(of_scale)
        return (inner * _along(weight * scale)).to(maps.dtype), sums[1], sums[0], None, None
