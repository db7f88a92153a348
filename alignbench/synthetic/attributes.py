"""WFLW's six attributes, defined in numbers.

WFLW's annotators judged by eye. Here each attribute is a threshold on what a face was drawn
with, chosen so that about as many faces have it as in WFLW's test set.
"""

from __future__ import annotations

from alignbench.synthetic.parameters import Expression, Lens, Light, MakeUp, View

YAW, PITCH, ROLL = 40.0, 21.0, 30.0
"""Pose: yaw, pitch or roll beyond so many degrees."""

JAW, SMILE, FROWN, SHUT, PUCKER = 0.40, 0.95, -0.45, 0.3, 0.35
"""Expression: a jaw opened beyond, corners of the mouth up or down beyond, an eye closed below,
lips puckered beyond."""

DARK, BRIGHT, HARD = 0.62, 1.45, 3.2
"""Illumination: exposure below or above, or key light so many times the ambient light."""

PAINTED = 0.5
"""Make-up: strength of it, from 0 to 1, of at least."""

HIDDEN = 0.05
"""Occlusion: at least this share of the landmarks covered by something other than the head."""

DEFOCUS, MOTION = 0.02, 0.06
"""Blur: standard deviation or length of the smear, in outer eye distances, of at least."""


def attributes(
    view: View, expression: Expression, light: Light, make_up: MakeUp, hidden: float, lens: Lens
) -> dict[str, bool]:
    """WFLW's attributes of a face; ``hidden`` is the share of landmarks an occluder covers."""
    e = expression
    return {
        "pose": abs(view.yaw) > YAW or abs(view.pitch) > PITCH or abs(view.roll) > ROLL,
        "expression": e.jaw > JAW
        or not FROWN <= e.smile <= SMILE
        or min(e.eyes) < SHUT
        or e.pucker > PUCKER,
        "illumination": not DARK <= light.exposure <= BRIGHT or light.key > HARD * light.ambient,
        "make-up": make_up.strength >= PAINTED,
        "occlusion": hidden >= HIDDEN,
        "blur": lens.defocus >= DEFOCUS or lens.motion >= MOTION,
    }
