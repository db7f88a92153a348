"""``alignbench report`` and ``alignbench ced``: what is made out of runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from alignbench import plugins
from alignbench.cli.options import FORMATS, Format


def report(
    runs: Annotated[list[Path], typer.Argument(help="Folders of runs.")],
    table: Annotated[str, typer.Option(help="Which table; `alignbench list reports`.")] = "summary",
    form: Annotated[
        Format | None,
        typer.Option("--format", help="Form of the table. Default: by the ending of --out."),
    ] = None,
    measure: Annotated[
        list[str] | None, typer.Option(help="Measures to show; repeat for several.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="File, or folder, to write. Default: print.")
    ] = None,
) -> None:
    """Make a table of one or several runs."""
    from alignbench import load_run, parse_measure
    from alignbench.files import write_atomic

    render = plugins.load(plugins.REPORTS, table)
    measures = [parse_measure(text) for text in measure or []]
    if form is None:
        form = FORMATS.get(out.suffix.lower() if out else "", Format.terminal)
    text = render([load_run(path) for path in runs], form.value, measures or None)
    if out is None:
        typer.echo(text)
        return
    if out.is_dir():
        ending = next((e for e, made in FORMATS.items() if made is form), ".txt")
        out = out / f"{table}{ending}"
    out.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(out, (text.rstrip("\n") + "\n").encode())
    typer.echo(f"Table written to {out}", err=True)


def ced(
    runs: Annotated[list[Path], typer.Argument(help="Folders of runs.")],
    out: Annotated[Path, typer.Option(help="File to write: .svg, .png or .pdf.")],
    maximum: Annotated[
        float | None,
        typer.Option(
            "--max",
            help="Right end, a fraction; FR and AUC are taken there. Default: the threshold the "
            "data set's papers use, 0.08 or 0.10.",
        ),
    ] = None,
    subset: Annotated[str, typer.Option(help="Subset of the data set.")] = "full",
    norm: Annotated[
        str | None, typer.Option(help="Normaliser. Default: the data set's usual one.")
    ] = None,
) -> None:
    """Plot cumulative error distributions with NME, FR and AUC in the legend."""
    from alignbench import load_run

    draw = plugins.load(plugins.FIGURES, "ced")
    draw([load_run(path) for path in runs], out, maximum=maximum, subset=subset, normaliser=norm)
    typer.echo(f"Plot written to {out}", err=True)
