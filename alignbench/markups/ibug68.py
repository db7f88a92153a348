"""300W and iBUG: 68 points (Sagonas et al., ICCVW 2013)."""

from __future__ import annotations

from alignbench.markups.base import Markup, pairs, span

IBUG68 = Markup(
    name="ibug68",
    landmarks=68,
    regions={
        "contour": span(0, 16),
        "left_brow": span(17, 21),
        "right_brow": span(22, 26),
        "nose": span(27, 35),
        "left_eye": span(36, 41),
        "right_eye": span(42, 47),
        "mouth": span(48, 67),
    },
    chains={
        "contour": span(0, 16),
        "left_brow": span(17, 21),
        "right_brow": span(22, 26),
        "nose_bridge": span(27, 30),
        "nose_base": span(31, 35),
        "left_eye_upper": span(36, 39),
        "left_eye_lower": (36, 41, 40, 39),
        "right_eye_upper": span(42, 45),
        "right_eye_lower": (42, 47, 46, 45),
        "upper_lip_upper": span(48, 54),
        "lower_lip_lower": (48, 59, 58, 57, 56, 55, 54),
        "upper_lip_lower": span(60, 64),
        "lower_lip_upper": (60, 67, 66, 65, 64),
    },
    flip_pairs=(
        *pairs(span(0, 7), span(9, 16)[::-1]),
        *pairs(span(17, 21), span(22, 26)[::-1]),
        *pairs((31, 32), (35, 34)),
        *pairs(span(36, 39), span(42, 45)[::-1]),
        *pairs((40, 41), (47, 46)),
        *pairs((48, 49, 50, 59, 58), (54, 53, 52, 55, 56)),
        *pairs((60, 61, 67), (64, 63, 65)),
    ),
    normalisers={"inter_ocular": ((36,), (45,)), "inter_pupil": (span(36, 41), span(42, 47))},
    conversions={
        "inner51": tuple((k,) for k in span(17, 67)),
        "eyes-mouth5": (span(36, 41), span(42, 47), (30,), (48,), (54,)),
    },
)
