"""The command ``slices``: where a model is worse."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from alignbench.cli.options import DataRoot, Form, Out, Replicates, Seed, choose_format, put
from reports.cli.options import Norm, number, read_runs, several


def slices(
    *,
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run.")],
    condition: Annotated[
        list[str] | None,
        several("C", "Condition, such as yaw, turn or height", "all that are known"),
    ] = None,
    bins: Annotated[
        int, number("N", 2, 32, "Quantiles of a condition at which ranges begin and end.")
    ] = 8,
    pixels: Annotated[
        bool, typer.Option("--pixels", help="Measure sharpness and brightness of the images too.")
    ] = False,
    most: Annotated[int, number("N", 1, 1000, "Slices to show.")] = 10,
    norm: Norm = None,
    data_root: DataRoot = None,
    replicates: Replicates = 10_000,
    seed: Seed = 0,
    form: Form = None,
    out: Out = None,
) -> None:
    """Find the faces on which a model is worse.

    Searches subsets and ranges of everything that is known of the faces: yaw, turn of the head,
    height in pixels, hidden landmarks. Intervals and p-values hold for all slices at once.

    For example:
      alignbench slices runs/propnet-mini
      alignbench slices run --condition height --condition occlusion
    """
    from alignbench.progress import show_status
    from alignbench.stats import Bootstrap
    from reports.data import require_one_run
    from reports.slices import slice_table
    from reports.tables import render

    chosen = choose_format(form, out)
    with show_status("Searching"):
        table = slice_table(
            require_one_run(read_runs([run]), "slices"), normaliser=norm, conditions=condition,
            bins=bins, pixels=pixels, most=most, data_root=data_root,
            bootstrap=Bootstrap(replicates, seed=seed),
        )  # fmt: skip
    put(render([table], chosen), out)
