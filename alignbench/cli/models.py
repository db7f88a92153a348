"""``alignbench models ...``: weights that others publish."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from alignbench.cli.options import as_typed, make_absolute
from alignbench.errors import InputError

_Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the model.")]
_Archive = Annotated[
    Path | None,
    typer.Option(
        "--from",
        metavar="FILE",
        callback=make_absolute,
        help="Archive of the package (.whl or .tgz), downloaded before. Default: download it.",
    ),
]


def fetch(name: _Name, archive: _Archive = None) -> None:
    """Fetch the weights of a model from the package that its authors publish.

    They are downloaded by your own pip or npm, checked, and kept in your cache folder.

    For example:
      alignbench models fetch face-api
      alignbench models fetch face-api --from vladmandic-face-api-1.7.15.tgz
    """
    from alignbench import plugins
    from alignbench.cli.console import status
    from alignbench.predictors.fetch import Package
    from alignbench.predictors.fetch import fetch as fetch_files

    package = getattr(plugins.load(plugins.PREDICTORS, name), "package", None)
    if not isinstance(package, Package):
        names = [
            other
            for other in plugins.entry_points(plugins.PREDICTORS)
            if isinstance(_package_of(other), Package)
        ]
        raise InputError(f"model {name!r}", "has no weights to fetch", ", ".join(names) or "none")
    source = as_typed(archive) if archive else f"{package.registry}, {package.requirement}"
    typer.echo(f"From: {source} ({package.homepage})")
    typer.echo(f"Licence: {package.licence}")
    with status(f"Fetching {package.requirement}"):
        paths = fetch_files(name, package, archive)
    for path in paths:
        typer.echo(f"{path}: {path.stat().st_size:,} bytes")


def _package_of(name: str) -> object:
    """What a model declares as its package; None for a broken model."""
    from alignbench import plugins

    try:
        return getattr(plugins.load(plugins.PREDICTORS, name), "package", None)
    except InputError:
        return None
