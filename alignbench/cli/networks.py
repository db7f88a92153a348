"""``alignbench complexity`` and ``alignbench export``: networks without a data set."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from alignbench import plugins
from alignbench.cli.options import FORMATS, Device, Format, Weights, alone, in_range, put
from alignbench.errors import InputError

T = TypeVar("T")


def complexity(
    model: Annotated[
        list[str] | None,
        typer.Option(
            help="A network, such as lab or propnet:stacks=2; repeat for several. "
            "Default: propnet, awing and lab."
        ),
    ] = None,
    weights: Weights = None,
    latency: Annotated[
        bool, typer.Option("--latency", help="Measure time and memory too.")
    ] = False,
    backend: Annotated[
        list[str] | None, typer.Option(help="With --latency; repeat for several. Default: eager.")
    ] = None,
    precision: Annotated[
        list[str] | None, typer.Option(help="With --latency; repeat for several. Default: fp32.")
    ] = None,
    device: Device = None,
    batch_size: Annotated[
        list[int] | None, typer.Option(help="With --latency; repeat for several. Default: 1.")
    ] = None,
    threads: Annotated[
        list[int] | None,
        typer.Option(help="With --latency; repeat for several. Default: every core."),
    ] = None,
    seconds: Annotated[float, typer.Option(help="With --latency: how long each is timed.")] = 3.0,
    form: Annotated[
        Format | None,
        typer.Option("--format", help="Form of the table. Default: by the ending of --out."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="File to write. Default: print.")] = None,
) -> None:
    """Count parameters and operations of networks, beside the published numbers.

    With --latency also time and memory, for every combination of back end, precision, batch size
    and threads.
    """
    from alignbench import load_predictor
    from alignbench.cli.console import progress, status
    from alignbench.complexity import count_predictor
    from alignbench.latency import Setting, measure_settings
    from alignbench.predictors import RANDOM_IF_TAKEN

    alone("complexity")
    in_range("--seconds", seconds, 0, 3600)
    form = form or FORMATS.get(out.suffix.lower() if out else "", Format.terminal)
    if not latency and (backend or precision or batch_size or threads):
        raise InputError("--backend, --precision, --batch-size, --threads", "are for --latency")
    wanted = [
        Setting(*chosen)
        for chosen in itertools.product(
            _or_usual(backend), _or_usual(precision), batch_size or [1], _or_usual(threads)
        )
    ]
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
    counted, timed = [], []
    for name in model or ["propnet", "awing", "lab"]:
        with status(f"Counting {name}"):
            predictor = load_predictor(name, weights, RANDOM_IF_TAKEN)
            counted.append(count_predictor(name, predictor))
        if latency:
            with progress(name, "settings") as report_progress:
                timed += measure_settings(name, weights, wanted, device, seconds, report_progress)
    text = plugins.load(plugins.VERBS, "complexity")(counted, timed, form.value)
    put(text, out, "Table")


def _or_usual(values: Sequence[T] | None) -> Sequence[T | None]:
    return values or [None]


def export(
    model: Annotated[str, typer.Option(help="A network, such as propnet.")],
    out: Annotated[Path, typer.Option(help="File to write, .onnx; its settings go beside it.")],
    weights: Weights = None,
) -> None:
    """Write a network as an ONNX file with its settings, for onnx:FILE and anything else."""
    from alignbench import load_predictor
    from alignbench.cli.console import status
    from alignbench.predictors.network import export_onnx

    alone("export")
    with status(f"Exporting {model} (10 to 40 s)"):
        settings = export_onnx(load_predictor(model, weights), out)
    typer.echo(f"Network written to {out}, its settings to {settings}", err=True)
