"""What is registered, read from entry points.

The harness finds its own data sets, measures and predictors in the same way as those of
``baselines``, ``reports`` and any stranger's package.
"""

from __future__ import annotations

import inspect
from functools import cache
from importlib import metadata
from importlib.util import find_spec
from typing import Any

from alignbench.exceptions import InputError, unknown

MARKUPS = "alignbench.markups"
DATASETS = "alignbench.datasets"
MEASURES = "alignbench.measures"
PREDICTORS = "alignbench.predictors"
BOX_PROTOCOLS = "alignbench.box_protocols"
FORMATS = "alignbench.formats"
RECIPES = "alignbench.recipes"
COMMANDS = "alignbench.commands"
"""Typed Typer functions by the command's name; a dot makes a sub-command, as in ``data.show``."""
REPORTS = "alignbench.reports"
"""Typed Typer functions, which ``alignbench report --table NAME`` calls."""
FIGURES = "alignbench.figures"
"""Typed Typer functions, which ``alignbench figure NAME`` calls."""
PLOTS = "alignbench.plots"
"""Functions that draw on the caller's axes; ``alignbench.plot_NAME`` is the one registered as
``plot_NAME``."""
TRACKERS = "alignbench.trackers"
"""Typed Typer functions, which ``alignbench log NAME`` calls."""
RUN_FILES = "alignbench.run_files"
"""Functions of (run, folder) that write files into the folder of a finished run."""
RUN_SUMMARIES = "alignbench.run_summaries"
"""Functions that turn finished runs into a text, which commands that make runs print at the end."""


@cache
def entry_points(group: str) -> dict[str, metadata.EntryPoint]:
    """Entry points of a group by name, sorted by name."""
    return {e.name: e for e in sorted(metadata.entry_points(group=group), key=lambda e: e.name)}


def load(group: str, name: str) -> Any:
    """Load what is registered under ``name``.

    Raises
    ------
    InputError
        If the name is unknown (near matches are offered), or if its module cannot be imported.
    """
    kind = group.rsplit(".", 1)[-1].rstrip("s").replace("_", " ")
    entries = entry_points(group)
    if name not in entries:
        raise unknown(kind, name, entries, f"`alignbench list` shows every {kind} there is.")
    entry = entries[name]
    try:
        return entry.load()
    except Exception as error:  # whatever the module of another package raises
        reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        raise InputError(
            f"{kind} {name!r}",
            f"registered as {entry.value} but cannot be imported ({reason})",
            remedy=_remedy(entry) if isinstance(error, ImportError | AttributeError) else "",
        ) from error


def describe(group: str, name: str) -> str:
    """One line about a registered value; a broken one says so.

    The line is its ``about``, the docstring of a class or function, or its ``title``.
    """
    try:
        value = load(group, name)
    except InputError as error:
        return f"(broken: {error})"
    is_code = inspect.isclass(value) or inspect.isroutine(value)
    for text in (
        getattr(value, "about", None),
        inspect.getdoc(value) if is_code else getattr(value, "title", None),
    ):
        if isinstance(text, str) and text.strip():
            return text.strip().partition("\n")[0]
    return ""


def _remedy(entry: metadata.EntryPoint) -> str:
    """What to do about a plug-in's module that is missing or hidden by another of the same name."""
    top = entry.module.partition(".")[0]
    spec = find_spec(top)
    owner = entry.dist.name if entry.dist else "its package"
    if spec is None:
        return f"Install {owner} again: it has no module {top!r}."
    place = spec.origin or ", ".join(spec.submodule_search_locations or ())
    return (
        f"The import name {top!r} is taken by {place}; if that is not part of {owner}, another "
        f"package or a folder on the import path hides it: remove or rename that one."
    )
