"""What is registered, found through entry points.

The harness finds its own data sets, measures and predictors by the same road as those of
``baselines``, ``reports`` and any stranger's package.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from typing import Any

from alignbench.errors import InputError, unknown

MARKUPS = "alignbench.markups"
DATASETS = "alignbench.datasets"
MEASURES = "alignbench.measures"
PREDICTORS = "alignbench.predictors"
BOX_PROTOCOLS = "alignbench.box_protocols"
REPORTS = "alignbench.reports"
FIGURES = "alignbench.figures"
VERBS = "alignbench.verbs"
"""What a verb of the command line calls that is another package's, by the verb's name."""
RUN_FILES = "alignbench.run_files"
RECIPES = "alignbench.recipes"


@cache
def registered(group: str) -> dict[str, EntryPoint]:
    """Entry points of a group by name, sorted by name."""
    return {e.name: e for e in sorted(entry_points(group=group), key=lambda e: e.name)}


def load(group: str, name: str) -> Any:
    """Load what is registered under ``name``.

    Raises
    ------
    InputError
        If nobody registered the name (near matches are offered), or if it cannot be imported.
    """
    kind = group.rsplit(".", 1)[-1].rstrip("s").replace("_", " ")
    found = registered(group)
    if name not in found:
        raise unknown(kind, name, found, f"`alignbench list` shows every {kind} there is.")
    entry = found[name]
    try:
        return entry.load()
    except (ImportError, AttributeError) as error:
        raise InputError(
            f"{kind} {name!r}",
            f"registered as {entry.value} but cannot be imported ({error})",
            remedy=_why(entry),
        ) from error


def _why(entry: EntryPoint) -> str:
    """Say whose module stands in the way where a plug-in's import name is shadowed."""
    top = entry.module.partition(".")[0]
    spec = find_spec(top)
    owner = entry.dist.name if entry.dist else "its package"
    if spec is None:
        return f"Install {owner} again: it has no module {top!r}."
    place = spec.origin or ", ".join(spec.submodule_search_locations or ())
    return (
        f"The import name {top!r} is taken by {place}; if that is not part of {owner}, another "
        f"package or a folder on the import path shadows it: remove or rename that one."
    )
