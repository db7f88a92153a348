"""What a network costs: parameters and operations.

Published tables mix counters. Three are here, each with its name:

``conv``
    Multiply-adds of convolutions and fully connected layers, each counted once.
``thop``
    As the package thop counts: ``conv``, and one operation for each output element of a
    convolution with bias, and two for each element a batch normalisation sees. Activations,
    pooling, upsampling and fixed filters count nothing.
``flops``
    PyTorch's own counter: two operations a multiply-add, fixed filters included.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from alignbench.errors import InputError
from alignbench.predictors import Predictor
from alignbench.predictors.network import Inference, NetworkPredictor


@dataclass(frozen=True)
class Counts:
    """Size and operations of a network for one image.

    Attributes
    ----------
    parameters
        Elements of what is learned: running statistics and fixed filters are not.
    conv, thop, flops
        Operations by the three counters of this module.
    """

    parameters: int
    conv: int
    thop: int
    flops: int


def count(network: nn.Module, example: Tensor) -> Counts:
    """Parameters of a network, and the operations of its forward pass on an example.

    Parameters
    ----------
    network
        Counted as it stands in evaluation; its mode is put back.
    example
        Its input, a batch of one. Network and example may be on the ``meta`` device, where
        nothing is computed.
    """
    conv, extra = [0], [0]

    def layer(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        if isinstance(module, nn.modules.conv._ConvNd):
            # Of a transposed convolution each input element meets every weight.
            seen = inputs[0] if module.transposed else output
            conv[0] += seen.numel() * module.weight[0].numel()
            extra[0] += 0 if module.bias is None else output.numel()
        elif isinstance(module, nn.Linear):
            conv[0] += output.numel() * module.in_features
        elif isinstance(module, nn.modules.batchnorm._BatchNorm):
            extra[0] += 2 * output.numel()

    hooks = [module.register_forward_hook(layer) for module in network.modules()]
    training = network.training
    counter = FlopCounterMode(display=False)
    try:
        with torch.no_grad(), counter:
            network.eval()(example)
    finally:
        network.train(training)
        for hook in hooks:
            hook.remove()
    parameters = sum(parameter.numel() for parameter in network.parameters())
    return Counts(parameters, conv[0], conv[0] + extra[0], counter.get_total_flops())


@dataclass(frozen=True)
class Complexity:
    """Counts of a model: of its whole network, and of what it computes to find landmarks."""

    name: str
    network: Counts
    inference: Counts


def count_predictor(name: str, predictor: Predictor) -> Complexity:
    """Counts of a predictor's network, under the name it was asked for by.

    A network with options of its own is called by these, wherever they came from.

    Raises
    ------
    InputError
        If it has no torch network.
    """
    made = network_of(name, predictor)
    example = torch.zeros(1, *made.input_shape)
    if made.variant or made.name == name.partition(":")[0]:
        name = f"{made.name}:{made.variant}".rstrip(":")
    return Complexity(name, count(made.network, example), count(Inference(made.network), example))


def network_of(name: str, predictor: Predictor) -> NetworkPredictor:
    """A predictor that is a torch network; InputError if it is none."""
    if not isinstance(predictor, NetworkPredictor):
        raise InputError(f"model {name!r}", "is no torch network", "such as propnet, awing, lab")
    return predictor
