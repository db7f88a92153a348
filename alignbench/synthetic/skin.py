"""The face as it is painted: a frontal canvas that is then laid over the head.

Everything painted follows the outlines on which the landmarks lie.
"""

from __future__ import annotations

import cv2
import numpy as np

from alignbench.arrays import Bytes, Floats
from alignbench.synthetic.brush import (
    ellipse,
    fill,
    fill_mask,
    limit,
    line,
    line_mask,
    mix,
    noise,
    soften_mask,
)
from alignbench.synthetic.head import Head
from alignbench.synthetic.parameters import Colour, MakeUp, Random

SCALE = 120
"""Pixels of the canvas to a half-width of a face."""

_LEFT, _TOP = -1.25, -1.3
_SHAPE = (396, 300)
_GREY = np.full((*_SHAPE, 3), 128, np.uint8)
_DENSITY = 4
_ACROSS, _LOWEST = 6 * _DENSITY, 9 * _DENSITY
"""Places on the lips' outline: the other corner, the middle of the lower edge."""
_COARSE = 3
"""Soft patches are painted at a third of the resolution."""


def to_canvas(points: Floats) -> Floats:
    """Canvas pixels (K, 2) of x and y (K, 2) of the head."""
    return (points - [_LEFT, _TOP]) * SCALE


def paint(head: Head, make_up: MakeUp, rng: Random) -> Bytes:
    """The canvas (H, W, 3), RGB, in even light."""
    parts = {name: to_canvas(part) for name, part in head.outlines(_DENSITY).items()}
    canvas = _skin(head, make_up, rng)
    _beard(canvas, head, rng)
    _nose(canvas, head, parts)
    for side, pupil in zip(("left", "right"), parts["pupils"], strict=True):
        _eye(canvas, head, make_up, parts[f"{side}_eye"], pupil)
        _brow(canvas, head, parts[f"{side}_brow"], rng)
    _mouth(canvas, head, make_up, parts)
    return canvas


def _blank() -> Bytes:
    return np.zeros(_SHAPE, np.uint8)


def _plain(colour: tuple[int, int, int]) -> Bytes:
    return np.asarray(cv2.merge([np.full(_SHAPE, value, np.uint8) for value in colour]), np.uint8)


def _shade(colour: Colour, factor: float, red: float = 0.0) -> Colour:
    r, g, b = (float(np.clip(value * factor, 0, 255)) for value in colour)
    return min(255.0, r + red), g, b


