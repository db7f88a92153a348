"""What a training leaves to look at: ``log.csv``, a row an epoch, and its curves."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from alignbench.io.files import write_atomic
from baselines.training.checkpoint import LOG

_LOSS, _NME = "#0072B2", "#D55E00"
"""Two of Okabe and Ito's palette."""


class Row(NamedTuple):
    """One epoch; steps and seconds are counted from the beginning, NME and FR are in percent."""

    epoch: int
    step: int
    seconds: float
    lr: float
    loss: float
    nme: float
    fr: float
    auc: float


def write_log(folder: Path, rows: Sequence[Row]) -> None:
    """Write ``log.csv``."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(Row._fields)
    for row in rows:
        table.writerow([f"{v:.6g}" if isinstance(v, float) else v for v in row])
    write_atomic(folder / LOG, text.getvalue().encode())


def draw_curves(folder: Path, rows: Sequence[Row], title: str, unit: str) -> None:
    """Write ``curves.svg`` and ``curves.png``: loss and NME, a percentage of ``unit``, by epoch."""
    epochs = [row.epoch for row in rows]
    figure = Figure(figsize=(6.4, 4.8), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    mark = "o" if len(rows) <= 40 else ""
    above.plot(epochs, [row.loss for row in rows], color=_LOSS, marker=mark, markersize=3)
    below.plot(
        epochs, [row.nme for row in rows], color=_NME, marker=mark, markersize=3, linestyle="--"
    )
    if all(row.loss > 0 for row in rows):
        above.set_yscale("log")
        above.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        # Plain numbers: powers of ten need mathematical text, which is switched off below.
        above.yaxis.set_major_formatter("{x:g}")
        above.yaxis.set_minor_formatter(NullFormatter())
    above.set_ylabel("Training loss")
    above.set_title(title, fontsize="medium", loc="left")
    below.set(xlabel="Epoch", ylabel=f"Validation NME,\n% of {unit}")
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
