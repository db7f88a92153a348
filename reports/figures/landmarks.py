"""Error of each landmark on the mean face."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from textwrap import fill
from typing import Annotated

import numpy as np
import typer
from matplotlib.axes import Axes
from matplotlib.collections import EllipseCollection, LineCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure, FigureBase
from numpy.typing import NDArray

from alignbench import InputError, Run
from alignbench.arrays import Floats
from alignbench.cli.options import DataRoot
from alignbench.datasets.base import FULL
from alignbench.markups import Markup
from alignbench.metrics.errors import BOX, distances, is_annotated, landmark_errors, normalisers
from reports.cli.options import FigureFile, Norm, Runs, Subset, Width, number, put_figure, read_runs
from reports.data import Root, evaluated_faces, member, require_one_dataset
from reports.figures import style
from reports.labels import labels

_COLUMNS = 3
_PANEL = (4.0, 4.6)
"""Inches of a face that stands alone."""
_LETTERS = 50
"""Letters in a line above a face."""
_ROUNDS = 5
"""Rounds in which all faces are aligned to their mean; it no longer moves after two or three."""
_BAR = 0.2
"""Length of the bar that shows the scale, in normalisers."""
_DOT = 0.035
"""Diameter of a landmark without ellipse, in normalisers."""

Complex = NDArray[np.complex128]


@dataclass(frozen=True)
class Spread:
    """Where predictions lie about the true landmarks, in a common frame.

    The frame is the mean face's, eyes level, y down; the unit is the normaliser. ``offset`` and
    ``covariance`` are None where the truth is not known.
    """

    mean: Floats
    """(L, 2): the mean face."""
    errors: Floats
    """(L,): NME of each landmark, a fraction."""
    offset: Floats | None
    """(L, 2): mean over faces of predicted minus true landmark, turned as the face is."""
    covariance: Floats | None
    """(L, 2, 2): its covariance over faces."""
    faces: int
    """How many faces were not missed."""

    def axes(self, sigma: float) -> tuple[Floats, Floats]:
        """Full lengths (L, 2), longer first, and angles (L,) in degrees of ellipses."""
        assert self.covariance is not None
        variance, direction = np.linalg.eigh(self.covariance)
        lengths = 2 * sigma * np.sqrt(np.maximum(variance[:, ::-1], 0))
        return lengths, np.degrees(np.arctan2(direction[:, 1, 1], direction[:, 0, 1]))


def figure(
    runs: Sequence[Run],
    subset: str = "full",
    normaliser: str | None = None,
    *,
    sigma: float = 1.0,
    ellipses: bool | None = None,
    data_root: Root = None,
    into: FigureBase | None = None,
) -> Figure:
    """Error of each landmark on the mean face, with ellipses of where predictions lie.

    Parameters
    ----------
    runs
        A face is drawn for each.
    sigma
        Size of the ellipses, in standard deviations of the error along each axis. Of a normal
        distribution in the plane, 39 % lie within 1 and 86 % within 2.
    ellipses
        Whether to draw them; they need the data set. Where it is False the mean face is that of
        the predictions, and the errors are those the run stored. Where it is None: if the data
        set is there.
    """
    require_one_dataset(runs, "figure of landmarks")
    dataset = runs[0].record.dataset
    norm = normaliser or dataset.normalisers[0]
    spreads = _spreads(runs, subset, norm, ellipses, data_root)
    columns = min(_COLUMNS, len(runs))
    rows = ceil(len(runs) / columns)
    drawing = style.canvas(into, 4.3 * columns + 0.7, 4.6 * rows + 0.7)
    panels = drawing.subplots(rows, columns, squeeze=False).ravel()
    for axes in panels:
        _hide_axis(axes)
    colours = _colours(spreads)
    markup = runs[0].markup
    for axes, name, one in zip(panels, labels(runs), spreads, strict=False):
        drawn = _face(axes, one, markup, sigma, colours)
        axes.set_title(fill(f"{name}: {one.faces:,} faces", _LETTERS), fontsize="medium")
    _frame(panels[: len(spreads)])
    drawing.colorbar(
        drawn, ax=panels, shrink=0.75, label=f"NME of the landmark, % of {style.unit(norm)}"
    )
    if any(one.offset is None for one in spreads):
        about = "On the mean predicted face: where predictions lie about the truth needs the data."
    else:
        deviations = f"{sigma:g} standard deviation{'s' if sigma != 1 else ''}"
        about = f"Dots: the mean true face. Ellipses: {deviations} of the error, about its mean."
    style.caption(drawing, style.heading(runs, subset), about)
    return drawing


def panels(
    runs: Sequence[Run],
    subset: str = "full",
    normaliser: str | None = None,
    *,
    ellipses: bool | None = None,
    data_root: Root = None,
) -> list[Figure]:
    """A small figure for each run, without its name: one frame and one scale of colours for all.

    A page puts them beside or below each other, so that they can be read on a phone too. For the
    parameters see :func:`figure`.
    """
    require_one_dataset(runs, "figure of landmarks")
    norm = normaliser or runs[0].record.dataset.normalisers[0]
    spreads = _spreads(runs, subset, norm, ellipses, data_root)
    colours, markup = _colours(spreads), runs[0].markup
    drawings, faces = [], []
    for one in spreads:
        drawing = Figure(figsize=_PANEL)
        axes = drawing.add_axes((0.01, 0.15, 0.98, 0.84))
        _hide_axis(axes)
        drawn = _face(axes, one, markup, 1.0, colours)
        drawing.colorbar(
            drawn, cax=drawing.add_axes((0.08, 0.11, 0.84, 0.03)), orientation="horizontal",
            label=f"NME of the landmark, % of {style.unit(norm)}",
        )  # fmt: skip
        drawings.append(drawing)
        faces.append(axes)
    _frame(faces)
    return drawings


def draw(
    *,
    runs: Runs,
    out: FigureFile,
    sigma: Annotated[
        float, number("F", 0.1, 10, "Size of ellipses, in standard deviations.")
    ] = 1.0,
    ellipses: Annotated[
        bool, typer.Option(help="Draw ellipses where predictions lie; they need the data set.")
    ] = True,
    subset: Subset = "full",
    norm: Norm = None,
    data_root: DataRoot = None,
    width: Width = None,
) -> None:
    """Error of each landmark, drawn on the mean face.

    Ellipses show where predictions lie.

    For example:
      alignbench figure landmarks run --sigma 2 --out landmarks.svg
    """
    drawing = figure(
        read_runs(runs), subset, norm, sigma=sigma, ellipses=ellipses, data_root=data_root
    )
    put_figure(drawing, out, width)


def _spreads(
    runs: Sequence[Run], subset: str, norm: str, ellipses: bool | None, root: Root
) -> list[Spread]:
    for run in runs:
        run.errors(norm, subset)  # refuses an unknown subset or normaliser
    return [_spread(run, subset, norm, ellipses, root) for run in runs]


def _colours(spreads: Sequence[Spread]) -> Normalize:
    """One scale for the landmarks of all runs."""
    return Normalize(0, 100 * max(float(one.errors.max()) for one in spreads))


def _spread(run: Run, subset: str, norm: str, ellipses: bool | None, root: Root) -> Spread:
    points = run.all_points()
    chosen = member(run, subset) & ~np.isnan(points).any(axis=(1, 2))
    if not chosen.any():
        raise InputError(
            f"run {labels([run])[0]}", f"has no landmarks for any face of subset {subset!r}"
        )
    if ellipses is not False:
        try:
            faces = evaluated_faces(run, root).take(np.flatnonzero(chosen))
        except InputError:
            if ellipses:
                raise
        else:
            if is_annotated(faces.points).all():
                scale = normalisers(faces.points, faces.markup, faces.ids, faces.scales)[norm]
                return spread_of(points[chosen], faces.points, faces.markup, scale, norm)
            if ellipses:
                raise InputError(
                    "ellipses", f"{faces.name} does not annotate every landmark of every face",
                    remedy="Add --no-ellipses.",
                )  # fmt: skip
    # Without its data set, a run has errors of landmarks only over all faces.
    if subset != FULL:
        raise InputError(
            f"subset {subset!r}", "has no stored errors of landmarks", FULL,
            "Give the data set with --data-root, and leave out --no-ellipses.",
        )  # fmt: skip
    rows = run.breakdown[(run.breakdown["kind"] == "landmark") & (run.breakdown["norm"] == norm)]
    mean, _ = _align(points[chosen], run.markup, norm)
    return Spread(mean, rows["nme"].to_numpy(np.float64) / 100, None, None, int(chosen.sum()))


def spread_of(points: Floats, truth: Floats, markup: Markup, scale: Floats, norm: str) -> Spread:
    """Where predicted landmarks (N, L, 2) lie about the true ones.

    ``scale`` is the normaliser (N,) of each face, in pixels.
    """
    mean, turn = _align(truth, markup, norm)
    error = _complex(points - truth) * turn[:, None] / scale[:, None]
    offset = error.mean(axis=0)
    centred = _real(error - offset)
    covariance = np.einsum("nli,nlj->lij", centred, centred) / len(centred)
    errors = landmark_errors(distances(points, truth), scale)
    return Spread(mean, errors, _real(offset), covariance, len(points))


def _align(points: Floats, markup: Markup, norm: str) -> tuple[Floats, Complex]:
    """The mean (L, 2) of faces (N, L, 2), and the turn (N,) that lays each of them on it.

    Generalised Procrustes analysis (Gower, Psychometrika 1975) without mirroring: each face is
    centred, scaled to unit size and turned to the mean, in several rounds.
    """
    shapes = _complex(points)
    shapes = shapes - shapes.mean(axis=1, keepdims=True)
    shapes /= np.sqrt((np.abs(shapes) ** 2).mean(axis=1, keepdims=True))
    # It begins with level eyes in every face; at the end, the eyes of the mean are levelled.
    turn = _levelling(shapes, markup)
    for _ in range(_ROUNDS):
        mean = (shapes * turn[:, None]).mean(axis=0)
        turn = (mean * np.conj(shapes)).sum(axis=1)
        turn /= np.abs(turn)
    level = _levelling(mean[None], markup)[0]
    mean, turn = _real(mean * level), turn * level
    scales = normalisers(mean[None], markup, ("the mean",))
    return mean / scales.get(norm, scales[BOX]), turn


def _levelling(shapes: Complex, markup: Markup) -> Complex:
    """The turns (N,) that level the eyes of shapes (N, L).

    The eyes are the ends of the first two-point normaliser. A mark-up that has none leaves shapes
    as they are.
    """
    for left, right in markup.normalisers.values():
        across = shapes[:, list(right)].mean(axis=1) - shapes[:, list(left)].mean(axis=1)
        return np.conj(across) / np.abs(across)
    return np.ones(len(shapes), np.complex128)


def _complex(points: Floats) -> Complex:
    return points[..., 0] + 1j * points[..., 1]


def _real(points: Complex) -> Floats:
    return np.stack([points.real, points.imag], axis=-1)


def _face(
    axes: Axes, spread: Spread, markup: Markup, sigma: float, colours: Normalize
) -> EllipseCollection:
    """The mean face and an ellipse for each landmark; a disc where the truth is not known."""
    mean = spread.mean
    chains = [mean[list(chain)] for chain in markup.chains.values()]
    axes.add_collection(LineCollection(chains, colors="0.75", linewidths=1.0, zorder=1))
    centre, lengths, angles = mean, np.full((len(mean), 2), _DOT), np.zeros(len(mean))
    if spread.offset is not None:
        centre = mean + spread.offset
        lengths, angles = spread.axes(sigma)
    drawn = EllipseCollection(
        lengths[:, 0], lengths[:, 1], angles, units="xy", offsets=centre,
        offset_transform=axes.transData, array=100 * spread.errors, cmap=style.SCALE,
        norm=colours, edgecolors="black", linewidths=0.5, alpha=0.8, zorder=2,
    )  # fmt: skip
    axes.add_collection(drawn)
    if spread.offset is not None:
        axes.plot(
            *mean.T, "o", markerfacecolor="white", markeredgecolor="black", markersize=2.2,
            markeredgewidth=0.6, zorder=3,
        )  # fmt: skip
    reach = lengths.max() / 2
    axes.update_datalim([(centre - reach).min(axis=0), (centre + reach).max(axis=0)])
    return drawn


def _hide_axis(axes: Axes) -> None:
    """Hide the axis, and make no ticks: matplotlib would spend time even on hidden ones."""
    axes.set(xticks=[], yticks=[])
    axes.set_axis_off()


def _frame(panels: Sequence[Axes]) -> None:
    """The same frame and scale for all faces, and a bar that shows the scale."""
    boxes = np.array([axes.dataLim.get_points() for axes in panels])
    low, high = boxes[:, 0].min(axis=0) - 0.05, boxes[:, 1].max(axis=0) + 0.05
    for axes in panels:
        axes.set(xlim=(low[0], high[0]), ylim=(high[1], low[1]))
        axes.set_aspect("equal")
        left, bottom = low[0] + 0.05, high[1] - 0.05
        ends = [left, left + _BAR]
        axes.plot(ends, [bottom, bottom], color="black", linewidth=2, solid_capstyle="butt")
        axes.text(left, bottom - 0.02, f"{100 * _BAR:g} %", fontsize="small", va="bottom")
