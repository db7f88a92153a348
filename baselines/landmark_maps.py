"""What PropNet and AWing share: how they see a face, and the maps of landmarks they learn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from pydantic import Field

from alignbench.arrays import Bools, Floats, Ints
from alignbench.markups import WFLW98
from alignbench.predictors.settings import Crop, CropSettings, Input, Output
from baselines.drawing import Drawn, to_heatmap
from baselines.model import STRIDE, Table

WINDOW = 7
"""Side, in pixels, of the square in which a landmark is drawn."""

CROP = Crop(boxes="rect", scale=1.344, of="mean", size=256)
"""AWing's test crop without its look at the true landmarks: the box grown by 5 %, 0.8 times the
sum of its sides, of which the middle 80 % are the window: 1.344 times the mean side."""


def settings(options: Mapping[str, Any]) -> CropSettings:
    """Crop, colours and decoding of AWing; PropNet has the same, because its paper has none."""
    return CropSettings(
        markup=options.get("markup", WFLW98.name),
        crop=CROP,
        input=Input(colour="rgb"),
        output=Output(kind="heatmaps", decoder="quarter"),
    )


class MapTargets(Table):
    """Table ``[targets]`` of a recipe, in pixels of the map.

    ``sigma`` of a landmark's Gaussian, whose middle is the landmark itself if ``subpixel``, else
    the pixel that holds it; ``boundary_sigma`` of a boundary; ``decoder`` as in
    :class:`alignbench.predictors.settings.Output`.
    """

    sigma: float = Field(default=1.75, gt=0)
    subpixel: bool = False
    boundary_sigma: float = Field(default=1.0, gt=0)
    decoder: Literal["argmax", "quarter", "parabola", "soft-argmax"] = "quarter"

    def draw(
        self,
        points: Floats,
        size: int,
        chains: Sequence[Sequence[int]],
        draw_boundaries: Callable[..., Drawn],
    ) -> dict[str, Drawn]:
        """Maps of landmarks (B, L, 2) of a window, and of boundaries where there are chains."""
        side = size // STRIDE
        points = to_heatmap(points, side, size)
        maps = {"landmarks": gaussians(points, side, self.sigma, subpixel=self.subpixel)}
        if chains:
            maps["boundaries"] = draw_boundaries(points, chains, side, self.boundary_sigma)
        return maps


def gaussians(points: Floats, size: int, sigma: float = 1.75, *, subpixel: bool = False) -> Drawn:
    """Landmark targets (N, L, size, size): a Gaussian of peak 1 in a window of 7 x 7 pixels.

    As AWing's code draws them, whose sigma of 1.75 pixels of a 64 x 64 map is the default. The
    middle of the Gaussian is the pixel that holds the landmark, or with ``subpixel`` the landmark
    itself, so that a decoder can find it to a fraction of a pixel. A window that leaves the map
    is cut off; a landmark far outside leaves an empty map.
    """
    pixel, ((rows, inside_y), (columns, inside_x)) = _windows(points, size)
    offset = points - pixel if subpixel else np.zeros((1, 1, 2))
    reach = np.arange(WINDOW) - WINDOW // 2
    profile = np.exp(-0.5 * ((reach - offset[..., None]) / sigma) ** 2).astype(np.float32)
    values = profile[..., 1, :, None] * profile[..., 0, None, :]
    maps = np.zeros((*points.shape[:2], size, size), np.float32)
    where = rows[..., :, None] * size + columns[..., None, :]
    where += np.arange(maps.shape[0] * maps.shape[1]).reshape(*points.shape[:2], 1, 1) * size**2
    inside = inside_y[..., :, None] & inside_x[..., None, :]
    flat = maps.reshape(-1)
    if inside.all():
        flat[where] = values
    else:
        flat[where[inside]] = np.broadcast_to(values, where.shape)[inside]
    return maps


def _windows(points: Floats, size: int) -> tuple[Floats, list[tuple[Ints, Bools]]]:
    """The pixel that holds each point; rows and columns around it, and which are on the map."""
    # Points far outside stay outside, but near enough for whole numbers.
    pixel = np.floor(np.clip(points, -size, 2 * size) + 0.5)
    around = pixel.astype(np.int64)[..., None] + (np.arange(WINDOW) - WINDOW // 2)
    there = (around >= 0) & (around < size)
    return pixel, [(around[..., axis, :], there[..., axis, :]) for axis in (1, 0)]
