"""Landmark mark-ups: WFLW 98, 300W/iBUG 68 and COFW 29 points.

The only module of the project in which a landmark index is written as a literal; a test holds
that. *Left* and *right* are the image's, not the person's.

Sources: Wu et al., CVPR 2018 (WFLW, LAB's 13 boundaries); Sagonas et al., ICCVW 2013 (iBUG 68);
Burgos-Artizzu et al., ICCV 2013 (COFW); PropNet (Huang et al., CVPR 2020) for the 15 boundaries
of WFLW: LAB's 13 and the two lower brow edges.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import TypeVar

import numpy as np

from alignbench.arrays import Floats, Ints
from alignbench.errors import InputError

Indices = tuple[int, ...]
T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Markup:
    """A landmark mark-up.

    Attributes
    ----------
    name
        Name used in run records.
    landmarks
        Number of landmarks L.
    regions
        Parts of the face; together they hold every landmark exactly once.
    chains
        Boundaries as ordered landmark lists, for boundary maps, as PropNet has them. A single
        landmark is a dot.
    lab_chains
        The 13 boundaries of LAB, named and ordered as in :data:`LAB_BOUNDARIES`.
    awing_chains
        The boundaries that AWing merges in one map.
    flip_pairs
        Pairs that change places when the image is mirrored left to right.
    eyes
        For each two-point normaliser, the landmarks whose mean is its left and right end.
    """

    name: str
    landmarks: int
    regions: Mapping[str, Indices]
    chains: Mapping[str, Indices]
    lab_chains: Mapping[str, Indices]
    awing_chains: Mapping[str, Indices]
    flip_pairs: tuple[tuple[int, int], ...]
    eyes: Mapping[str, tuple[Indices, Indices]]

    def __reduce__(self) -> tuple[Callable[[str], Markup], tuple[str]]:
        # By name: another process has the same mark-ups, and read-only mappings do not travel.
        return _named, (self.name,)

    @cached_property
    def flip_order(self) -> Ints:
        """Permutation (L,): landmark ``i`` of a mirrored face is ``flip_order[i]`` of the face."""
        order = np.arange(self.landmarks)
        for left, right in self.flip_pairs:
            order[left], order[right] = right, left
        return order


def _span(first: int, last: int) -> Indices:
    return tuple(range(first, last + 1))


def _pairs(left: Indices, right: Indices) -> tuple[tuple[int, int], ...]:
    return tuple(zip(left, right, strict=True))


def _frozen(mapping: dict[str, T]) -> Mapping[str, T]:
    return MappingProxyType(mapping)


LAB_BOUNDARIES = (
    "contour",
    "left_brow",
    "right_brow",
    "nose_bridge",
    "nose_base",
    "left_eye_upper",
    "left_eye_lower",
    "right_eye_upper",
    "right_eye_lower",
    "upper_lip_upper",
    "upper_lip_lower",
    "lower_lip_upper",
    "lower_lip_lower",
)
"""LAB's boundaries in the order of its output maps, the same for every mark-up."""


def _lab(chains: dict[str, Indices]) -> Mapping[str, Indices]:
    return _frozen({name: chains[name] for name in LAB_BOUNDARIES})


def _without(chains: dict[str, Indices], *names: str) -> Mapping[str, Indices]:
    return _frozen({name: chain for name, chain in chains.items() if name not in names})


_WFLW98_CHAINS: dict[str, Indices] = {
    "contour": _span(0, 32),
    "left_brow_upper": _span(33, 37),
    "left_brow_lower": (33, 41, 40, 39, 38),
    "right_brow_upper": _span(42, 46),
    "right_brow_lower": (50, 49, 48, 47, 46),
    "nose_bridge": _span(51, 54),
    "nose_base": _span(55, 59),
    "left_eye_upper": _span(60, 64),
    "left_eye_lower": (60, 67, 66, 65, 64),
    "right_eye_upper": _span(68, 72),
    "right_eye_lower": (68, 75, 74, 73, 72),
    "upper_lip_upper": _span(76, 82),
    "lower_lip_lower": (76, 87, 86, 85, 84, 83, 82),
    "upper_lip_lower": _span(88, 92),
    "lower_lip_upper": (88, 95, 94, 93, 92),
}

