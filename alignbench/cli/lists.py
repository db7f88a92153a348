"""``alignbench list``: what is registered."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from alignbench import plugins
from alignbench.errors import InputError, blame


class Kind(StrEnum):
    """What ``list`` can list."""

    models = "models"
    datasets = "datasets"
    markups = "markups"
    measures = "measures"
    boxes = "boxes"
    formats = "formats"
    reports = "reports"
    figures = "figures"
    recipes = "recipes"
    commands = "commands"


_GROUPS = {
    Kind.models: plugins.PREDICTORS,
    Kind.datasets: plugins.DATASETS,
    Kind.markups: plugins.MARKUPS,
    Kind.measures: plugins.MEASURES,
    Kind.boxes: plugins.BOX_PROTOCOLS,
    Kind.formats: plugins.PREDICTION_FORMATS,
    Kind.reports: plugins.REPORTS,
    Kind.figures: plugins.FIGURES,
    Kind.recipes: plugins.RECIPES,
    Kind.commands: plugins.COMMANDS,
}


def list_(
    kind: Annotated[
        Kind | None,
        typer.Argument(
            metavar="KIND", show_choices=False, help=f"{', '.join(Kind)}. Default: everything."
        ),
    ] = None,
) -> None:
    """Show what there is: models, data sets, measures and so on.

    Everything that an installed package registers is listed.

    For example:
      alignbench list
      alignbench list models
    """
    from alignbench.cli.console import print_columns

    for one in [kind] if kind else list(Kind):
        if kind is None:
            typer.echo(f"{one.value}:")
        print_columns(_rows(one))


def _rows(kind: Kind) -> list[tuple[str, str]]:
    group = _GROUPS[kind]
    names = list(plugins.registered(group))
    if kind is Kind.recipes:
        return [row for name in names for row in _recipes(name)]
    if kind is Kind.commands:
        from alignbench.cli.mount import load_command

        helps = {name: load_command(group, name).help or "" for name in names}
        return [(name.replace(".", " "), text.partition("\n")[0]) for name, text in helps.items()]
    return [(name, plugins.describe(group, name)) for name in names]


def _recipes(name: str) -> list[tuple[str, str]]:
    """The recipes of a package, which registers all of them at once."""
    try:
        with blame(f"recipes {name!r}"):
            return list(plugins.load(plugins.RECIPES, name)().items())
    except InputError as error:
        return [(name, f"(broken: {error})")]
