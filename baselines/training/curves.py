"""The training curves: loss and validation error by epoch."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from alignbench.io.files import write_atomic

_LOSS, _ERROR = "#0072B2", "#D55E00"
"""Two of Okabe and Ito's palette."""


def draw_curves(rows: Sequence[Any], title: str, error: str, folder: Path) -> None:
    """Write ``curves.svg`` and ``curves.png`` of the rows of a log.

    Parameters
    ----------
    error
        What the validation's NME is a percentage of.
    """
    epochs = [row.epoch for row in rows]
    figure = Figure(figsize=(6.4, 4.8), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    mark = "o" if len(rows) <= 40 else ""
    above.plot(epochs, [row.loss for row in rows], color=_LOSS, marker=mark, markersize=3)
    below.plot(
        epochs, [row.nme for row in rows], color=_ERROR, marker=mark, markersize=3, linestyle="--"
    )
    if all(row.loss > 0 for row in rows):
        above.set_yscale("log")
        above.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        # Plain numbers: powers of ten would be set in mathematics, which is switched off.
        above.yaxis.set_major_formatter("{x:g}")
        above.yaxis.set_minor_formatter(NullFormatter())
    above.set_ylabel("Training loss")
    above.set_title(title, fontsize="medium", loc="left")
    below.set(xlabel="Epoch", ylabel=f"Validation NME,\n% of {error}")
    below.set_ylim(bottom=0)
    below.xaxis.set_major_locator(MaxNLocator(integer=True))
    below.annotate(
        f"{rows[-1].nme:.2f} %", (epochs[-1], rows[-1].nme), xytext=(0, 6),  # not landmarks
        textcoords="offset points", ha="right", fontsize="small",
    )  # fmt: skip
    for axes in (above, below):
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    for kind, stamp in (("svg", {"Date": None}), ("png", {"Software": None})):
        buffer = io.BytesIO()
        with mpl.rc_context({"svg.hashsalt": "alignbench", "text.parse_math": False}):
            figure.savefig(buffer, format=kind, dpi=150, metadata=stamp)
        write_atomic(folder / f"curves.{kind}", buffer.getvalue())
