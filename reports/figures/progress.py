"""Published numbers by year, and what the audit says of them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from itertools import accumulate
from typing import Annotated

import numpy as np
import typer
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase

from alignbench import parse_measure
from alignbench.exceptions import InputError
from reports.audit.across import audit_published
from reports.audit.cells import IMPOSSIBLE, SUSPECT
from reports.cli import options
from reports.cli.options import several
from reports.figures import style
from reports.grouping import group_by
from reports.published import PublishedCell, collection, select
from reports.published.cell import OWN
from reports.published.tables import choose_cell

PANELS = (("wflw", "inter_ocular"), ("300w", "inter_ocular"), ("cofw", "inter_ocular"))
"""Data set and normaliser of the panels that are drawn without being asked for."""
_ROOM = 2.0
"""Numbers of more than this many times the best one are left out: they would hide the others."""
_YEAR = (0.08, 0.92)
"""Where in its year, from 0 to 1, the dots of a year begin and end."""


def figure(
    panels: Sequence[tuple[str, str]] = PANELS,
    measure: str = "nme",
    *,
    subset: str = "full",
    into: FigureBase | None = None,
) -> Figure:
    """Numbers of methods by the year they were published in; the best so far as a line.

    Filled dots were printed by the method's authors, open ones by others. A number with a ring
    is suspect, one with a cross impossible by ``alignbench audit --published``; these do not count
    as the best.

    Parameters
    ----------
    panels
        Data set and normaliser of each panel.
    measure
        In the grammar of measures, such as ``nme`` or ``auc@0.10``.

    Raises
    ------
    InputError
        If it is no measure, or the collection has no such number with a year.
    """
    parse_measure(measure)  # which needs a threshold, unlike a selection of published numbers
    findings = audit_published(collection())
    verdicts = {
        verdict: {(f.table, f.row, f.column) for f in findings if f.verdict == verdict}
        for verdict in (SUSPECT, IMPOSSIBLE)
    }
    drawing = style.canvas(into, 6.4, 0.6 + 2.4 * len(panels))
    hidden = 0
    for axes, (dataset, norm) in zip(
        np.ravel(drawing.subplots(len(panels), 1)), panels, strict=True
    ):
        cells = select(collection(), dataset, measures=[measure], subsets=[subset], normaliser=norm)
        methods = group_by((c for c in cells if c.year), lambda cell: cell.method)
        dated = [choose_cell(same) for same in methods.values()]
        if not dated:
            raise InputError(
                "figure of progress",
                f"the collection has no {measure} of {dataset} {subset} by {norm} with a year",
                remedy="'alignbench published --dataset DATASET' lists what it has.",
            )
        hidden += _panel(axes, dated, verdicts)
        axes.set_title(f"{dated[0].dataset}, {subset}, {style.unit(norm)}", fontsize="medium")
    out = f" {hidden} numbers lie outside of the panels." if hidden else ""
    style.caption(
        drawing,
        "Published results by year",
        "A dot is a method. Filled: printed by its authors; open: by others. Ring: suspect by the "
        f"audit; cross: impossible. Line: the best so far of all others.{out}",
    )
    return drawing


def _panel(
    axes: Axes, cells: Sequence[PublishedCell], verdicts: dict[str, set[tuple[str, str, str]]]
) -> int:
    """Draw one panel; gives how many numbers lie outside of it."""
    upwards = cells[0].metric == "auc"
    values = np.array([float(cell.printed.value) for cell in cells])
    places = _spread(cells)
    keys = [(cell.source, cell.method, cell.column) for cell in cells]
    doubtful = np.array([any(key in marked for marked in verdicts.values()) for key in keys])
    own = np.array([cell.kind == OWN for cell in cells])
    sound = np.flatnonzero(~doubtful)
    trusted = values[sound] if len(sound) else values
    best = trusted.max() if upwards else trusted.min()
    low, high = (best / _ROOM, 1.15 * best) if upwards else (0.85 * best, _ROOM * best)
    if not best:  # of no size that others could be measured by
        high = 1.15 * max(values.max(), 1)
    for chosen, colour in ((own, style.BLUE), (~own, "none")):
        axes.scatter(
            places[chosen], values[chosen], s=16, facecolors=colour, edgecolors=style.BLUE,
            linewidths=0.8, zorder=3,
        )  # fmt: skip
    for verdict, marker in ((SUSPECT, "o"), (IMPOSSIBLE, "x")):
        marked = np.array([key in verdicts[verdict] for key in keys])
        face = {"color": style.RED} if marker == "x" else {"facecolors": "none"}
        edge = {} if marker == "x" else {"edgecolors": style.RED}
        axes.scatter(
            places[marked], values[marked], s=60, marker=marker, linewidths=1.2, zorder=4,
            **face, **edge,
        )  # fmt: skip
    if len(sound):
        _best_so_far(axes, [cells[k] for k in sound], upwards)
    axes.set_ylim(low, high)
    seen = places[(values >= low) & (values <= high)]
    axes.set_xlim(np.floor(seen.min()), np.ceil(seen.max()))
    axes.set_ylabel(cells[0].heading)
    axes.xaxis.get_major_locator().set_params(integer=True)
    style.plain(axes)
    return int(((values < low) | (values > high)).sum())


def _spread(cells: Sequence[PublishedCell]) -> np.ndarray:
    """Places of the dots: those of one year side by side, the smallest number on the left."""
    places = np.zeros(len(cells))
    for year, members in group_by(range(len(cells)), lambda k: cells[k].year).items():
        ordered = sorted(members, key=lambda k: cells[k].printed.value)
        offsets = np.linspace(*_YEAR, len(ordered)) if len(ordered) > 1 else np.array([0.5])
        places[ordered] = int(year) + offsets
    return places


def _best_so_far(axes: Axes, cells: Sequence[PublishedCell], upwards: bool) -> None:
    """A line that steps at each better number, and the name of the method at each step."""
    sign = -1 if upwards else 1

    def better(one: PublishedCell, two: PublishedCell) -> PublishedCell:
        return two if sign * two.printed.value < sign * one.printed.value else one

    groups = group_by(cells, lambda cell: cell.year)
    years = [int(year) for year in sorted(groups)]
    bests = list(accumulate((reduce(better, groups[year]) for year in sorted(groups)), better))
    values = [float(cell.printed.value) for cell in bests]
    axes.step(
        [*years, years[-1] + 1], [*values, values[-1]], where="post", color=style.BLACK,
        linewidth=1, zorder=2,
    )  # fmt: skip
    firsts = [k for k in range(len(bests)) if k == 0 or bests[k] is not bests[k - 1]]
    for turn, k in enumerate(firsts):
        away = 5 + 8 * (turn % 2)  # in turn nearer and farther, so that names do not overlap
        axes.annotate(
            bests[k].family, (years[k], values[k]), fontsize="x-small", zorder=5,
            textcoords="offset points", xytext=(3, away if upwards else -4 - away),
        )  # fmt: skip


def draw(
    *,
    out: options.FigureFile,
    dataset: Annotated[
        list[str] | None, several("D", "Data set", "wflw, 300w, cofw", "--dataset")
    ] = None,
    metric: Annotated[
        str, typer.Option(metavar="M", help="Measure, such as nme or auc@0.10.")
    ] = "nme",
    subset: options.Subset = "full",
    norm: Annotated[str, typer.Option(metavar="NORM", help="Normaliser.")] = "inter_ocular",
    width: options.Width = None,
) -> None:
    """Published numbers by year, with the marks of the audit.

    For example:
      alignbench figure progress --dataset wflw --out progress.svg
    """
    panels = [(name, norm) for name in dataset or [name for name, _ in PANELS]]
    options.put_figure(figure(panels, metric, subset=subset), out, width)
