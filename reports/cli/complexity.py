"""``alignbench complexity``: parameters, operations, time and memory of networks."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Annotated, TypeVar

import typer

from alignbench.cli.options import (
    Device,
    Form,
    Format,
    Out,
    Weights,
    choose_format,
    put,
    require_one_process,
    within,
)
from alignbench.errors import InputError

T = TypeVar("T")
_TIMED = "With --latency"


def complexity(
    *,
    model: Annotated[
        list[str] | None,
        typer.Option(
            metavar="M",
            help="A network, such as lab or propnet:stacks=2; repeat for several. "
            "Default: propnet, awing and lab.",
        ),
    ] = None,
    weights: Weights = None,
    latency: Annotated[
        bool, typer.Option("--latency", help="Measure time and memory too.")
    ] = False,
    backend: Annotated[
        list[str] | None,
        typer.Option(metavar="B", help=f"{_TIMED}; repeat for several. Default: eager."),
    ] = None,
    precision: Annotated[
        list[str] | None,
        typer.Option(metavar="P", help=f"{_TIMED}; repeat for several. Default: fp32."),
    ] = None,
    device: Device = None,
    batch_size: Annotated[
        list[int] | None,
        typer.Option(metavar="N", help=f"{_TIMED}; repeat for several. Default: 1."),
    ] = None,
    threads: Annotated[
        list[int] | None,
        typer.Option(metavar="N", help=f"{_TIMED}; repeat for several. Default: every core."),
    ] = None,
    seconds: Annotated[
        float,
        typer.Option(
            metavar="S", callback=within(0, 3600), help=f"{_TIMED}: how long each setting is timed."
        ),
    ] = 3.0,
    form: Form = None,
    out: Out = None,
) -> None:
    """Count parameters and operations of networks.

    Published numbers stand beside the counts. With --latency also time and memory, for every
    combination of back end, precision, batch size and number of threads.

    For example:
      alignbench complexity
      alignbench complexity --model propnet-mini --latency --batch-size 16
    """
    from alignbench import load_predictor
    from alignbench.cli.console import progress, status
    from alignbench.cost import Setting, count_predictor, measure_settings
    from alignbench.predictors import RANDOM_IF_TAKEN
    from reports.paper.complexity import count_table, timing_table
    from reports.tables import render

    require_one_process("complexity")
    chosen = choose_format(form, out)
    if not latency and (backend or precision or batch_size or threads):
        raise InputError("--backend, --precision, --batch-size, --threads", "are for --latency")
    settings = [
        Setting(*values)
        for values in itertools.product(
            _or_usual(backend), _or_usual(precision), batch_size or [1], _or_usual(threads)
        )
    ]
    counted, timed = [], []
    for name in model or ["propnet", "awing", "lab"]:
        with status(f"Counting {name}"):
            predictor = load_predictor(name, weights, RANDOM_IF_TAKEN)
            counted.append(count_predictor(name, predictor))
        if latency:
            with progress(name, "settings") as report_progress:
                timed += measure_settings(
                    name, weights, settings, device=device, seconds=seconds,
                    progress=report_progress,
                )  # fmt: skip
    tables = [count_table(counted), *([timing_table(timed)] if timed else [])]
    # A CSV file has one header: it holds the times if there are any.
    put(render(tables[-1:] if chosen is Format.csv else tables, chosen), out)


def _or_usual(values: Sequence[T] | None) -> Sequence[T | None]:
    return values or [None]
