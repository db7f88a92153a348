"""Landmarks drawn on an image, on axes of the caller's."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.patches import Rectangle
from numpy.typing import ArrayLike

from alignbench import InputError
from alignbench.arrays import Floats
from reports.figures import style


def plot_landmarks(
    image: ArrayLike,
    points: ArrayLike,
    ax: Axes | None = None,
    *,
    truth: ArrayLike | None = None,
    box: ArrayLike | None = None,
    numbers: bool = False,
) -> Axes:
    """Draw landmarks on an image.

    Parameters
    ----------
    image
        (H, W, 3) RGB or (H, W) grey; uint8, or floats from 0 to 1.
    points
        (L, 2) landmarks in pixels, x before y; the centre of the first pixel is (0, 0). A landmark
        that is NaN is not drawn. A tensor is taken, too.
    ax
        Axes of matplotlib to draw on; by default those of a new figure of pyplot.
    truth
        (L, 2) true landmarks; lines lead to them.
    box
        (4,) x_min, y_min, x_max, y_max of a box to draw.
    numbers
        Whether the number of each landmark, counted from 0, stands beside it.

    Returns
    -------
    matplotlib.axes.Axes
        The axes, with the image's pixels as their coordinates.

    Raises
    ------
    InputError
        If a shape is another.
    """
    pixels, found = _array(image, "image"), _landmarks(points, "points")
    if pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] not in (3, 4)):
        raise InputError("image", f"shape {pixels.shape}", "(H, W, 3) or (H, W)")
    ax = ax or style.new_axes()
    ax.imshow(pixels, cmap="gray", interpolation="antialiased")
    if truth is not None:
        true = _landmarks(truth, "truth")
        if true.shape != found.shape:
            raise InputError("truth", f"shape {true.shape}", f"{found.shape}, as the points")
        ends = np.stack([found, true], axis=1)
        for colour, width in (("black", 2.5), (style.ORANGE, 1.2)):
            ax.add_collection(LineCollection(list(ends), colors=colour, linewidths=width))
    if box is not None:
        corners = _array(box, "box")
        if corners.shape != (4,):
            raise InputError("box", f"shape {corners.shape}", "(4,): x_min, y_min, x_max, y_max")
        low, size = corners[:2], corners[2:] - corners[:2]
        ax.add_patch(Rectangle(low, *size, fill=False, edgecolor=style.SKY, linewidth=1.5))
    for colour, size in (("black", 4.5), (style.YELLOW, 3.0)):
        ax.plot(*found.T, "o", color=colour, markersize=size, markeredgewidth=0)
    for number, (x, y) in enumerate(found if numbers else ()):
        if np.isfinite([x, y]).all():
            ax.annotate(str(number), (x, y), (2, 2), textcoords="offset points", fontsize=6,
                        color="white")  # fmt: skip
    ax.set(xlim=(-0.5, pixels.shape[1] - 0.5), ylim=(pixels.shape[0] - 0.5, -0.5))
    ax.set_axis_off()
    return ax


def _landmarks(points: ArrayLike, where: str) -> Floats:
    array = _array(points, where)
    if array.ndim != 2 or array.shape[1] != 2:
        raise InputError(where, f"shape {array.shape}", "(L, 2), the landmarks of one face")
    return array


def _array(values: Any, where: str) -> Any:
    """An array, also of a tensor of any device."""
    try:
        array = np.asarray(values.detach().cpu() if hasattr(values, "detach") else values)
    except ValueError as error:
        raise InputError(where, "no array of numbers") from error
    if array.dtype.kind not in "fiub":
        raise InputError(where, f"{array.dtype} values", "real numbers")
    return array
