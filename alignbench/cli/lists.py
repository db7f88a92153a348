"""``alignbench list``: what is registered."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from alignbench import plugins
from alignbench.cli.mount import load_command
from alignbench.exceptions import InputError, blame


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
    Kind.boxes: plugins.BOX_PROTOCOLS,
}
"""Entry-point groups that have another name than their kind."""

_Kind = Annotated[
    Kind | None,
    typer.Argument(
        metavar="KIND", show_choices=False, help=f"{', '.join(Kind)}. Default: everything."
    ),
]


def list_(kind: _Kind = None) -> None:
    """List what there is: models, data sets, measures and so on.

    The list has everything that an installed package registers.

    For example:
      alignbench list
      alignbench list models
    """
    from alignbench.cli.console import print_columns
    from alignbench.cli.models import list_models as models

    for each in Kind if kind is None else [kind]:
        if kind is None:
            typer.echo(f"{each}:")
        if each is Kind.models:
            print_columns(models(), ("model", "points", "weights", "licence", "about"))
        else:
            print_columns(_rows(each))


def _rows(kind: Kind) -> list[tuple[str, str]]:
    """Names and descriptions of everything of a kind."""
    group = _GROUPS.get(kind, f"alignbench.{kind}")
    names = list(plugins.entry_points(group))
    if kind is Kind.recipes:
        return [row for name in names for row in _recipes(name)]
    if kind is Kind.commands:
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
