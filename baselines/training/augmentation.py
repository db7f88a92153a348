"""Augmentation: a face turned, scaled, shifted and mirrored, and its light changed.

The geometry is one affine map of the window (S, S), which is joined with the crop's, so that a
face is resampled once. Every amount is drawn from the uniform distribution: the papers give ranges
and no distribution.
"""

from __future__ import annotations

from typing import Annotated

import cv2
import numpy as np
from pydantic import Field

from alignbench.arrays import Bytes, Floats
from baselines.model import Table

Share = Annotated[float, Field(ge=0, le=1)]
Amount = Annotated[float, Field(ge=0)]

_WINDOW = 256
"""Side of the window in whose pixels a shift and a blur are given."""
_ERASED = (0.1, 0.4)
"""Sides of a rectangle that is painted over, as shares of the window's."""


class Augmentation(Table):
    """Table ``[augmentation]`` of a recipe: how far a face is changed each time it is seen.

    ``rotation`` in degrees, ``scale`` a share, ``shift`` in pixels of a window of 256 (and in
    proportion of another), ``flip`` a probability. The others are off by default: ``brightness``,
    ``contrast`` and ``colour`` are shares, ``blur`` the largest sigma in pixels of a window of
    256, ``noise`` the largest standard deviation in grey values, ``erase`` the probability that a
    rectangle is painted over.
    """

    rotation: Amount = 30.0
    scale: float = Field(default=0.15, ge=0, lt=1)
    shift: Amount = 25.0
    flip: Share = 0.5
    brightness: Share = 0.0
    contrast: Share = 0.0
    colour: Share = 0.0
    blur: Amount = 0.0
    noise: Amount = 0.0
    erase: Share = 0.0


def draw_map(rng: np.random.Generator, amounts: Augmentation, size: int) -> tuple[Floats, bool]:
    """A map (2, 3) from window to window of ``size`` pixels, and whether it mirrors.

    About the middle of the window: rotation of -r to r degrees, scale of 1 - s to 1 + s, a
    mirror, then a shift of -t to t pixels along each axis.
    """
    turn, zoom, right, down = rng.uniform(-1, 1, 4)
    mirrored = bool(rng.random() < amounts.flip)
    angle, scale = np.radians(turn * amounts.rotation), 1 + zoom * amounts.scale
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    linear = np.array([[cos, -sin], [sin, cos]])
    if mirrored:
        linear[0] *= -1
    middle = np.full(2, (size - 1) / 2)
    shift = np.array([right, down]) * amounts.shift * size / _WINDOW
    return np.column_stack([linear, middle + shift - linear @ middle]), mirrored


def join(first: Floats, second: Floats) -> Floats:
    """The map (2, 3) that is the first (2, 3) and then the second (2, 3)."""
    linear = second[:, :2] @ first[:, :2]
    return np.column_stack([linear, second[:, :2] @ first[:, 2] + second[:, 2]])


def change_light(rng: np.random.Generator, amounts: Augmentation, window: Bytes) -> Bytes:
    """The window (S, S, 3) with its light, sharpness and content changed; the same if all is 0."""
    geometry = {"rotation", "scale", "shift", "flip"}
    if not any(amounts.model_dump(exclude=geometry).values()):
        return window
    size = len(window)
    brightness, contrast = rng.uniform(-1, 1, 2) * (amounts.brightness, amounts.contrast)
    colour = 1 + rng.uniform(-1, 1, 3) * amounts.colour
    pixels = window.astype(np.float32)
    mean = pixels.mean(dtype=np.float64)
    pixels = (mean + (pixels - mean) * (1 + contrast)) * (1 + brightness) * colour
    pixels = pixels.astype(np.float32)
    sigma = rng.uniform(0, amounts.blur) * size / _WINDOW
    if sigma > 0:
        pixels = np.asarray(cv2.GaussianBlur(pixels, (0, 0), sigma), np.float32)
    strength = rng.uniform(0, amounts.noise)
    if strength > 0:
        pixels += strength * rng.standard_normal(pixels.shape, np.float32)
    if rng.random() < amounts.erase:
        width, height = np.ceil(rng.uniform(*_ERASED, 2) * size).astype(int)
        left, top = rng.integers(0, size - np.array([width, height]) + 1)
        pixels[top : top + height, left : left + width] = rng.uniform(0, 255, 3)
    return np.asarray(np.clip(np.rint(pixels), 0, 255), np.uint8)
