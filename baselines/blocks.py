"""The blocks the three networks are built of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import comb
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (its usual name)

Block = Literal["multi-view", "bottleneck"]
AntiAliasing = Literal[2, 3, 5] | None  # not landmarks
Pooled = Literal["average", "max"]


def require(name: str, value: int, fits: bool, accepted: str) -> None:
    """Raise ValueError where an option's value does not fit."""
    if not fits:
        raise ValueError(f"{name} is {value}; accepted: {accepted}")


def bn_relu_conv(in_channels: int, out_channels: int, kernel_size: int) -> nn.Sequential:
    """Pre-activation convolution that keeps the size of a map."""
    return nn.Sequential(
        nn.BatchNorm2d(in_channels),
        nn.ReLU(inplace=True),
        nn.Conv2d(in_channels, out_channels, kernel_size, padding=kernel_size // 2, bias=False),
    )


class CoordConv(nn.Module):
    """A convolution that sees where it is: CoordConv (Liu et al., NeurIPS 2018).

    Three channels are appended: vertical and horizontal position from -1 to 1 at the outermost
    pixel centres, and the distance from the middle as a fraction of the largest. With
    ``masked``, two more: the positions inside a region, zero outside (AWing's coordinates of the
    boundary). The vertical channel comes first because it does in AWing's code, whose weights
    this must read.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        *,
        masked: bool = False,
    ) -> None:
        super().__init__()
        channels = in_channels + (5 if masked else 3)
        self.conv = nn.Conv2d(channels, out_channels, kernel_size, stride, padding=kernel_size // 2)

    def forward(self, maps: Tensor, region: Tensor | None = None) -> Tensor:
        """The output for maps (B, C, H, W) and, if masked, a region (B, 1, H, W) of booleans."""
        batch, _, height, width = maps.shape
        line = partial(torch.linspace, -1, 1, dtype=maps.dtype, device=maps.device)
        y, x = torch.meshgrid(line(height), line(width), indexing="ij")
        radius = (y.square() + x.square()).sqrt()
        where = torch.stack([y, x, radius / radius.max()]).expand(batch, -1, -1, -1)
        if region is None:
            return self.conv(torch.cat([maps, where], dim=1))
        return self.conv(torch.cat([maps, where, where[:, :2] * region], dim=1))


class MultiViewBlock(nn.Module):
    """Three 3 x 3 convolutions in a row, whose outputs are concatenated.

    The hierarchical, parallel and multi-scale block of Bulat and Tzimiropoulos (ICCV 2017), which
    PropNet calls multi-view block: half the channels see 3 x 3 pixels, a quarter 5 x 5 and a
    quarter 7 x 7.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        half, quarter = out_channels // 2, out_channels // 4
        self.near = bn_relu_conv(in_channels, half, 3)
        self.wider = bn_relu_conv(half, quarter, 3)
        self.widest = bn_relu_conv(quarter, quarter, 3)
        self.skip = _skip(in_channels, out_channels)

    def forward(self, maps: Tensor) -> Tensor:
        """Maps of ``out_channels`` channels and the same size."""
        near = self.near(maps)
        wider = self.wider(near)
        widest = self.widest(wider)
        return torch.cat([near, wider, widest], dim=1) + self.skip(maps)


class Bottleneck(nn.Module):
    """Pre-activation bottleneck of half the channels: what the multi-view block replaced."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        half = out_channels // 2
        self.body = nn.Sequential(
            bn_relu_conv(in_channels, half, 1),
            bn_relu_conv(half, half, 3),
            bn_relu_conv(half, out_channels, 1),
        )
        self.skip = _skip(in_channels, out_channels)

    def forward(self, maps: Tensor) -> Tensor:
        """Maps of ``out_channels`` channels and the same size."""
        return self.body(maps) + self.skip(maps)


def _skip(in_channels: int, out_channels: int) -> nn.Module:
    if in_channels == out_channels:
        return nn.Identity()
    return bn_relu_conv(in_channels, out_channels, 1)


BLOCKS: dict[Block, type[nn.Module]] = {"multi-view": MultiViewBlock, "bottleneck": Bottleneck}
assert set(BLOCKS) == set(get_args(Block))


class AntiAliasedPool(nn.Module):
    """Binomial blur of a kernel of k x k pixels, then every second pixel (Zhang, ICML 2019).

    The kernel is the outer product of the binomial coefficients of order k - 1, of sum 1; the
    map is mirrored about its border pixels. Nothing in it is learned, and a checkpoint does not
    hold it. With k = 2 it is 2 x 2 average pooling of a map of even size.
    """

    kernel: Tensor

    def __init__(self, kernel_size: int) -> None:
        super().__init__()
        row = torch.tensor([comb(kernel_size - 1, k) for k in range(kernel_size)])
        kernel = torch.outer(row, row) / row.sum() ** 2
        self.register_buffer("kernel", kernel[None, None], persistent=False)
        self._before = (kernel_size - 1) // 2
        self._after = kernel_size - 2 - self._before

    def forward(self, maps: Tensor) -> Tensor:
        """Maps (B, C, H / 2, W / 2), their sizes rounded up, of maps (B, C, H, W)."""
        _, channels, height, width = maps.shape
        # In a map of even size, the last pixel that is kept is the last but one. The margin behind
        # it is then one pixel less.
        margin = (
            self._before, self._after + width % 2, self._before, self._after + height % 2
        )  # fmt: skip
        framed = F.pad(maps, margin, mode="reflect") if any(margin) else maps
        return F.conv2d(framed, self.kernel.repeat(channels, 1, 1, 1), stride=2, groups=channels)


@dataclass(frozen=True)
class Pooling:
    """How maps are halved.

    Without a ``blur``, a map is halved by the average or the maximum of 2 x 2 pixels. With a blur
    (Zhang, ICML 2019), the blur takes the place of average pooling. Maximum pooling then becomes a
    maximum over 2 x 2 pixels with stride 1, followed by the blur.
    """

    pooled: Pooled = "average"
    blur: AntiAliasing = None

    def make(self) -> nn.Module:
        """A layer that halves a map of even size."""
        if self.blur is None:
            return nn.AvgPool2d(2) if self.pooled == "average" else nn.MaxPool2d(2)
        blur = AntiAliasedPool(self.blur)
        if self.pooled == "average":
            return blur
        return nn.Sequential(nn.MaxPool2d(2, stride=1), blur)

    def require_depth(self, name: str, depth: int) -> None:
        """Raise ValueError where a map of 64 x 64 cannot be halved so often."""
        # A map that is mirrored beyond its border by one or two pixels must have two or three. The
        # maximum takes one pixel away.
        is_blurred_maximum = self.blur is not None and self.pooled == "max"
        deepest = 5 if self.blur == 5 or is_blurred_maximum else 6
        require(name, depth, depth <= deepest, f"1 to {deepest}")


_nearest = partial(nn.Upsample, scale_factor=2, mode="nearest")


class Hourglass(nn.Module):
    """Down and up again with a skip at every scale (Newell et al., ECCV 2016).

    Parameters
    ----------
    depth
        How often the map is halved.
    block, pool, enlarge
        Make a block that keeps channels and size, a layer that halves the size and one that
        doubles it.
    """

    def __init__(
        self,
        depth: int,
        block: Callable[[], nn.Module],
        pool: Callable[[], nn.Module],
        enlarge: Callable[[], nn.Module] = _nearest,
    ) -> None:
        super().__init__()
        self.skip = block()
        self.pool = pool()
        self.down = block()
        self.inner = Hourglass(depth - 1, block, pool, enlarge) if depth > 1 else block()
        self.up = block()
        self.enlarge = enlarge()

    def forward(self, maps: Tensor) -> Tensor:
        """Maps of the same shape."""
        low = self.up(self.inner(self.down(self.pool(maps))))
        return self.skip(maps) + self.enlarge(low)
