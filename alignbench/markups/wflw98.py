"""WFLW: 98 points, with the 15 boundaries of PropNet.

Sources: Wu et al., CVPR 2018 (WFLW, LAB's 13 boundaries); Huang et al., CVPR 2020 (PropNet adds the
two lower edges of the brows).
"""

from __future__ import annotations

from alignbench.markups.base import Indices, Markup, pairs, span

_TO_IBUG68: tuple[Indices, ...] = (
    *((k,) for k in (*range(0, 33, 2), *span(33, 37), *span(42, 46), *span(51, 60))),
    *((61, 61, 62), (63, 63, 62), (64,), (65, 65, 66), (67, 67, 66)),
    *((68,), (69, 69, 70), (71, 71, 70), (72,), (73, 73, 74), (75, 75, 74)),
    *((k,) for k in span(76, 82)),
    *((83, 83, 83, 84), (84, 84, 84, 85), (85,), (86, 86, 86, 85), (87, 87, 87, 86)),
    *((88,), (89, 89, 90), (90,), (91, 91, 90), (92,), (93, 93, 94), (94,), (95, 95, 94)),
)
"""Every second jaw point, the upper brow edges, and points between those of lids and lips.

Along a lid WFLW's landmarks stand at quarters of its length and 300W's at thirds; along the inner
edges of the lips at quarters and at 0.34, 0.49 and 0.67; along the outer edge of the lower lip at
sixths and at 0.21, 0.38, 0.50, 0.63 and 0.80. These are medians of 1,966 annotated faces of WFLW
and 679 of 300W. The usual map of public code takes the nearest landmark instead."""

_TO_COFW29: tuple[Indices, ...] = (
    *((33,), (46,), (37, 38), (42, 50), (35,), (40,), (44,), (48,)),
    *((60,), (72,), (64,), (68,), (62,), (66,), (70,), (74,), (96,), (97,)),
    *((55,), (59,), (54,), (57,)),
    *((76,), (82,), (79,), (90,), (94,), (85,), (16,)),
)
"""Each of COFW's landmarks as the mean of WFLW's that mark the same place: the inner end of a
brow lies between the ends of its two edges."""

WFLW98 = Markup(
    name="wflw98",
    landmarks=98,
    regions={
        "contour": span(0, 32),
        "left_brow": span(33, 41),
        "right_brow": span(42, 50),
        "nose": span(51, 59),
        "left_eye": (*span(60, 67), 96),
        "right_eye": (*span(68, 75), 97),
        "mouth": span(76, 95),
    },
    chains={
        "contour": span(0, 32),
        "left_brow_upper": span(33, 37),
        "left_brow_lower": (33, 41, 40, 39, 38),
        "right_brow_upper": span(42, 46),
        "right_brow_lower": (50, 49, 48, 47, 46),
        "nose_bridge": span(51, 54),
        "nose_base": span(55, 59),
        "left_eye_upper": span(60, 64),
        "left_eye_lower": (60, 67, 66, 65, 64),
        "right_eye_upper": span(68, 72),
        "right_eye_lower": (68, 75, 74, 73, 72),
        "upper_lip_upper": span(76, 82),
        "lower_lip_lower": (76, 87, 86, 85, 84, 83, 82),
        "upper_lip_lower": span(88, 92),
        "lower_lip_upper": (88, 95, 94, 93, 92),
    },
    flip_pairs=(
        *pairs(span(0, 15), span(17, 32)[::-1]),
        *pairs(span(33, 37), span(42, 46)[::-1]),
        *pairs(span(38, 41), span(47, 50)[::-1]),
        *pairs((55, 56), (59, 58)),
        *pairs(span(60, 64), span(68, 72)[::-1]),
        *pairs(span(65, 67), span(73, 75)[::-1]),
        *pairs((76, 77, 78, 87, 86), (82, 81, 80, 83, 84)),
        *pairs((88, 89, 95), (92, 91, 93)),
        (96, 97),
    ),
    normalisers={"inter_ocular": ((60,), (72,)), "inter_pupil": ((96,), (97,))},
    conversions={"ibug68": _TO_IBUG68, "cofw29": _TO_COFW29},
)
