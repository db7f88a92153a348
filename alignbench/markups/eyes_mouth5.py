"""The usual five points: centres of the eyes, tip of the nose and corners of the mouth.

The centre of an eye is the mean of its corners and lids, which every mark-up has; a pupil is
another place.
"""

from __future__ import annotations

from alignbench.markups.base import Markup, pairs

EYES_MOUTH5 = Markup(
    name="eyes-mouth5",
    landmarks=5,
    regions={"left_eye": (0,), "right_eye": (1,), "nose": (2,), "mouth": (3, 4)},
    flip_pairs=pairs((0, 3), (1, 4)),
)
