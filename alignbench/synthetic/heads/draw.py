"""One head of the data set, drawn from a seed, a split and an index alone."""

from __future__ import annotations

import cv2
import numpy as np

from alignbench.arrays import Bools, Floats
from alignbench.markups import WFLW98
from alignbench.synthetic import parameters
from alignbench.synthetic.camera import MIDDLE, encode, photograph, project, rotation
from alignbench.synthetic.face import SIDE, Face, draw_box, find_attributes
from alignbench.synthetic.heads import anatomy, canvas, layers, surroundings
from alignbench.synthetic.heads.light import draw_lamps
from alignbench.synthetic.heads.outline import annotate
from alignbench.synthetic.heads.person import Face as Doing
from alignbench.synthetic.heads.person import draw_face, draw_person, draw_view, pose
from alignbench.synthetic.heads.render import Scene, render
from alignbench.synthetic.parameters import Expression
from alignbench.synthetic.raster import Singles

_CHANCES = (
    "person", "face", "view", "light", "style", "make-up", "lens", "scene", "dress", "occluders",
    "picture", "box",
)  # fmt: skip
"""Random streams of a head, one for each thing that is drawn on its own."""
_STREAM = 98
"""Sets the streams of heads apart from those of the other generator's faces."""
_BEHIND = 0.1
"""A landmark is hidden by the head if the head is nearer by more than this."""


def draw_head(seed: int, split: int, index: int) -> Face:
    """A head of split number ``split``; no other head of any split or index is the same person."""
    streams = np.random.default_rng([seed, split, index, _STREAM]).spawn(len(_CHANCES))
    chance = dict(zip(_CHANCES, streams, strict=True))
    body = anatomy.load()
    person = draw_person(chance["person"], body)
    doing = draw_face(chance["face"])
    view = draw_view(chance["view"])
    light = parameters.draw_light(chance["light"])
    make_up = parameters.draw_make_up(chance["make-up"])
    lens = parameters.draw_lens(chance["lens"])
    style = canvas.draw_style(chance["style"], person)

    points = pose(body, person, doing)
    naked = layers.bare(points, anatomy.vertex_normals(points, body.parts["skin"]))
    volume = float(chance["dress"].uniform(0, 0.3))
    haired = layers.raise_hair(naked, style, volume, chance["dress"])
    every = np.concatenate(list(body.parts.values()))
    normals = anatomy.vertex_normals(haired, every)
    head = layers.Bare(haired, normals, naked.azimuth, naked.height)
    worn = layers.dress(head, person, style, chance["dress"])
    painted, hair = canvas.paint(person, style, make_up, chance["style"])
    lamps = draw_lamps(chance["light"], light)
    picture = surroundings.background(chance["scene"], SIDE, light)
    scene = Scene(person, haired, normals, painted, hair, worn, view, lamps)
    seen = render(picture, scene)

    on_surface = body.landmarks(points)
    projected = project(on_surface, view, SIDE)
    turned = body.landmarks(naked.normals) @ rotation(view).T
    sight = np.array([0, 0, view.distance]) - (on_surface - MIDDLE) @ rotation(view).T
    facing = (turned * sight).sum(axis=1) / np.linalg.norm(sight, axis=1)
    by_head = ~_in_front(projected, seen.depth)
    unit = view.size * SIDE / 2
    vertices = project(points, view, SIDE)[:, :2]
    marked = annotate(vertices, projected[:, :2], facing, by_head, view, unit)
    marked = np.round(marked, 3)
    inside = ((marked >= -0.5) & (marked < SIDE - 0.5)).all(axis=1)
    column, row = np.clip(np.floor(marked + 0.5).astype(int), 0, SIDE - 1).T
    covered = surroundings.cover(
        picture, marked, unit, np.array(person.skin), light, chance["occluders"]
    )
    hidden = (covered > 127) | seen.hidden
    left, right = (
        marked[list(corner)].mean(axis=0) for corner in WFLW98.normalisers["inter_ocular"]
    )
    eyes = max(float(np.hypot(*(right - left))), 0.5 * unit)
    photo = surroundings.spoil(photograph(picture, lens, eyes, chance["picture"]), chance["lens"])
    expression = _summary(doing)
    conditions = {
        "yaw": view.yaw, "pitch": view.pitch, "roll": view.roll,
        "jaw": expression.jaw, "smile": expression.smile, "eyes": min(expression.eyes),
        "pucker": expression.pucker, "exposure": light.exposure,
        "key_to_ambient": light.key / light.ambient, "make_up": make_up.strength,
        "occluded": float(hidden[row, column].mean()), "self_occluded": float(by_head.mean()),
        "defocus": lens.defocus, "motion": lens.motion,
    }  # fmt: skip
    return Face(
        jpeg=encode(photo, lens.quality),
        points=marked,
        visible=inside & ~by_head & ~hidden[row, column],
        box=draw_box(marked, chance["box"]),
        attributes=find_attributes(view, expression, light, make_up, conditions["occluded"], lens),
        conditions=conditions,
    )


def _in_front(projected: Floats, depth: Singles) -> Bools:
    """Whether landmarks (98, 3) are seen: nothing of the head is nearer around their pixel."""
    behind = cv2.erode(depth, np.ones((5, 5), np.uint8))  # not landmarks
    column, row = np.clip(np.floor(projected[:, :2] + 0.5).astype(int), 0, len(depth) - 1).T
    return np.asarray(behind[row, column] <= projected[:, 2] + _BEHIND)


def _summary(doing: Doing) -> Expression:
    """An expression in the words of the other generator, by which attributes are found."""
    units = doing.units

    def both(name: str) -> float:
        return (units.get(f"{name}Left", 0.0) + units.get(f"{name}Right", 0.0)) / 2

    return Expression(
        jaw=units.get("jawOpen", 0.0) - units.get("mouthClose", 0.0),
        smile=1.3 * both("mouthSmile") - both("mouthFrown"),
        pucker=units.get("mouthPucker", 0.0),
        skew=0.0, eyes=doing.open, brows=(0.0, 0.0), gaze=(0.0, 0.0),
    )  # fmt: skip
