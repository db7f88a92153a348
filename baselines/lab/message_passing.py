"""LAB's message passing: boundaries tell each other where they are (Wu et al., CVPR 2018)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from baselines.lab.boundaries import BOUNDARIES

Tree = Mapping[str, Sequence[str]]

FORWARD: Tree = {
    "contour": ("left_brow", "right_brow", "left_eye_lower", "right_eye_lower", "lower_lip_lower"),
    "lower_lip_lower": ("lower_lip_upper",),
    "lower_lip_upper": ("upper_lip_lower",),
    "upper_lip_lower": ("upper_lip_upper",),
    "upper_lip_upper": ("nose_base",),
    "nose_base": ("nose_bridge",),
    "nose_bridge": ("left_eye_lower", "right_eye_lower"),
    "left_eye_lower": ("left_eye_upper",),
    "right_eye_lower": ("right_eye_upper",),
    "left_eye_upper": ("left_brow",),
    "right_eye_upper": ("right_brow",),
    "left_brow": (),
    "right_brow": (),
}
"""Who sends to whom, senders before receivers: from the contour to the brows."""

_NODE = 16
"""Channels of a boundary's node."""
_MESSAGE = 8
"""Channels of a message between its two convolutions."""


def _reverse(tree: Tree) -> Tree:
    """The same edges the other way, in the reverse order."""
    return {
        node: tuple(sender for sender, receivers in tree.items() if node in receivers)
        for node in reversed(list(tree))
    }


class _Messages(nn.Module):
    """Messages to several receivers: a 7 x 7 convolution to 8 channels, then one to 16.

    The convolutions of all receivers are computed together, once for each sender.
    """

    def __init__(self, receivers: int, bias: bool) -> None:
        super().__init__()
        way = _MESSAGE * receivers
        self._receivers = receivers
        self.body = nn.Sequential(
            nn.Conv2d(_NODE, way, 7, padding=3, bias=bias),
            nn.BatchNorm2d(way),
            nn.ReLU(inplace=True),
            nn.Conv2d(way, _NODE * receivers, 7, padding=3, groups=receivers, bias=bias),
        )

    def forward(self, node: Tensor) -> tuple[Tensor, ...]:
        return self.body(node).chunk(self._receivers, dim=1)


class _Direction(nn.Module):
    """One pass over the tree in one stage."""

    def __init__(self, width: int, tree: Tree, *, last: bool, bias: bool) -> None:
        super().__init__()
        self._tree, self._last = tree, last
        self.enter = nn.ModuleDict({n: nn.Conv2d(width, _NODE, 1, bias=bias) for n in tree})
        self.settle = nn.ModuleDict(
            {n: nn.Sequential(nn.BatchNorm2d(_NODE), nn.ReLU(inplace=True)) for n in tree}
        )
        # The last receiver of a node is itself in the next stage.
        self.send = nn.ModuleDict(
            {
                n: _Messages(len(receivers) + (not last), bias)
                for n, receivers in tree.items()
                if receivers or not last
            }
        )

    def forward(
        self, features: Tensor, inbox: Mapping[str, Tensor]
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Nodes by boundary, and messages to the next stage, from features and messages."""
        nodes: dict[str, Tensor] = {}
        onward: dict[str, Tensor] = {}
        pending = {name: [message] for name, message in inbox.items()}
        for name, receivers in self._tree.items():
            total = self.enter[name](features)
            for message in pending.get(name, ()):
                total = total + message
            nodes[name] = self.settle[name](total)
            if name not in self.send:
                continue
            messages = self.send[name](nodes[name])
            for receiver, message in zip(receivers, messages, strict=False):
                pending.setdefault(receiver, []).append(message)
            if not self._last:
                onward[name] = messages[-1]
        return nodes, onward


class MessagePassing(nn.Module):
    """Boundary maps of one stage, which get messages from their neighbours and the stage before.

    There are two passes, from the contour to the brows and back; their nodes together make the map.
    """

    def __init__(self, width: int, *, last: bool, bias: bool) -> None:
        super().__init__()
        trees = (FORWARD, _reverse(FORWARD))
        self.directions = nn.ModuleList(
            _Direction(width, tree, last=last, bias=bias) for tree in trees
        )
        self.read = nn.ModuleDict(
            {
                name: nn.Sequential(
                    nn.BatchNorm2d(2 * _NODE),
                    nn.ReLU(inplace=True),
                    nn.Conv2d(2 * _NODE, 1, 1, bias=bias),
                )
                for name in BOUNDARIES
            }
        )

    def forward(
        self, features: Tensor, inboxes: Sequence[Mapping[str, Tensor]]
    ) -> tuple[Tensor, list[dict[str, Tensor]]]:
        """Boundary maps (B, 13, h, w), and the messages of both directions to the next stage."""
        passes = [
            direction(features, inbox)
            for direction, inbox in zip(self.directions, inboxes, strict=True)
        ]
        (down, _), (up, _) = passes
        maps = [self.read[name](torch.cat([down[name], up[name]], dim=1)) for name in self.read]
        return torch.cat(maps, dim=1), [onward for _, onward in passes]
