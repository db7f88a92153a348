"""Error against what makes a face hard: how it is turned, its size, what hides it."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Annotated

import numpy as np
from matplotlib.axes import Axes
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure, FigureBase
from matplotlib.transforms import ScaledTranslation

from alignbench import InputError, Run
from alignbench.arrays import Bools, Floats, Ints
from alignbench.cli.options import DataRoot
from alignbench.exceptions import unknown
from alignbench.stats import Bootstrap, mean_intervals
from reports.cli.options import (
    FigureFile,
    Norm,
    Runs,
    Subset,
    Width,
    number,
    put_figure,
    read_runs,
    several,
)
from reports.conditions import known_conditions, title_of
from reports.data import Root, evaluated_faces, member, require_one_dataset
from reports.figures import style
from reports.labels import labels

_USUAL = ("yaw", "size", "occlusion")
_COLUMNS = 3
_ASIDE = 3
"""Points by which the lines of two runs at one value are set apart."""


def figure(
    runs: Sequence[Run],
    subset: str = "full",
    normaliser: str | None = None,
    *,
    conditions: Sequence[str] | None = None,
    bins: int = 8,
    data_root: Root = None,
    into: FigureBase | None = None,
) -> Figure:
    """Error against yaw, size and occlusion where they are known, with 95 % intervals.

    A condition groups the faces into bins of about equal size. The figure shows the mean error of
    each bin against the mean of the condition, with a bootstrap interval of the error.

    Parameters
    ----------
    conditions
        What errors are drawn against, a panel each: names of
        :func:`~reports.conditions.known_conditions`. Yaw, size and occlusion where it is None, as
        far as they are known.
    bins
        Number of groups of faces for each condition.

    Raises
    ------
    InputError
        If a condition is unknown, or all faces of the subset were missed.
    """
    require_one_dataset(runs, "figure of conditions")
    norm = normaliser or runs[0].record.dataset.normalisers[0]
    for run in runs:
        run.errors(norm, subset)  # refuses an unknown one before the data are read
    known = [known_conditions(evaluated_faces(run, data_root)) for run in runs]
    # Runs on one data set know the same conditions of their faces.
    names = list(conditions or [name for name in _USUAL if name in known[0]])
    for name in names:
        if name not in known[0]:
            raise unknown(f"condition of {runs[0].record.dataset.name}", name, known[0])
    columns = min(_COLUMNS, len(names))
    rows = ceil(len(names) / columns)
    drawing = style.canvas(into, max(3.2 * columns, 4.8), 3.1 * rows + 0.2 * len(runs) + 0.7)
    panels = drawing.subplots(rows, columns, squeeze=False, sharey=True)
    lines = []
    for k, run in enumerate(runs):
        errors = 100 * run.errors(norm)
        inside = member(run, subset) & np.isfinite(errors)
        if not inside.any():
            raise InputError(
                f"run {labels([run])[0]}", f"has no landmarks for any face of subset {subset!r}"
            )
        for axes, name in zip(panels.flat, names, strict=False):
            means = _group_means(run, known[k][name][inside], errors[inside], inside, bins)
            # The runs' groups are often the same: their lines stand side by side.
            drawn = _curve(axes, *means, _ASIDE * (k - (len(runs) - 1) / 2), number=k)
        lines.append(drawn)
    for axes, name in zip(panels.flat, names, strict=False):
        axes.set(xlabel=title_of(name), ylim=(0, None))
        style.plain(axes)
    for axes in panels.flat[len(names) :]:
        axes.set_axis_off()
    for axes in panels[:, 0]:
        axes.set_ylabel(f"NME, % of {style.unit(norm)}")
    missed = sum(run.record.missed for run in runs)
    about = f"{missed:,} missed faces left out" if missed else ""
    drawing.suptitle(style.heading(runs, subset, about), fontsize="medium")
    drawing.legend(
        lines, [style.entry(name) for name in labels(runs)], loc="outside lower center",
        title=f"Means of at most {bins} groups of about as many faces, with "
        f"{100 * runs[0].record.statistics.confidence:g} % bootstrap intervals",
        frameon=False, fontsize="small", title_fontsize="small",
    )  # fmt: skip
    style.show_plain_text(drawing)
    return drawing


def draw(
    *,
    runs: Runs,
    out: FigureFile,
    condition: Annotated[
        list[str] | None,
        several(
            "C",
            "What errors are drawn against, such as yaw, size or occlusion",
            "these three, where they are known",
        ),
    ] = None,
    bins: Annotated[int, number("N", 1, 100, "Groups of faces, about equally large.")] = 8,
    subset: Subset = "full",
    norm: Norm = None,
    data_root: DataRoot = None,
    width: Width = None,
) -> None:
    """Error against yaw, size and occlusion, with intervals.

    For example:
      alignbench figure conditions run --condition yaw --bins 5 --out yaw.svg
    """
    drawing = figure(
        read_runs(runs), subset, norm, conditions=condition, bins=bins, data_root=data_root
    )
    put_figure(drawing, out, width)


def group(values: Floats, bins: int) -> Ints:
    """The bin (N,) of each value, so that all bins hold about the same number of values.

    Equal values fall in one bin; if many are equal, there are fewer bins.
    """
    edges = np.unique(np.quantile(values, np.linspace(0, 1, bins + 1)[1:-1]))
    return np.unique(np.searchsorted(edges, values, side="left"), return_inverse=True)[1]


def _group_means(
    run: Run, values: Floats, errors: Floats, inside: Bools, bins: int
) -> tuple[Floats, Floats, Floats]:
    """For each bin, the mean value (G,), the mean error (G,), and its interval's ends (2, G)."""
    bin_of = group(values, bins)
    within: Bools = bin_of == np.arange(bin_of.max() + 1)[:, None]
    settings = run.record.statistics
    bootstrap = Bootstrap(settings.replicates, settings.confidence, settings.seed)
    ends = mean_intervals(errors[:, None], within, run.clusters[inside], bootstrap)
    at, means = (np.array([x[one].mean() for one in within]) for x in (values, errors))
    return at, means, np.stack(ends)[:, :, 0]


def _curve(
    axes: Axes, at: Floats, means: Floats, ends: Floats, aside: float, number: int
) -> ErrorbarContainer:
    """A line of means (G,) with their intervals, moved aside by some points."""
    top = np.fmax(means, ends[1]).max()
    axes.update_datalim([(at.min(), means.min()), (at.max(), top)])
    axes.autoscale_view()
    shift = ScaledTranslation(aside / 72, 0, axes.figure.dpi_scale_trans)
    return axes.errorbar(
        at, means, np.abs(ends - means), capsize=2, markersize=4.5, linewidth=1.3, elinewidth=0.9,
        transform=axes.transData + shift, **style.line(number),
    )  # fmt: skip
