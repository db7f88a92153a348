"""``alignbench figure`` and ``alignbench ced``: what is drawn of runs and data sets."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from pathlib import Path
from typing import Annotated, Any

import typer

from alignbench import plugins
from alignbench.cli.options import DataRoot, Threads, Weights, in_range, limit_threads
from alignbench.errors import InputError

Norm = Annotated[str | None, typer.Option(help="Normaliser. Default: the data set's usual one.")]
Maximum = Annotated[
    float | None,
    typer.Option(
        "--max",
        help="Right end of CED curves, a fraction; FR and AUC are taken there. Default: the "
        "threshold the data set's papers use, 0.08 or 0.10.",
    ),
]


def ced(
    runs: Annotated[list[Path], typer.Argument(help="Folders of runs.")],
    out: Annotated[Path, typer.Option(help="File to write: .svg, .png or .pdf.")],
    maximum: Maximum = None,
    subset: Annotated[str, typer.Option(help="Subset of the data set.")] = "full",
    norm: Norm = None,
) -> None:
    """Plot cumulative error distributions with NME, FR and AUC in the legend."""
    from alignbench import load_run

    draw = plugins.load(plugins.FIGURES, "ced")
    draw([load_run(path) for path in runs], out, maximum=maximum, subset=subset, normaliser=norm)
    typer.echo(f"Plot written to {out}", err=True)


def _list(wanted: bool) -> None:
    if wanted:
        from alignbench.cli.console import print_columns

        rows = [(name, _about(name)) for name in plugins.registered(plugins.FIGURES)]
        print_columns(rows)
        raise typer.Exit


def _about(name: str) -> str:
    try:
        drawn = plugins.load(plugins.FIGURES, name)
    except InputError as error:
        return f"(broken: {error})"
    return (drawn.__doc__ or "").strip().partition("\n")[0]


def figure(
    name: Annotated[str, typer.Argument(help="Which figure; --list shows them.")],
    out: Annotated[Path, typer.Option(help="File to write: .svg, .png or .pdf.")],
    runs: Annotated[list[Path] | None, typer.Argument(help="Folders of runs.")] = None,
    dataset: Annotated[
        str | None, typer.Option(help="Data set, for a figure that is of no run.")
    ] = None,
    split: Annotated[
        list[str] | None,
        typer.Option(help="Split of the data set; repeat for several. Default: those there."),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            help="Model that is shown the faces, as for `alignbench run`; repeat for several."
        ),
    ] = None,
    weights: Weights = None,
    data_root: DataRoot = None,
    subset: Annotated[
        list[str] | None,
        typer.Option(
            help="Subset of the data set; repeat for several. Default: full; for samples, all."
        ),
    ] = None,
    faces: Annotated[
        int | None, typer.Option(help="How many faces; in a row, where there is one a subset.")
    ] = None,
    truth: Annotated[
        bool | None, typer.Option("--truth/--no-truth", help="Whether true landmarks are drawn.")
    ] = None,
    norm: Norm = None,
    maximum: Maximum = None,
    condition: Annotated[
        list[str] | None,
        typer.Option(
            help="What errors are drawn against, such as yaw, size or occlusion; repeat for "
            "several. Default: these three, where they are known."
        ),
    ] = None,
    bins: Annotated[
        int | None, typer.Option(help="Groups of about as many faces that are averaged.")
    ] = None,
    sigma: Annotated[
        float | None, typer.Option(help="Size of ellipses, in standard deviations.")
    ] = None,
    ellipses: Annotated[
        bool | None,
        typer.Option(
            "--ellipses/--no-ellipses",
            help="Whether ellipses show where predictions lie; they need the data set.",
        ),
    ] = None,
    threads: Threads = None,
    show: Annotated[  # the value is used up by its callback
        bool,
        typer.Option("--list", callback=_list, is_eager=True, help="Show which figures there are."),
    ] = False,
) -> None:
    """Draw a figure of runs, or of a data set."""
    from alignbench import load_run
    from alignbench.cli.console import status

    limit_threads(threads)
    for option, value, low, high in (
        ("--faces", faces, 1, 400), ("--bins", bins, 1, 100), ("--sigma", sigma, 0.1, 10)
    ):  # fmt: skip
        if value is not None:
            in_range(option, value, low, high)
    draw = plugins.load(plugins.FIGURES, name)
    given = {
        "dataset": dataset, "splits": split, "models": model, "weights": weights,
        "data_root": data_root, "subsets": subset, "faces": faces, "truth": truth,
        "normaliser": norm, "maximum": maximum, "conditions": condition, "bins": bins,
        "sigma": sigma, "ellipses": ellipses,
    }  # fmt: skip
    options = _taken(name, draw, {key: value for key, value in given.items() if value is not None})
    with status(f"Drawing {name}"):
        draw([load_run(path) for path in runs or ()], out, **options)
    typer.echo(f"Figure written to {out}", err=True)


_SPELLED = {
    "splits": "--split", "models": "--model", "subsets": "--subset", "normaliser": "--norm",
    "truth": "--truth/--no-truth", "ellipses": "--ellipses/--no-ellipses", "maximum": "--max",
    "conditions": "--condition",
}  # fmt: skip
"""What the command line calls a parameter, where it is not its name."""


def _taken(name: str, draw: Callable[..., None], given: dict[str, Any]) -> dict[str, Any]:
    """The options that were given, as the figure takes them; InputError for one it does not."""
    accepted = signature(draw).parameters
    subsets = given.get("subsets", ())
    if "subsets" not in accepted and "subset" in accepted and subsets:
        if len(subsets) > 1:
            raise InputError(
                "--subset", f"{len(subsets)} subsets", f"one: figure {name} shows a single one"
            )
        given = {key: value for key, value in given.items() if key != "subsets"}
        given["subset"] = subsets[0]
    for key in given:
        if key not in accepted:
            option = _SPELLED.get(key, "--" + key.replace("_", "-"))
            raise InputError(f"figure {name!r}", f"takes no {option}", remedy="Leave it out.")
    return given
