"""The Wing and Adaptive Wing losses, and the loss of maps that AWing and PropNet share.

Unless a docstring says otherwise, a loss is elementwise, so that it can be weighted before its
mean is taken.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

_ALPHA, _OMEGA, _EPSILON, _THETA = 2.1, 14.0, 1.0, 0.5
"""The constants of Adaptive Wing in both papers."""


def wing(predicted: Tensor, target: Tensor, *, w: float = 10.0, epsilon: float = 2.0) -> Tensor:
    """Wing loss (Feng et al., CVPR 2018, eq. 5), elementwise.

    ``w ln(1 + d / epsilon)`` where the distance d is below w, ``d - C`` beyond, continuous at w.
    """
    distance = (predicted - target).abs()
    constant = w - w * math.log1p(w / epsilon)
    return torch.where(distance < w, w * torch.log1p(distance / epsilon), distance - constant)


def adaptive_wing(
    predicted: Tensor,
    target: Tensor,
    *,
    alpha: float = _ALPHA,
    omega: float = _OMEGA,
    epsilon: float = _EPSILON,
    theta: float = _THETA,
) -> Tensor:
    """Adaptive Wing loss (Wang et al., ICCV 2019, eq. 3; PropNet eq. 1), elementwise.

    With d the distance and y the target: ``omega ln(1 + (d / epsilon)^(alpha - y))`` where d is
    below theta, ``A d - C`` beyond; A and C make value and slope continuous at theta. The target
    is a constant: no gradient goes to it.
    """
    curve = _curve(target.detach(), alpha, omega, epsilon, theta)
    return _loss_on(curve, predicted)


class _Curve(NamedTuple):
    """The part of Adaptive Wing that depends on the target alone."""

    target: Tensor
    exponent: Tensor
    slope: Tensor
    offset: Tensor
    omega: float
    epsilon: float
    theta: float


def _curve(target: Tensor, alpha: float, omega: float, epsilon: float, theta: float) -> _Curve:
    exponent = alpha - target
    ratio = theta / epsilon
    power = ratio**exponent
    slope = omega / theta * exponent * power / (1 + power)
    offset = theta * slope - omega * torch.log1p(power)
    return _Curve(target, exponent, slope, offset, omega, epsilon, theta)


class _AdaptiveWing(torch.autograd.Function):
    """The loss with its slope written out.

    Autograd computes several powers and logarithms of every pixel, which took as long as a narrow
    network; this computes one of each. The power is taken of distances up to theta only, because
    beyond it could overflow.
    """

    @staticmethod
    def forward(ctx: Any, predicted: Tensor, curve: _Curve) -> Tensor:
        difference = predicted - curve.target
        distance = difference.abs()
        curved = distance < curve.theta
        power = (distance.clamp(max=curve.theta) / curve.epsilon) ** curve.exponent
        if ctx.needs_input_grad[0]:
            # The exponent is more than 1, so that the slope goes to 0 with the distance.
            tiny = torch.finfo(distance.dtype).tiny
            near = curve.omega * curve.exponent * power / ((1 + power) * distance.clamp(min=tiny))
            slope = torch.where(curved, near, curve.slope) * difference.sign()
            ctx.save_for_backward(slope)
        return torch.where(
            curved, curve.omega * torch.log1p(power), curve.slope * distance - curve.offset
        )

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (slope,) = ctx.saved_tensors
        return gradient * slope, None


def _loss_on(curve: _Curve, predicted: Tensor) -> Tensor:
    loss: Tensor = _AdaptiveWing.apply(predicted, curve)  # type: ignore[no-untyped-call]
    return loss


def map_loss(
    predicted: Sequence[Tensor],
    target: Tensor,
    *,
    weights: Tensor | None = None,
    faces: Tensor | None = None,
) -> Tensor:
    """Adaptive Wing over the maps of all stages, a scalar.

    Mean over a map's pixels, sum over its maps and over the stages, mean over faces.

    Parameters
    ----------
    predicted
        Maps (B, K, h, w) of each stage.
    weights
        Weight of each pixel (B, K, h, w).
    faces
        Weight of each face (B,).
    """
    total = target.new_zeros(len(target))
    curve = _curve(target, _ALPHA, _OMEGA, _EPSILON, _THETA)
    for maps in predicted:
        loss = _loss_on(curve, maps)
        if weights is not None:
            loss = loss * weights
        total = total + loss.mean(dim=(2, 3)).sum(dim=1)
    return (total if faces is None else total * faces).mean()
