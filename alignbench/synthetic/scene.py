"""The picture before anything covers the face: background, shoulders, hair, the lit head."""

from __future__ import annotations

import cv2
import numpy as np

from alignbench.arrays import Bytes
from alignbench.synthetic.brush import ellipse, fill, line, noise, soften
from alignbench.synthetic.camera import project, rotation
from alignbench.synthetic.head import Head
from alignbench.synthetic.parameters import Colour, Identity, Light, Random, View
from alignbench.synthetic.raster import Singles, rasterise
from alignbench.synthetic.skin import to_canvas

_STRANDS = 220
"""Strands of hair around the head that differ in brightness."""


def background(rng: Random, side: int) -> Bytes:
    """A blurred room, wall or landscape (side, side, 3)."""
    picture = np.empty((side, side, 3), np.uint8)
    grain, spread = int(rng.integers(24, 120)), rng.uniform(10, 60)
    tint = _pale(rng, 30, 215)
    common = noise(rng, (side, side), grain, spread).astype(np.int16) - 128
    for channel in range(3):
        waves = noise(rng, (side, side), grain, 0.35 * spread).astype(np.int16) - 128
        picture[..., channel] = np.clip(common + waves + round(tint[channel]), 0, 255)
    for _ in range(rng.integers(0, 9)):
        colour = _pale(rng, 10, 245)
        centre, size = rng.uniform(0, side, 2), rng.uniform(8, 90, 2)
        if rng.random() < 0.5:
            fill(picture, ellipse(centre, tuple(size), rng.uniform(0, 180), 16), colour)
        else:
            corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * size
            fill(picture, corners + centre, colour)
    for _ in range(rng.integers(0, 4)):
        line(picture, rng.uniform(0, side, (2, 2)), _pale(rng, 10, 245), 2)
    return soften(picture, float(rng.uniform(0.6, 5)))


def shoulders(picture: Bytes, identity: Identity, view: View, rng: Random) -> None:
    """Clothes below the neck, and long hair behind it."""
    side = len(picture)
    unit = view.size * side / 2
    if identity.long_hair:
        crown, nape = project(np.array([[0.0, -0.3, -0.5], [0.0, 1.6, -0.6]]), view, side)[:, :2]
        spread = unit * rng.uniform(1.15, 1.35)
        fill(picture, ellipse(crown, (spread, unit * 1.25)), _dark(identity.hair, 0.6))
        across = np.array([spread, 0.0])
        lower = np.add(nape, (0, unit * rng.uniform(0.1, 1.0)))
        outline = np.stack([crown - across, crown + across, lower + across, lower - across])
        fill(picture, outline, _dark(identity.hair, 0.55))
    neck = project(np.array([[0.0, 2.15, -0.4]]), view, side)[0, :2]
    colour = _pale(rng, 15, 235)
    at = np.linspace(0, np.pi, 24)
    slope = np.stack([-np.cos(at) * 2.5, -np.sin(at) * 0.55], axis=1) * unit
    slope = slope + neck + [0, 0.45 * unit]
    floor = np.array([[slope[-1, 0], side + 40], [slope[0, 0], side + 40]])
    fill(picture, np.concatenate([slope, floor]), colour)


def _pale(rng: Random, low: float, high: float) -> Colour:
    """A colour between ``low`` and ``high``, rarely a loud one."""
    grey, loud = rng.uniform(low, high), rng.beta(1, 2.5)
    red, green, blue = grey + (rng.uniform(low, high, 3) - grey) * loud
    return float(red), float(green), float(blue)


def _dark(colour: Colour, factor: float) -> Colour:
    red, green, blue = (value * factor for value in colour)
    return red, green, blue


def draw_head(
    picture: Bytes, head: Head, canvas: Bytes, view: View, light: Light, rng: Random
) -> Singles:
    """Draw the lit head into a picture (S, S, 3); gives the depth (S, S) of what is seen of it.

    The depth is that of :func:`~alignbench.synthetic.camera.project`, minus infinity
    beside the head.
    """
    side, mesh = len(picture), head.mesh()
    projected = project(mesh.points, view, side)
    seen = rasterise(projected, mesh.triangles, side)
    turned = mesh.normals @ rotation(view).T
    normals, nearness, canvas_at, hair, azimuth = (
        seen.blend(values.astype(np.float32).reshape(len(turned), -1))
        for values in (turned, projected[:, 2], to_canvas(mesh.canvas), mesh.hair, mesh.azimuth)
    )
    where = np.zeros((2, side * side), np.float32)
    where[:, seen.pixels] = canvas_at.T
    across, down = where.reshape(2, side, side)
    laid = cv2.remap(canvas, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    albedo = np.asarray(laid, np.uint8).reshape(-1, 3)[seen.pixels]
    colour = _add_hair(albedo, hair[:, 0], azimuth[:, 0], head.identity, rng)
    lit = _light(colour, normals, hair[:, 0], light)
    flat = picture.reshape(-1, 3)
    flat[seen.pixels] = np.clip(lit + np.float32(0.5), 0, 255).astype(np.uint8)
    depth = np.full(side * side, -np.inf, np.float32)
    depth[seen.pixels] = nearness[:, 0]
    return depth.reshape(side, side)


def _add_hair(
    albedo: Bytes, hair: Singles, azimuth: Singles, identity: Identity, rng: Random
) -> Singles:
    """Colours (P, 3) of skin and, where there is hair (P,), strands by azimuth (P,)."""
    strands = rng.uniform(0.62, 1.2, _STRANDS).astype(np.float32)
    place = (azimuth * np.float32(_STRANDS / 6.3)).astype(np.int64) % _STRANDS
    edge = hair + (strands[place] - np.float32(0.9)) * np.float32(0.45)
    share = np.clip((edge - np.float32(0.35)) * np.float32(4), 0, 1)[:, None]
    strand = np.array(identity.hair, np.float32) * strands[place][:, None]
    return np.asarray(albedo.astype(np.float32) * (1 - share) + strand * share)


def _light(colour: Singles, normals: Singles, hair: Singles, light: Light) -> Singles:
    """Colours (P, 3) under ambient and key light, with the gloss of skin."""
    x, y, z = (np.float32(value) for value in light.direction)
    nx, ny, nz = normals.T
    facing = nx * x + ny * y + nz * z
    wrapped = np.clip(facing * np.float32(0.85) + np.float32(0.15), 0, None)
    sky = np.float32(light.ambient) * (np.float32(0.92) - np.float32(0.16) * ny)
    # Half-way between light and viewer.
    length = np.sqrt(np.float32(2) + np.float32(2) * z)
    gloss = np.clip((nx * x + ny * y + nz * (z + np.float32(1))) / length, 0, 1)
    for _ in range(4):  # to the power of 16
        gloss = gloss * gloss
    shine = gloss * np.float32(42 * light.key) * (1 - np.clip(hair, 0, 1) * np.float32(0.6))
    bright = (sky + np.float32(light.key) * wrapped)[:, None] * np.array(light.colour, np.float32)
    return np.asarray((colour * bright + shine[:, None]) * np.float32(light.exposure))


def expose(picture: Bytes, light: Light) -> Bytes:
    """The background as bright as the light allows, (S, S, 3)."""
    bright = cv2.convertScaleAbs(picture, alpha=round(256 * (0.35 + 0.65 * light.exposure)) / 256)
    return np.asarray(bright, np.uint8)
