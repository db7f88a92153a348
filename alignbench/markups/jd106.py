"""JD-landmark and LaPa: 106 points (Liu et al., Grand Challenge of 106-p Landmarks, ICMEW 2019)."""

from __future__ import annotations

from alignbench.markups.base import Indices, Markup, pairs, span

_TO_IBUG68: tuple[Indices, ...] = (
    *((1, 2), (3, 4), (5, 6), (7,), (9,), (11,), (12, 13), (14,), (16,)),
    *((18,), (19, 20), (21,), (23,), (25,), (26, 27), (28, 29), (30, 31)),
    *((k,) for k in (*span(33, 37), *span(42, 46), *span(51, 54), *span(58, 62))),
    *((k,) for k in (66, 67, 69, 70, 71, 73, 75, 76, 78, 79, 80, 82)),
    *((k,) for k in span(84, 103)),
)
"""The contour of 106 points begins and ends higher on the temples than that of 68 points, so the 68
points are not every second one of the 106. The map is the usual one of public converters. It is
symmetric, and its contour is an approximation."""

JD106 = Markup(
    name="jd106",
    landmarks=106,
    regions={
        "contour": span(0, 32),
        "left_brow": span(33, 41),
        "right_brow": span(42, 50),
        "nose": span(51, 65),
        "left_eye": (*span(66, 74), 104),
        "right_eye": (*span(75, 83), 105),
        "mouth": span(84, 103),
    },
    chains={
        "contour": span(0, 32),
        "left_brow_upper": span(33, 37),
        "left_brow_lower": (33, 41, 40, 39, 38),
        "right_brow_upper": span(42, 46),
        "right_brow_lower": (50, 49, 48, 47, 46),
        "nose_bridge": span(51, 54),
        "nose_left": (55, 56, 57),
        "nose_base": span(58, 62),
        "nose_right": (65, 64, 63),
        "left_eye_upper": span(66, 70),
        "left_eye_lower": (66, 73, 72, 71, 70),
        "right_eye_upper": span(75, 79),
        "right_eye_lower": (75, 82, 81, 80, 79),
        "upper_lip_upper": span(84, 90),
        "lower_lip_lower": (84, 95, 94, 93, 92, 91, 90),
        "upper_lip_lower": span(96, 100),
        "lower_lip_upper": (96, 103, 102, 101, 100),
    },
    flip_pairs=(
        *pairs(span(0, 15), span(17, 32)[::-1]),
        *pairs(span(33, 37), span(42, 46)[::-1]),
        *pairs(span(38, 41), span(47, 50)[::-1]),
        *pairs((55, 56, 57, 58, 59), (65, 64, 63, 62, 61)),
        *pairs(span(66, 70), span(75, 79)[::-1]),
        *pairs((71, 72, 73, 74), (82, 81, 80, 83)),
        *pairs((84, 85, 86, 95, 94), (90, 89, 88, 91, 92)),
        *pairs((96, 97, 103), (100, 99, 101)),
        (104, 105),
    ),
    normalisers={"inter_ocular": ((66,), (79,)), "inter_pupil": ((104,), (105,))},
    conversions={"ibug68": _TO_IBUG68},
    approximate={"ibug68": span(0, 16)},
)
