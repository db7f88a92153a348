"""``alignbench data ...``: data sets, looked at and drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from alignbench import plugins
from alignbench.cli.options import DataRoot, Split, Threads, alone, in_range, limit_threads
from alignbench.errors import InputError, visible


def list_(data_root: DataRoot = None) -> None:
    """Show the data sets, and which of their splits are found."""
    from alignbench.datasets import (
        DataNotFoundError,
        data_roots,
        dataset_names,
        load_dataset,
        source,
    )

    typer.echo("Looked in: " + ", ".join(str(root) for root in data_roots(data_root)))
    for name in dataset_names():
        of = source(name)
        typer.echo(f"{name}: {of.title}")
        for split, official in of.splits.items():
            if of.locate is not None:
                typer.echo(f"  {split:<10} {official['full']:,} faces, drawn on first use")
                continue
            try:
                faces = load_dataset(name, data_root, split)
                images = int(faces.images.available().sum())
                here = f"{len(faces):,} of {official['full']:,} faces, {images:,} with image"
            except DataNotFoundError:
                here = "not here"
            except InputError as error:
                here = f"not usable: {error}"
            typer.echo(f"  {split:<10} {here}")


def verify(
    dataset: Annotated[str, typer.Argument(help="Name of the data set.")],
    split: Split = "test",
    data_root: DataRoot = None,
    threads: Threads = None,
) -> None:
    """Compare a data set on disk with the official numbers and decode every image.

    Exit status 1 if anything is missing, broken or of another number.
    """
    from alignbench import load_dataset
    from alignbench.cli.console import progress, status
    from alignbench.datasets.verify import verify as inspect
    from alignbench.threads import count

    limit_threads(threads)
    with status(f"Reading {dataset}"):
        faces = load_dataset(dataset, data_root, split)
    with progress(f"images of {dataset}", "images") as report_progress:
        found = inspect(faces, report_progress, count())
    for subset, (here, official) in found.counts.items():
        mark = "ok" if here == official else "differs"
        typer.echo(f"{subset:<14} {here:>6,} faces, officially {official:>6,}  {mark}")
    _tell("images missing", found.images_missing, len(faces))
    _tell("images broken", found.images_broken, len(faces))
    _tell("landmarks far outside the image", found.outside, len(faces))
    typer.echo(f"{dataset} {split}: {'complete' if found.complete else 'INCOMPLETE'}")
    if not found.complete:
        raise typer.Exit(1)


def synthesize(
    faces: Annotated[int, typer.Option(help="Faces to draw; a quarter of them are for testing.")],
    out: Annotated[Path, typer.Option(help="New or empty folder.")],
    seed: Annotated[int, typer.Option(help="Another seed draws other people.")] = 1,
    threads: Threads = None,
) -> None:
    """Draw synthetic faces in WFLW's official layout, for any tool that reads WFLW.

    The same faces as a data set of their own: --dataset synthetic --data-root OUT.
    """
    from alignbench.synthetic.source import draw

    alone("data synthesize")
    limit_threads(threads)
    in_range("--faces", faces, 4, 10_000_000)
    in_range("--seed", seed, 0, 2**32 - 1)
    test = faces // 4
    draw(out, {"train": faces - test, "test": test}, seed, f"Drawing {faces:,} faces")
    typer.echo(f"{faces - test:,} faces to train and {test:,} to test drawn in {out}")


def show(
    dataset: Annotated[str, typer.Argument(help="Name of the data set.")],
    out: Annotated[Path, typer.Option(help="Picture to write, .png or .jpg.")],
    split: Split = "test",
    data_root: DataRoot = None,
    faces: Annotated[int, typer.Option(help="How many, evenly spread over the split.")] = 24,
    landmarks: Annotated[
        bool, typer.Option(help="Draw landmarks and boxes on every second face.")
    ] = True,
) -> None:
    """Draw a sheet of a data set's faces with their landmarks and boxes, to look at."""
    from alignbench import load_dataset
    from alignbench.cli.console import status

    alone("data show")
    in_range("--faces", faces, 1, 400)
    with status(f"Reading {dataset}"):
        found = load_dataset(dataset, data_root, split)
    draw = plugins.load(plugins.VERBS, "data-show")
    draw(found, out, faces, landmarks)
    typer.echo(f"Picture written to {out}", err=True)


def _tell(what: str, names: list[str], faces: int, shown: int = 3) -> None:
    typer.echo(f"{what}: {len(names):,} of {faces:,}" + (", such as" if names else ""))
    for name in names[:shown]:
        typer.echo(f"  {visible(name)}")
