"""Grids of faces: a window of each, its landmarks and a line of text."""

from __future__ import annotations

from textwrap import fill

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from numpy.typing import NDArray

from alignbench import Dataset
from alignbench.arrays import Bytes, Floats, Ints
from alignbench.geometry import crop_transforms, square_crops, tight_boxes, transform, warp
from reports.figures import style

SIDE = 1.75
"""Side of a tile, in inches."""
PIXELS = 256
_SIDE_LETTERS = 24
"""So many letters are about as long as a tile is high."""
LINES = "; lines lead to the true landmarks"
"""What a caption says where the truth is drawn."""
_MARGIN = 1.5
"""Side of a window, in tight boxes of the true landmarks."""
_BORDER = 127
_LINE = 0.115
"""Height of a line of text under a tile, in inches."""


class Windows:
    """Square windows around some faces of a data set, ``PIXELS`` wide, read one by one."""

    def __init__(self, faces: Dataset, rows: Ints) -> None:
        self._faces = faces.take(rows)
        crops = square_crops(tight_boxes(self._faces.points), _MARGIN)
        self._matrices = crop_transforms(crops, PIXELS)
        self.truth = transform(self._faces.points, self._matrices)

    def pixels(self, number: int) -> Bytes:
        """A window (PIXELS, PIXELS, 3)."""
        return warp(self._faces.images.read(number), self._matrices[number], PIXELS, _BORDER)

    def points(self, number: int, points: Floats) -> Floats:
        """Landmarks (L, 2) of the image in a window."""
        return transform(points[None], self._matrices[number : number + 1])[0]


def grid(rows: int, columns: int, lines: int) -> tuple[Figure, NDArray[np.object_]]:
    """A figure of square tiles with room for so many lines under each, and its axes."""
    size = (columns * (SIDE + 0.06), rows * (SIDE + lines * _LINE + 0.08) + 0.6)
    drawing = Figure(figsize=size, layout="constrained")
    drawing.get_layout_engine().set(w_pad=0.03, h_pad=0.05, wspace=0, hspace=0)
    axes = drawing.subplots(rows, columns, squeeze=False)
    for one in axes.flat:
        one.set_axis_off()
    return drawing, axes


def show(axes: Axes, pixels: Bytes) -> None:
    """An image, pixel by pixel as it is."""
    axes.imshow(pixels, interpolation="antialiased")
    axes.set(xlim=(-0.5, pixels.shape[1] - 0.5), ylim=(pixels.shape[0] - 0.5, -0.5))


def landmarks(axes: Axes, points: Floats, truth: Floats | None = None) -> None:
    """Predicted landmarks (L, 2) as light dots; from each a line to the true one, if given."""
    # The fewer, the larger, so that 29 landmarks are seen and 98 hide nothing.
    size = 1.5 if len(points) > 40 else 2.4
    if truth is not None:
        ends = np.stack([points, truth], axis=1)
        for colour, width in (("black", 1.5), (style.ORANGE, 0.8)):
            axes.add_collection(LineCollection(ends, colors=colour, linewidths=width))
    for colour, wide in (("black", size + 0.9), (style.YELLOW, size)):
        axes.plot(*points.T, "o", color=colour, markersize=wide, markeredgewidth=0)


def face(
    axes: Axes, windows: Windows, number: int, points: Floats, error: float, *, truth: bool
) -> str:
    """Draw a face with its predicted landmarks (L, 2); gives its error in words.

    A missed face has no landmarks; ``truth`` draws lines to the true ones.
    """
    show(axes, windows.pixels(number))
    if not np.isfinite(error):
        return "missed"
    true = windows.truth[number] if truth else None
    landmarks(axes, windows.points(number, points), true)
    return f"{100 * error:.2f} %"


def label(axes: Axes, text: str) -> None:
    """Words under a tile."""
    axes.set_title(text, fontsize=6.5, y=0, va="top", pad=-3)


def side(axes: Axes, *lines: str) -> None:
    """Lines of words at the left of a row of tiles."""
    text = "\n".join(fill(line, _SIDE_LETTERS) for line in lines)
    axes.text(
        -0.03, 0.5, text, transform=axes.transAxes, rotation=90, ha="right", va="center",
        multialignment="center", fontsize="small",
    )  # fmt: skip
