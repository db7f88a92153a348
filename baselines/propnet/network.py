"""PropNet: landmarks propagate to boundaries, which tell the next stage where to look.

Huang et al., CVPR 2020. No code of it was released. What the text leaves open is an option here,
with the one reading as default that gives both the published numbers of parameters (36.30 M) and
of operations (42.83 G).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

from alignbench.markups import WFLW98, Markup
from baselines.blocks import BLOCKS, AntiAliasing, Block, Hourglass, Pooled, Pooling
from baselines.stacked import Coordinates, Merge, Stage, Stem


class PropNetOutput(NamedTuple):
    """PropNet's output, with one entry for each stage.

    ``heatmaps`` are (B, L, h, w), ``boundaries`` (B, M, h, w) in the order of the mark-up's
    chains; none without propagation.
    """

    heatmaps: list[Tensor]
    boundaries: list[Tensor]


class Propagation(nn.Module):
    """From points to curves: a boundary map from the heatmaps of its own landmarks alone.

    7 x 7 convolutions, one chain of them a boundary (section 3.1, figure 3).
    """

    def __init__(self, chains: Sequence[Sequence[int]], hidden: Sequence[int]) -> None:
        super().__init__()
        self._chains = [list(chain) for chain in chains]
        self.curves = nn.ModuleList(_curve(len(chain), hidden) for chain in chains)

    def forward(self, heatmaps: Tensor) -> Tensor:
        """Boundary maps (B, M, h, w) of landmark heatmaps (B, L, h, w)."""
        pairs = zip(self._chains, self.curves, strict=True)
        return torch.cat([curve(heatmaps[:, chain]) for chain, curve in pairs], dim=1)


def _curve(points: int, hidden: Sequence[int]) -> nn.Sequential:
    layers: list[nn.Module] = []
    channels = points
    for width in hidden:
        layers += [
            nn.Conv2d(channels, width, 7, padding=3),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
        ]
        channels = width
    return nn.Sequential(*layers, nn.Conv2d(channels, 1, 7, padding=3))


class Attention(nn.Module):
    """Where a stage's features matter, from the features and the boundaries (section 3.1)."""

    def __init__(
        self, width: int, boundaries: int, depth: int, block: Block, pooling: Pooling
    ) -> None:
        super().__init__()
        pooling.require_depth("attention_depth", depth)
        self.fuse = nn.Conv2d(width + boundaries, width, 1)
        self.hourglass = Hourglass(depth, partial(BLOCKS[block], width, width), pooling.make)

    def forward(self, features: Tensor, boundaries: Tensor) -> Tensor:
        """Weights (B, width, h, w) from 0 to 1."""
        return self.hourglass(self.fuse(torch.cat([features, boundaries], dim=1))).sigmoid()


