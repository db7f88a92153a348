"""Some of the landmarks of a data set: those that another mark-up has, too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise

from alignbench.arrays import Bools, Floats, map_blocks
from alignbench.datasets.base import Dataset
from alignbench.exceptions import InputError, unknown
from alignbench.markups import Markup, convert, find_common, find_route, load_markup, markup_names

COMMON = "common"


def choose_markup(text: str, model: Markup, truth: Markup) -> Markup:
    """The mark-up that ``--landmarks`` names, in which a model and a data set are compared.

    ``common`` means the mark-up with the most landmarks that both can be converted to without
    approximate landmarks. Raises InputError if there is none, or one of both cannot be converted.
    """
    if text == COMMON:
        return find_common(model, truth)
    if text not in markup_names():
        raise unknown("--landmarks", text, [COMMON, *markup_names()])
    chosen = load_markup(text)
    for whose, markup in (("the model", model), ("the data set", truth)):
        if not find_route(markup, chosen):
            raise InputError(
                f"--landmarks {text}",
                f"{whose} has {markup.name}, which cannot be converted to it",
                "a mark-up that both can be converted to", "Give --landmarks common.",
            )  # fmt: skip
    return chosen


def select_landmarks(dataset: Dataset, markup: Markup, scales: Mapping[str, Floats]) -> Dataset:
    """A data set whose landmarks are those of another mark-up; unchanged where that is its own.

    Parameters
    ----------
    scales
        Normalisers (N,) of the whole annotation: errors are still divided by these.
    """
    source = dataset.markup
    if markup == source:
        return dataset
    return replace(
        dataset,
        markup=markup,
        points=map_blocks(lambda points: convert(points, source, markup), dataset.points),
        visible=_visible(dataset, markup),
        normalisers=tuple(name for name in dataset.normalisers if name in scales),
        scales=dict(scales),
        whole=(source, dataset.tight_boxes()),
    )


def _visible(dataset: Dataset, markup: Markup) -> Bools | None:
    """(N, L) whether the landmarks of another mark-up are visible; None if that cannot be derived.

    Each landmark of the other mark-up is a mean of landmarks here. It takes the visibility of the
    first of these, which must have more than half of the weight.
    """
    visible = dataset.visible
    for here, there in pairwise(find_route(dataset.markup, markup)):
        groups = here.conversions[there.name]
        if visible is None or not all(2 * group.count(group[0]) > len(group) for group in groups):
            return None
        visible = visible[:, [group[0] for group in groups]]
    return visible
