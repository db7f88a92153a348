"""Losses of PropNet, AWing and LAB.

Heatmaps and boundary maps are (B, K, h, w), landmarks (B, L, 2) in any unit, attributes (B, C)
of zeros and ones. Unless said otherwise a loss is elementwise, so that it can be weighted before
its mean is taken.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F  # noqa: N812 (its usual name)

_ALPHA, _OMEGA, _EPSILON, _THETA = 2.1, 14.0, 1.0, 0.5
"""Adaptive Wing's constants, PropNet's and AWing's."""

FocalReading = Literal["printed", "per-sample", "none"]


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
    """Adaptive Wing's curve at each target: what does not depend on the prediction."""

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

    Left to autograd, powers and logarithms of every pixel of every map took as long as a narrow
    network; here there is one of each. The curved branch is computed only up to theta: beyond,
    its power could overflow.
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


def weight_map(target: Tensor, *, weight: float = 10.0, threshold: float = 0.2) -> Tensor:
    """Weighted loss map of AWing (its eq. 7): ``weight + 1`` on the foreground, 1 elsewhere.

    The foreground is where the target, dilated by 3 x 3 pixels, is ``threshold`` or more.
    """
    dilated = F.max_pool2d(target, 3, stride=1, padding=1)
    return 1 + weight * (dilated >= threshold)


def focal_factor(attributes: Tensor, reading: FocalReading = "printed") -> Tensor:
    """Weight (B,) of each face: the focal factor of PropNet's eq. 2, summed over attributes.

    For attribute c, of which S of the batch's N faces have it: 1 where S is 0, else N / S.

    ``printed``
        As the equation stands, with no face in it: the same for all faces of a batch. The default,
        because it is what the paper prints.
    ``per-sample``
        N / S for the faces that have the attribute, 1 for the others: what the paper's prose says
        (a weight on every sample that stresses the difficult ones).
    ``none``
        1: no attributes, as on 300W and COFW, whose labels were not published.
    """
    faces = len(attributes)
    if reading == "none":
        return attributes.new_ones(faces)
    with_it = attributes.sum(dim=0)
    factor = torch.where(with_it > 0, faces / with_it.clamp(min=1), 1.0)
    if reading == "printed":
        return factor.sum().expand(faces)
    return torch.where(attributes > 0, factor, 1.0).sum(dim=1)


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
        (B, K, h, w) of each stage.
    weights
        Of each pixel (B, K, h, w), as :func:`weight_map` gives them.
    faces
        Of each face (B,), as :func:`focal_factor` gives them.
    """
    total = target.new_zeros(len(target))
    curve = _curve(target, _ALPHA, _OMEGA, _EPSILON, _THETA)
    for maps in predicted:
        loss = _loss_on(curve, maps)
        if weights is not None:
            loss = loss * weights
        total = total + loss.mean(dim=(2, 3)).sum(dim=1)
    return (total if faces is None else total * faces).mean()


def propnet_loss(
    heatmaps: Sequence[Tensor],
    boundaries: Sequence[Tensor],
    heatmap_target: Tensor,
    boundary_target: Tensor | None,
    *,
    attributes: Tensor | None = None,
    focal: FocalReading = "printed",
    beta: float = 0.5,
) -> Tensor:
    """PropNet's loss, a scalar: landmarks + beta boundaries (its eqs. 3 to 5), every stage.

    Without attributes the focal factor is 1 (300W and COFW, or the ablation's plain AWing);
    without boundary target there is no second term (a network without propagation).
    Whether a map's pixels are summed or averaged, and how stages are weighted, the paper leaves
    open: here they are averaged, and all stages weigh the same.
    """
    faces = None if attributes is None else focal_factor(attributes, focal)
    loss = map_loss(heatmaps, heatmap_target, faces=faces)
    if boundary_target is not None:
        loss = loss + beta * map_loss(boundaries, boundary_target, faces=faces)
    return loss


def awing_loss(
    heatmaps: Sequence[Tensor],
    boundaries: Sequence[Tensor],
    heatmap_target: Tensor,
    boundary_target: Tensor | None,
) -> Tensor:
    """AWing's loss, a scalar: every stage's heatmaps and merged boundary map, pixels weighted."""
    loss = map_loss(heatmaps, heatmap_target, weights=weight_map(heatmap_target))
    if boundary_target is not None:
        loss = loss + map_loss(boundaries, boundary_target, weights=weight_map(boundary_target))
    return loss


def estimator_loss(boundaries: Sequence[Tensor], target: Tensor) -> Tensor:
    """LAB's estimator, a scalar: half the squared error of each stage's maps, mean over faces."""
    return torch.stack(
        [0.5 * (maps - target).square().sum(dim=(1, 2, 3)).mean() for maps in boundaries]
    ).sum()


def regressor_loss(points: Tensor, target: Tensor, *, beta: float = 1.0) -> Tensor:
    """LAB's regressor, a scalar: smooth L1 of landmarks (B, L, 2), in pixels, summed over them.

    The paper does not say which distance it takes; beta is where the square turns linear.
    """
    loss = F.smooth_l1_loss(points, target, reduction="none", beta=beta)
    return loss.sum(dim=(1, 2)).mean()


def boundary_effectiveness(
    points: Tensor,
    target: Tensor,
    chains: Sequence[Sequence[int]],
    *,
    theta: float = 1.5,
    delta: float = 0.8,
) -> Tensor:
    """Which estimated boundaries were good enough to regress from, (B, M) of zeros and ones.

    LAB's eq. 4: 1 where at least the share ``delta`` of the boundary's landmarks came to lie
    within ``theta`` of the truth. The defaults are guesses: the paper prints neither.
    """
    near = (torch.linalg.vector_norm(points - target, dim=2) < theta).to(points.dtype)
    shares = torch.stack([near[:, list(chain)].mean(dim=1) for chain in chains], dim=1)
    return (shares >= delta).to(points.dtype)


def discriminator_loss(real: Tensor, fake: Tensor, effective: Tensor) -> Tensor:
    """LAB's discriminator, a scalar: ``-log D(real) - log(1 - |D(fake) - effective|)``, meaned.

    ``real`` and ``fake`` are logits (B, 13). As ``effective`` is 0 or 1 the second term is the
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
