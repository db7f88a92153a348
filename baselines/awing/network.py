"""AWing: stacked hourglasses with CoordConv and a merged boundary map (Wang et al., ICCV 2019)."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

from alignbench.markups import WFLW98, Markup
from baselines.blocks import Pooling
from baselines.stacked import Merge, Stage, Stem

_INSIDE = 0.05
"""Where the boundary map is above this, the next stage sees coordinates of the boundary."""


class AWingOutput(NamedTuple):
    """AWing's output, with one entry for each stage.

    ``heatmaps`` are (B, L, h, w), ``boundaries`` (B, 1, h, w), the merged boundary map; none
    without boundary.
    """

    heatmaps: list[Tensor]
    boundaries: list[Tensor]


class AWing(nn.Module):
    """The network of AWing's released code, without training code.

    Parameters
    ----------
    stacks, width, depth
        Hourglasses, channels and how often an hourglass halves its map. The paper's are 4, 256
        and 4.
    boundary
        Whether a merged boundary map is predicted, and its coordinates given to the next stage.
        Without it and without CoordConv this is FAN (Bulat and Tzimiropoulos, ICCV 2017).
    coordconv
        Whether stem and stages see coordinates.
    """

    def __init__(
        self,
        markup: Markup = WFLW98,
        *,
        stacks: int = 4,
        width: int = 256,
        depth: int = 4,
        boundary: bool = True,
        coordconv: bool = True,
    ) -> None:
        super().__init__()
        self.landmarks = markup.landmarks
        self.boundary = boundary
        maps = markup.landmarks + boundary
        self.stem = Stem(width, "multi-view", Pooling(), "stem" if coordconv else "none")
        self.stages = nn.ModuleList(
            Stage(
                width, maps, depth, "multi-view", Pooling(),
                coordinates=coordconv, masked=coordconv and boundary and k > 0,
            )
            for k in range(stacks)
        )  # fmt: skip
        self.merges = nn.ModuleList(Merge(width, maps) for _ in range(stacks - 1))

    def forward(self, images: Tensor) -> AWingOutput:
        """The output for images (B, 3, H, W), RGB, from 0 to 1."""
        x = self.stem(images)
        region = None
        outputs = []
        for k, stage in enumerate(self.stages):
            features, maps = stage(x, region)
            outputs.append(maps)
            if k < len(self.merges):
                x = x + self.merges[k](features, maps)
                region = maps[:, -1:] > _INSIDE if self.boundary and stage.coordconv else None
        return AWingOutput(
            [maps[:, : self.landmarks] for maps in outputs],
            [maps[:, self.landmarks :] for maps in outputs] if self.boundary else [],
        )

    def infer(self, images: Tensor) -> Tensor:
        """Heatmaps (B, L, h, w) of the last stage, all that is needed to find landmarks."""
        return self(images).heatmaps[-1]