def _skin(head: Head, make_up: MakeUp, rng: Random) -> Bytes:
    """Skin with its patches: red cheeks and nose, shadowed sockets, mottles and pores."""
    identity, skin = head.identity, head.identity.skin
    small = np.empty((_SHAPE[0] // _COARSE, _SHAPE[1] // _COARSE, 3), np.uint8)
    small[:] = np.round(skin)

    def patch(x: float, y: float, radii: tuple[float, float], colour: Colour, share: float) -> None:
        at, scale = to_canvas(np.array([x, y])) / _COARSE, SCALE / _COARSE
        mask = fill_mask(small.shape[:2], ellipse(at, (radii[0] * scale, radii[1] * scale)))
        mix(small, soften_mask(mask, 4.0), colour, share)

    blush = 0.25 + 0.45 * make_up.strength
    for side in (-1, 1):
        patch(side * 0.58, 0.45, (0.24, 0.2), _shade(skin, 0.98, 14), blush)
        patch(side * identity.eye_x, 0.02, (0.25, 0.15), _shade(skin, 0.82), 0.55)
    patch(0, identity.nose_y - 0.12, (0.16, 0.13), _shade(skin, 0.98, 12), 0.4)
    patch(0, identity.mouth_y + 0.2, (0.2, 0.05), _shade(skin, 0.85), 0.4)
    jaw = to_canvas(head.contour()[2:-2, :2]) / _COARSE
    corners = np.array([[small.shape[1], small.shape[0]], [0.0, small.shape[0]]])
    under = fill_mask(small.shape[:2], np.concatenate([np.add(jaw, (0, 3)), corners]))
    mix(small, soften_mask(under, 1.5), _shade(skin, 0.6), 0.8)
    large = cv2.resize(small, _SHAPE[::-1], interpolation=cv2.INTER_LINEAR_EXACT)
    for grain, spread in ((14, 5.0), (2, 6.0)):
        mottles = cv2.merge([noise(rng, _SHAPE, grain, spread)] * 3)
        large = cv2.subtract(
            cv2.add(large, cv2.subtract(mottles, _GREY)), cv2.subtract(_GREY, mottles)
        )
    return np.asarray(large)


def _beard(canvas: Bytes, head: Head, rng: Random) -> None:
    strength = head.identity.beard
    if strength == 0:
        return
    mask = _blank()
    contour = to_canvas(head.contour()[5:-5, :2])  # not landmarks
    middle = to_canvas(np.array([[0.52, 0.75], [0.0, head.identity.nose_y + 0.08], [-0.52, 0.75]]))
    below = np.add(contour, (0.0, 40.0))
    fill(mask, np.concatenate([contour[:1], below, contour[-1:], middle]), 255)
    grain = noise(rng, _SHAPE, 2, 60).astype(np.int32)
    mask = soften_mask(mask, 7.0)
    mask = np.clip(mask * (grain + 90) // 218, 0, 255).astype(np.uint8)
    mix(canvas, mask, _shade(head.identity.hair, 0.9), strength)


def _nose(canvas: Bytes, head: Head, parts: dict[str, Floats]) -> None:
    identity = head.identity
    mask = _blank()
    for side in (-1, 1):
        hole = (side * 0.5 * identity.nose_width, identity.nose_y + 0.0)
        fill(
            mask, ellipse(to_canvas(np.array(hole)), (0.055 * SCALE, 0.024 * SCALE), 20 * side), 230
        )
        wing = np.array([[1.05, -0.10], [1.12, -0.03], [0.95, 0.02]]) * [identity.nose_width, 1]
        line(mask, to_canvas(wing * [side, 1] + [0, identity.nose_y]), 130, 3)
    line(mask, parts["base"], 110, 3)
    mix(canvas, soften_mask(mask, 1.5), _shade(identity.skin, 0.32, 10), 0.9)
    folds = _blank()
    smile = max(0.0, head.expression.smile)
    corner = parts["lips"][0], parts["lips"][_ACROSS]
    for side, end in zip((-1, 1), corner, strict=True):
        start = to_canvas(np.array([side * (identity.nose_width + 0.05), identity.nose_y - 0.06]))
        bend = (start + end) / 2 + [side * 12, -3]
        line(folds, np.stack([start, bend, np.add(end, (side * 11, 2))]), 255, 3)
    mix(canvas, soften_mask(folds, 2.5), _shade(identity.skin, 0.6), 0.25 + 0.5 * smile)


def _brow(canvas: Bytes, head: Head, outline: Floats, rng: Random) -> None:
    mask = fill_mask(_SHAPE, outline)
    grain = noise(rng, _SHAPE, 3, 50).astype(np.int32)
    hairs = np.clip(soften_mask(mask, 1.2).astype(np.int32) * (grain + 128) // 256, 0, 255)
    colour = _shade(head.identity.hair, 0.75)
    mix(canvas, hairs.astype(np.uint8), colour, head.identity.brow_strength)


def _eye(canvas: Bytes, head: Head, make_up: MakeUp, outline: Floats, pupil: Floats) -> None:
    identity = head.identity
    upper = outline[: 4 * _DENSITY + 1]
    lower = np.concatenate([outline[4 * _DENSITY :], outline[:1]])
    fold = upper - [0, 0.075 * SCALE]
    lid = fill_mask(_SHAPE, np.concatenate([upper, fold[::-1]]))
    if make_up.strength > 0:
        mix(canvas, soften_mask(lid, 2.0), make_up.lids, 0.75 * make_up.strength)
    crease = line_mask(_SHAPE, 2, fold)
    mix(canvas, soften_mask(crease, 1.2), _shade(identity.skin, 0.55), 0.7)

    ball = _plain((226, 221, 216))
    radius = 0.088 * SCALE
    fill(ball, ellipse(pupil, (radius, radius)), _shade(identity.iris, 0.55))
    fill(ball, ellipse(pupil, (radius * 0.82, radius * 0.82)), identity.iris)
    fill(ball, ellipse(pupil, (radius * 0.42, radius * 0.42)), (12.0, 10.0, 10.0))
    glint = pupil + np.array([-0.3, -0.35]) * radius
    fill(ball, ellipse(glint, (1.6, 1.6)), (250.0, 250.0, 250.0))
    line(ball, np.add(upper, (0, 1.5)), (120.0, 105.0, 100.0), 3)
    mix(canvas, fill_mask(_SHAPE, outline), ball)

    lashes = line_mask(_SHAPE, 3 if make_up.strength > 0 else 2, upper)
    line(lashes, lower, 110, 1)
    mix(canvas, lashes, _shade(identity.hair, 0.4), 0.6 + 0.35 * (make_up.strength > 0))


def _mouth(canvas: Bytes, head: Head, make_up: MakeUp, parts: dict[str, Floats]) -> None:
    skin = np.array(head.identity.skin)
    natural = skin * [0.86, 0.62, 0.62] + [16.0, 2.0, 6.0]
    strength = make_up.strength
    colour = limit(natural * (1 - 0.85 * strength) + np.array(make_up.lips) * 0.85 * strength)
    lips, inside = parts["lips"], parts["inside"]
    mix(canvas, soften_mask(fill_mask(_SHAPE, lips), 0.8), colour)
    low = lips[_LOWEST - 6 : _LOWEST + 7]  # not landmarks
    middle = np.array([lips[:, 0].mean(), inside[:, 1].max()])
    shine = line_mask(_SHAPE, 3, low * 0.55 + middle * 0.45)
    mix(canvas, soften_mask(shine, 2.0), _shade(colour, 1.3), 0.5)
    upper = inside[: 4 * _DENSITY + 1]
    lower = np.concatenate([inside[4 * _DENSITY :], inside[:1]])[::-1]
    gap = float((lower[:, 1] - upper[:, 1]).max())
    room = _plain((62, 20, 24))  # not landmarks
    tongue = np.array([upper[:, 0].mean(), lower[:, 1].max() - 0.1 * gap])
    fill(room, ellipse(tongue, (0.2 * SCALE, 0.35 * gap)), (150.0, 66.0, 70.0))
    teeth = min(0.11 * SCALE, 0.55 * gap)
    row = np.concatenate([upper - [0, 3], np.add(upper[::-1], (0, teeth))])
    fill(room, row, (228.0, 222.0, 208.0))
    mix(canvas, fill_mask(_SHAPE, inside), room)
    corners = np.stack([lips[0], inside[0]]), np.stack([lips[_ACROSS], inside[4 * _DENSITY]])
    seam = line_mask(_SHAPE, 2, upper)
    line(seam, lower, 160, 1)
    for corner in corners:
        line(seam, corner, 255, 2)
    mix(canvas, seam, _shade(colour, 0.42), 0.75)