class PropNet(nn.Module):
    """PropNet, with every switch of its ablation (Tables 4 to 7).

    Parameters
    ----------
    stacks, width, depth
        Hourglasses, channels and how often an hourglass halves its map. The paper's are 4; the
        other two follow from its complexity.
    propagation
        Whether boundaries are propagated and weigh the features. Without, a stage hands features
        and heatmaps on through 1 x 1 convolutions as FAN does: the paper's baseline.
    block, attention_block
        Blocks of stem and hourglasses, and of the attention's hourglass: multi-view (the paper's)
        or bottleneck, its baseline's.
    pooling
        Inferred: what is pooled, the average of 2 x 2 pixels or their maximum. The count is the
        same.
    anti_aliasing
        Kernel of the blur in anti-aliased pooling, None for plain pooling. The paper takes 3. The
        blur takes the place of average pooling, so that a kernel of 2 is the average pool itself,
        and follows maximum pooling of stride 1.
    anti_aliased_stem
        Whether the same blur also halves the map after the stem's convolution, whose stride is 1
        then instead of 2. Inferred: with it, the network would have 2 % more operations than
        published.
    hidden
        Inferred: channels between the 7 x 7 convolutions of a boundary. One layer of 32 is the
        only one of its family that gives the published numbers.
    attention_depth
        Depth of the attention's hourglass. Inferred: the "two-stage hourglass" of the text is
        one of depth 2; two hourglasses would have 31 % more parameters than published.
    residual
        Inferred: whether the weighted features are added to the stage's input, as stacked
        hourglasses do, or take its place. The text says only that they go on to the next stage;
        the count is the same.
    coordinates
        Inferred: CoordConv in stem and every stage ("all"), in the stem ("stem") or nowhere
        ("none"); only the first gives the published numbers.
    dots
        Inferred: whether a boundary of a single landmark (the chin of COFW) has a map.
    """

    def __init__(
        self,
        markup: Markup = WFLW98,
        *,
        stacks: int = 4,
        width: int = 256,
        depth: int = 4,
        propagation: bool = True,
        block: Block = "multi-view",
        pooling: Pooled = "average",
        anti_aliasing: AntiAliasing = 3,
        anti_aliased_stem: bool = False,
        hidden: Sequence[int] = (32,),
        attention_depth: int = 2,
        attention_block: Block = "multi-view",
        residual: bool = True,
        coordinates: Coordinates = "all",
        dots: bool = True,
    ) -> None:
        super().__init__()
        chains = [chain for chain in markup.chains.values() if dots or len(chain) > 1]
        if propagation and not chains:
            raise ValueError(f"mark-up {markup.name} has no chains; accepted: propagation=false")
        if anti_aliased_stem and anti_aliasing is None:
            raise ValueError("anti_aliased_stem needs a kernel; accepted: anti_aliasing of 2, 3, 5")
        self.chains = chains if propagation else []
        self.residual = residual
        halving = Pooling(pooling, anti_aliasing)
        blur = anti_aliasing if anti_aliased_stem else None
        self.stem = Stem(width, block, halving, coordinates, blur)
        self.stages = nn.ModuleList(
            Stage(
                width, markup.landmarks, depth, block, halving,
                coordinates=coordinates == "all",
            )
            for _ in range(stacks)
        )  # fmt: skip
        self.propagations = nn.ModuleList(
            Propagation(chains, hidden) for _ in range(stacks if propagation else 0)
        )
        self.attentions = nn.ModuleList(
            Attention(width, len(chains), attention_depth, attention_block, halving)
            for _ in range(stacks if propagation else 0)
        )
        self.merges = nn.ModuleList(
            Merge(width, markup.landmarks) for _ in range(0 if propagation else stacks - 1)
        )

    def forward(self, images: Tensor) -> PropNetOutput:
        """The output for images (B, 3, H, W), RGB, from 0 to 1.

        As published, the last stage has an attention too, although nothing uses its result. In
        training it is left out, and its weights stay as they were drawn.
        """
        x = self.stem(images)
        output = PropNetOutput([], [])
        for k, stage in enumerate(self.stages):
            features, heatmaps = stage(x)
            output.heatmaps.append(heatmaps)
            if self.propagations:
                output.boundaries.append(self.propagations[k](heatmaps))
                if self.training and k == len(self.stages) - 1:
                    break
                x = self._attend(k, x, features, output.boundaries[-1])
            elif k < len(self.merges):
                x = x + self.merges[k](features, heatmaps)
        return output

    def _attend(self, stage: int, x: Tensor, features: Tensor, boundaries: Tensor) -> Tensor:
        attended = features * self.attentions[stage](features, boundaries)
        return x + attended if self.residual else attended

    def infer(self, images: Tensor) -> Tensor:
        """Heatmaps (B, L, h, w) of the last stage, without what only training needs.

        The last stage's propagation and attention, 4.3 G of 42.7 G multiply-adds, are left out.
        """
        x = self.stem(images)
        *before, last = self.stages
        for k, stage in enumerate(before):
            features, heatmaps = stage(x)
            if self.propagations:
                x = self._attend(k, x, features, self.propagations[k](heatmaps))
            else:
                x = x + self.merges[k](features, heatmaps)
        return last(x)[1]
