"""The faces with the largest errors."""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import ceil
from pathlib import Path
from textwrap import wrap
from typing import Annotated

import numpy as np
import typer
from matplotlib.figure import Figure, FigureBase

from alignbench import Run
from alignbench.arrays import Bools, Floats, Ints
from alignbench.cli.options import DataRoot
from alignbench.datasets.base import FULL
from reports.cli.options import FigureFile, Norm, Subset, Truth, number, put_figure, read_runs
from reports.data import Root, evaluated_faces, member, require_one_run, with_image
from reports.figures import style, tiles
from reports.labels import labels

_COLUMNS = 5
_LETTERS = 31
_LINES = 3
"""Most lines of an id under a tile; a longer id loses its beginning, which says least."""


def figure(
    runs: Sequence[Run],
    subset: str = "full",
    normaliser: str | None = None,
    *,
    faces: int = 20,
    truth: bool = True,
    data_root: Root = None,
    into: FigureBase | None = None,
) -> Figure:
    """The faces with the largest errors, each with its id, error and subsets.

    Parameters
    ----------
    runs
        One run.
    faces
        How many; missed ones come first.
    truth
        Whether lines lead from predicted to true landmarks.
    """
    run = require_one_run(runs, "figure of the worst faces")
    norm = normaliser or run.record.dataset.normalisers[0]
    errors = run.errors(norm)
    inside = member(run, subset)
    dataset = evaluated_faces(run, data_root)
    there = with_image(dataset, inside)
    order = largest_errors(errors, there, faces)
    windows, points = tiles.Windows(dataset, order), run.all_points()
    names = [_names(run, row) for row in order.tolist()]
    columns = min(_COLUMNS, len(order))
    rows, lines = ceil(len(order) / columns), 1 + max(map(len, names))
    drawing, axes = tiles.grid(rows, columns, lines, into)
    for k, (row, one) in enumerate(zip(order.tolist(), axes.flat, strict=False)):
        error = tiles.face(one, windows, k, points[row], errors[row], truth=truth)
        tiles.label(one, "\n".join([error, *names[k]]))
    which = "" if there.sum() == inside.sum() else f" of the {there.sum():,} whose image is there"
    style.caption(
        drawing,
        f"{labels([run])[0]}: worst {len(order)} faces{which}, "
        f"{style.heading(runs, subset, f'{inside.sum():,} faces')}",
        f"Error in % of {style.unit(norm)}. Dots: predicted{tiles.LINES if truth else ''}.",
    )
    return drawing


def draw(
    *,
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run.")],
    out: FigureFile,
    faces: Annotated[int, number("N", 1, 400, "Faces to show.")] = 20,
    subset: Subset = "full",
    norm: Norm = None,
    truth: Truth = True,
    data_root: DataRoot = None,
) -> None:
    """The faces with the largest errors.

    Each has its id, error and subsets; missed faces come first.

    For example:
      alignbench figure worst run --faces 10 --out worst.png
    """
    drawing = figure(read_runs([run]), subset, norm, faces=faces, truth=truth, data_root=data_root)
    put_figure(drawing, out)


def largest_errors(errors: Floats, there: Bools, count: int) -> Ints:
    """Rows of the largest errors (N,) among those that are ``there`` (N,), the largest first."""
    rows = np.flatnonzero(there)
    # Stable, so that faces of the same error stand in the data set's order.
    return rows[np.argsort(-errors[rows], kind="stable")][:count]


def _names(run: Run, row: int) -> list[str]:
    """Id and subsets of a face, in lines."""
    face = run.faces.iloc[row]
    subsets = [name for name in run.subsets if name != FULL and face[name] == 1]
    return [*_shorten(face["id"]), *wrap(", ".join(subsets), _LETTERS)]


def _shorten(name: str) -> list[str]:
    """An id in lines, its box on a line of its own; one that is too long loses its beginning."""
    image, mark, box = name.partition("#")
    lines = [name] if len(name) <= _LETTERS else [*_break(image), *_break(mark + box)]
    return lines if len(lines) <= _LINES else ["…" + lines[-_LINES][1:], *lines[1 - _LINES :]]


def _break(text: str) -> list[str]:
    """Lines of a text, broken behind a character that joins words where that is possible."""
    # Every piece holds at most a line, so that each fits.
    pieces = re.findall(rf"[^/_,-]{{0,{_LETTERS - 1}}}[/_,-]|[^/_,-]{{1,{_LETTERS}}}", text)
    lines = [""] if pieces else []
    for piece in pieces:
        if len(lines[-1] + piece) > _LETTERS:
            lines.append("")
        lines[-1] += piece
    return lines
