"""A figure with an option of its own."""

from typing import Annotated

import typer
from matplotlib.figure import Figure

from alignbench.cli.options import within
from reports.cli.options import FigureFile, Runs, put_figure, read_runs


def figure(runs, bins):
    """Histograms of the errors of runs."""
    drawing = Figure(layout="constrained")
    axes = drawing.add_subplot()
    for run in runs:
        errors = run.errors(run.record.dataset.normalisers[0])
        axes.hist(100 * errors, bins=bins, histtype="step", label=run.record.model.name)
    axes.set(xlabel="Error, %", ylabel="Faces")
    axes.legend()
    return drawing


def draw(
    runs: Runs,
    out: FigureFile,
    bins: Annotated[int, typer.Option(metavar="N", callback=within(1, 100), help="Bars.")] = 20,
) -> None:
    """Histograms of errors.

    For example:
      alignbench figure histogram run --bins 10 --out histogram.svg
    """
    put_figure(figure(read_runs(runs), bins), out)
