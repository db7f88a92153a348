"""``alignbench audit``: what arithmetic says about published tables."""

from __future__ import annotations

import json
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from alignbench.cli.options import Form, Out, choose_format, put


class Gate(StrEnum):
    """Verdicts that can fail the command, the mildest first."""

    marginal = "marginal"
    suspect = "suspect"
    impossible = "impossible"


def audit(
    *,
    tables: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="TABLE.csv",
            help="CSV files of published tables. Default: the tables of the PropNet paper.",
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a list of all findings as JSON.")
    ] = False,
    form: Form = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Show what is ok too; CSV and JSON always do.")
    ] = False,
    dataset: Annotated[
        str,
        typer.Option(
            metavar="D",
            help="Data set of tables that do not name one, such as 300w or '300w private'.",
        ),
    ] = "",
    norm: Annotated[
        str, typer.Option(metavar="NORM", help="Normaliser of tables that do not name one.")
    ] = "",
    partition: Annotated[
        list[str] | None,
        typer.Option(
            metavar="WHOLE=PART+PART",
            help="Subsets that make up another one without overlap; repeat for several.",
        ),
    ] = None,
    fail_on: Annotated[
        Gate | None, typer.Option(help="Exit with status 1 on this verdict or a worse one.")
    ] = None,
    out: Out = None,
) -> None:
    """Check published tables for numbers that cannot be right.

    Each finding has a proof by arithmetic.

    For example:
      alignbench audit
      alignbench audit mine.csv --dataset 300w --fail-on impossible
    """
    import reports.audit
    from reports.tables import render

    as_json = as_json or (form is None and out is not None and out.suffix.lower() == ".json")
    chosen = None if as_json else choose_format(form, out)
    findings = reports.audit.audit(
        tables or (), dataset=dataset, norm=norm, partitions=partition or ()
    )
    if chosen is None:
        text = json.dumps([asdict(finding) for finding in findings], indent=1)
    else:
        text = render(reports.audit.tables(findings, everything=everything), chosen)
    put(text, out, "Audit")
    worst = reports.audit.worst(findings)
    gates = [gate.value for gate in Gate]
    if fail_on is not None and worst in gates[gates.index(fail_on.value) :]:
        typer.echo(f"alignbench: the worst verdict is {worst}.", err=True)
        raise typer.Exit(1)
