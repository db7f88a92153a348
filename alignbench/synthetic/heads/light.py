"""Light on a head: lamps with shadows, light from all around, gloss."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from alignbench.arrays import Floats, Ints
from alignbench.synthetic.heads.anatomy import depth_map
from alignbench.synthetic.parameters import Colour, Light, Random

_SHADOW_SIDE = 112
_BIAS = 0.09
_TAPS = ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1))


@dataclass(frozen=True)
class Lamps:
    """A key light with what is around it: a second lamp, sky and ground; gloss of the skin."""

    key: Light
    second: tuple[float, float, float]
    second_colour: Colour
    sky: Colour
    ground: Colour
    gloss: float


def draw_lamps(rng: Random, key: Light) -> Lamps:
    """Surroundings of a key light, drawn at random."""
    angle, above = rng.uniform(-np.pi, np.pi), rng.uniform(-0.5, 0.9)
    second = (
        float(np.sin(angle) * np.cos(above)), float(-np.sin(above)),
        float(np.cos(angle) * np.cos(above)),
    )  # fmt: skip
    strength = rng.uniform(0, 0.6) * (rng.random() < 0.6)
    loud = rng.random() < 0.12
    tint = np.exp(rng.normal(0, 0.5 if loud else 0.06, 3))
    around = np.exp(rng.normal(0, 0.3 if loud else 0.07, 3))
    under = around * np.exp(rng.normal(0, 0.1, 3)) * rng.uniform(0.4, 0.95)
    return Lamps(
        key, second, _colour(strength * tint), _colour(around), _colour(under),
        float(rng.uniform(0, 1) ** 1.5),
    )  # fmt: skip


def _colour(values: Floats) -> Colour:
    red, green, blue = values
    return float(red), float(green), float(blue)


def illuminate(
    points: Floats,
    normals: Floats,
    openness: Floats,
    lamps: Lamps,
    blockers: tuple[Floats, Ints] | None,
) -> tuple[Floats, Floats]:
    """Light (V, 3) on vertices seen from the front, and their gloss (V,).

    Parameters
    ----------
    points, normals
        (V, 3) in the camera's axes.
    openness
        (V,) share of the surroundings that a vertex sees.
    blockers
        Vertices (U, 3), in the camera's axes, and triangles (T, 3) that cast shadows; or none.
    """
    key = lamps.key
    direction = np.array(key.direction)
    lit = np.ones(len(points)) if blockers is None else shadows(points, blockers, direction)
    facing = normals @ direction
    colour = np.array(key.colour)
    # Light goes a little way through skin, red light farther.
    wrap = np.array([0.3, 0.2, 0.16])
    diffuse = np.clip((facing[:, None] + wrap) / (1 + wrap), 0, None) * (0.12 + 0.88 * lit[:, None])
    up = (0.5 - 0.5 * normals[:, 1])[:, None]
    around = np.array(lamps.sky) * up + np.array(lamps.ground) * (1 - up)
    around = around * (0.12 + 0.88 * openness[:, None])
    second = np.clip(normals @ np.array(lamps.second) + 0.15, 0, None)[:, None] / 1.15
    total = key.ambient * 1.1 * around + key.key * colour * diffuse
    total = total + np.array(lamps.second_colour) * second * (0.4 + 0.6 * openness[:, None])
    half = np.add(direction, (0, 0, 1))
    half = half / np.linalg.norm(half)
    gloss = np.clip(normals @ half, 0, 1) ** 18 * lit * key.key * lamps.gloss
    return np.asarray(total * key.exposure), np.asarray(gloss * key.exposure)


def shadows(points: Floats, blockers: tuple[Floats, Ints], direction: Floats) -> Floats:
    """How much of the light from a direction (3,) reaches points (V, 3), from 0 to 1."""
    turn = _towards(direction)
    others, triangles = blockers
    depth, _ = depth_map(others, triangles, turn, _SHADOW_SIDE)
    turned = others @ turn.T
    low = turned[:, :2].min(axis=0)
    scale = (_SHADOW_SIDE - 1) / (turned[:, :2].max(axis=0) - low).max()
    here = points @ turn.T
    column, row = np.round((here[:, :2] - low) * scale).astype(np.int64).T
    total = np.zeros(len(points))
    for right, down in _TAPS:
        x = np.clip(column + right, 0, _SHADOW_SIDE - 1)
        y = np.clip(row + down, 0, _SHADOW_SIDE - 1)
        total += here[:, 2] > depth[y, x] - _BIAS
    return np.asarray(total / len(_TAPS))


def _towards(direction: Floats) -> Floats:
    """A rotation (3, 3) whose third row is the direction."""
    aside = np.array([0.0, 1.0, 0.0]) if abs(direction[1]) < 0.9 else np.array([1.0, 0.0, 0.0])
    first = np.cross(aside, direction)
    first /= np.linalg.norm(first)
    return np.stack([first, np.cross(direction, first), direction])
