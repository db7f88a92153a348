"""``alignbench sensitivity``: how numbers move with the protocol."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from alignbench import plugins
from alignbench.cli.options import (
    FORMATS,
    Backend,
    DataRoot,
    Device,
    Format,
    Split,
    Threads,
    Weights,
    alone,
    in_range,
    limit_threads,
    put,
)
from alignbench.errors import InputError


def sensitivity(
    runs: Annotated[list[Path] | None, typer.Argument(help="Folders of runs.")] = None,
    model: Annotated[
        str | None,
        typer.Option(help="Instead of runs: a model that can run, as for `alignbench run`."),
    ] = None,
    dataset: Annotated[str | None, typer.Option(help="The data set it runs on.")] = None,
    split: Split = "test",
    data_root: DataRoot = None,
    weights: Weights = None,
    limit: Annotated[int | None, typer.Option(help="Only the first N faces.")] = None,
    jitter: Annotated[
        list[float] | None,
        typer.Option(
            help="Noise on tight boxes, a share of their sides; repeat for several. "
            "Default: 0.05, 0.1, 0.2."
        ),
    ] = None,
    scale: Annotated[
        list[float] | None,
        typer.Option(
            help="Factor on the model's own boxes; repeat for several. Default: 0.8 to 1.2."
        ),
    ] = None,
    replicates: Annotated[int, typer.Option("--bootstrap", help="Bootstrap samples.")] = 10_000,
    seed: Annotated[int, typer.Option(help="Seed of the bootstrap and of the noise.")] = 0,
    backend: Backend = None,
    device: Device = None,
    threads: Threads = None,
    form: Annotated[
        Format | None,
        typer.Option("--format", help="Form of the tables. Default: by the ending of --out."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="File to write. Default: print.")] = None,
) -> None:
    """Show how NME, FR and AUC move with the protocol, one table a question.

    Of stored runs: normaliser, threshold and the conventions of other repositories. With --model
    and --dataset: the boxes and their scale, for which the model runs again and again.
    """
    from alignbench import load_run
    from alignbench.stats import Bootstrap

    alone("sensitivity")
    limit_threads(threads)
    in_range("--bootstrap", replicates, 100, 100_000)
    in_range("--seed", seed, 0, 2**63)
    if bool(runs) == bool(model) or (model is None) != (dataset is None):
        raise InputError(
            "alignbench sensitivity",
            "runs and a model" if runs else "neither runs nor a model with a data set",
            "folders of runs, or --model and --dataset",
        )
    chosen = (form or FORMATS.get(out.suffix.lower() if out else "", Format.terminal)).value
    bootstrap = Bootstrap(replicates=replicates, seed=seed)
    if model is None or dataset is None:
        of_runs = plugins.load(plugins.VERBS, "sensitivity")
        found = [load_run(path) for path in runs or ()]
        text = of_runs(found, chosen, root=data_root, bootstrap=bootstrap)
    else:
        from alignbench import load_dataset, load_predictor
        from alignbench.cli.console import progress, status

        with status(f"Reading {dataset}"):
            faces = load_dataset(dataset, data_root, split)
        given = {"backend": backend, "device": device}
        options = {key: value for key, value in given.items() if value is not None}
        with status(f"Making {model} ready"):
            predictor = load_predictor(model, weights, None, **options)
        changes = {"jitters": jitter, "scales": scale}
        with progress(f"{predictor.name} on {dataset}", "runs") as report_progress:
            text = plugins.load(plugins.VERBS, "sensitivity-boxes")(
                predictor, faces, chosen, limit=limit, bootstrap=bootstrap,
                progress=report_progress,
                **{key: value for key, value in changes.items() if value},
            )  # fmt: skip
    put(text, out, "Tables")
