"""Losses: published values, continuity, gradients, and what the weights weigh."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from alignbench.markups import WFLW98
from baselines.awing.loss import awing_loss, weight_map
from baselines.lab.adversarial import adversarial_loss, boundary_effectiveness, discriminator_loss
from baselines.lab.boundaries import chains as lab_chains
from baselines.lab.loss import estimator_loss, regressor_loss
from baselines.landmark_maps import adaptive_wing, map_loss
from baselines.propnet.loss import focal_factor, propnet_loss

# Value of Adaptive Wing at distances 0.1, 0.3, 0.5 and 0.8 from a target, and its A and C.
ADAPTIVE_WING = {
    0.0: ((0.110767, 1.074747, 2.935235, 6.271662), 11.121422, 2.625476),
    0.5: ((0.347320, 1.903953, 3.991210, 7.325012), 11.112673, 1.565127),
    1.0: ((1.070100, 3.301746, 5.360458, 8.299813), 9.797850, -0.461533),
}


@pytest.mark.parametrize("target", ADAPTIVE_WING)
@pytest.mark.parametrize("side", [-1, 1])
def test_adaptive_wing_has_the_values_of_its_equation(target, side):
    values, slope, offset = ADAPTIVE_WING[target]
    truth = torch.full((4,), target, dtype=torch.float64)
    distance = torch.tensor([0.1, 0.3, 0.5, 0.8], dtype=torch.float64)
    found = adaptive_wing(truth + side * distance, truth)
    torch.testing.assert_close(found, torch.tensor(values, dtype=torch.float64), atol=5e-7, rtol=0)
    assert found[3].item() == pytest.approx(slope * 0.8 - offset, abs=1e-5)


@given(st.floats(0, 1), st.sampled_from([-1.0, 1.0]))
def test_adaptive_wing_and_its_slope_are_continuous_at_theta(target, side):
    truth = torch.tensor(target, dtype=torch.float64)
    ends = []
    for step in (-1e-7, 1e-7):
        predicted = (truth + side * (0.5 + step)).clone().requires_grad_()
        value = adaptive_wing(predicted, truth)
        value.backward()
        ends.append((value.item(), predicted.grad.item()))
    assert ends[0] == pytest.approx(ends[1], abs=2e-5)


def test_gradients_are_those_of_the_value():
    generator = torch.Generator().manual_seed(0)
    target = torch.rand(40, generator=generator, dtype=torch.float64)
    predicted = 3 * torch.randn(40, generator=generator, dtype=torch.float64)
    predicted.requires_grad_()
    assert torch.autograd.gradcheck(lambda at: adaptive_wing(at, target), (predicted,))


@pytest.mark.parametrize("distance", [0.0, 1e-30, 1e4, 1e30])
def test_no_distance_makes_the_loss_or_its_gradient_not_a_number(distance):
    for target in (0.0, 0.5, 1.0):
        predicted = torch.tensor(target + distance, requires_grad=True)
        value = adaptive_wing(predicted, torch.tensor(target))
        value.backward()
        assert math.isfinite(value.item())
        assert math.isfinite(predicted.grad.item())


def test_weight_map_marks_the_dilated_foreground():
    target = torch.zeros(1, 1, 6, 6)
    target[0, 0, 2, 2], target[0, 0, 5, 5] = 1.0, 0.19
    weights = weight_map(target)
    assert (weights[0, 0, 1:4, 1:4] == 11).all()
    assert weights.sum() == 36 + 10 * 9
    assert weight_map(torch.full((1, 1, 1, 1), 0.2)).item() == 11


ATTRIBUTES = torch.tensor([[1.0, 0, 0], [1, 1, 0], [0, 0, 0], [0, 0, 0]])


def test_focal_factor_as_printed_is_one_number_a_batch():
    # 4 faces: the first attribute is twice there, the second once, the third never.
    assert focal_factor(ATTRIBUTES).tolist() == [2 + 4 + 1] * 4


def test_focal_factor_per_sample_stresses_the_faces_that_have_the_attribute():
    found = focal_factor(ATTRIBUTES, "per-sample")
    assert found.tolist() == [2 + 1 + 1, 2 + 4 + 1, 3, 3]
    assert focal_factor(ATTRIBUTES, "none").tolist() == [1] * 4


def test_rare_attributes_weigh_more():
    generator = torch.Generator().manual_seed(0)
    rare = (torch.rand(64, 6, generator=generator) < 0.1).float()
    common = (torch.rand(64, 6, generator=generator) < 0.6).float()
    assert focal_factor(rare)[0] > focal_factor(common)[0] > 6


def maps(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_propnet_loss_adds_stages_and_weighs_boundaries_by_beta():
    heatmaps, boundaries = maps(2, 5, 8, 8), maps(2, 3, 8, 8, seed=1)
    truth, edges = maps(2, 5, 8, 8, seed=2), maps(2, 3, 8, 8, seed=3)
    points = adaptive_wing(heatmaps, truth).mean(dim=(2, 3)).sum(dim=1).mean()
    curves = adaptive_wing(boundaries, edges).mean(dim=(2, 3)).sum(dim=1).mean()

    def loss(stages=1, **options):
        return propnet_loss([heatmaps] * stages, [boundaries] * stages, truth, edges, **options)

    torch.testing.assert_close(loss(), points + 0.5 * curves)
    torch.testing.assert_close(loss(beta=2.0), points + 2 * curves)
    torch.testing.assert_close(loss(stages=3), 3 * (points + 0.5 * curves))
    ones = torch.ones(2, 6, dtype=torch.float64)
    torch.testing.assert_close(loss(attributes=ones), 6 * (points + 0.5 * curves))


def test_a_face_of_a_rare_attribute_weighs_its_own_loss():
    heatmaps, truth = maps(2, 5, 8, 8), maps(2, 5, 8, 8, seed=2)
    each = adaptive_wing(heatmaps, truth).mean(dim=(2, 3)).sum(dim=1)
    found = map_loss([heatmaps], truth, faces=torch.tensor([3.0, 1.0]))
    torch.testing.assert_close(found, (3 * each[0] + each[1]) / 2)


def test_awing_loss_weighs_the_foreground():
    heatmaps, boundaries = maps(2, 5, 8, 8), maps(2, 1, 8, 8, seed=1)
    dark = torch.zeros_like(heatmaps)
    plain = map_loss([heatmaps], dark)
    torch.testing.assert_close(awing_loss([heatmaps], [], dark, dark), plain)
    bright = torch.ones_like(heatmaps)
    weighed = awing_loss([heatmaps], [boundaries], bright, torch.zeros_like(boundaries))
    rest = map_loss([boundaries], torch.zeros_like(boundaries))
    torch.testing.assert_close(weighed, 11 * map_loss([heatmaps], bright) + rest)


def test_estimator_and_regressor_losses():
    target = torch.zeros(2, 13, 4, 4)
    assert estimator_loss([target + 1, target + 2], target).item() == 13 * 16 * (0.5 + 2)
    truth = torch.zeros(2, 5, 2)
    assert regressor_loss(truth + 0.5, truth).item() == pytest.approx(10 * 0.125)
    assert regressor_loss(truth + 3, truth).item() == pytest.approx(10 * 2.5)


def test_boundary_effectiveness_counts_near_landmarks_of_each_boundary():
    chains = list(lab_chains(WFLW98).values())
    truth = torch.zeros(1, WFLW98.landmarks, 2)
    assert boundary_effectiveness(truth + 1, truth, chains).tolist() == [[1.0] * 13]
    assert boundary_effectiveness(truth + 2, truth, chains).tolist() == [[0.0] * 13]
    off = truth.clone()
    brow = chains[1]
    off[0, brow[0]] = 9  # one of five: four fifths are still near
    assert boundary_effectiveness(off, truth, chains)[0, 1] == 1
    off[0, brow[1]] = 9
    assert boundary_effectiveness(off, truth, chains)[0, 1] == 0


def test_discriminator_loss_is_the_papers_formula():
    real, fake = torch.tensor([[0.3, -1.0]]), torch.tensor([[2.0, -0.5]])
    effective = torch.tensor([[1.0, 0.0]])
    formula = -real.sigmoid().log() - (1 - (fake.sigmoid() - effective).abs()).log()
    torch.testing.assert_close(discriminator_loss(real, fake, effective), formula.mean())
    torch.testing.assert_close(adversarial_loss(fake), (1 - fake.sigmoid()).log().mean())
    sure = torch.full((1, 13), 1e4, requires_grad=True)
    adversarial_loss(sure).backward()
    assert sure.grad.isfinite().all()
