"""What comes between camera and face: hands, glasses, hair, masks, things."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from alignbench.arrays import Bytes, Floats
from alignbench.markups import WFLW98
from alignbench.synthetic.brush import (
    ellipse,
    fill_mask,
    limit,
    line,
    line_mask,
    mix,
    soften,
    soften_mask,
)
from alignbench.synthetic.camera import project
from alignbench.synthetic.head import Head
from alignbench.synthetic.parameters import Colour, Light, Random, View


@dataclass(frozen=True)
class Sitting:
    """The face that an occluder is laid over: its head, view and light, and its landmarks.

    ``points`` are (98, 2) in pixels of an image of ``side`` x ``side``.
    """

    head: Head
    view: View
    light: Light
    points: Floats
    side: int

    @property
    def unit(self) -> float:
        """Pixels of half a face's width."""
        return self.view.size * self.side / 2


Cover = Callable[[Bytes, Bytes, Sitting, Random], None]
"""Draws on the picture (S, S, 3) and on the mask (S, S) of what is hidden."""


def cover(picture: Bytes, sitting: Sitting, rng: Random) -> Bytes:
    """Draw occluders, or none; gives the mask (S, S) of what they hide, 255 where they do."""
    hidden = np.zeros(picture.shape[:2], np.uint8)
    if rng.random() < 0.12:
        glasses(picture, hidden, sitting, rng)
    if rng.random() < 0.275:
        _COVERS[rng.choice(len(_COVERS), p=_SHARES)](picture, hidden, sitting, rng)
    return hidden


def glasses(picture: Bytes, hidden: Bytes, sitting: Sitting, rng: Random) -> None:
    """Spectacles, or sunglasses, whose lenses hide."""
    identity = sitting.head.identity
    dark = rng.random() < 0.35
    wide, high = rng.uniform(0.27, 0.34), rng.uniform(0.17, 0.26)
    corner = rng.uniform(2.0, 4.0)
    at = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    cos, sin = np.cos(at), np.sin(at)
    shape = np.stack(
        [np.sign(cos) * np.abs(cos) ** (2 / corner) * wide,
         np.sign(sin) * np.abs(sin) ** (2 / corner) * high], axis=1,
    )  # fmt: skip
    depth = float(sitting.head.surface(np.array(0.0), np.array(0.05))[2]) + 0.06
    colour = _draw_colour(rng, 5, 90)
    width = int(rng.integers(1, 4))
    side = len(picture)

    def seen(points: Floats) -> Floats:
        return project(points, sitting.view, side)[:, :2]

    lenses = []
    for sign in (-1, 1):
        middle = np.array([sign * (identity.eye_x + 0.01), 0.03])
        flat = shape + middle
        curve = depth - 0.22 * np.abs(flat[:, 0]) ** 2
        lenses.append(seen(np.column_stack([flat, curve])))
    if dark:
        mask = fill_mask(hidden.shape, *lenses)
        mix(picture, mask, _draw_colour(rng, 8, 40), 0.93)
        np.maximum(hidden, mask, out=hidden)
    frame = line_mask(hidden.shape, width, *lenses, closed=True)
    inner = identity.eye_x + 0.01 - wide
    line(frame, seen(np.array([[-inner, 0.0, depth], [0, -0.03, depth + 0.02], [inner, 0, depth]])),
         255, width)  # fmt: skip
    away = np.sign(sitting.view.yaw) or 1.0  # the arm on the far side lies behind the face
    outer = identity.eye_x + 0.01 + wide
    for sign in (-1, 1):
        if sign * away < 0 or abs(sitting.view.yaw) < 8:
            arm = np.array([[sign * outer, -0.02, depth - 0.2], [sign * 1.04, 0.0, -0.2]])
            line(frame, seen(arm), 255, width)
    mix(picture, frame, colour)
    np.maximum(hidden, frame, out=hidden)


