"""``alignbench list``: what is registered."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated

import typer

from alignbench import plugins
from alignbench.cli.mount import load_command
from alignbench.cli.options import AsJson, print_json
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
    trackers = "trackers"
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


def list_(kind: _Kind = None, as_json: AsJson = False) -> None:
    """List what there is: models, data sets, measures and so on.

    The list has everything that an installed package registers.

    For example:
      alignbench list
      alignbench list models
    """
    from alignbench.cli.console import print_columns

    kinds = list(Kind) if kind is None else [kind]
    if as_json:
        rows = {each: _table(each) for each in kinds}
        named = {
            each: [dict(zip(head, row, strict=True)) for row in body]
            for each, (head, body) in rows.items()
        }
        print_json(named if kind is None else named[kind])
        return
    for each in kinds:
        if kind is None:
            typer.echo(f"{each}:")
        head, body = _table(each)
        print_columns(body, head if each is Kind.models else ())


def _table(kind: Kind) -> tuple[tuple[str, ...], Sequence[tuple[str, ...]]]:
    """The columns and the rows of everything of a kind."""
    if kind is Kind.models:
        from alignbench.cli.models import list_models

        return ("model", "points", "weights", "licence", "about"), list_models()
    return ("name", "about"), _rows(kind)


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
