"""Landmark mark-ups: one file each, found through the entry-point group ``alignbench.markups``.

No other package may write a landmark index as a literal; a test checks this.
"""

from __future__ import annotations

import numpy as np

from alignbench import plugins
from alignbench.arrays import Floats
from alignbench.errors import InputError
from alignbench.markups.aflw19 import AFLW19
from alignbench.markups.base import Indices, Markup
from alignbench.markups.cofw29 import COFW29
from alignbench.markups.ibug68 import IBUG68
from alignbench.markups.jd106 import JD106
from alignbench.markups.mediapipe468 import MEDIAPIPE468
from alignbench.markups.wflw98 import WFLW98

__all__ = [
    "AFLW19", "COFW29", "IBUG68", "JD106", "MEDIAPIPE468", "WFLW98", "Indices", "Markup",
    "by_landmarks", "convert", "landmark_counts", "load_markup", "markup_names",
    "require_convertible",
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


def by_landmarks(count: int, where: object) -> Markup:
    """The mark-up with this number of landmarks.

    Raises
    ------
    InputError
        If there is none, or several; ``where`` names the file or model with so many landmarks.
    """
    known = [load_markup(name) for name in markup_names()]
    fitting = [markup for markup in known if markup.landmarks == count]
    if len(fitting) == 1:
        return fitting[0]
    accepted = fitting or known
    several = f", which {' and '.join(m.name for m in fitting)} have" if fitting else ""
    raise InputError(
        where, f"{count} landmarks a face{several}",
        ", ".join(f"{markup.landmarks} ({markup.name})" for markup in accepted),
    )  # fmt: skip


def landmark_counts() -> set[int]:
    """Numbers of landmarks that registered mark-ups have."""
    return {load_markup(name).landmarks for name in markup_names()}


def require_convertible(source: Markup, target: Markup) -> None:
    """Raise InputError unless :func:`convert` knows a map from ``source`` to ``target``.

    Of the mark-ups here WFLW's 98 points can become 68 or 29 points, and 106 or 468 points can
    become 68: any other conversion would have to invent points.
    """
    if source == target or target.name in source.conversions:
        return
    convertible = [n for n in markup_names() if target.name in load_markup(n).conversions]
    raise InputError(
        "mark-up",
        f"{source.name} ({source.landmarks} points) where the data set has {target.name} "
        f"({target.landmarks} points)",
        ", ".join([target.name, *(f"{name} (converted)" for name in convertible)]),
        "Choose a data set of the model's mark-up.",
    )  # fmt: skip


def convert(points: Floats, source: Markup, target: Markup) -> Floats:
    """Points (N, L, 2) of one mark-up as points (N, L', 2) of another, in any coordinates.

    Raises
    ------
    InputError
        If no map is known.
    """
    require_convertible(source, target)
    if source == target:
        return points
    groups = source.conversions[target.name]
    if all(len(group) == 1 for group in groups):
        return points[:, [group[0] for group in groups]]
    return np.stack([points[:, list(group)].mean(axis=1) for group in groups], axis=1)
