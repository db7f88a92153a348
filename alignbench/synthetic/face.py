"""One face of the data set, drawn from a seed, a split and an index alone.

WFLW's annotators judged its six attributes by eye. Here each attribute is a threshold on the
numbers a face was drawn with, chosen so that about as many faces have it as in WFLW's test set.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from alignbench.arrays import Bools, Floats
from alignbench.geometry import tight_boxes
from alignbench.markups import WFLW98
from alignbench.synthetic import occluders, parameters, scene, skin
from alignbench.synthetic.camera import encode, photograph, project
from alignbench.synthetic.head import Head
from alignbench.synthetic.parameters import Expression, Lens, Light, MakeUp, Random, View

SIDE = 256
"""Side of an image in pixels."""

_CHANCES = (
    "identity", "expression", "view", "light", "make-up", "lens", "scene", "skin", "occluders",
    "picture", "box",
)  # fmt: skip
"""Random streams of a face, one for each thing that is drawn on its own."""

_BEHIND = 0.12
"""A landmark is hidden by the head if the head is nearer around its pixel by more than this."""

_OUTLINE = 5
"""Side in pixels of the area that is compared, so that what lies on the head's outline is seen."""

YAW, PITCH, ROLL = 40.0, 21.0, 30.0
"""Pose: more than so many degrees of yaw, pitch or roll."""

JAW, SMILE, FROWN, SHUT, PUCKER = 0.40, 0.95, -0.45, 0.3, 0.35
"""Expression: jaw more open, corners of the mouth higher or lower, an eye less open, or lips more
puckered than this."""

DARK, BRIGHT, HARD = 0.62, 1.45, 3.2
"""Illumination: exposure below or above this, or key light above so many times ambient light."""

PAINTED = 0.5
"""Make-up: at least this strength, from 0 to 1."""

HIDDEN = 0.05
"""Occlusion: at least this share of the landmarks covered by something other than the head."""

DEFOCUS, MOTION = 0.02, 0.06
"""Blur: standard deviation or length of the smear at least this, in outer eye distances."""


@dataclass(frozen=True)
class Face:
    """A drawn face.

    Attributes
    ----------
    jpeg
        Its image, ``SIDE`` x ``SIDE``, as a file.
    points
        (98, 2) landmarks, rounded to a thousandth of a pixel; hidden ones are where they would be
        seen through what hides them.
    visible
        (98,) whether neither the head itself nor an occluder hides a landmark, and it lies in
        the image.
    box
        (4,) x_min, y_min, x_max, y_max in whole pixels: about the landmarks as WFLW's are.
    attributes
        WFLW's six.
    conditions
        The numbers behind the attributes.
    """

    jpeg: bytes
    points: Floats
    visible: Bools
    box: Floats
    attributes: dict[str, bool]
    conditions: dict[str, float]


def chances(seed: int, split: int, index: int) -> dict[str, np.random.Generator]:
    """The random streams of a face, each for one thing; no two faces share any."""
    streams = np.random.default_rng([seed, split, index]).spawn(len(_CHANCES))
    return dict(zip(_CHANCES, streams, strict=True))


def draw_face(seed: int, split: int, index: int) -> Face:
    """A face of split number ``split``; no other face of any split or index is the same person."""
    chance = chances(seed, split, index)
    identity = parameters.draw_identity(chance["identity"])
    expression = parameters.draw_expression(chance["expression"])
    view = parameters.draw_view(chance["view"])
    light = parameters.draw_light(chance["light"])
    make_up = parameters.draw_make_up(chance["make-up"])
    faults = parameters.draw_lens(chance["lens"])

    head = Head(identity, expression)
    picture = scene.background(chance["scene"], SIDE)
    scene.shoulders(picture, identity, view, chance["scene"])
    picture = scene.expose(picture, light)
    canvas = skin.paint(head, make_up, chance["skin"])
    depth = scene.draw_head(picture, head, canvas, view, light, chance["skin"])
    projected = project(head.landmarks(), view, SIDE)
    points = np.round(projected[:, :2], 3)

    inside = ((points >= -0.5) & (points < SIDE - 0.5)).all(axis=1)
    column, row = np.clip(np.floor(points + 0.5).astype(int), 0, SIDE - 1).T
    behind = cv2.erode(depth, np.ones((_OUTLINE, _OUTLINE), np.uint8))
    by_head = behind[row, column] > projected[:, 2] + _BEHIND
    sitting = occluders.Sitting(head, view, light, points, SIDE)
    covered = occluders.cover(picture, sitting, chance["occluders"])[row, column] > 127
    left, right = (
        points[list(corner)].mean(axis=0) for corner in WFLW98.normalisers["inter_ocular"]
    )
    eyes = max(float(np.hypot(*(right - left))), 0.5 * sitting.unit)
    seen = photograph(picture, faults, eyes, chance["picture"])

    conditions = {
        "yaw": view.yaw, "pitch": view.pitch, "roll": view.roll,
        "jaw": expression.jaw, "smile": expression.smile, "eyes": min(expression.eyes),
        "pucker": expression.pucker, "exposure": light.exposure,
        "key_to_ambient": light.key / light.ambient, "make_up": make_up.strength,
        "occluded": float(covered.mean()), "self_occluded": float(by_head.mean()),
        "defocus": faults.defocus, "motion": faults.motion,
    }  # fmt: skip
    return Face(
        jpeg=encode(seen, faults.quality),
        points=points,
        visible=inside & ~by_head & ~covered,
        box=draw_box(points, chance["box"]),
        attributes=find_attributes(
            view, expression, light, make_up, conditions["occluded"], faults
        ),
        conditions=conditions,
    )


def find_attributes(
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


_BOX_MEAN = np.array([0.01, -0.29, -0.01, 0.0])
_BOX_SPREAD = np.array([0.06, 0.13, 0.06, 0.05])
"""WFLW's boxes beside the tight boxes of their landmarks: means and standard deviations of the
edges, in square roots of the tight box's area."""


def draw_box(points: Floats, rng: Random) -> Floats:
    """A box (4,) about the face as WFLW has them: with forehead, in whole pixels."""
    tight = tight_boxes(points[None])[0]
    size = np.sqrt((tight[2] - tight[0]) * (tight[3] - tight[1]))
    off = _BOX_MEAN + np.clip(rng.normal(0, 1, 4), -2.5, 2.5) * _BOX_SPREAD
    return np.asarray(np.round(tight + off * size))
