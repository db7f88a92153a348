"""The command ``published``: what papers, repositories and pages print."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from alignbench.cli.options import Form, Out, choose_format, put
from reports.cli.options import Subsets, several


def published(
    *,
    dataset: Annotated[
        str,
        typer.Argument(
            metavar="D",
            help="Data set, such as wflw or '300w private'. Default: how much there is of each.",
        ),
    ] = "",
    method: Annotated[
        list[str] | None,
        several("NAME", "Method; LAB stands for LAB (w/ B), too", "every method", "--method"),
    ] = None,
    metric: Annotated[
        list[str] | None,
        several("M", "Measure, such as auc@0.10", "every measure", "--metric"),
    ] = None,
    subset: Subsets = None,
    norm: Annotated[str, typer.Option(metavar="NORM", help="Normaliser. Default: every one.")] = "",
    more: Annotated[
        list[Path] | None,
        several("FILE.csv", "Results of your own, in the form of the collection", "none", "--with"),
    ] = None,
    form: Form = None,
    out: Out = None,
) -> None:
    """Show published results with their protocol and sources.

    The collection has what papers, repositories and pages print, as they print it. CSV and JSON
    have every number with the address of its source.

    For example:
      alignbench published wflw --metric nme
      alignbench published 300w --method SPIGA --format csv
    """
    from reports.published import collection, overview, read, select, tables
    from reports.tables import render

    chosen = choose_format(form, out)
    every = [*collection(), *(cell for path in more or () for cell in read(path))]
    cells = select(
        every, dataset, methods=method or (), measures=metric or (), subsets=subset or (),
        normaliser=norm,
    )  # fmt: skip
    asked = dataset or method or metric or subset or norm
    shown = tables(cells) if asked else [overview(cells)]
    put(render(shown, chosen), out, "Published results")
