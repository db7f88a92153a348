"""A figure at the width that it has in a paper, with text of the size that papers have."""

from __future__ import annotations

from itertools import pairwise
from textwrap import fill

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

_TITLE = 8
"""Size of the type of titles, in points."""
_TEXT = 7
"""Size of all other type."""
_LETTER = 0.55
"""Width of a letter, as a share of the size of type: wider than most are."""
_MARGIN = 0.6
"""Room in inches that the lines of a legend and the edges of a figure take beside its texts."""
_THIN = 0.7
"""Factor on the width of lines."""
_SLANT = 35
"""Angle of the names below an axis where they would overlap."""


def fit_width(figure: Figure, width: float) -> None:
    """Give a figure another width, with text of 7 and 8 points whatever the width is.

    Panels keep the ratio of their sides. Titles, labels and legends are broken into new lines.

    Parameters
    ----------
    width
        In inches. A column of CVPR's template is 3.28 wide.
    """
    figure.draw_without_rendering()  # Only now panels have their place.
    first = figure.axes[0]
    ratio = _box(first).height / _box(first).width
    rows = sum(_is_first_in_row(axes) for axes in figure.axes)
    natural_width, natural_height = figure.get_size_inches()
    height = natural_height * width / natural_width
    _set_texts(figure, width)
    for line in [line for axes in figure.axes for line in axes.lines]:
        line.set_linewidth(_THIN * line.get_linewidth())
    for _ in range(3):
        figure.set_size_inches(width, height)
        figure.draw_without_rendering()
        for axes in figure.axes:
            _break_labels(axes)
            _slant_names(axes)
        height += rows * (ratio * _box(first).width - _box(first).height)
    figure.set_size_inches(width, height)


def _set_texts(figure: Figure, width: float) -> None:
    for text in figure.findobj(Text):
        text.set_fontsize(_TEXT)
    for axes in figure.axes:
        axes.tick_params(labelsize=_TEXT)
    for legend in figure.legends:
        legend.set_ncols(1)
        for text in (legend.get_title(), *legend.get_texts()):
            text.set_text(_break(text.get_text(), width - _MARGIN))
    for text in figure.texts:  # the words above and below all panels
        is_title = text.get_position()[1] > 0.5
        text.set_fontsize(_TITLE if is_title else _TEXT)
        text.set_text(_break(text.get_text(), width, _TITLE if is_title else _TEXT))


def _break(text: str, room: float, size: float = _TEXT) -> str:
    """A text in lines that are as long as the room, in inches."""
    letters = max(int(72 * room / (_LETTER * size)), 1)
    return fill(" ".join(text.split()), letters, break_long_words=False, break_on_hyphens=False)


def _box(axes: Axes) -> Bbox:
    """The place of a panel in inches, before its image is fitted into it."""
    figure = axes.get_figure(root=True)
    return (
        axes.get_position(original=True)
        .transformed(figure.transSubfigure)
        .transformed(figure.dpi_scale_trans.inverted())
    )


def _is_first_in_row(axes: Axes) -> bool:
    place = axes.get_subplotspec()
    return place is not None and place.is_first_col()


def _break_labels(axes: Axes) -> None:
    """Break the titles and the labels of a panel where they are longer than its sides."""
    box = _box(axes)
    for side in ("left", "center", "right"):
        if title := axes.get_title(loc=side):
            axes.set_title(_break(title, box.width, _TITLE), loc=side, fontsize=_TITLE)
    axes.set_xlabel(_break(axes.get_xlabel(), box.width))
    axes.set_ylabel(_break(axes.get_ylabel(), box.height))


def _slant_names(axes: Axes) -> None:
    labels = [label for label in axes.get_xticklabels() if label.get_text()]
    boxes = sorted((label.get_window_extent() for label in labels), key=lambda box: box.x0)
    if any(left.x1 > right.x0 for left, right in pairwise(boxes)):
        for label in labels:
            label.set(rotation=_SLANT, ha="right", rotation_mode="anchor")
