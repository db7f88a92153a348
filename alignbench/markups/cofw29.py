"""COFW: 29 points (Burgos-Artizzu et al., ICCV 2013)."""

from __future__ import annotations

from alignbench.markups.base import Markup, pairs, span

COFW29 = Markup(
    name="cofw29",
    landmarks=29,
    regions={
        "left_brow": (0, 2, 4, 5),
        "right_brow": (1, 3, 6, 7),
        "left_eye": (8, 10, 12, 13, 16),
        "right_eye": (9, 11, 14, 15, 17),
        "nose": span(18, 21),
        "mouth": span(22, 27),
        "chin": (28,),
    },
    chains={
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
    },
    flip_pairs=pairs(
        (0, 2, 4, 5, 8, 10, 12, 13, 16, 18, 22), (1, 3, 6, 7, 9, 11, 14, 15, 17, 19, 23)
    ),
    normalisers={"inter_ocular": ((8,), (9,)), "inter_pupil": ((16,), (17,))},
    conversions={"eyes-mouth5": ((8, 10, 12, 13), (9, 11, 14, 15), (20,), (22,), (23,))},
)
