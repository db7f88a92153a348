"""``alignbench list``: what is registered."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from alignbench import plugins
from alignbench.errors import InputError


class Kind(StrEnum):
    """What ``list`` can list."""

    models = "models"
    datasets = "datasets"
    measures = "measures"
    reports = "reports"
    figures = "figures"
    boxes = "boxes"
    recipes = "recipes"


def list_(
    kind: Annotated[Kind | None, typer.Argument(help="Default: everything.")] = None,
) -> None:
    """Show what there is: models, data sets, measures, reports, figures, boxes, recipes."""
    from alignbench.cli.console import print_columns

    groups = {
        Kind.models: plugins.PREDICTORS,
        Kind.datasets: plugins.DATASETS,
        Kind.measures: plugins.MEASURES,
        Kind.reports: plugins.REPORTS,
        Kind.figures: plugins.FIGURES,
        Kind.boxes: plugins.BOX_PROTOCOLS,
    }
    for wanted in [kind] if kind else list(Kind):
        if kind is None:
            typer.echo(f"{wanted.value}:")
        if wanted is Kind.recipes:
            # A package registers all of its recipes at once.
            for name in plugins.registered(plugins.RECIPES):
                print_columns(list(plugins.load(plugins.RECIPES, name)().items()))
            continue
        found = plugins.registered(groups[wanted])
        print_columns([(name, _about(groups[wanted], name)) for name in found])


def _about(group: str, name: str) -> str:
    """One line on a registered thing; a broken one says so instead of stopping the list."""
    try:
        thing = plugins.load(group, name)
    except InputError as error:
        return f"(broken: {error})"
    said = {plugins.DATASETS: "title", plugins.BOX_PROTOCOLS: "about"}
    title: str = getattr(thing, said[group], "") if group in said else ""
    return title or (thing.__doc__ or "").strip().partition("\n")[0]
