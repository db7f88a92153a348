"""Speed of drawing synthetic faces and of a step of training; nothing is asserted of time."""

from __future__ import annotations

import shutil

import pytest
import torch

from alignbench import threads
from alignbench.synthetic.write import write
from baselines.landmark_maps import adaptive_wing, map_loss

FACES = 120
BATCH = 16


@pytest.mark.benchmark(group="draw synthetic faces of 256 x 256")
@pytest.mark.parametrize("processes", [1, 2])
def test_drawing(benchmark, processes, tmp_path):
    def empty():
        shutil.rmtree(tmp_path)

    def draw():
        with threads.temporary_limit(processes):
            write(tmp_path, {"test": FACES}, 0, lambda *_: None)

    benchmark.extra_info["faces"] = FACES
    benchmark.pedantic(draw, setup=empty, rounds=3)


def by_autograd(predicted, target):
    """Adaptive Wing as its formula stands, its slope left to autograd."""
    distance = (predicted - target).abs()
    exponent = 2.1 - target
    power = 0.5**exponent
    slope = 14 / (1 + power) * exponent * 0.5 ** (exponent - 1)
    offset = 0.5 * slope - 14 * torch.log1p(power)
    near = 14 * torch.log1p(distance.clamp(max=0.5) ** exponent)
    return torch.where(distance < 0.5, near, slope * distance - offset)


def of_autograd(stages, target):
    return sum(by_autograd(maps, target).mean(dim=(2, 3)).sum(dim=1).mean() for maps in stages)


@pytest.mark.benchmark(group="Adaptive Wing of two stages of 98 maps of 24 x 24 and its gradient")
@pytest.mark.parametrize("way", [map_loss, of_autograd])
def test_adaptive_wing(benchmark, way):
    torch.manual_seed(0)
    target = torch.rand(BATCH, 98, 24, 24)
    stages = [torch.rand_like(target).requires_grad_() for _ in range(2)]

    def step():
        way(stages, target).backward()

    benchmark.extra_info["faces"] = BATCH
    benchmark(step)
    for maps in stages:
        maps.grad = None
    step()
    (wanted,) = torch.autograd.grad(by_autograd(stages[0], target).mean(), stages[0])
    torch.testing.assert_close(stages[0].grad, wanted * 98, rtol=1e-3, atol=1e-6)
    torch.testing.assert_close(adaptive_wing(stages[0], target), by_autograd(stages[0], target))
