"""``alignbench data ...``: list, verify and draw data sets."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from alignbench.cli.options import (
    AsJson,
    DataRoot,
    MarkupName,
    Origin,
    Split,
    Threads,
    as_typed,
    make_absolute,
    print_json,
    require_one_process,
    within,
)
from alignbench.exceptions import InputError, visible

_EXAMPLES = 3
"""How many missing or broken images, or landmarks far outside, are named."""

_Faces = Annotated[
    int,
    typer.Option(
        metavar="N",
        callback=within(4, 10_000_000),
        help="Faces to draw; a quarter of them make the test split.",
    ),
]
_DrawingSeed = Annotated[
    int,
    typer.Option(metavar="N", callback=within(0, 2**32 - 1), help="Other seeds draw other people."),
]


_Dataset = Annotated[
    str,
    typer.Argument(metavar="D", help="Name of the data set, FORMAT:PATH or a file FILE.toml."),
]
_File = Annotated[
    str,
    typer.Argument(metavar="FORMAT:PATH", help="Landmark file, as `alignbench list formats` says."),
]
_Title = Annotated[
    str | None,
    typer.Option(
        "--name", metavar="NAME", help="Its name, without blanks. Default: that of the file --out."
    ),
]
_Description = Annotated[
    Path, typer.Option(metavar="FILE", callback=make_absolute, help="TOML file to write.")
]


def list_(data_root: DataRoot = None, as_json: AsJson = False) -> None:
    """Show the data sets, and which of their splits are there.

    For example:
      alignbench data list --data-root ~/faces
    """
    from alignbench import datasets

    found = {name: _look_for(name, data_root) for name in datasets.dataset_names()}
    if as_json:
        print_json([split for splits in found.values() for split in splits])
        return
    typer.echo("Looked in: " + ", ".join(map(str, datasets.data_roots(data_root))))
    for name, splits in found.items():
        typer.echo(f"{name}: {datasets.source(name).title}")
        for split in splits:
            typer.echo(f"  {split['split']:<10} {_state(split)}")


def _look_for(name: str, root: Path | None) -> list[dict[str, Any]]:
    """What is there of each split of a data set: status, faces and images, and official faces."""
    from alignbench import datasets

    dataset, splits = datasets.source(name), []
    for split, official in dataset.splits.items():
        state: dict[str, Any] = {
            "dataset": name, "split": split, "status": "here", "faces": None, "images": None,
            "official": official.get("full"), "problem": None,
        }  # fmt: skip
        if dataset.locate is not None:
            state["status"] = "drawn on first use"
        else:
            try:
                faces = datasets.load_dataset(name, root, split)
                images = int(faces.images.available().sum())
                state |= {"faces": len(faces), "images": images}
            except datasets.DataNotFoundError:
                state["status"] = "not here"
            except InputError as error:
                state |= {"status": "not usable", "problem": str(error)}
        splits.append(state)
    return splits


def _state(split: Mapping[str, Any]) -> str:
    """The state of a split in words."""
    if split["status"] == "drawn on first use":
        return f"{split['official']:,} faces, drawn on first use"
    if split["status"] == "not usable":
        return f"not usable: {split['problem']}"
    if split["status"] == "not here":
        return "not here"
    whole = "" if split["official"] is None else f" of {split['official']:,}"
    return f"{split['faces']:,}{whole} faces, {split['images']:,} with image"


def verify(
    dataset: _Dataset,
    split: Split = "test",
    data_root: DataRoot = None,
    markup: MarkupName = None,
    origin: Origin = None,
    threads: Threads = None,
) -> None:
    """Check the number of faces and every image of a data set.

    The numbers are compared with the official ones, and the images are decoded. The exit status is
    1 if anything is missing or broken, or if a number differs.

    For example:
      alignbench data verify wflw --data-root ~/faces
    """
    from alignbench.cli.console import read_dataset
    from alignbench.datasets.verify import verify as inspect
    from alignbench.progress import show_progress
    from alignbench.threads import count

    faces = read_dataset(dataset, data_root, split, markup, origin)
    with show_progress(f"images of {dataset}", "images") as report_progress:
        result = inspect(faces, report_progress, count())
    for subset, (here, official) in result.counts.items():
        verdict = "ok" if here == official else "differs"
        typer.echo(f"{subset:<14} {here:>6,} faces, expected {official:>6,}  {verdict}")
    for what, names in (
        ("images missing", result.images_missing),
        ("images broken", result.images_broken),
        ("landmarks far outside the image", result.outside),
        ("images with an EXIF rotation, which is ignored", result.rotated),
        ("boxes off the image", result.boxes_off),
        ("landmarks that lie elsewhere than their box", result.boxes_elsewhere),
    ):
        typer.echo(f"{what}: {len(names):,} of {len(faces):,}" + (", such as" if names else ""))
        for name in names[:_EXAMPLES]:
            typer.echo(f"  {visible(name)}")
    for note in (*(f"{reason}." for reason in faces.incomplete), *faces.notes):
        typer.echo(visible(note))
    typer.echo(f"{dataset} {split}: {'complete' if result.complete else 'INCOMPLETE'}")
    if not result.complete:
        raise typer.Exit(1)


def ids(
    dataset: _Dataset,
    split: Split = "test",
    data_root: DataRoot = None,
    markup: MarkupName = None,
    origin: Origin = None,
) -> None:
    """List the ids of a data set's faces, in its order.

    Stored predictions are matched to these, or to the paths of the images.

    For example:
      alignbench data ids cofw --data-root ~/faces
    """
    from alignbench.cli.console import read_dataset

    for name in read_dataset(dataset, data_root, split, markup, origin).ids:
        typer.echo(visible(name))


def describe(
    *,
    dataset: _File,
    out: _Description,
    name: _Title = None,
    split: Split = "test",
    data_root: DataRoot = None,
    markup: MarkupName = None,
    origin: Origin = None,
) -> None:
    """Write a TOML file that describes a data set of one's own.

    The file gives it a name, splits, subsets and the number of faces to expect, all of which can be
    edited. `--dataset FILE.toml` uses it, and `data verify` checks it. Another --split of the same
    data set is added to a file that exists; a split that is there is replaced, but for its subsets.

    For example:
      alignbench data describe coco:test.json --out my.toml
      alignbench data verify my.toml
    """
    from alignbench.datasets import locate_file
    from alignbench.datasets.description import write_description

    location = locate_file(dataset, data_root, markup, origin)
    if location is None:
        raise InputError(f"data set {dataset!r}", "is no file", "FORMAT:PATH, as in pts:FOLDER")
    faces = write_description(location, name, split, out)
    typer.echo(f"{len(faces):,} faces described in {as_typed(out)}", err=True)


def synthesize(
    faces: _Faces,
    out: Annotated[Path, typer.Option(metavar="DIR", help="New or empty folder.")],
    seed: _DrawingSeed = 1,
    threads: Threads = None,
) -> None:
    """Draw synthetic faces in the official layout of WFLW.

    Any program that reads WFLW can read them. To use them as a data set here, give --dataset
    synthetic --data-root DIR.

    For example:
      alignbench data synthesize --faces 1000 --out drawn
    """
    from alignbench.progress import show_progress
    from alignbench.synthetic.source import draw

    require_one_process("data synthesize")
    test = faces // 4
    with show_progress(f"Drawing {faces:,} faces", "faces") as report_drawing:
        draw(out, {"train": faces - test, "test": test}, seed, report_drawing)
    typer.echo(f"{faces - test:,} faces to train and {test:,} to test drawn in {out}")
