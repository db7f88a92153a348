"""LAB: boundary heatmaps first, landmarks from image and boundaries (Wu et al., CVPR 2018).

The released model's prototxt is not public; this reading has its published parameters (12.29 M)
and multiply-adds (18.85 G) to the last digit.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (its usual name)

from alignbench.markups import WFLW98, Markup
from baselines.blocks import Hourglass, require
from baselines.lab.boundaries import BOUNDARIES as NAMES
from baselines.lab.message_passing import MessagePassing

BOUNDARIES = len(NAMES)


class LABOutput(NamedTuple):
    """LAB's output.

    ``boundaries`` are maps (B, 13, h, w), an entry a stage, in the order of
    :data:`baselines.lab.boundaries.BOUNDARIES`; ``points`` (B, L, 2) landmarks as fractions of the
    window's side, counted from its edge.
    """

    boundaries: list[Tensor]
    points: Tensor


def _bn_relu(channels: int) -> nn.Sequential:
    return nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU(inplace=True))


class Residual(nn.Module):
    """LAB's residual unit: a pre-activation bottleneck of a quarter of the channels.

    A unit that changes the shape gets an input that is activated already. It has no first
    activation, and its shortcut is a single 1 x 1 convolution.
    """

    def __init__(self, in_channels: int, middle: int, *, stride: int = 1, bias: bool) -> None:
        super().__init__()
        out_channels = 4 * middle
        changes = stride != 1 or in_channels != out_channels
        self.body = nn.Sequential(
            nn.Identity() if changes else _bn_relu(in_channels),
            nn.Conv2d(in_channels, middle, 1, bias=bias),
            _bn_relu(middle),
            nn.Conv2d(middle, middle, 3, stride, padding=1, bias=bias),
            _bn_relu(middle),
            nn.Conv2d(middle, out_channels, 1, bias=bias),
        )
        self.skip = (
            nn.Conv2d(in_channels, out_channels, 1, stride, bias=bias) if changes else nn.Identity()
        )

    def forward(self, maps: Tensor) -> Tensor:
        """Maps (B, 4 middle, H / stride, W / stride)."""
        return self.body(maps) + self.skip(maps)


class Estimator(nn.Module):
    """Boundary heatmaps from the image: stacked hourglasses with message passing."""

    def __init__(
        self, channels: int, stacks: int, width: int, *, message_passing: bool, bias: bool
    ) -> None:
        super().__init__()
        quarter = width // 4
        self.stem = nn.Sequential(
            nn.Conv2d(channels, quarter, 7, stride=2, padding=3, bias=bias),
            _bn_relu(quarter),
            Residual(quarter, width // 8, bias=bias),
            nn.MaxPool2d(3, stride=2, padding=1),
            Residual(width // 2, width // 8, bias=bias),
            _bn_relu(width // 2),
            Residual(width // 2, quarter, bias=bias),
        )
        block = partial(Residual, width, quarter, bias=bias)
        enlarge = partial(nn.Upsample, scale_factor=2, mode="bilinear", align_corners=True)
        self.features = nn.ModuleList(
            nn.Sequential(
                Hourglass(4, block, partial(nn.MaxPool2d, 2), enlarge),
                block(),
                _bn_relu(width),
                nn.Conv2d(width, width, 1, bias=bias),
            )
            for _ in range(stacks)
        )
        self.heads = nn.ModuleList(
            MessagePassing(width, last=k == stacks - 1, bias=bias)
            if message_passing
            else nn.Sequential(_bn_relu(width), nn.Conv2d(width, BOUNDARIES, 1, bias=bias))
            for k in range(stacks)
        )
        self.merge_features = nn.ModuleList(
            nn.Sequential(_bn_relu(width), nn.Conv2d(width, width, 1, bias=bias))
            for _ in range(stacks - 1)
        )
        self.merge_boundaries = nn.ModuleList(
            nn.Conv2d(BOUNDARIES, width, 1, bias=bias) for _ in range(stacks - 1)
        )

    def forward(self, images: Tensor) -> list[Tensor]:
        """Boundary maps (B, 13, h, w) of every stage."""
        x = self.stem(images)
        messages: list[dict[str, Tensor]] = [{}, {}]
        outputs = []
        for k, (stage, head) in enumerate(zip(self.features, self.heads, strict=True)):
            features = stage(x)
            if isinstance(head, MessagePassing):
                boundaries, messages = head(features, messages)
            else:
                boundaries = head(features)
            outputs.append(boundaries)
            if k < len(self.merge_features):
                x = x + self.merge_features[k](features) + self.merge_boundaries[k](boundaries)
        return outputs


class _Focus(nn.Module):
    """Down ``depth`` times and up again, with skips on all but the outermost scale."""

    def __init__(self, depth: int, width: int, *, skip: bool, bias: bool) -> None:
        super().__init__()
        block = partial(Residual, width, width // 4, bias=bias)
        self.skip = block() if skip else None
        self.body = nn.Sequential(
            nn.MaxPool2d(2),
            block(),
            _Focus(depth - 1, width, skip=True, bias=bias) if depth > 1 else nn.Identity(),
            block(),
            nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True),
        )

    def forward(self, maps: Tensor) -> Tensor:
        low = self.body(maps)
        return low if self.skip is None else self.skip(maps) + low


class Fusion(nn.Module):
    """Weigh features by where the boundaries are, at one scale, and halve the scale."""

    def __init__(self, width: int, depth: int, *, bias: bool) -> None:
        super().__init__()
        self.attention = nn.Sequential(
            _bn_relu(width + BOUNDARIES),
            nn.Conv2d(width + BOUNDARIES, width, 1, bias=bias),
            _Focus(depth, width, skip=False, bias=bias),
            _bn_relu(width),
            nn.Conv2d(width, width, 1, bias=bias),
            _bn_relu(width),
            nn.Conv2d(width, width, 1, bias=bias),
            nn.Tanh(),
        )
        self.halve = nn.Sequential(
            _bn_relu(width),
            Residual(width, width // 2, stride=2, bias=bias),
            Residual(2 * width, width // 2, bias=bias),
        )

    def forward(self, features: Tensor, boundaries: Tensor) -> Tensor:
        """Features (B, 2 width, h / 2, w / 2) of features and boundaries of size h x w."""
        weight = self.attention(torch.cat([boundaries, features], dim=1))
        return self.halve(features + weight * features)


def _resize(maps: Tensor, factor: float) -> Tensor:
    """Maps (B, C, factor H, factor W) by bilinear interpolation in which corners stay corners.

    Caffe's layer Interp does this, whether it enlarges maps or makes them smaller.
    """
    return F.interpolate(maps, scale_factor=factor, mode="bilinear", align_corners=True)


class Regressor(nn.Module):
    """Landmarks from the image and its boundary maps."""

    def __init__(self, landmarks: int, channels: int, width: int, side: int, *, bias: bool) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d((BOUNDARIES + 1) * channels, width // 2, 7, 2, padding=3, bias=bias),
            _bn_relu(width // 2),
            nn.MaxPool2d(3, stride=2, padding=1),
            _bn_relu(width // 2),
            Residual(width // 2, width // 4, bias=bias),
            Residual(width, width // 4, bias=bias),
        )
        self.fusions = nn.ModuleList(
            Fusion(width * 2**k, depth, bias=bias) for k, depth in enumerate((3, 2, 1))
        )
        self.settle = _bn_relu(8 * width)
        self.points = nn.Sequential(
            nn.Linear(8 * width * (side // 32) ** 2, 8 * width),
            nn.ReLU(inplace=True),
            nn.Linear(8 * width, 8 * width),
            nn.ReLU(inplace=True),
            nn.Linear(8 * width, 2 * landmarks),
        )
        last = self.points[-1]
        assert isinstance(last, nn.Linear)
        nn.init.constant_(last.bias, 0.5)  # an untrained network guesses the middle

    def forward(self, images: Tensor, boundaries: Tensor) -> Tensor:
        """Landmarks (B, L, 2) of images (B, C, H, W) and maps (B, 13, H / 4, W / 4)."""
        masks = _resize(boundaries, 4)
        seen = (masks[:, :, None] * images[:, None]).flatten(1, 2)
        x = self.stem(torch.cat([seen, images], dim=1))
        for scale, fusion in enumerate(self.fusions):
            x = fusion(x, _resize(boundaries, 1 / 2**scale))
        points = self.points(self.settle(x).flatten(1))
        return points.unflatten(1, (-1, 2))


class LAB(nn.Module):
    """Boundary estimator and boundary-aware regressor.

    Parameters
    ----------
    stacks, width
        Hourglasses of the estimator and its channels: 4 and 256 as published.
    regressor_width
        Channels of the regressor's first scale.
    channels
        1 for a grey image, as published, or 3.
    side
        Side of the images in pixels, a multiple of 64.
    message_passing
        Whether boundaries tell each other where they are.
    bias
        Whether convolutions have biases; the published number of parameters implies them.
    """

    def __init__(
        self,
        markup: Markup = WFLW98,
        *,
        stacks: int = 4,
        width: int = 256,
        regressor_width: int = 32,
        channels: int = 1,
        side: int = 256,
        message_passing: bool = True,
        bias: bool = True,
    ) -> None:
        super().__init__()
        require("side", side, side % 64 == 0, "a multiple of 64")
        require("width", width, width % 8 == 0, "a multiple of 8")
        require("regressor_width", regressor_width, regressor_width % 4 == 0, "a multiple of 4")
        require("channels", channels, channels in (1, 3), "1 or 3")
        self.estimator = Estimator(
            channels, stacks, width, message_passing=message_passing, bias=bias
        )
        self.regressor = Regressor(markup.landmarks, channels, regressor_width, side, bias=bias)

    def forward(self, images: Tensor) -> LABOutput:
        """The output for images (B, C, side, side).

        Each channel of an image has mean 0 and standard deviation 1.
        """
        boundaries = self.estimator(images)
        return LABOutput(boundaries, self.regressor(images, boundaries[-1]))

    def infer(self, images: Tensor) -> Tensor:
        """Landmarks (B, L, 2), all that a user of the network looks at."""
        return self(images).points


class Discriminator(nn.Module):
    """Tells true boundary maps from estimated ones, one verdict a boundary; for training only.

    Gives logits (B, 13): their sigmoid is the probability that a boundary map is as good as a
    true one.

    Parameters
    ----------
    side
        Side of the maps in pixels, a multiple of 16: 64 as published.
    """

    def __init__(self, side: int = 64) -> None:
        super().__init__()
        require("side", side, side % 16 == 0, "a multiple of 16")

        def convolution(
            inside: int, outside: int, kernel: int, stride: int = 1, padding: int = 0
        ) -> nn.Sequential:
            return nn.Sequential(
                nn.Conv2d(inside, outside, kernel, stride, padding), _bn_relu(outside)
            )

        shrink = partial(nn.MaxPool2d, 3, stride=2, padding=1)
        self.body = nn.Sequential(
            convolution(BOUNDARIES, 64, 2, stride=2),
            shrink(),
            convolution(64, 192, 5, padding=2),
            shrink(),
            convolution(192, 384, 3, padding=1),
            convolution(384, 256, 3, padding=1),
            convolution(256, 256, 3, padding=1),
            shrink(),
            nn.Flatten(),
            nn.Linear(256 * (side // 16) ** 2, 1024),
            nn.ReLU(inplace=True),
            nn.Linear(1024, 256),
            nn.ReLU(inplace=True),
            nn.Linear(256, BOUNDARIES),
        )

    def forward(self, boundaries: Tensor) -> Tensor:
        """Logits (B, 13) of boundary maps (B, 13, side, side)."""
        return self.body(boundaries)


__all__ = ["BOUNDARIES", "LAB", "Discriminator", "LABOutput"]
