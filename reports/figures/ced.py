"""CED plots: the share of faces whose error is at most x, with NME, FR and AUC in the legend.

The command is in :mod:`reports.cli.figure`, because it is ``alignbench ced`` too.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from alignbench import InputError, Run
from alignbench.metrics import usual_measures
from alignbench.metrics.ced import ced_steps
from reports.data import require_one_dataset
from reports.figures import style
from reports.labels import labels


def figure(
    runs: Sequence[Run],
    subset: str = "full",
    normaliser: str | None = None,
    *,
    maximum: float | None = None,
) -> Figure:
    """CED curves of runs, with NME, FR and AUC.

    Parameters
    ----------
    maximum
        Right end of the plot, a fraction of the normaliser; FR and AUC are taken there, so that
        AUC is the share of the plot below the curve. By default the data set's usual threshold.

    Raises
    ------
    InputError
        If the subset is empty in one of the runs, or ``maximum`` is out of range.
    """
    require_one_dataset(runs, "CED plot")
    dataset = runs[0].record.dataset
    maximum = dataset.threshold if maximum is None else maximum
    if not 0 < maximum <= 1:
        raise InputError("--max", f"{maximum}", "a fraction above 0 and at most 1")
    norm = normaliser or dataset.normalisers[0]
    drawing = Figure(layout="constrained")
    axes = drawing.add_subplot()
    measures = usual_measures(maximum)
    curves = [run.errors(norm, subset) for run in runs]
    one_size = len({len(errors) for errors in curves}) == 1
    lines, legend = [], []
    for k, (name, errors) in enumerate(zip(labels(runs), curves, strict=True)):
        if not len(errors):
            raise InputError(f"subset {subset!r}", f"has no faces in run {name}")
        x, share = ced_steps(errors, maximum)
        look = style.line(k) | {"marker": ""}
        lines += axes.step(100 * x, 100 * share, where="post", linewidth=1.8, **look)
        nme, fr, auc = (measure.value(errors) for measure in measures)
        faces = "" if one_size else f" ({len(errors):,} faces)"
        legend.append(style.entry(f"{name}{faces}: {nme:.2f} %, {fr:.2f} %, {auc:.4f}"))
    # Room for the legend below the axes: curves may pass through any corner.
    rows = sum(text.count("\n") + 1 for text in legend)
    drawing.set_size_inches(6.4, 4.2 + 0.2 * rows)
    axes.set(
        xlim=(0, 100 * maximum), ylim=(0, 101), xlabel=f"Error, % of {style.unit(norm)}",
        ylabel="Faces with at most this error, %",
    )  # fmt: skip
    size = f"{len(curves[0]):,} faces" if one_size else ""
    axes.set_title(style.heading(runs, subset, size), fontsize="medium", loc="left")
    style.plain(axes)
    drawing.legend(
        lines, legend, title=", ".join(measure.heading.rstrip(" %") for measure in measures),
        loc="outside lower center", frameon=False, fontsize="small", title_fontsize="small",
    )  # fmt: skip
    return drawing


def write_run_files(run: Run, folder: Path) -> None:
    """``ced.svg`` and ``ced.png`` of a finished run."""
    for ending in (".svg", ".png"):
        style.save(figure([run]), folder / f"ced{ending}")
