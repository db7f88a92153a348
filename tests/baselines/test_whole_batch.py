"""What several processes compute of the whole batch; alone, a process has it all."""

from __future__ import annotations

import copy

import torch
from torch import nn

from baselines.whole_batch import WholeBatchNorm2d, normalise_whole_batches


def test_alone_it_is_batch_normalisation():
    torch.manual_seed(0)
    plain = nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.ReLU())
    plain.double()
    nn.init.uniform_(plain[0].weight)
    nn.init.normal_(plain[0].bias)
    whole = copy.deepcopy(plain)
    normalise_whole_batches(whole)
    assert [type(module) for module in whole] == [
        WholeBatchNorm2d, nn.Conv2d, WholeBatchNorm2d, nn.ReLU,
    ]  # fmt: skip
    maps = 3 + 2 * torch.randn(5, 3, 6, 7, dtype=torch.float64)
    slope, leaves, outputs = torch.randn(5, 4, 6, 7, dtype=torch.float64), [], []
    for network in (plain, whole):
        leaves.append(maps.clone().requires_grad_())
        outputs.append(network(leaves[-1]))
        (outputs[-1] * slope).sum().backward()
    torch.testing.assert_close(outputs[1], outputs[0])
    torch.testing.assert_close(leaves[1].grad, leaves[0].grad)
    for one, other in zip(plain.parameters(), whole.parameters(), strict=True):
        torch.testing.assert_close(other.grad, one.grad)
    torch.testing.assert_close(whole.state_dict(), plain.state_dict())
    torch.testing.assert_close(whole.eval()(maps), plain.eval()(maps))


def test_bfloat16_stays_bfloat16():
    norm = nn.Sequential(nn.BatchNorm2d(2))
    normalise_whole_batches(norm)
    maps = torch.randn(4, 2, 3, 3, dtype=torch.bfloat16, requires_grad=True)
    output = norm(maps)
    output.float().square().sum().backward()
    assert output.dtype == maps.grad.dtype == torch.bfloat16
