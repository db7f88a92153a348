"""Landmark mark-ups: one file each, found through the entry-point group ``alignbench.markups``.

No other package may write a landmark index as a literal; a test checks this.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from alignbench import plugins
from alignbench.arrays import Floats
from alignbench.exceptions import InputError
from alignbench.markups.aflw19 import AFLW19
from alignbench.markups.base import Indices, Markup
from alignbench.markups.cofw29 import COFW29
from alignbench.markups.ibug68 import IBUG68
from alignbench.markups.jd106 import JD106
from alignbench.markups.mediapipe468 import MEDIAPIPE468
from alignbench.markups.wflw98 import WFLW98

__all__ = [
    "AFLW19", "COFW29", "IBUG68", "JD106", "MEDIAPIPE468", "WFLW98", "Indices", "Markup",
    "approximate_landmarks", "by_landmarks", "convert", "find_common", "find_route",
    "landmark_counts", "load_markup", "markup_names", "markups_of", "require_convertible",
]  # fmt: skip


def markup_names() -> list[str]:
    """Names of all registered mark-ups."""
    return list(plugins.entry_points(plugins.MARKUPS))


def load_markup(name: str) -> Markup:
    """The registered mark-up of this name.

    Raises
    ------
    InputError
        If there is none (near matches are offered), or what is registered is no Markup.
    """
    markup = plugins.load(plugins.MARKUPS, name)
    if not isinstance(markup, Markup) or markup.name != name:
        raise InputError(
            f"mark-up {name!r}", f"its entry point gives {markup!r:.200}", "a Markup of this name"
        )
    return markup


def markups_of(landmarks: int) -> list[str]:
    """Names of the registered mark-ups that have this number of landmarks."""
    return [name for name in markup_names() if load_markup(name).landmarks == landmarks]


def by_landmarks(count: int, where: object) -> Markup:
    """The mark-up with this number of landmarks.

    Raises
    ------
    InputError
        If there is none, or several; ``where`` names the file or model with so many landmarks.
    """
    fitting = [load_markup(name) for name in markups_of(count)]
    if len(fitting) == 1:
        return fitting[0]
    accepted = fitting or [load_markup(name) for name in markup_names()]
    several = f", which {' and '.join(m.name for m in fitting)} have" if fitting else ""
    raise InputError(
        where, f"{count} landmarks a face{several}",
        ", ".join(f"{markup.landmarks} ({markup.name})" for markup in accepted),
    )  # fmt: skip


def landmark_counts() -> set[int]:
    """Numbers of landmarks that registered mark-ups have."""
    return {load_markup(name).landmarks for name in markup_names()}


def find_route(source: Markup, target: Markup) -> tuple[Markup, ...]:
    """The mark-ups that a conversion goes through, both ends included; empty if none is known.

    At most one lies between the ends.
    """
    if source == target:
        return (source,)
    if target.name in source.conversions:
        return source, target
    for name in source.conversions:
        between = load_markup(name)
        if target.name in between.conversions:
            return source, between, target
    return ()


def approximate_landmarks(source: Markup, target: Markup) -> Indices:
    """Landmarks of ``target`` that a conversion from ``source`` only approximates, in any step."""
    near: set[int] = set()
    for here, there in pairwise(find_route(source, target)):
        groups = here.conversions[there.name]
        near = {k for k, group in enumerate(groups) if near.intersection(group)}
        near.update(here.approximate.get(there.name, ()))
    return tuple(sorted(near))


def require_convertible(source: Markup, target: Markup) -> None:
    """Raise InputError unless :func:`convert` knows a route from ``source`` to ``target``."""
    if find_route(source, target):
        return
    convertible = [name for name in markup_names() if find_route(load_markup(name), target)]
    raise InputError(
        "mark-up",
        f"{source.name} ({source.landmarks} points) where the data set has {target.name} "
        f"({target.landmarks} points)",
        ", ".join(f"{n} (converted)" if n != target.name else n for n in convertible),
        "Choose a data set of the model's mark-up, or give --landmarks common.",
    )  # fmt: skip


def find_common(one: Markup, other: Markup) -> Markup:
    """The registered mark-up with the most landmarks in which two can be compared.

    No landmark of it is approximate for either. Raises InputError if there is none.
    """
    shared = [one, other]
    shared += [load_markup(name) for name in markup_names()]
    fitting = [
        markup
        for markup in {markup.name: markup for markup in shared}.values()
        if all(
            find_route(end, markup) and not approximate_landmarks(end, markup)
            for end in (one, other)
        )
    ]
    if not fitting:
        raise InputError(
            "--landmarks common", f"{one.name} and {other.name} share no registered mark-up",
            "mark-ups with conversions to a common one",
        )  # fmt: skip
    return max(fitting, key=lambda markup: markup.landmarks)


def convert(points: Floats, source: Markup, target: Markup) -> Floats:
    """Points of one mark-up as points of another.

    Parameters
    ----------
    points
        (N, L, 2) in any coordinates, such as pixels.
    source, target
        The mark-ups, of L and L' landmarks.

    Returns
    -------
    Floats
        (N, L', 2) in the same coordinates. :func:`approximate_landmarks` names those that are not
        quite at the same place.

    Raises
    ------
    InputError
        If no route is known.
    """
    require_convertible(source, target)
    route = find_route(source, target)
    for here, there in pairwise(route):
        points = _convert(points, here.conversions[there.name])
    return points


def _convert(points: Floats, groups: Sequence[Indices]) -> Floats:
    if all(len(group) == 1 for group in groups):
        return points[:, [group[0] for group in groups]]
    return np.stack([points[:, list(group)].mean(axis=1) for group in groups], axis=1)
