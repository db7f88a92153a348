"""What AWing and PropNet share: a stem, then stages of an hourglass and a head each."""

from __future__ import annotations

from functools import partial
from typing import Literal

import torch.nn.functional as F  # noqa: N812 (its usual name)
from torch import Tensor, nn

from baselines.blocks import (
    BLOCKS,
    AntiAliasedPool,
    Block,
    CoordConv,
    Hourglass,
    Pooling,
    require,
)

Coordinates = Literal["all", "stem", "none"]
"""Which convolutions see where they are: the stem's and every stage's, the stem's, or none."""


class Stem(nn.Module):
    """From the image to feature maps of a quarter of its side.

    Parameters
    ----------
    blur
        Kernel of a blur that halves the map after the first convolution, whose stride is 1 then;
        None for a convolution of stride 2.
    """

    def __init__(
        self,
        width: int,
        block: Block,
        pooling: Pooling,
        coordinates: Coordinates,
        blur: int | None = None,
    ) -> None:
        super().__init__()
        require("width", width, width % 8 == 0, "a multiple of 8")
        make = BLOCKS[block]
        stride = 2 if blur is None else 1
        self.conv = (
            nn.Conv2d(3, width // 4, 7, stride, padding=3)
            if coordinates == "none"
            else CoordConv(3, width // 4, 7, stride)
        )
        self.bn = nn.BatchNorm2d(width // 4)
        self.blur = None if blur is None else AntiAliasedPool(blur)
        self.block1 = make(width // 4, width // 2)
        self.pool = pooling.make()
        self.block2 = make(width // 2, width // 2)
        self.block3 = make(width // 2, width)

    def forward(self, images: Tensor) -> Tensor:
        """Maps (B, width, H / 4, W / 4) of images (B, 3, H, W)."""
        half = F.relu(self.bn(self.conv(images)), inplace=True)
        if self.blur is not None:
            half = self.blur(half)
        return self.block3(self.block2(self.pool(self.block1(half))))


class Stage(nn.Module):
    """One hourglass with the features F and the heatmaps H it leads to.

    Parameters
    ----------
    maps
        Heatmaps of the head.
    coordinates
        Whether the stage begins with a 1 x 1 CoordConv.
    masked
        Whether that one also sees coordinates inside a region.
    """

    def __init__(
        self,
        width: int,
        maps: int,
        depth: int,
        block: Block,
        pooling: Pooling,
        *,
        coordinates: bool,
        masked: bool = False,
    ) -> None:
        super().__init__()
        pooling.require_depth("depth", depth)
        make = partial(BLOCKS[block], width, width)
        self.coordconv = CoordConv(width, width, 1, masked=masked) if coordinates else None
        self.hourglass = Hourglass(depth, make, pooling.make)
        self.top = make()
        self.conv = nn.Conv2d(width, width, 1)
        self.bn = nn.BatchNorm2d(width)
        self.head = nn.Conv2d(width, maps, 1)

    def forward(self, x: Tensor, region: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Features (B, width, h, w) and heatmaps (B, maps, h, w) of the stage's input."""
        if self.coordconv is not None:
            x = self.coordconv(x, region)
        features = F.relu(self.bn(self.conv(self.top(self.hourglass(x)))), inplace=True)
        return features, self.head(features)


class Merge(nn.Module):
    """What a stage adds to its input: features and heatmaps, each through a 1 x 1 convolution."""

    def __init__(self, width: int, maps: int) -> None:
        super().__init__()
        self.features = nn.Conv2d(width, width, 1)
        self.heatmaps = nn.Conv2d(maps, width, 1)

    def forward(self, features: Tensor, heatmaps: Tensor) -> Tensor:
        """Maps (B, width, h, w) to be added to the stage's input."""
        return self.features(features) + self.heatmaps(heatmaps)