WFLW98 = Markup(
    name="wflw98",
    landmarks=98,
    regions=_frozen(
        {
            "contour": _span(0, 32),
            "left_brow": _span(33, 41),
            "right_brow": _span(42, 50),
            "nose": _span(51, 59),
            "left_eye": (*_span(60, 67), 96),
            "right_eye": (*_span(68, 75), 97),
            "mouth": _span(76, 95),
        }
    ),
    chains=_frozen(_WFLW98_CHAINS),
    lab_chains=_lab(
        _WFLW98_CHAINS
        | {
            "left_brow": _WFLW98_CHAINS["left_brow_upper"],
            "right_brow": _WFLW98_CHAINS["right_brow_upper"],
        }
    ),
    awing_chains=_without(_WFLW98_CHAINS, "left_brow_lower", "right_brow_lower"),
    flip_pairs=(
        *_pairs(_span(0, 15), _span(17, 32)[::-1]),
        *_pairs(_span(33, 37), _span(42, 46)[::-1]),
        *_pairs(_span(38, 41), _span(47, 50)[::-1]),
        *_pairs((55, 56), (59, 58)),
        *_pairs(_span(60, 64), _span(68, 72)[::-1]),
        *_pairs(_span(65, 67), _span(73, 75)[::-1]),
        *_pairs((76, 77, 78, 87, 86), (82, 81, 80, 83, 84)),
        *_pairs((88, 89, 95), (92, 91, 93)),
        (96, 97),
    ),
    eyes=_frozen({"inter_ocular": ((60,), (72,)), "inter_pupil": ((96,), (97,))}),
)

_IBUG68_CHAINS: dict[str, Indices] = {
    "contour": _span(0, 16),
    "left_brow": _span(17, 21),
    "right_brow": _span(22, 26),
    "nose_bridge": _span(27, 30),
    "nose_base": _span(31, 35),
    "left_eye_upper": _span(36, 39),
    "left_eye_lower": (36, 41, 40, 39),
    "right_eye_upper": _span(42, 45),
    "right_eye_lower": (42, 47, 46, 45),
    "upper_lip_upper": _span(48, 54),
    "lower_lip_lower": (48, 59, 58, 57, 56, 55, 54),
    "upper_lip_lower": _span(60, 64),
    "lower_lip_upper": (60, 67, 66, 65, 64),
}

IBUG68 = Markup(
    name="ibug68",
    landmarks=68,
    regions=_frozen(
        {
            "contour": _span(0, 16),
            "left_brow": _span(17, 21),
            "right_brow": _span(22, 26),
            "nose": _span(27, 35),
            "left_eye": _span(36, 41),
            "right_eye": _span(42, 47),
            "mouth": _span(48, 67),
        }
    ),
    chains=_frozen(_IBUG68_CHAINS),
    lab_chains=_lab(_IBUG68_CHAINS),
    awing_chains=_frozen(_IBUG68_CHAINS),
    flip_pairs=(
        *_pairs(_span(0, 7), _span(9, 16)[::-1]),
        *_pairs(_span(17, 21), _span(22, 26)[::-1]),
        *_pairs((31, 32), (35, 34)),
        *_pairs(_span(36, 39), _span(42, 45)[::-1]),
        *_pairs((40, 41), (47, 46)),
        *_pairs((48, 49, 50, 59, 58), (54, 53, 52, 55, 56)),
        *_pairs((60, 61, 67), (64, 63, 65)),
    ),
    eyes=_frozen({"inter_ocular": ((36,), (45,)), "inter_pupil": (_span(36, 41), _span(42, 47))}),
)

_COFW29_CHAINS: dict[str, Indices] = {
    "left_brow_upper": (0, 4, 2),
    "left_brow_lower": (0, 5, 2),
    "right_brow_upper": (1, 6, 3),
    "right_brow_lower": (1, 7, 3),
    "left_eye_upper": (8, 12, 10),
    "left_eye_lower": (8, 13, 10),
    "right_eye_upper": (9, 14, 11),
    "right_eye_lower": (9, 15, 11),
    "nose_upper": (18, 20, 19),
    "nose_lower": (18, 21, 19),
    "upper_lip_upper": (22, 24, 23),
    "upper_lip_lower": (22, 25, 23),
    "lower_lip_upper": (22, 26, 23),
    "lower_lip_lower": (22, 27, 23),
    "chin": (28,),
}

