"""What is behind a head and in front of it, and what a bad picture makes of both."""

from __future__ import annotations

import cv2
import numpy as np

from alignbench.arrays import Bytes, Floats
from alignbench.synthetic import scene
from alignbench.synthetic.brush import (
    ellipse,
    fill,
    fill_mask,
    limit,
    line,
    line_mask,
    mix,
    noise,
    soften,
    soften_mask,
)
from alignbench.synthetic.parameters import Colour, Light, Random


def background(rng: Random, side: int, light: Light) -> Bytes:
    """A picture (side, side, 3) of a room, a wall, a crowd, leaves or lights."""
    kinds = [scene.background, _leaves, _slope, _crowd, _lights]
    kind = kinds[rng.choice(len(kinds), p=[0.3, 0.35, 0.12, 0.13, 0.1])]
    picture = kind(rng, side)
    if rng.random() < 0.6:
        picture = soften(picture, float(rng.uniform(0.5, 5)))
    return scene.expose(picture, light)


def _any(rng: Random, low: float = 5, high: float = 250) -> Colour:
    grey, loud = rng.uniform(low, high), rng.beta(1, 2)
    return limit(grey + (rng.uniform(low, high, 3) - grey) * loud)


def _leaves(rng: Random, side: int) -> Bytes:
    """Shapes over shapes, of all sizes, as the world is full of them."""
    picture = np.empty((side, side, 3), np.uint8)
    palette = [np.array(_any(rng)) for _ in range(rng.integers(2, 8))]
    picture[:] = np.round(palette[0])
    for _ in range(rng.integers(15, 110)):
        size = 4 / (rng.random() + 0.02) * rng.uniform(0.5, 1.5, 2)
        colour = limit(
            palette[rng.integers(len(palette))] * rng.uniform(0.6, 1.4) + rng.normal(0, 12, 3)
        )
        corners = int(rng.choice([3, 4, 4, 5, 16]))  # not landmarks
        outline = ellipse(rng.uniform(0, side, 2), (size[0], size[1]), rng.uniform(0, 180), corners)
        fill(picture, outline, colour)
    grain = noise(rng, (side, side), int(rng.integers(2, 12)), float(rng.uniform(0, 25)))
    return _add(picture, grain)


def _add(picture: Bytes, grain: Bytes) -> Bytes:
    """The picture (S, S, 3) with grain (S, S) about 128 added."""
    three = cv2.merge([grain] * 3)
    return np.asarray(np.clip(picture.astype(np.int16) + three - 128, 0, 255), np.uint8)


def _slope(rng: Random, side: int) -> Bytes:
    """A wall or a sky: one colour that becomes another one."""
    ends = np.array([_any(rng), _any(rng)])
    share = np.linspace(0, 1, side)
    ramp = ends[0] + (ends[1] - ends[0]) * share[:, None]
    if rng.random() < 0.3:
        ramp = np.repeat(ends[:1], side, axis=0)
    picture = np.broadcast_to(ramp[:, None], (side, side, 3)).astype(np.uint8)
    if rng.random() < 0.5:
        picture = picture.transpose(1, 0, 2)
    return _add(np.ascontiguousarray(picture), noise(rng, (side, side), 30, 6))


def _crowd(rng: Random, side: int) -> Bytes:
    """People out of focus."""
    picture = _leaves(rng, side)
    for _ in range(rng.integers(2, 9)):
        at, size = rng.uniform(0, side, 2), rng.uniform(14, 60)
        skin = np.array([rng.uniform(90, 235), 0, 0])
        skin[1:] = skin[0] * rng.uniform([0.62, 0.5], [0.85, 0.75])
        hair = limit(rng.uniform(10, 120) * np.array([1, 0.85, 0.7]))
        body = np.add(at, (0, 2.3 * size))
        fill(picture, ellipse(body, (1.7 * size, 1.4 * size)), _any(rng))
        fill(picture, ellipse(at - [0, 0.35 * size], (0.95 * size, 1.05 * size)), hair)
        fill(picture, ellipse(at, (0.75 * size, size)), limit(skin))
        for x in (-0.3, 0.3):
            fill(
                picture,
                ellipse(np.add(at, (x * size, -0.15 * size)), (0.14 * size, 0.08 * size)),
                (40, 30, 30),  # not landmarks
            )
        fill(
            picture,
            ellipse(np.add(at, (0, 0.5 * size)), (0.3 * size, 0.1 * size)),
            limit(skin * 0.6),
        )
    return soften(picture, float(rng.uniform(1, 5)))


