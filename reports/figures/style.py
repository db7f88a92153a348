"""How figures look, also for the colour-blind and in grey print; and figures as files."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Sequence
from html import escape
from pathlib import Path
from textwrap import fill
from typing import Any

import matplotlib as mpl
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase
from matplotlib.text import Text

from alignbench import Run
from alignbench.cli.options import require_ending
from alignbench.exceptions import visible
from alignbench.io.files import write_atomic

BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, RED, PURPLE = (
    "#000000", "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7",
)  # fmt: skip
"""Okabe and Ito's palette."""

COLOURS = (BLUE, RED, GREEN, PURPLE, ORANGE, SKY, BLACK)
DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)), (0, (1, 1)))  # not landmarks
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
HATCHES = ("", "///", "...", "xxx")
SCALE = "viridis_r"
"""Colour scale in which more is darker: the colour-blind and grey print see the same order."""

_LETTER = 0.08
"""Width of a letter of titles, in inches: wider than most are."""
_LEGEND_LETTERS = 80
_OF = {"box": "size", "diagonal": "of the box"}
_STAMPS = {".svg": "Date", ".png": "Software", ".pdf": "CreationDate"}
"""The entry of a file that says when or by what it was written. It is left out, so that the same
figure has the same bytes."""
_DPI = 150


def line(number: int) -> dict[str, object]:
    """Colour, dash and marker of a line; after each round of colours, the others shift by one."""
    turn = number // len(COLOURS)
    return {
        "color": COLOURS[number % len(COLOURS)],
        "linestyle": DASHES[(number + turn) % len(DASHES)],
        "marker": MARKERS[(number + turn) % len(MARKERS)],
    }


def unit(normaliser: str) -> str:
    """What errors are percent of, in words."""
    return f"{normaliser.replace('_', '-')} {_OF.get(normaliser, 'distance')}"


def plain(axes: Axes) -> None:
    """A faint grid, and no frame where nothing is read off."""
    axes.grid(alpha=0.3)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def heading(runs: Sequence[Run], subset: str, faces: str = "") -> str:
    """Data set, split and subset, and whether it is incomplete in any run."""
    dataset = runs[0].record.dataset
    complete = all(run.record.dataset.complete for run in runs)
    size = f": {faces}" if faces else ""
    return f"{dataset.title}, {subset}{size}{'' if complete else ' (incomplete)'}"


def entry(text: str) -> str:
    """What a legend below the panels says of a line, on several where it is long."""
    return fill(text, _LEGEND_LETTERS)


def canvas(into: FigureBase | None, width: float, height: float) -> Any:
    """The caller's figure or sub-figure; without one, a new figure of this size in inches."""
    return Figure(figsize=(width, height), layout="constrained") if into is None else into


def new_axes() -> Axes:
    """Axes of a new figure of pyplot, which a notebook shows."""
    from matplotlib import pyplot as plt

    return plt.subplots(layout="constrained")[1]


def caption(figure: Any, title: str, about: str) -> None:
    """Words above and below all panels, in lines as long as the figure is wide."""
    letters = int(figure.bbox.width / figure.dpi / _LETTER)
    figure.suptitle(fill(title, letters - 2), fontsize="medium")
    figure.supxlabel(fill(about, letters), fontsize="small")
    show_plain_text(figure)


def show_plain_text(artist: Artist) -> None:
    """Show every text of a figure or of axes as it is: names are no formulas."""
    for text in artist.findobj(Text):
        text.set_parse_math(False)


def save(figure: Figure, path: str | Path) -> None:
    """Write a figure atomically, in the format its ending says: ``.svg``, ``.png`` or ``.pdf``.

    Raises
    ------
    InputError
        If the ending is another, or the file cannot be written.
    """
    path = Path(path)
    require_ending(path, _STAMPS)
    data = encode(figure, path.suffix.lower())
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, data)


def encode(figure: Figure, ending: str, *, live_text: bool = False) -> bytes:
    """The bytes of a figure's file: the same for the same figure.

    With ``live_text`` an SVG holds text instead of outlines of letters. It is smaller, and a page
    finds and scales its words; other programs may lack the font.
    """
    buffer = io.BytesIO()
    show_plain_text(figure)
    rules = {
        "svg.hashsalt": "alignbench",
        "svg.fonttype": "none" if live_text else "path",
        "text.parse_math": False,
        "pdf.fonttype": 42,  # journals refuse fonts of type 3, matplotlib's default
    }
    with mpl.rc_context(rules), warnings.catch_warnings():
        # If the font lacks a character, a box is drawn in its place, which is clear enough.
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        stamp = {_STAMPS[ending]: None}
        figure.savefig(buffer, format=ending[1:], dpi=_DPI, metadata=stamp)
    return buffer.getvalue()


def svg(figure: Figure, description: str) -> str:
    """A figure as an ``<svg>`` element, to stand in a page of any colours.

    It has no background, black becomes the colour of the page's text, and text stays text.
    ``description`` is what a screen reader says of it.
    """
    figure.patch.set_visible(False)
    for axes in figure.axes:
        axes.patch.set_visible(False)
    text = encode(figure, ".svg", live_text=True).decode()
    text = re.sub(r"(fill|stroke): #000000", r"\1: currentColor", text[text.index("<svg") :])
    label = escape(visible(description))
    return text.replace("<svg", f'<svg role="img" aria-label="{label}"', 1)
