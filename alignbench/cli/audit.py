"""``alignbench audit``: what arithmetic says of published tables."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from alignbench import plugins
from alignbench.cli.options import FORMATS, Format, put


class Gate(StrEnum):
    """Verdicts that may fail the command, the mildest first."""

    marginal = "marginal"
    suspect = "suspect"
    impossible = "impossible"


def audit(
    tables: Annotated[
        list[Path] | None,
        typer.Argument(
            help="CSV files of published tables. Default: the tables of the PropNet paper."
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a list of all findings as JSON.")
    ] = False,
    form: Annotated[
        Format | None,
        typer.Option("--format", help="Form of the tables. Default: by the ending of --out."),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Show what is ok as well; csv and JSON always do.")
    ] = False,
    dataset: Annotated[
        str, typer.Option(help="Data set of tables that do not say, such as 300w or '300w private'")
    ] = "",
    norm: Annotated[str, typer.Option(help="Normaliser of tables that do not say.")] = "",
    partition: Annotated[
        list[str] | None,
        typer.Option(
            metavar="WHOLE=PART+PART",
            help="Subsets that make up another without overlap; repeat for several.",
        ),
    ] = None,
    fail_on: Annotated[
        Gate | None, typer.Option(help="Exit with status 1 on this verdict or a worse one.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="File to write. Default: print.")] = None,
) -> None:
    """Check published tables for what arithmetic forbids, each finding with its proof."""
    if as_json:
        chosen = "json"
    else:
        chosen = (form or FORMATS.get(out.suffix.lower() if out else "", Format.terminal)).value
    command = plugins.load(plugins.VERBS, "audit")
    text, worst = command(
        tables or (), chosen, everything=everything, dataset=dataset, norm=norm,
        partitions=partition or (),
    )  # fmt: skip
    put(text, out, "Audit")
    gates = [gate.value for gate in Gate]
    if fail_on is not None and worst in gates[gates.index(fail_on.value) :]:
        typer.echo(f"alignbench: the worst verdict is {worst}.", err=True)
        raise typer.Exit(1)