def _lights(rng: Random, side: int) -> Bytes:
    """Lamps out of focus in the dark."""
    picture = np.full((side, side, 3), int(rng.integers(5, 60)), np.uint8)
    for _ in range(rng.integers(5, 50)):
        radius = rng.uniform(2, 18)
        mask = fill_mask((side, side), ellipse(rng.uniform(0, side, 2), (radius, radius)))
        mix(picture, mask, _any(rng, 100, 255), float(rng.uniform(0.2, 0.9)))
    return picture


def cover(
    picture: Bytes, points: Floats, unit: float, skin: Floats, light: Light, rng: Random
) -> Bytes:
    """Draw things before the face, or none; gives the mask (S, S) of what they hide.

    Parameters
    ----------
    points
        (98, 2) landmarks in pixels.
    unit
        Pixels of half a face's width.
    skin
        (3,) colour of the person's skin.
    """
    hidden = np.zeros(picture.shape[:2], np.uint8)
    if rng.random() < 0.2:
        kind = rng.choice(4, p=[0.35, 0.3, 0.2, 0.15])
        if kind == 0:
            _hand(picture, hidden, points, unit, skin, light, rng)
        elif kind == 1:
            _thing(picture, hidden, points, unit, light, rng)
        elif kind == 2:
            _microphone(picture, hidden, points, unit, light, rng)
        else:
            _neighbour(picture, hidden, points, unit, light, rng)
    return hidden


def _shade(mask: Bytes, base: Floats, rng: Random, grain: float = 10) -> Bytes:
    """A colour (S, S, 3) with light from one side and some texture."""
    side = len(mask)
    ends = np.clip(base * rng.uniform(0.55, 1.25, (2, 1)), 0, 255)
    ramp = ends[0] + (ends[1] - ends[0]) * np.linspace(0, 1, side)[:, None]
    flat = np.broadcast_to(ramp[None], (side, side, 3)).astype(np.uint8)
    turned = flat if rng.random() < 0.5 else flat.transpose(1, 0, 2)
    return _add(
        np.ascontiguousarray(turned), noise(rng, (side, side), int(rng.integers(3, 14)), grain)
    )


