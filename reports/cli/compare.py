"""``alignbench compare``: which differences between runs are real."""

from __future__ import annotations

from typing import Annotated

import typer

from alignbench.cli.options import Form, Out, Replicates, Seed, choose_format, put, within
from reports.cli.options import Norm, Runs, Subsets, read_runs


def compare(
    *,
    runs: Runs,
    norm: Norm = None,
    subset: Subsets = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            metavar="F",
            callback=within(1e-6, 1),
            help="Threshold of FR and AUC, a fraction. Default: the one that papers on the data "
            "set use.",
        ),
    ] = None,
    confidence: Annotated[
        float,
        typer.Option(
            metavar="F", callback=within(0.5, 0.9999), help="Confidence of the intervals."
        ),
    ] = 0.95,
    bootstrap: Replicates = 10_000,
    seed: Seed = 0,
    fail_if: Annotated[
        list[str] | None,
        typer.Option(
            metavar="EXPR",
            help="Exit with status 1 if EXPR holds of the first run minus another one; repeat for "
            "several.",
        ),
    ] = None,
    form: Form = None,
    out: Out = None,
) -> None:
    """Compare runs face by face: differences, tests, gates for CI.

    Differences have intervals. The first run is compared with each of the others, which are the
    baselines. 'nme > +0.05 @95%' holds if the whole 95 % interval of the difference is above 0.05,
    'fr@0.10 > 1' if the difference itself is above 1. A subset goes in square brackets behind the
    measure.

    For example:
      alignbench compare new baseline
      alignbench compare new baseline --fail-if 'nme[pose] > 0 @95%'
    """
    from alignbench.cli.console import status, wrap
    from alignbench.stats import Bootstrap
    from reports.compare import compare, gate_table, judge, parse_gate, tables
    from reports.tables import render

    chosen = choose_format(form, out)
    gates = [parse_gate(text) for text in fail_if or []]
    settings = Bootstrap(bootstrap, confidence, seed)
    with status("Comparing"):
        compared = read_runs(runs)
        comparison = compare(
            compared, normaliser=norm, subsets=subset, threshold=threshold, bootstrap=settings
        )
        verdicts = [one for gate in gates for one in judge(gate, compared, norm, settings)]
        gate_tables = [gate_table(verdicts)] if verdicts else []
        text = render([*gate_tables, *tables(comparison)], chosen)
    put(text, out, "Comparison")
    failures = [verdict for verdict in verdicts if verdict.tripped]
    for failure in failures:
        typer.echo(wrap(f"alignbench: {failure}"), err=True)
    if failures:
        raise typer.Exit(1)
