"""LAB's 13 boundaries, the same for every mark-up."""

from __future__ import annotations

from collections.abc import Mapping

from alignbench.exceptions import InputError
from alignbench.markups import Markup
from alignbench.markups.base import Indices

BOUNDARIES = (
    "contour", "left_brow", "right_brow", "nose_bridge", "nose_base", "left_eye_upper",
    "left_eye_lower", "right_eye_upper", "right_eye_lower", "upper_lip_upper", "upper_lip_lower",
    "lower_lip_upper", "lower_lip_lower",
)  # fmt: skip
"""In the order of LAB's output maps."""

_OTHER_NAMES = {
    "contour": "chin", "left_brow": "left_brow_upper", "right_brow": "right_brow_upper",
    "nose_base": "nose_lower",
}  # fmt: skip
"""The name of the nearest chain in mark-ups that have no chain of LAB's name."""

_DOTS: Mapping[str, Mapping[str, str]] = {
    "cofw29": {
        "nose_bridge": "nose_upper", "upper_lip_lower": "upper_lip_lower",
        "lower_lip_upper": "lower_lip_upper",
    }
}  # fmt: skip
"""Where a mark-up has one landmark of a boundary, LAB draws a dot: the middle of this chain."""


def chains(markup: Markup) -> dict[str, Indices]:
    """The landmarks that each of LAB's boundaries runs through.

    Raises InputError if the mark-up has no chain for one of them.
    """
    boundaries = {}
    for name in BOUNDARIES:
        if dot := _DOTS.get(markup.name, {}).get(name):
            boundaries[name] = markup.chains[dot][1:2]
            continue
        chain = name if name in markup.chains else _OTHER_NAMES.get(name, name)
        if chain not in markup.chains:
            raise InputError(
                f"mark-up {markup.name!r}", f"has no chain {name!r}", ", ".join(BOUNDARIES),
                "LAB needs all of its boundaries: choose another model or mark-up.",
            )  # fmt: skip
        boundaries[name] = markup.chains[chain]
    return boundaries
