"""``alignbench figure``, ``ced`` and ``data show``: what is drawn of runs and data sets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from alignbench import plugins
from alignbench.cli.mount import SETTINGS, PluginGroup
from alignbench.cli.options import (
    DataRoot,
    MarkupName,
    Origin,
    Split,
    require_ending,
    require_one_process,
)
from reports.cli.options import FigureFile, Norm, Runs, Subset, Width, number, put_figure, read_runs


class _Figures(PluginGroup):
    entries = plugins.FIGURES

    def invoke(self, ctx: Any) -> Any:
        from alignbench.progress import show_status
        from reports.data import read_once

        with show_status("Drawing"), read_once():
            return super().invoke(ctx)


FIGURE = typer.Typer(
    cls=_Figures, rich_markup_mode=None, add_completion=False, context_settings=SETTINGS
)


def _list(asked: bool) -> None:
    if asked:
        from alignbench.cli.console import print_columns

        names = plugins.entry_points(plugins.FIGURES)
        print_columns([(name, plugins.describe(plugins.FIGURES, name)) for name in names])
        raise typer.Exit


@FIGURE.callback()
def figure(
    show: Annotated[
        bool, typer.Option("--list", callback=_list, is_eager=True, help="List the figures.")
    ] = False,
) -> None:
    """Draw a figure of runs, or of a data set.

    `alignbench figure NAME --help` shows the options of a figure.

    For example:
      alignbench figure landmarks run --out landmarks.svg
      alignbench figure attributes --dataset synthetic --out attributes.png
    """


def ced(
    runs: Runs,
    out: FigureFile,
    maximum: Annotated[
        float | None,
        typer.Option(
            "--max",
            metavar="F",
            help="Right end of the curves, a fraction; FR and AUC are taken there. Default: the "
            "threshold that papers on the data set use, 0.08 or 0.10.",
        ),
    ] = None,
    subset: Subset = "full",
    norm: Norm = None,
    width: Width = None,
) -> None:
    """Plot cumulative error distributions (CED).

    NME, FR and AUC stand in the legend.

    For example:
      alignbench ced run-a run-b --out ced.svg --max 0.08 --subset pose
      alignbench ced run-a run-b --out ced.pdf --width 3.25
    """
    from reports.figures import ced

    put_figure(ced.figure(read_runs(runs), subset, norm, maximum=maximum), out, width)


def show(
    dataset: Annotated[
        str, typer.Argument(metavar="D", help="Name of the data set, FORMAT:PATH or FILE.toml.")
    ],
    out: Annotated[Path, typer.Option(metavar="FILE", help="Picture to write: .png or .jpg.")],
    split: Split = "test",
    data_root: DataRoot = None,
    markup: MarkupName = None,
    origin: Origin = None,
    faces: Annotated[int, number("N", 1, 400, "Number of faces, evenly spread.")] = 24,
    landmarks: Annotated[
        bool, typer.Option(help="Draw landmarks and boxes on every second face.")
    ] = True,
) -> None:
    """Draw a sheet of faces with their landmarks and boxes.

    For example:
      alignbench data show synthetic --out faces.jpg
      alignbench data show pts:faces --out sheet.png
    """
    from alignbench.cli.console import read_dataset, tell
    from reports.figures.tiles import SHEET_ENDINGS, draw_sheet

    require_one_process("data show")
    require_ending(out, SHEET_ENDINGS)
    draw_sheet(read_dataset(dataset, data_root, split, markup, origin), out, faces, landmarks)
    tell(f"Picture written to {out}")
