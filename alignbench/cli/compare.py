"""``alignbench compare``: which differences between runs are real."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from alignbench import plugins
from alignbench.cli.options import FORMATS, Format, in_range, put


def compare(
    runs: Annotated[
        list[Path], typer.Argument(help="Folders of runs: the new one first, then baselines.")
    ],
    norm: Annotated[
        str | None, typer.Option(help="Normaliser. Default: the data set's usual one.")
    ] = None,
    subset: Annotated[
        list[str] | None, typer.Option(help="Subset; repeat for several. Default: all.")
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(help="Of FR and AUC, a fraction. Default: the one the data set's papers use."),
    ] = None,
    confidence: Annotated[float, typer.Option(help="Of intervals and marks, a fraction.")] = 0.95,
    bootstrap: Annotated[int, typer.Option(help="Bootstrap samples.")] = 10_000,
    seed: Annotated[int, typer.Option(help="Seed of the bootstrap.")] = 0,
    fail_if: Annotated[
        list[str] | None,
        typer.Option(
            metavar="EXPR",
            help="Exit with status 1 if this holds of the first run minus another, such as 'nme > "
            "+0.05 @95%' (the whole 95 % interval is above 0.05) or 'fr@0.10 > 1'; a subset goes "
            "in square brackets behind the measure; repeat for several.",
        ),
    ] = None,
    form: Annotated[
        Format | None,
        typer.Option("--format", help="Form of the tables. Default: by the ending of --out."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="File to write. Default: print.")] = None,
) -> None:
    """Compare runs face by face: differences with intervals, tests, and gates for CI."""
    from alignbench import load_run
    from alignbench.cli.console import status, wrapped
    from alignbench.stats import Bootstrap

    if threshold is not None:
        in_range("--threshold", threshold, 1e-6, 1)
    in_range("--confidence", confidence, 0.5, 0.9999)
    in_range("--bootstrap", bootstrap, 100, 1_000_000)
    in_range("--seed", seed, 0, 2**63)
    form = form or FORMATS.get(out.suffix.lower() if out else "", Format.terminal)
    report = plugins.load(plugins.VERBS, "compare")
    with status("Comparing"):
        made = report(
            [load_run(path) for path in runs],
            form.value,
            normaliser=norm,
            subsets=subset,
            threshold=threshold,
            bootstrap=Bootstrap(bootstrap, confidence, seed),
            gates=fail_if or [],
        )
    put(made.text, out, "Comparison")
    for failure in made.failures:
        typer.echo(wrapped(f"alignbench: {failure}"), err=True)
    if made.failures:
        raise typer.Exit(1)
