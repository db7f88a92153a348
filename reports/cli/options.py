"""Options that the commands, reports and figures of this package share."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from alignbench.cli.options import as_typed, make_absolute, require_ending, within
from alignbench.exceptions import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from alignbench import Run

FIGURE_ENDINGS = (".svg", ".png", ".pdf")


def _require_figure_ending(path: Path | None) -> Path | None:
    if path is not None:
        require_ending(path, FIGURE_ENDINGS)
    return make_absolute(path)


def several(metavar: str, what: str, default: str, *names: str) -> Any:
    """An option that may be repeated; ``default`` is what holds without it, in words."""
    text = f"{what}; repeat for several. Default: {default}."
    return typer.Option(*names, metavar=metavar, help=text)


def number(metavar: str, low: float, high: float, text: str, *names: str) -> Any:
    """An option whose number must lie within limits."""
    return typer.Option(*names, metavar=metavar, callback=within(low, high), help=text)


_RUNS = (
    "Folders of runs. A folder above runs stands for the newest run of each model, data set and "
    "box protocol in it, or the newest complete one."
)
Runs = Annotated[list[Path], typer.Argument(metavar="RUN", help=_RUNS, show_default=False)]
OptionalRuns = Annotated[list[Path] | None, typer.Argument(metavar="RUN", help=_RUNS)]
FigureFile = Annotated[
    Path,
    typer.Option(
        "--out",
        metavar="FILE",
        callback=_require_figure_ending,
        help=f"File to write: {', '.join(FIGURE_ENDINGS)}.",
    ),
]
ExtraFigure = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        callback=_require_figure_ending,
        help=f"Draw the curves too: {', '.join(FIGURE_ENDINGS)}.",
    ),
]
Width = Annotated[
    float | None,
    number(
        "IN", 3, 12,
        "Width in inches, such as 3.25 for a column of a paper; text has 7 and 8 points then. "
        "Default: as wide as it needs.",
    ),
]  # fmt: skip
Norm = Annotated[
    str | None,
    typer.Option(metavar="NORM", help="Normaliser. Default: the usual one of the data set."),
]
Subset = Annotated[str, typer.Option(metavar="S", help="Subset of the data set.")]
Subsets = Annotated[list[str] | None, several("S", "Subset", "every subset", "--subset")]
FacesInRow = Annotated[int, number("N", 1, 400, "Number of faces in a row.", "--faces")]
Truth = Annotated[
    bool, typer.Option("--truth/--no-truth", help="Draw lines to the true landmarks.")
]


def read_runs(paths: Sequence[Path]) -> list[Run]:
    """The runs in some folders, or below them.

    Below a folder only the newest run of each model, data set and box protocol is read, a complete
    one if there is any; the others are named on the error stream.

    Raises
    ------
    InputError
        If there is no finished run in or below a folder, or one is damaged.
    """
    from alignbench import load_run
    from alignbench.cli.console import tell
    from alignbench.runs.folders import choose_runs

    chosen = [choose_runs(path) for path in paths]
    for left_out, kept in chain.from_iterable(one.replaced for one in chosen):
        tell(
            f"Not used: {left_out}; {kept} is a newer or complete run of the same model and boxes."
        )
    # A run is read once, even if a folder is named twice or inside another one.
    folders = dict.fromkeys(chain.from_iterable(one.folders for one in chosen))
    return list(map(load_run, folders))


def refuse_with_runs(command: str, **given: object) -> None:
    """Raise InputError for options of models that were given (true) together with stored runs."""
    if names := [f"--{name.replace('_', '-')}" for name, value in given.items() if value]:
        raise InputError(
            f"alignbench {command}", f"runs and {', '.join(names)}",
            f"{', '.join(names)} with --model and --dataset alone",
        )  # fmt: skip


def put_figure(figure: Figure, out: Path, width: float | None = None) -> None:
    """Write a figure, as wide as asked for in inches, and say so on the error stream."""
    from alignbench.cli.console import tell
    from reports.figures.column import fit_width
    from reports.figures.style import save

    if width is not None:
        fit_width(figure, width)
    save(figure, out)
    tell(f"Figure written to {as_typed(out)}")
