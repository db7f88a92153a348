"""The command ``explain``: which protocol brings a run to a published number."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from alignbench.cli.options import DataRoot, Form, Out, choose_format, put
from alignbench.exceptions import InputError
from reports.cli.options import read_runs


def explain(
    *,
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run.")],
    published: Annotated[
        str,
        typer.Option(
            metavar="TEXT",
            help="Published numbers: method, then perhaps subset and measure, such as "
            "'SPIGA full auc@0.08'.",
        ),
    ] = "",
    value: Annotated[
        str, typer.Option(metavar="X", help="Instead: a number as it is printed, with --metric.")
    ] = "",
    metric: Annotated[str, typer.Option(metavar="M", help="Measure of --value.")] = "nme",
    subset: Annotated[str, typer.Option(metavar="S", help="Subset of --value.")] = "full",
    norm: Annotated[
        str, typer.Option(metavar="NORM", help="Normaliser of --value. Default: not stated.")
    ] = "",
    data_root: DataRoot = None,
    form: Form = None,
    out: Out = None,
) -> None:
    """Find out which protocol brings a run to a published number.

    Tries every normaliser, subset, threshold and convention, and digits that were cut off. Says so
    when none gives the number.

    For example:
      alignbench explain runs/300w/spiga --published 'SPIGA full auc@0.08'
      alignbench explain run --value 4.05 --metric nme
    """
    from reports.sensitivity.explain import explain_tables, find_published, typed_cell
    from reports.tables import render

    chosen = choose_format(form, out)
    if bool(published) == bool(value):
        raise InputError(
            "explain",
            "--published and --value" if value else "neither of --published and --value",
            "one of the two",
        )
    found = read_runs([run])
    if len(found) != 1:
        raise InputError(run, f"{len(found)} runs", "one run")
    if published:
        cells = find_published(published, found[0])
    else:
        cells = [typed_cell(value, metric, subset, norm, found[0])]
    put(render(explain_tables(found[0], cells, data_root), chosen), out, "Explanation")
