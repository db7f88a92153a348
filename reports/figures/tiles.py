"""Windows around faces, with their landmarks: grids of them in a figure, or a sheet."""

from __future__ import annotations

from math import ceil
from pathlib import Path
from textwrap import fill
from typing import Any

import cv2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import FigureBase
from numpy.typing import NDArray

from alignbench import Dataset
from alignbench.arrays import Bytes, Floats, Ints
from alignbench.cli.options import require_ending
from alignbench.datasets.base import FULL
from alignbench.geometry import crop_transforms, square_crops, tight_boxes, transform, warp
from alignbench.io.files import write_atomic
from reports.data import spread, with_image
from reports.figures import style

SIDE = 1.75
"""Side of a tile, in inches."""
PIXELS = 256
_SIDE_LETTERS = 24
"""Number of letters that are together about as long as a tile is high."""
LINES = "; lines lead to the true landmarks"
"""What a caption says where the truth is drawn."""
_LINE = 0.115
"""Height of a line of text under a tile, in inches."""

SHEET_ENDINGS = (".png", ".jpg")
_COLUMNS = 8
_GAP = 4
"""Pixels between the windows of a sheet."""
_SEEN, _HIDDEN, _BOX = (0, 158, 115), (213, 94, 0), (86, 180, 233)
"""Of Okabe and Ito's palette, RGB: landmarks that are visible or hidden, boxes."""


class Windows:
    """Square windows around some faces of a data set, ``PIXELS`` wide, read one by one.

    ``margin`` is the side of a window in sides of the tight box of the true landmarks.
    """

    def __init__(self, faces: Dataset, rows: Ints, margin: float = 1.5) -> None:
        self.faces = faces.take(rows)
        crops = square_crops(tight_boxes(self.faces.points), margin)
        self._matrices = crop_transforms(crops, PIXELS)
        self.truth = transform(self.faces.points, self._matrices)

    def pixels(self, number: int) -> Bytes:
        """A window (PIXELS, PIXELS, 3)."""
        image = self.faces.images.read(number)
        return warp(image, self._matrices[number], PIXELS, border=127)

    def points(self, number: int, points: Floats) -> Floats:
        """Landmarks (L, 2) of the image in a window."""
        return transform(points[None], self._matrices[number : number + 1])[0]


def grid(
    rows: int, columns: int, lines: int, into: FigureBase | None = None
) -> tuple[Any, NDArray[np.object_]]:
    """A figure of square tiles with room for ``lines`` lines under each, and its axes."""
    height = rows * (SIDE + lines * _LINE + 0.08) + 0.6
    drawing = style.canvas(into, columns * (SIDE + 0.06), height)
    if into is None:
        drawing.get_layout_engine().set(w_pad=0.03, h_pad=0.05, wspace=0, hspace=0)
    axes = drawing.subplots(rows, columns, squeeze=False)
    for one in axes.flat:
        one.set_axis_off()
    return drawing, axes


def show(axes: Axes, pixels: Bytes) -> None:
    """An image, pixel by pixel as it is."""
    axes.imshow(pixels, interpolation="antialiased")
    axes.set(xlim=(-0.5, pixels.shape[1] - 0.5), ylim=(pixels.shape[0] - 0.5, -0.5))


def face(
    axes: Axes, windows: Windows, number: int, points: Floats, error: float, *, truth: bool
) -> str:
    """Draw a face with its predicted landmarks (L, 2) as light dots; gives its error in words.

    A missed face has no landmarks; ``truth`` draws lines to the true ones.
    """
    show(axes, windows.pixels(number))
    if not np.isfinite(error):
        return "missed"
    predicted = windows.points(number, points)
    if truth:
        ends = np.stack([predicted, windows.truth[number]], axis=1)
        for colour, width in (("black", 1.5), (style.ORANGE, 0.8)):
            axes.add_collection(LineCollection(ends, colors=colour, linewidths=width))
    # Fewer landmarks have larger dots, so that 29 are seen and 98 hide nothing.
    size = 1.5 if len(points) > 40 else 2.4
    for colour, wide in (("black", size + 0.9), (style.YELLOW, size)):
        axes.plot(*predicted.T, "o", color=colour, markersize=wide, markeredgewidth=0)
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


def draw_sheet(dataset: Dataset, path: Path, faces: int = 24, landmarks: bool = True) -> None:
    """Draw a sheet of faces, evenly spread over those with an image, each in a window of its own.

    It shows whether landmarks, boxes and images belong together. On every second face landmarks
    (green, hidden ones orange) and, where there is one, the annotated box (blue) are drawn, so
    that the face beside it can be seen undisturbed.

    Raises
    ------
    InputError
        If no image is there, or the ending of the file is unknown.
    """
    require_ending(path, SHEET_ENDINGS)
    rows = spread(np.flatnonzero(with_image(dataset, dataset.subsets[FULL])), faces)
    windows = Windows(dataset, rows, margin=1.7)
    shown, step = windows.faces, PIXELS + _GAP
    size = (ceil(len(rows) / _COLUMNS) * step - _GAP, min(_COLUMNS, len(rows)) * step - _GAP)
    sheet = np.full((*size, 3), 255, np.uint8)
    for k in range(len(rows)):
        tile = windows.pixels(k)
        if landmarks and k % 2:
            if shown.boxes is not None:
                corners = windows.points(k, shown.boxes[k].reshape(2, 2))
                low, high = (tuple(map(int, corner)) for corner in corners.round())
                cv2.rectangle(tile, low, high, _BOX, 1)
            annotated = np.flatnonzero(np.isfinite(windows.truth[k]).all(axis=1))
            for landmark in annotated.tolist():
                x, y = windows.truth[k, landmark].round().astype(int).tolist()
                seen = shown.visible is None or shown.visible[k, landmark]
                cv2.circle(tile, (x, y), 2, _SEEN if seen else _HIDDEN, -1, cv2.LINE_AA)
        top, left = k // _COLUMNS * step, k % _COLUMNS * step
        sheet[top : top + PIXELS, left : left + PIXELS] = tile
    _, data = cv2.imencode(path.suffix.lower(), sheet[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, data.tobytes())