def _lay(picture: Bytes, hidden: Bytes, mask: Bytes, colours: Bytes) -> None:
    mix(picture, mask, colours)
    edge = np.minimum(255 - soften(mask, 2.5), mask)
    mix(picture, edge, np.asarray(colours // 2, np.uint8), 0.8)
    np.maximum(hidden, mask, out=hidden)


def _anchor(points: Floats, rng: Random) -> tuple[Floats, Floats]:
    """A landmark, and the direction (2,) from the middle of the face to it."""
    at = points[rng.integers(len(points))]
    out = at - points.mean(axis=0) + rng.normal(0, 1, 2)
    return at, out / max(float(np.linalg.norm(out)), 1e-6)


def _hand(
    picture: Bytes,
    hidden: Bytes,
    points: Floats,
    unit: float,
    skin: Floats,
    light: Light,
    rng: Random,
) -> None:
    at, out = _anchor(points, rng)
    across = np.array([-out[1], out[0]])
    palm = at + out * unit * rng.uniform(0.3, 0.8)
    arm = [palm - across * unit * 0.32, palm + across * unit * 0.32,
           palm + (out * 2.8 + across * 0.25) * unit,
           palm + (out * 2.8 - across * 0.25) * unit]  # fmt: skip
    mask = fill_mask(hidden.shape, ellipse(palm, (unit * 0.4, unit * 0.36)), np.stack(arm))
    lines = np.zeros_like(hidden)
    width = max(3, round(unit * rng.uniform(0.14, 0.2)))
    reach = rng.uniform(0.4, 1.1)
    for finger in range(4):
        root = palm + across * unit * (finger - 1.5) * 0.19
        way = -out * unit * reach * rng.uniform(0.8, 1.1) + across * unit * (finger - 1.5) * 0.07
        joint = root + way * 0.55 + across * unit * rng.normal(0, 0.04)
        bones = np.stack([root, joint, root + way])
        line(mask, bones, 255, width)
        line(lines, bones + across * width * 0.5, 255, 2)
    thumb = palm + across * unit * 0.35 * rng.choice([-1, 1])
    line(mask, np.stack([palm, thumb, thumb - out * unit * 0.4]), 255, width)
    base = skin * light.exposure * rng.uniform(0.8, 1.1)
    colours = _shade(mask, base, rng, 8)
    _lay(picture, hidden, mask, colours)
    mix(picture, np.minimum(soften_mask(lines, 1.0), mask), np.asarray(colours // 2, np.uint8), 0.7)


def _thing(
    picture: Bytes, hidden: Bytes, points: Floats, unit: float, light: Light, rng: Random
) -> None:
    at, out = _anchor(points, rng)
    centre = at + out * unit * rng.uniform(0, 0.6)
    size = rng.uniform(0.2, 0.75, 2) * unit
    corners = int(rng.choice([3, 4, 4, 24]))  # not landmarks
    mask = fill_mask(
        hidden.shape, ellipse(centre, (size[0], size[1]), rng.uniform(0, 180), corners)
    )
    base = np.array(_any(rng)) * min(1.2, light.exposure)
    _lay(picture, hidden, mask, _shade(mask, base, rng, float(rng.uniform(2, 30))))


def _microphone(
    picture: Bytes, hidden: Bytes, points: Floats, unit: float, light: Light, rng: Random
) -> None:
    mouth = points.mean(axis=0) + rng.normal(0, 0.25, 2) * unit + [0, 0.45 * unit]
    end = mouth + np.array([rng.normal(0, 0.9), rng.uniform(0.8, 2.5)]) * unit
    mask = line_mask(
        hidden.shape, max(2, round(unit * rng.uniform(0.08, 0.2))), np.stack([mouth, end])
    )
    radius = unit * rng.uniform(0.15, 0.3)
    fill(mask, ellipse(mouth, (radius, radius * rng.uniform(0.9, 1.3))), 255)
    base = np.array(_any(rng, 10, 110)) * light.exposure
    _lay(picture, hidden, mask, _shade(mask, base, rng, 25))


def _neighbour(
    picture: Bytes, hidden: Bytes, points: Floats, unit: float, light: Light, rng: Random
) -> None:
    """Somebody's head or shoulder before the face."""
    side = rng.choice([-1, 1])
    at = points.mean(axis=0) + np.array([side * rng.uniform(0.8, 1.5), rng.normal(0, 0.7)]) * unit
    size = unit * rng.uniform(0.6, 1.1)
    mask = fill_mask(hidden.shape, ellipse(at, (size, size * 1.3), rng.uniform(-30, 30)))
    base = np.array(_any(rng, 10, 220)) * light.exposure
    _lay(picture, hidden, mask, _shade(mask, base, rng, 20))


def spoil(picture: Bytes, rng: Random) -> Bytes:
    """The picture (S, S, 3) in grey, with a cast of colour or faded, or as it is."""
    kind = rng.random()
    if kind < 0.08:
        grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
        return np.asarray(cv2.merge([grey] * 3))
    if kind < 0.16:
        cast = np.exp(rng.normal(0, 0.2, 3))
        return np.asarray(np.clip(picture * cast + 0.5, 0, 255), np.uint8)
    if kind < 0.2:
        low, high = rng.uniform(0, 60), rng.uniform(150, 255)
        return np.asarray(np.clip(low + picture * ((high - low) / 255) + 0.5, 0, 255), np.uint8)
    return picture
