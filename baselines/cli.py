"""``alignbench train`` and ``alignbench ablation``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from alignbench.cli.options import DataRoot, Device, Threads, require_one_process, within

Changes = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Value that replaces one of the recipe, such as epochs=3 or network.stacks=1; repeat "
        "for several.",
    ),
]


def train(
    *,
    recipe: Annotated[
        str,
        typer.Argument(
            help="A TOML file, or one of the names that `alignbench list recipes` shows."
        ),
    ],
    change: Changes = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder. Default: trained/RECIPE.")
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Replace a training that is in the folder.")
    ] = False,
    data_root: DataRoot = None,
    device: Device = None,
    threads: Threads = None,
    workers: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            callback=within(0, 256),
            help="Processes that make batches. Default: 0 on a CPU, several on a GPU.",
        ),
    ] = None,
    checkpoint_seconds: Annotated[
        float,
        typer.Option(
            metavar="S",
            callback=within(0, 86_400),
            help="Longest time between two checkpoints within an epoch.",
        ),
    ] = 60.0,
) -> None:
    """Train a network from a recipe.

    An interrupted training continues where it stopped. Under torchrun the processes share each
    batch; the first one prints and writes.

    For example:
      alignbench train propnet-mini/synthetic
      alignbench train propnet/wflw --set batch_size=4 --out trained/mine
    """
    from alignbench.cli.console import tell
    from alignbench.distributed import rank
    from alignbench.progress import show_progress
    from baselines.training import train as run_training

    try:
        with show_progress(recipe, "steps") as report_progress:
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
    except KeyboardInterrupt as error:
        typer.echo(f"alignbench: interrupted; {error}.", err=True)
        raise typer.Exit(130) from None
    if rank() == 0:
        typer.echo(f"Training kept in {folder}")


def ablation(
    *,
    study: Annotated[
        str, typer.Argument(help="A TOML file, or the name of a study that is shipped.")
    ] = "propnet-ablation",
    change: Changes = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder. Default: ablation/STUDY.")
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            callback=within(1, 1000),
            help="Trainings of each variant. Default: the number in the study.",
        ),
    ] = None,
    data_root: DataRoot = None,
    device: Device = None,
    threads: Threads = None,
) -> None:
    """Train and run the variants of a study, and print their table.

    Each variant is trained with several seeds. An interrupted study continues where it stopped.
    `report` and `ced` take the runs.

    For example:
      alignbench ablation --set epochs=5 --seeds 3 --out ablation/short
    """
    from alignbench.cli.console import tell
    from alignbench.cli.run import print_summaries
    from alignbench.progress import show_progress
    from baselines.training.study import run_study

    require_one_process("ablation")
    folder = out or Path("ablation", Path(study).stem)
    try:
        with show_progress(study, "steps") as report_progress:
            runs = run_study(
                study,
                folder,
                seeds=seeds,
                overrides=change or (),
                data_root=data_root,
                device=device or "auto",
                progress=report_progress,
                say=tell,
            )
    except KeyboardInterrupt:
        typer.echo("alignbench: interrupted; the same command goes on where it stopped.", err=True)
        raise typer.Exit(130) from None
    print_summaries(runs)
    typer.echo(f"Trainings and runs kept in {folder}")
