"""What is painted on a head: skin, lips, brows, beard, hair, paint.

The canvas is the base head unrolled: azimuth across, height down. What is painted on it sticks to
the face whatever its shape and expression, because it is laid on by the base head's coordinates.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from alignbench.arrays import Bytes, Floats
from alignbench.markups import WFLW98
from alignbench.synthetic.brush import (
    ellipse,
    fill,
    fill_mask,
    limit,
    line,
    mix,
    noise,
    soften_mask,
)
from alignbench.synthetic.heads import anatomy
from alignbench.synthetic.heads.person import Person
from alignbench.synthetic.parameters import Colour, MakeUp, Random

_TOP, _BOTTOM = -1.8, 2.2
SCALE = 120
"""Pixels of the canvas per unit of height and per radian."""
SHAPE = int((_BOTTOM - _TOP) * SCALE), int(2 * np.pi * SCALE)
_COARSE = 4
_ROUND = 24
"""Corners of an outline that looks round."""
_RAGS = 90
"""Steps of a ragged hairline around the head."""
_COLLAR = 1.95
"""Below this there are clothes."""


def to_canvas(points: Floats) -> Floats:
    """Places (..., 2) on the canvas of points (..., 3) of the base head."""
    azimuth = np.arctan2(points[..., 0], points[..., 2])
    return np.stack([(azimuth + np.pi) * SCALE, (points[..., 1] - _TOP) * SCALE], axis=-1)


@dataclass(frozen=True)
class Marks:
    """Where things lie on the canvas, the same for every head.

    ``landmarks`` (98, 2) and, of each eye, the loop of its lids (28, 2).
    """

    landmarks: Floats
    lids: tuple[Floats, Floats]

    def chain(self, name: str) -> Floats:
        """The landmarks (K, 2) of a boundary."""
        return self.landmarks[list(WFLW98.chains[name])]

    def outline(self, upper: str, lower: str) -> Floats:
        """A closed outline of two boundaries that begin and end alike or nearly so."""
        return np.concatenate([self.chain(upper), self.chain(lower)[::-1]])


@cache
def marks() -> Marks:
    """Where things lie on the canvas."""
    head = anatomy.load()
    left, right = (to_canvas(head.rest[loop]) for loop in head.lids)
    return Marks(to_canvas(head.landmarks(head.rest)), (left, right))


@dataclass(frozen=True)
class Style:
    """How a person is done up: amounts are from 0 to 1.

    ``hairline`` is how far the hair of the scalp begins above its usual place, in units of the
    head; ``bald`` whether there is none. ``beard`` is its strength, ``beard_form`` which.
    """

    hairline: float
    bald: bool
    beard: float
    beard_form: str
    brows: float
    brow_width: float
    freckles: float
    paint: str


def draw_style(rng: Random, person: Person) -> Style:
    """A style drawn at random that suits the person."""
    adult = person.age > 0.35
    bearded = adult and person.male > 0.5 and rng.random() < 0.55
    balding = adult and person.male > 0.5 and person.age > 0.5 and rng.random() < 0.35
    forms = ["stubble", "full", "moustache", "goatee", "chin"]
    return Style(
        hairline=float(rng.normal(0, 0.07) + (rng.uniform(0.1, 0.5) if balding else 0)),
        bald=bool(adult and person.male > 0.4 and rng.random() < 0.1),
        beard=float(rng.uniform(0.25, 1)) if bearded else 0.0,
        beard_form=str(rng.choice(forms, p=[0.35, 0.3, 0.12, 0.15, 0.08])),
        brows=float(rng.uniform(0.5, 1.0)),
        brow_width=float(np.clip(rng.normal(1 if person.male > 0.5 else 0.7, 0.25), 0.3, 1.5)),
        freckles=float(rng.uniform(0.3, 1)) if rng.random() < 0.12 else 0.0,
        paint=str(rng.choice(["", "all", "parts"], p=[0.965, 0.015, 0.02])),
    )


def hair_height(azimuth: Floats, hairline: float) -> Floats:
    """Height (...) above which there is hair, by azimuth (...)."""
    at = np.array([0, 0.35, 0.7, 0.95, 1.15, 1.3, 1.42, 1.9, 2.2, 2.6, np.pi])
    height = np.array([-1.0, -0.98, -0.82, -0.6, -0.5, -0.1, 0.05, 0.05, 0.75, 0.95, 1.0])
    front = np.clip(1.5 - at, 0, 1)
    return np.asarray(np.interp(np.abs(azimuth), at, height - hairline * front))


def paint(person: Person, style: Style, make_up: MakeUp, rng: Random) -> tuple[Bytes, Bytes]:
    """The canvas (H, W, 3) of a head, and where on it there is hair (H, W)."""
    at = marks()
    canvas = _skin(person, make_up, rng)
    if person.age > 0.45:
        _wrinkles(canvas, person, at, rng)
    _spots(canvas, person, style, rng)
    _lips(canvas, person, make_up, at, rng)
    _eyes(canvas, person, make_up, at, rng)
    if style.paint:
        _face_paint(canvas, style, rng)
    brightness = _strands(rng)
    if style.beard:
        _beard(canvas, person, style, at, brightness, rng)
    _brows(canvas, person, style, at, rng)
    hair = _scalp(style, rng)
    mix(canvas, hair, tint_hair(person.hair, brightness))
    _clothes(canvas, rng)
    return canvas, hair


def _shade(colour: Colour, factor: float, red: float = 0.0) -> Colour:
    r, g, b = colour
    return limit(np.array([r * factor + red, g * factor, b * factor]))


def _skin(person: Person, make_up: MakeUp, rng: Random) -> Bytes:
    skin = person.skin
    small = np.empty((SHAPE[0] // _COARSE, SHAPE[1] // _COARSE, 3), np.uint8)
    small[:] = np.round(skin)

    def patch(x: float, y: float, size: tuple[float, float], colour: Colour, share: float) -> None:
        middle = ((x + np.pi) * SCALE / _COARSE, (y - _TOP) * SCALE / _COARSE)
        radii = size[0] * SCALE / _COARSE, size[1] * SCALE / _COARSE
        mask = soften_mask(fill_mask(small.shape[:2], ellipse(middle, radii)), 3.5)
        mix(small, mask, colour, float(np.clip(share, 0, 1)))

    blush = rng.uniform(0, 0.6) + 0.4 * make_up.strength
    under = rng.uniform(0.1, 0.6)
    for side in (-1, 1):
        patch(side * 0.55, 0.42, (0.28, 0.24), _shade(skin, 0.96, 16), blush)
        patch(side * 0.37, 0.0, (0.24, 0.17), _shade(skin, 0.84), under)
        patch(side * 1.6, 0.25, (0.2, 0.35), _shade(skin, 0.93, 14), 0.5)
    patch(0, 0.55, (0.2, 0.17), _shade(skin, 0.97, 14), rng.uniform(0, 0.7))
    patch(0, 1.4, (0.25, 0.15), _shade(skin, 0.97, 8), rng.uniform(0, 0.5))
    if person.male > 0.5 and person.age > 0.35:
        patch(0, 1.2, (0.85, 0.45), _shade(skin, 0.86, -4), rng.uniform(0, 0.6))
    large = cv2.resize(small, SHAPE[::-1], interpolation=cv2.INTER_LINEAR_EXACT)
    rough = rng.uniform(0.5, 1.6)
    for grain, spread in ((40, 4.0), (12, 4.0), (4, 4.0), (2, 4.0)):
        mottles = cv2.merge([noise(rng, SHAPE, grain, spread * rough)] * 3)
        large = cv2.subtract(
            cv2.add(large, cv2.subtract(mottles, _GREY)), cv2.subtract(_GREY, mottles)
        )
    return np.asarray(large)


_GREY = np.full((*SHAPE, 3), 128, np.uint8)


def _wrinkles(canvas: Bytes, person: Person, at: Marks, rng: Random) -> None:
    mask = np.zeros(SHAPE, np.uint8)
    strength = (person.age - 0.45) * rng.uniform(0.5, 1.8)
    middle = SHAPE[1] / 2
    across = np.linspace(-0.5, 0.5, 12) * SCALE
    for height in np.sort(rng.uniform(-0.9, -0.5, rng.integers(2, 5))):
        wave = (height - _TOP) * SCALE + 3 * np.sin(across / 18 + rng.uniform(0, 6))
        line(mask, np.stack([middle + across * rng.uniform(0.7, 1), wave], 1), 200, 2)
    for side, start in ((-1, at.chain("left_eye_upper")[0]), (1, at.chain("right_eye_upper")[-1])):
        for tilt in rng.uniform(-0.6, 0.6, 3):
            line(mask, start + np.array([[side * 8, 0], [side * 26, 26 * tilt]]), 170, 2)
    mix(canvas, soften_mask(mask, 1.3), _shade(person.skin, 0.6), float(np.clip(strength, 0, 0.7)))
    folds = np.zeros(SHAPE, np.uint8)
    for side, mouth in ((-1, at.chain("upper_lip_upper")[0]), (1, at.chain("upper_lip_upper")[-1])):
        nose = at.chain("nose_base")[0 if side < 0 else -1]
        bend = (nose + mouth) / 2 + [side * 16, 0]
        line(
            folds,
            np.stack([np.add(nose, (side * 8, -8)), bend, np.add(mouth, (side * 14, 6))]),
            255,
            3,
        )
    mix(canvas, soften_mask(folds, 2.5), _shade(person.skin, 0.6), float(np.clip(strength, 0, 0.6)))


def _spots(canvas: Bytes, person: Person, style: Style, rng: Random) -> None:
    mask = np.zeros(SHAPE, np.uint8)
    middle = SHAPE[1] / 2
    for _ in range(int(160 * style.freckles)):
        x, y = rng.normal(0, 0.45), rng.normal(0.3, 0.25)
        at = np.array([middle + x * SCALE, (y - _TOP) * SCALE])
        fill(mask, ellipse(at, (1.6, 1.6), 0, 6), int(rng.integers(60, 170)))
    for _ in range(rng.integers(0, 7)):
        x, y = rng.uniform(-1, 1), rng.uniform(-0.8, 1.6)
        at = np.array([middle + x * SCALE, (y - _TOP) * SCALE])
        fill(mask, ellipse(at, (rng.uniform(1.5, 3),) * 2, 0, 8), 220)
    mix(canvas, mask, _shade(person.skin, 0.55))


def _lips(canvas: Bytes, person: Person, make_up: MakeUp, at: Marks, rng: Random) -> None:
    skin, strength = np.array(person.skin), make_up.strength
    natural = skin * rng.uniform([0.82, 0.55, 0.55], [0.98, 0.8, 0.8]) + [14.0, 4.0, 6.0]
    colour = limit(natural * (1 - 0.85 * strength) + np.array(make_up.lips) * 0.85 * strength)
    mask = fill_mask(SHAPE, at.outline("upper_lip_upper", "lower_lip_lower"))
    soft = soften_mask(mask, float(rng.uniform(0.8, 2.2)))
    grain = noise(rng, SHAPE, 3, 12)
    mix(canvas, soft, colour, float(rng.uniform(0.6, 1)))
    mix(
        canvas, np.minimum(soft, cv2.subtract(grain, np.full_like(grain, 120))), _shade(colour, 0.5)
    )
    seam = np.zeros(SHAPE, np.uint8)
    line(seam, at.chain("upper_lip_lower"), 255, 2)
    mix(canvas, soften_mask(seam, 0.8), _shade(colour, 0.4), 0.5)


def _eyes(canvas: Bytes, person: Person, make_up: MakeUp, at: Marks, rng: Random) -> None:
    strength = make_up.strength
    for loop, side in zip(at.lids, ("left", "right"), strict=True):
        upper, lower = at.chain(f"{side}_eye_upper"), at.chain(f"{side}_eye_lower")
        lid = fill_mask(SHAPE, np.concatenate([upper, upper[::-1] - [0, 22.0]]))
        if strength:
            mix(canvas, soften_mask(lid, 3.0), make_up.lids, 0.75 * strength)
        crease = np.zeros(SHAPE, np.uint8)
        line(crease, upper - [0, float(rng.uniform(8, 13))], 255, 2)
        mix(canvas, soften_mask(crease, 1.5), _shade(person.skin, 0.6), float(rng.uniform(0, 0.6)))
        waterline = np.zeros(SHAPE, np.uint8)
        line(waterline, loop, 255, 3, closed=True)
        mix(canvas, waterline, _shade(person.skin, 0.85, 20), 0.6)
        lashes = np.zeros(SHAPE, np.uint8)
        line(lashes, upper - [0, 1], 255, 5 if strength else int(rng.integers(2, 5)))
        line(lashes, lower, 90 + int(130 * strength), 2)
        mix(canvas, lashes, _shade(person.hair, 0.35), float(rng.uniform(0.45, 0.95)))


def _face_paint(canvas: Bytes, style: Style, rng: Random) -> None:
    if style.paint == "all":
        mask = np.full(SHAPE, 255, np.uint8)
        mix(canvas, mask, limit(rng.uniform(0, 255, 3)), float(rng.uniform(0.4, 0.85)))
        return
    middle = SHAPE[1] / 2
    for _ in range(rng.integers(1, 6)):
        at = np.array(
            [middle + rng.uniform(-1, 1) * SCALE, (rng.uniform(-0.8, 1.4) - _TOP) * SCALE]
        )
        size = rng.uniform(0.08, 0.5, 2) * SCALE
        corners = int(rng.choice([3, 4, _ROUND]))
        mask = fill_mask(SHAPE, ellipse(at, (size[0], size[1]), rng.uniform(0, 180), corners))
        mix(canvas, mask, limit(rng.uniform(0, 255, 3)), float(rng.uniform(0.5, 0.95)))


def _strands(rng: Random) -> Bytes:
    """Brightness (H, W) of hairs that run down from the crown."""
    fine = rng.integers(90, 250, (5, SHAPE[1] // 2), np.uint8)
    wide = rng.integers(120, 230, (4, SHAPE[1] // 9), np.uint8)
    return strands(fine, wide, SHAPE)


def strands(fine: Bytes, wide: Bytes, shape: tuple[int, int]) -> Bytes:
    """Brightness (H, W) of fine hairs and wide locks, each a few values across and down."""
    both = (
        cv2.resize(part, shape[::-1], interpolation=cv2.INTER_LINEAR_EXACT) for part in (fine, wide)
    )
    return np.asarray(cv2.addWeighted(next(both), 0.5, next(both), 0.5, 0), np.uint8)


def tint_hair(colour: Colour, brightness: Bytes, middle: float = 180) -> Bytes:
    """Hair (H, W, 3) that has the colour where its brightness (H, W) is ``middle``."""
    channels = [cv2.convertScaleAbs(brightness, alpha=value / middle) for value in colour]
    return np.asarray(cv2.merge(channels), np.uint8)


def _brows(canvas: Bytes, person: Person, style: Style, at: Marks, rng: Random) -> None:
    colour = _shade(person.hair, float(rng.uniform(0.4, 0.8)))
    for side in ("left", "right"):
        upper, lower = at.chain(f"{side}_brow_upper"), at.chain(f"{side}_brow_lower")
        middle = (upper + lower) / 2
        upper, lower = (middle + (edge - middle) * style.brow_width for edge in (upper, lower))
        area = soften_mask(fill_mask(SHAPE, np.concatenate([upper, lower[::-1]])), 1.5)
        mix(canvas, area, colour, 0.75 * style.brows)
        strokes = np.zeros(SHAPE, np.uint8)
        outwards = -1 if side == "left" else 1
        along = np.linspace(0, len(upper) - 1, 34)
        index = np.arange(len(upper))
        for place in along:
            a, b = (
                np.array([np.interp(place, index, e[:, k]) for k in range(2)])
                for e in (upper, lower)
            )
            start = b + (a - b) * rng.uniform(-0.1, 0.4)
            # Hairs lie outwards, more so towards the tail.
            lean = outwards * rng.uniform(4, 9)
            line(
                strokes,
                np.stack([start, start + (a - b) * rng.uniform(0.3, 0.8) + [lean, 0]]),
                255,
                1,
            )
        mix(canvas, strokes, _shade(colour, 0.8), 0.8 * style.brows)


_BEARDS = {
    # Azimuths and heights around what is covered, on one side; mirrored for the other.
    "full": [(0, 0.8), (0.3, 0.84), (0.55, 0.75), (1.0, 0.5), (1.3, 0.1), (1.5, 0.5), (1.3, 1.1),
             (0.7, 1.75), (0, 1.9)],
    "moustache": [(0, 0.74), (0.2, 0.74), (0.36, 0.9), (0.3, 0.96), (0, 0.9)],
    "goatee": [(0, 0.76), (0.25, 0.8), (0.36, 1.0), (0.33, 1.5), (0.15, 1.75), (0, 1.8)],
    "chin": [(0, 1.2), (0.2, 1.2), (0.35, 1.4), (0.2, 1.7), (0, 1.8)],
}  # fmt: skip


def _beard(
    canvas: Bytes, person: Person, style: Style, at: Marks, brightness: Bytes, rng: Random
) -> None:
    form = "full" if style.beard_form == "stubble" else style.beard_form
    half = np.array(_BEARDS[form])
    outline = np.concatenate([half, half[::-1] * [-1, 1]])
    where = np.stack([(outline[:, 0] + np.pi) * SCALE, (outline[:, 1] - _TOP) * SCALE], axis=1)
    mask = soften_mask(fill_mask(SHAPE, where), 5.0)
    lips = fill_mask(SHAPE, at.outline("upper_lip_upper", "lower_lip_lower"))
    mask = np.minimum(mask, 255 - soften_mask(lips, 1.5))
    stubble = style.beard_form == "stubble"
    grain = noise(rng, SHAPE, 2, 70).astype(np.int32)
    mask = np.clip(mask.astype(np.int32) * (grain + (40 if stubble else 150)) // 255, 0, 255)
    colour = tint_hair(_shade(person.hair, 0.85), brightness)
    mix(canvas, mask.astype(np.uint8), colour, style.beard * (0.6 if stubble else 1.0))


@cache
def _grid() -> tuple[Floats, Floats]:
    """Azimuth (W,) and height (H,) of the canvas's pixels."""
    return np.arange(SHAPE[1]) / SCALE - np.pi, np.arange(SHAPE[0]) / SCALE + _TOP


def _scalp(style: Style, rng: Random) -> Bytes:
    """Where there is hair (H, W)."""
    if style.bald:
        return np.zeros(SHAPE, np.uint8)
    azimuth, height = _grid()
    ragged = cv2.resize(
        rng.normal(0, 0.03, (1, _RAGS)).astype(np.float32),
        (SHAPE[1], 1),
        interpolation=cv2.INTER_LINEAR,
    )[0]
    above = hair_height(azimuth, style.hairline)[None] + ragged - height[:, None]
    return np.asarray(np.clip(above * (255 / 0.06), 0, 255), np.uint8)


def _clothes(canvas: Bytes, rng: Random) -> None:
    first = round((_COLLAR - _TOP) * SCALE)
    part = canvas[first:]
    part[:] = np.round(limit(rng.uniform(5, 245, 3)))
    if rng.random() < 0.4:
        step = int(rng.integers(8, 30))
        part[:, ::step] = np.round(limit(rng.uniform(5, 245, 3)))
