"""Choose published results by data set, method, measure and more."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from alignbench.exceptions import unknown
from alignbench.metrics import parse_measure
from reports.published.cell import PublishedCell


def select(
    cells: Sequence[PublishedCell],
    dataset: str = "",
    *,
    methods: Collection[str] = (),
    measures: Collection[str] = (),
    subsets: Collection[str] = (),
    normaliser: str = "",
) -> list[PublishedCell]:
    """The cells that fulfil every condition; without a condition, all cells.

    Parameters
    ----------
    dataset
        Data set, with its split behind a blank if it is not ``test``.
    methods
        Names of methods in any case; a name stands for its variants, too: ``LAB`` for
        ``LAB (w/ B)``.
    measures
        In the grammar of measures: ``nme``, ``fr@0.10``; without threshold for every one.

    Raises
    ------
    InputError
        If no cell has a data set, method, measure, subset or normaliser.
    """
    chosen = list(cells)
    if dataset:
        name = dataset if " " in dataset else f"{dataset} test"
        _require("data set", [name], {cell.dataset for cell in cells})
        chosen = [cell for cell in chosen if cell.dataset == name]
    if methods:
        known = {name.lower(): name for cell in chosen for name in _names(cell)}
        for name in methods:
            if name.lower() not in known:
                raise unknown("method", name, known.values())
        asked = {known[name.lower()] for name in methods}
        chosen = [cell for cell in chosen if asked & _names(cell)]
    if measures:
        asked = {_canonical(measure) for measure in measures}
        _require("measure", asked, {n for c in chosen for n in (c.metric, c.measure)})
        chosen = [cell for cell in chosen if asked & {cell.metric, cell.measure}]
    if subsets:
        _require("subset", subsets, {cell.subset for cell in chosen})
        chosen = [cell for cell in chosen if cell.subset in subsets]
    if normaliser:
        _require("normaliser", [normaliser], {cell.normaliser for cell in chosen})
        chosen = [cell for cell in chosen if cell.normaliser == normaliser]
    return chosen


def _names(cell: PublishedCell) -> set[str]:
    """The method's name, and that without the variant in brackets."""
    return {cell.method, cell.family}


def _canonical(measure: str) -> str:
    """``fr@0.10`` for ``fr@0.1``."""
    return str(parse_measure(measure)) if "@" in measure else measure


def _require(kind: str, names: Iterable[str], known: Collection[str]) -> None:
    for name in names:
        if name not in known:
            raise unknown(kind, name, known)
