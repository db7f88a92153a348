"""CED plots: the share of faces whose error is at most x, with NME, FR and AUC in the legend.

The command is in :mod:`reports.cli.figure`, because it is ``alignbench ced`` too.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from alignbench import InputError, Run
from alignbench.metrics import usual_measures
from alignbench.metrics.ced import ced_steps
from reports.data import require_one_dataset
from reports.figures import style
from reports.labels import labels


def plot_ced(
    runs: Run | Sequence[Run],
    ax: Axes | None = None,
    *,
    subset: str = "full",
    normaliser: str | None = None,
    maximum: float | None = None,
) -> Axes:
    """Draw the cumulative error distribution (CED) of one or several runs.

    Parameters
    ----------
    runs
        A run, or several on one data set and split.
    ax
        Axes of matplotlib to draw on; by default those of a new figure of pyplot.
    subset
        Subset of the data set, such as ``"pose"``.
    normaliser
        What errors are divided by; by default the data set's usual normaliser.
    maximum
        Right end of the curves, a fraction of the normaliser; FR and AUC in the legend are taken
        there. By default the threshold that papers on the data set use.

    Returns
    -------
    matplotlib.axes.Axes
        The axes. x is the error in percent of the normaliser, y the share of faces with at most
        this error, in percent. The legend has NME, FR and AUC of each run.

    Raises
    ------
    InputError
        If runs are of several data sets, the subset is empty in one of them, or ``maximum`` is out
        of range.
    """
    ax = ax or style.new_axes()
    some = [runs] if isinstance(runs, Run) else list(runs)
    lines, legend, title = _curves(ax, some, subset, normaliser, maximum)
    ax.legend(lines, legend, title=title, loc="lower right", fontsize="small")
    style.show_plain_text(ax)
    return ax


def figure(
    runs: Sequence[Run],
    subset: str = "full",
    normaliser: str | None = None,
    *,
    maximum: float | None = None,
) -> Figure:
    """The curves of :func:`plot_ced` as a figure, with the legend below the axes.

    AUC is the share of the plot below a curve.
    """
    drawing = Figure(layout="constrained")
    lines, legend, title = _curves(drawing.add_subplot(), runs, subset, normaliser, maximum)
    # Room for the legend below the axes: curves may pass through any corner.
    rows = sum(text.count("\n") + 1 for text in legend)
    drawing.set_size_inches(6.4, 4.2 + 0.2 * rows)
    drawing.legend(
        lines, legend, title=title, loc="outside lower center", frameon=False, fontsize="small",
        title_fontsize="small",
    )  # fmt: skip
    return drawing


def _curves(
    axes: Axes, runs: Sequence[Run], subset: str, normaliser: str | None, maximum: float | None
) -> tuple[list[Line2D], list[str], str]:
    """Draw the curves; gives the lines, what a legend says of them, and its title."""
    require_one_dataset(runs, "CED plot")
    dataset = runs[0].record.dataset
    maximum = dataset.threshold if maximum is None else maximum
    if not 0 < maximum <= 1:
        raise InputError("--max", f"{maximum}", "a fraction above 0 and at most 1")
    norm = normaliser or dataset.normalisers[0]
    measures = usual_measures(maximum)
    curves = [run.errors(norm, subset) for run in runs]
    one_size = len({len(errors) for errors in curves}) == 1
    lines: list[Line2D] = []
    legend: list[str] = []
    for k, (name, errors) in enumerate(zip(labels(runs), curves, strict=True)):
        if not len(errors):
            raise InputError(f"subset {subset!r}", f"has no faces in run {name}")
        x, share = ced_steps(errors, maximum)
        look = style.line(k) | {"marker": ""}
        lines += axes.step(100 * x, 100 * share, where="post", linewidth=1.8, **look)
        nme, fr, auc = (measure.value(errors) for measure in measures)
        faces = "" if one_size else f" ({len(errors):,} faces)"
        legend.append(style.entry(f"{name}{faces}: {nme:.2f} %, {fr:.2f} %, {auc:.4f}"))
    axes.set(
        xlim=(0, 100 * maximum), ylim=(0, 101), xlabel=f"Error, % of {style.unit(norm)}",
        ylabel="Faces with at most this error, %",
    )  # fmt: skip
    size = f"{len(curves[0]):,} faces" if one_size else ""
    axes.set_title(style.heading(runs, subset, size), fontsize="medium", loc="left")
    style.plain(axes)
    return lines, legend, ", ".join(measure.heading.rstrip(" %") for measure in measures)


def write_run_files(run: Run, folder: Path) -> None:
    """``ced.svg`` and ``ced.png`` of a finished run."""
    for ending in (".svg", ".png"):
        style.save(figure([run]), folder / f"ced{ending}")
