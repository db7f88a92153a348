"""``alignbench report``: what is made out of runs."""

from __future__ import annotations

from collections.abc import Sequence
from inspect import signature
from pathlib import Path
from typing import Annotated

import typer

from alignbench import plugins
from alignbench.cli.options import FORMATS, DataRoot, Format, write_text
from alignbench.errors import InputError


def report(
    runs: Annotated[
        list[Path] | None,
        typer.Argument(help="Folders of runs; with --all, folders that hold them. Default: runs."),
    ] = None,
    table: Annotated[
        str | None,
        typer.Option(
            help="1 to 8: that table of the PropNet paper, published rows above those of the runs; "
            "all: each of them; summary, or another of `alignbench list reports`. Default: summary "
            "of runs, all where there are none."
        ),
    ] = None,
    form: Annotated[
        Format | None,
        typer.Option("--format", help="Form of the table. Default: by the ending of --out."),
    ] = None,
    measure: Annotated[
        list[str] | None,
        typer.Option(help="With --table summary: measures to show; repeat for several."),
    ] = None,
    intervals: Annotated[
        bool | None,
        typer.Option(
            "--intervals/--no-intervals",
            help="Intervals beside measured numbers. Default: in the summary alone.",
        ),
    ] = None,
    everything: Annotated[
        bool,
        typer.Option(
            "--all",
            help="A site of every run, in the folder --out names: leaderboard, a page a data set, "
            "tables, figures.",
        ),
    ] = False,
    data_root: DataRoot = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="File, or folder, to write; several tables in a folder are a file each. "
            "Default: print."
        ),
    ] = None,
) -> None:
    """Make a table of runs, or of what the PropNet paper published."""
    from alignbench import load_run, parse_measure
    from alignbench.cli.console import tell

    if everything:
        if table or form or measure or intervals is not None or out is None:
            raise InputError("--all", "takes folders and --out DIR alone")
        _site(runs or [Path("runs")], out, data_root)
        return
    table = table or ("summary" if runs else "all")
    measures = [parse_measure(text) for text in measure or []]
    if form is None:
        form = FORMATS.get(out.suffix.lower() if out else "", Format.terminal)
    if table == "all" or (table.isascii() and table.isdigit()):
        if measures:
            raise InputError(
                "--measure", f"given with --table {table}, whose measures are the paper's",
                "with --table summary",
            )  # fmt: skip
        if data_root is not None:
            raise InputError(f"--table {table}", "takes no --data-root")
        folder = out is not None and (out.is_dir() or (table == "all" and not out.suffix))
        texts = plugins.load(plugins.VERBS, "report")(
            [load_run(path) for path in runs or []],
            form.value,
            **({} if table == "all" else {"numbers": [int(table)]}),
            intervals=bool(intervals),
            apart=folder,
            say=tell,
        )
    else:
        make = plugins.load(plugins.REPORTS, table)
        if not runs:
            raise InputError(f"--table {table}", "there are no runs", "folders of runs")
        given = {"intervals": intervals, "data_root": data_root}
        chosen = {name: value for name, value in given.items() if value is not None}
        if foreign := [name for name in chosen if name not in signature(make).parameters]:
            raise InputError(f"--table {table}", f"takes no --{foreign[0].replace('_', '-')}")
        folder = out is not None and out.is_dir()
        found = [load_run(path) for path in runs]
        texts = {table: make(found, form.value, measures or None, **chosen)}
    if out is None:
        typer.echo("\n\n".join(texts.values()))
        return
    ending = next((e for e, made in FORMATS.items() if made is form), ".txt")
    files = {out / f"{name}{ending}" if folder else out: text for name, text in texts.items()}
    for path, text in files.items():
        write_text(text, path)
    typer.echo(f"{'Tables' if len(files) > 1 else 'Table'} written to {out}", err=True)


def _site(stores: Sequence[Path], out: Path, data_root: Path | None) -> None:
    from alignbench.cli.console import progress, tell

    build = plugins.load(plugins.VERBS, "site")
    with progress("Site", "parts") as report_progress:
        board = build(stores, out, data_root=data_root, progress=report_progress)
    for line in board.broken:
        tell(f"Left out: {line}")
    typer.echo(f"Site of {len(board.entries):,} runs in {out / 'index.html'}", err=True)
