"""A mark-up of 106 points."""

from alignbench.markups import Markup

FACE106 = Markup(
    name="face106",
    landmarks=106,
    regions={"contour": tuple(range(33)), "inside": tuple(range(33, 106))},
    normalisers={"inter_pupil": ((53,), (0,))},
)
