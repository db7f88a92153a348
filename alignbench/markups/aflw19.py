"""AFLW: 19 of its 21 points, without the ears (Koestinger et al., ICCVW 2011; Zhu et al., 2016)."""

from __future__ import annotations

from alignbench.markups.base import Markup, pairs, span

AFLW19 = Markup(
    name="aflw19",
    landmarks=19,
    regions={
        "left_brow": span(0, 2),
        "right_brow": span(3, 5),
        "left_eye": span(6, 8),
        "right_eye": span(9, 11),
        "nose": span(12, 14),
        "mouth": span(15, 17),
        "chin": (18,),
    },
    chains={
        "left_brow": span(0, 2),
        "right_brow": span(3, 5),
        "left_eye": span(6, 8),
        "right_eye": span(9, 11),
        "nose": span(12, 14),
        "mouth": span(15, 17),
        "chin": (18,),
    },
    flip_pairs=(
        *pairs(span(0, 2), span(3, 5)[::-1]),
        *pairs(span(6, 8), span(9, 11)[::-1]),
        *pairs((12, 15), (14, 17)),
    ),
    normalisers={"inter_ocular": ((6,), (11,)), "inter_pupil": ((7,), (10,))},
    conversions={"eyes-mouth5": ((7,), (10,), (13,), (15,), (17,))},
)