def hand(picture: Bytes, hidden: Bytes, sitting: Sitting, rng: Random) -> None:
    """A hand before cheek, mouth or eye: a palm and four fingers."""
    unit = sitting.unit
    anchor = sitting.points[rng.integers(len(sitting.points))]
    middle = sitting.points.mean(axis=0)
    outward = anchor - middle + rng.normal(0, 0.2, 2) * unit
    outward = outward / max(float(np.linalg.norm(outward)), 1e-6)
    across = np.array([-outward[1], outward[0]])
    palm = anchor + outward * unit * rng.uniform(0.3, 0.7)
    exposure = sitting.light.exposure * rng.uniform(0.75, 1.05)
    base = np.array(sitting.head.identity.skin) * exposure * rng.uniform(0.9, 1.05, 3)
    arm = [palm - across * unit * 0.3, palm + across * unit * 0.3,
           palm + (outward * 2.5 + across * 0.25) * unit,
           palm + (outward * 2.5 - across * 0.25) * unit]  # fmt: skip
    mask = fill_mask(hidden.shape, ellipse(palm, (unit * 0.36, unit * 0.36)), np.stack(arm))
    strip = np.zeros_like(hidden)
    width = max(3, round(unit * 0.17))
    for finger in range(4):
        root = palm + across * unit * (finger - 1.5) * 0.18
        bend = -outward * unit * rng.uniform(0.5, 0.8) + across * unit * (finger - 1.5) * 0.06
        way = np.stack([root, root + bend * 0.6, root + bend * rng.uniform(0.9, 1.15)])
        line(mask, way, 255, width)
        line(strip, way + across * width * 0.5, 255, 2)
    mix(picture, mask, limit(base))
    mix(picture, np.minimum(soften_mask(strip, 1.0), mask), limit(base * 0.55), 0.8)
    edge = np.minimum(255 - soften(mask, 2.5), mask)
    mix(picture, edge, limit(base * 0.5), 0.9)
    np.maximum(hidden, mask, out=hidden)


def strands(picture: Bytes, hidden: Bytes, sitting: Sitting, rng: Random) -> None:
    """A fringe that falls over brows and eyes."""
    side = len(picture)
    colour = np.array(sitting.head.identity.hair) * sitting.light.exposure
    start, reach = rng.uniform(-0.9, 0.3), rng.uniform(0.3, 0.9)
    length = rng.uniform(0.45, 1.05)
    mask = np.zeros_like(hidden)
    count = int(rng.integers(16, 40))
    tones = rng.uniform(0.6, 1.25, count)
    for k, x in enumerate(np.linspace(start, start + reach, count)):
        end = x + rng.normal(0.08, 0.1)
        y = np.linspace(-1.0, -1.0 + length + rng.normal(0, 0.08) + 0.3, 6)
        along = x + (end - x) * np.linspace(0, 1, 6) ** 2
        points = sitting.head.surface(np.clip(along, -0.95, 0.95), y)
        points[:, 2] += 0.06
        way = project(points, sitting.view, side)[:, :2]
        line(picture, way, limit(colour * tones[k]), 3)
        line(mask, way, 255, 3)
    np.maximum(hidden, mask, out=hidden)


def mask_of_cloth(picture: Bytes, hidden: Bytes, sitting: Sitting, rng: Random) -> None:
    """A medical mask or a scarf over mouth and nose."""
    contour = sitting.points[list(WFLW98.chains["contour"])]
    bridge = sitting.points[list(WFLW98.chains["nose_bridge"])]
    keep = slice(5, -5)  # not landmarks
    top = bridge[rng.integers(1, 3)][None]
    outline = np.concatenate([top, contour[keep][::-1]])
    middle = outline.mean(axis=0)
    mask = fill_mask(hidden.shape, (outline - middle) * 1.04 + middle)
    base = np.array(_draw_colour(rng, 60, 250)) * min(1.2, sitting.light.exposure)
    mix(picture, mask, limit(base))
    below = (top[0] * (1 - t) + contour[len(contour) // 2] * t for t in (0.35, 0.55, 0.75))
    ways = (np.stack([contour[keep][1], point, contour[keep][-2]]) for point in below)
    folds = line_mask(hidden.shape, 2, *ways)
    mix(picture, np.minimum(soften_mask(folds, 1.2), mask), limit(base * 0.7), 0.6)
    np.maximum(hidden, mask, out=hidden)


def thing(picture: Bytes, hidden: Bytes, sitting: Sitting, rng: Random) -> None:
    """A cup, a telephone, a microphone, somebody's shoulder: a shape of one colour."""
    unit = sitting.unit
    anchor = sitting.points[rng.integers(len(sitting.points))]
    middle = sitting.points.mean(axis=0)
    centre = anchor + (anchor - middle) * rng.uniform(0.0, 0.6)
    size = rng.uniform(0.22, 0.6, 2) * unit
    angle = rng.uniform(0, 180)
    shape = ellipse(centre, (size[0], size[1]), angle, 4 if rng.random() < 0.5 else 24)
    mask = fill_mask(hidden.shape, shape)
    base = np.array(_draw_colour(rng, 10, 245)) * min(1.2, sitting.light.exposure)
    mix(picture, mask, limit(base))
    mix(picture, np.minimum(255 - soften(mask, 3.0), mask), limit(base * 0.5), 0.8)
    np.maximum(hidden, mask, out=hidden)


_COVERS: tuple[Cover, ...] = (hand, strands, mask_of_cloth, thing)
_SHARES = (0.36, 0.24, 0.1, 0.3)


def _draw_colour(rng: Random, low: float, high: float) -> Colour:
    return limit(rng.uniform(low, high, 3))
