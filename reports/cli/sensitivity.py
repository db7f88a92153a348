"""``alignbench sensitivity``: how numbers change with the protocol."""

from __future__ import annotations

from typing import Annotated

import typer

from alignbench.cli.options import (
    Backend,
    DataRoot,
    Device,
    Form,
    Limit,
    Out,
    Replicates,
    Seed,
    Split,
    Threads,
    Weights,
    choose_format,
    put,
    require_one_process,
    without_none,
)
from alignbench.errors import InputError
from reports.cli.options import OptionalRuns, read_runs


def sensitivity(
    *,
    runs: OptionalRuns = None,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="M", help="Instead of runs: a model that can run, as for `alignbench run`."
        ),
    ] = None,
    dataset: Annotated[
        str | None, typer.Option(metavar="D", help="Data set that --model runs on.")
    ] = None,
    split: Split = "test",
    data_root: DataRoot = None,
    weights: Weights = None,
    limit: Limit = None,
    jitter: Annotated[
        list[float] | None,
        typer.Option(
            metavar="F",
            help="Noise on tight boxes, as a share of their sides; repeat for several. "
            "Default: 0.05, 0.1, 0.2.",
        ),
    ] = None,
    scale: Annotated[
        list[float] | None,
        typer.Option(
            metavar="F",
            help="Factor on the model's own boxes; repeat for several. Default: 0.8, 0.9, 1, 1.1, "
            "1.2.",
        ),
    ] = None,
    replicates: Replicates = 10_000,
    seed: Seed = 0,
    backend: Backend = None,
    device: Device = None,
    threads: Threads = None,
    form: Form = None,
    out: Out = None,
) -> None:
    """Show how NME, FR and AUC change with the protocol.

    Each question has a table. For stored runs: the normaliser, the threshold and the conventions of
    other repositories. For --model with --dataset: the boxes and their scale; the model runs once
    for each of them.

    For example:
      alignbench sensitivity run --data-root ~/faces
      alignbench sensitivity --model propnet-mini --dataset synthetic
    """
    from alignbench.stats import Bootstrap
    from reports.sensitivity.boxes import box_tables
    from reports.sensitivity.stored import run_tables
    from reports.tables import render

    require_one_process("sensitivity")
    if bool(runs) == bool(model) or (model is None) != (dataset is None):
        raise InputError(
            "alignbench sensitivity",
            "runs and a model" if runs else "neither runs nor a model with a data set",
            "folders of runs, or --model and --dataset",
        )
    chosen = choose_format(form, out)
    bootstrap = Bootstrap(replicates=replicates, seed=seed)
    if model is None or dataset is None:
        tables = run_tables(read_runs(runs or ()), root=data_root, bootstrap=bootstrap)
    else:
        from alignbench import load_dataset, load_predictor
        from alignbench.cli.console import progress, status

        with progress(f"Reading {dataset}", "faces") as report_drawing:
            faces = load_dataset(dataset, data_root, split, report_drawing)
        settings = {"backend": backend, "device": device}
        with status(f"Loading {model}"):
            predictor = load_predictor(model, weights, None, **without_none(settings))
        changes = without_none({"jitters": jitter, "scales": scale})
        with progress(f"{predictor.name} on {dataset}", "runs") as report_progress:
            tables = box_tables(
                predictor, faces, limit=limit, bootstrap=bootstrap,
                progress=report_progress, **changes,
            )  # fmt: skip
    put(render(tables, chosen), out, "Tables")
