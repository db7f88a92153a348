"""Figures as files and as text: the same bytes for the same figure."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.text import Text

from alignbench.cli.options import require_ending
from alignbench.io.files import write_atomic

_STAMPS: dict[str, dict[str, None]] = {
    ".svg": {"Date": None}, ".png": {"Software": None}, ".pdf": {"CreationDate": None}
}  # fmt: skip
"""What a format says of when or by what it was written, and is left out."""
_DPI = 150


def save(figure: Figure, path: str | Path) -> None:
    """Write a figure atomically, in the format its ending says: ``.svg``, ``.png`` or ``.pdf``.

    Raises
    ------
    InputError
        If the ending is another, or the file cannot be written.
    """
    path = Path(path)
    require_ending(path, _STAMPS)
    data = _bytes(figure, path.suffix.lower())
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, data)


def svg(figure: Figure) -> str:
    """A figure as an ``<svg>`` element, to stand in a page."""
    text = _bytes(figure, ".svg").decode()
    return text[text.index("<svg") :]


def png(figure: Figure) -> bytes:
    """A figure as the bytes of a PNG file."""
    return _bytes(figure, ".png")


def _bytes(figure: Figure, ending: str) -> bytes:
    buffer = io.BytesIO()
    for text in figure.findobj(Text):
        text.set_parse_math(False)
    rules = {"svg.hashsalt": "alignbench", "text.parse_math": False}
    with mpl.rc_context(rules), warnings.catch_warnings():
        # In place of a character the font lacks a box is drawn, which says enough.
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        figure.savefig(buffer, format=ending[1:], dpi=_DPI, metadata=_STAMPS[ending])
    return buffer.getvalue()
