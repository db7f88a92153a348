"""``alignbench train`` and ``alignbench ablation``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from alignbench import plugins
from alignbench.cli.options import (
    Changes,
    DataRoot,
    Device,
    Threads,
    alone,
    in_range,
    limit_threads,
)
from alignbench.distributed import rank


def train(
    recipe: Annotated[
        str,
        typer.Argument(
            help="A TOML file, or the name of one that is shipped; `alignbench list recipes`."
        ),
    ],
    change: Changes = None,
    out: Annotated[Path | None, typer.Option(help="Folder. Default: trained/RECIPE.")] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Begin again, whatever training is in the folder.")
    ] = False,
    data_root: DataRoot = None,
    device: Device = None,
    threads: Threads = None,
    workers: Annotated[
        int | None,
        typer.Option(help="Processes that make batches. Default: 0 on a CPU, some on a GPU."),
    ] = None,
    checkpoint_seconds: Annotated[
        float, typer.Option(help="Longest time between two checkpoints within an epoch.")
    ] = 60.0,
) -> None:
    """Train a network from a recipe; cut short, the same command goes on where it stopped.

    Under torchrun the processes share each batch, and the first one prints and writes.
    """
    from alignbench.cli.console import progress, tell

    limit_threads(threads)
    in_range("--workers", workers or 0, 0, 256)
    in_range("--checkpoint-seconds", checkpoint_seconds, 0, 86_400)
    run_training = plugins.load(plugins.VERBS, "train")
    try:
        with progress(recipe, "steps") as report_progress:
            folder = run_training(
                recipe,
                overrides=change or (),
                out=out,
                fresh=fresh,
                data_root=data_root,
                device=device or "auto",
                workers=workers,
                checkpoint_seconds=checkpoint_seconds,
                progress=report_progress,
                say=tell,
            )
    except KeyboardInterrupt:
        typer.echo(
            "alignbench: interrupted; the same command goes on from the last checkpoint.", err=True
        )
        raise typer.Exit(130) from None
    if rank() == 0:
        typer.echo(f"Training kept in {folder}")


def ablation(
    study: Annotated[
        str, typer.Argument(help="A TOML file, or the name of one that is shipped.")
    ] = "propnet-ablation",
    change: Changes = None,
    out: Annotated[Path | None, typer.Option(help="Folder. Default: ablation/STUDY.")] = None,
    seeds: Annotated[
        int | None, typer.Option(help="Trainings of each variant. Default: the study's own number.")
    ] = None,
    data_root: DataRoot = None,
    device: Device = None,
    threads: Threads = None,
) -> None:
    """Train the variants of a study with several seeds, run each, and print their table.

    Cut short, the same command goes on where it stopped. The runs are for `report` and `ced`.
    """
    from alignbench.cli.console import progress, tell

    alone("ablation")
    limit_threads(threads)
    in_range("--seeds", seeds or 1, 1, 1000)
    run_study = plugins.load(plugins.VERBS, "ablation")
    folder = out or Path("ablation", Path(study).stem)
    try:
        with progress(study, "steps") as report_progress:
            runs = run_study(
                study, folder, seeds=seeds, overrides=change or (), data_root=data_root,
                device=device or "auto", progress=report_progress,
                say=tell,
            )  # fmt: skip
    except KeyboardInterrupt:
        typer.echo("alignbench: interrupted; the same command goes on.", err=True)
        raise typer.Exit(130) from None
    typer.echo(plugins.load(plugins.REPORTS, "summary")(runs, "terminal"))
    typer.echo(f"Trainings and runs kept in {folder}")