COFW29 = Markup(
    name="cofw29",
    landmarks=29,
    regions=_frozen(
        {
            "left_brow": (0, 2, 4, 5),
            "right_brow": (1, 3, 6, 7),
            "left_eye": (8, 10, 12, 13, 16),
            "right_eye": (9, 11, 14, 15, 17),
            "nose": _span(18, 21),
            "mouth": _span(22, 27),
            "chin": (28,),
        }
    ),
    chains=_frozen(_COFW29_CHAINS),
    # Where COFW has a single landmark of a boundary, LAB draws a dot.
    lab_chains=_lab(
        _COFW29_CHAINS
        | {
            "contour": _COFW29_CHAINS["chin"],
            "left_brow": _COFW29_CHAINS["left_brow_upper"],
            "right_brow": _COFW29_CHAINS["right_brow_upper"],
            "nose_bridge": (20,),
            "nose_base": _COFW29_CHAINS["nose_lower"],
            "upper_lip_lower": (25,),
            "lower_lip_upper": (26,),
        }
    ),
    awing_chains=_without(_COFW29_CHAINS, "nose_upper", "chin"),
    flip_pairs=_pairs(
        (0, 2, 4, 5, 8, 10, 12, 13, 16, 18, 22), (1, 3, 6, 7, 9, 11, 14, 15, 17, 19, 23)
    ),
    eyes=_frozen({"inter_ocular": ((8,), (9,)), "inter_pupil": ((16,), (17,))}),
)

MARKUPS: Mapping[str, Markup] = _frozen({m.name: m for m in (WFLW98, IBUG68, COFW29)})


def _named(name: str) -> Markup:
    return MARKUPS[name]


_WFLW98_TO_IBUG68: Indices = (
    *range(0, 33, 2),
    *_span(33, 37),
    *_span(42, 46),
    *_span(51, 59),
    *(60, 61, 63, 64, 65, 67),
    *(68, 69, 71, 72, 73, 75),
    *_span(76, 95),
)
"""The usual map: every second jaw point, the upper brow edges, the eye corners and lids."""

_WFLW98_TO_COFW29: tuple[Indices, ...] = (
    *((33,), (46,), (37, 38), (42, 50), (35,), (40,), (44,), (48,)),
    *((60,), (72,), (64,), (68,), (62,), (66,), (70,), (74,), (96,), (97,)),
    *((55,), (59,), (54,), (57,)),
    *((76,), (82,), (79,), (90,), (94,), (85,), (16,)),
)
"""Each of COFW's landmarks as the mean of WFLW's that mark the same place: the inner end of a
brow lies between the ends of its two edges."""


def require_convertible(source: Markup, target: Markup) -> None:
    """Raise InputError unless :func:`convert` knows a map from ``source`` to ``target``.

    Only 98 -> 68 and 98 -> 29 are known: the others would have to invent points.
    """
    if source in (target, WFLW98):
        return
    also = f" or {WFLW98.name} (converted)" if target is not WFLW98 else ""
    raise InputError(
        "mark-up",
        f"{source.name} ({source.landmarks} points) where the data set has {target.name} "
        f"({target.landmarks} points)",
        f"{target.name}{also}",
        "Choose a data set of the model's mark-up.",
    )


def convert(points: Floats, source: Markup, target: Markup) -> Floats:
    """Points (N, L, 2) of one mark-up as points (N, L', 2) of another, in any coordinates.

    Raises
    ------
    InputError
        If no map is known.
    """
    require_convertible(source, target)
    if source is target:
        return points
    if target is IBUG68:
        return points[:, list(_WFLW98_TO_IBUG68)]
    return np.stack([points[:, list(group)].mean(axis=1) for group in _WFLW98_TO_COFW29], axis=1)


def by_landmarks(count: int, where: object) -> Markup:
    """The mark-up with this number of landmarks.

    Raises
    ------
    InputError
        If there is none; ``where`` names the file or model it came from.
    """
    for markup in MARKUPS.values():
        if markup.landmarks == count:
            return markup
    raise InputError(
        where,
        f"{count} landmarks a face",
        ", ".join(f"{m.landmarks} ({m.name})" for m in MARKUPS.values()),
    )
