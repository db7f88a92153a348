"""Augmentation: a face turned, scaled, shifted and mirrored, and its light changed.

The geometry is one affine map of the window (S, S), to be joined with the crop's, so that a face
is resampled once. Every amount is drawn from the uniform distribution: the papers give ranges and
no distribution.
"""

from __future__ import annotations

import cv2
import numpy as np

from alignbench.arrays import Bytes, Floats
from baselines.training.recipe import Augmentation

_WINDOW = 256
"""Side in whose pixels a shift and a blur are given."""
_ERASED = (0.1, 0.4)
"""Sides of a rectangle that is painted over, as shares of the window's."""


def draw_map(rng: np.random.Generator, wanted: Augmentation, size: int) -> tuple[Floats, bool]:
    """A map (2, 3) from window to window of ``size`` pixels, and whether it mirrors.

    About the middle of the window: rotation of -r to r degrees, scale of 1 - s to 1 + s, a
    mirror, then a shift of -t to t pixels along each axis.
    """
    turn, zoom, right, down = rng.uniform(-1, 1, 4)
    mirrored = bool(rng.random() < wanted.flip)
    angle, scale = np.radians(turn * wanted.rotation), 1 + zoom * wanted.scale
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    linear = np.array([[cos, -sin], [sin, cos]])
    if mirrored:
        linear[0] *= -1
    middle = np.full(2, (size - 1) / 2)
    shift = np.array([right, down]) * wanted.shift * size / _WINDOW
    return np.column_stack([linear, middle + shift - linear @ middle]), mirrored


def joined(first: Floats, second: Floats) -> Floats:
    """The map (2, 3) that is the first (2, 3) and then the second (2, 3)."""
    linear = second[:, :2] @ first[:, :2]
    return np.column_stack([linear, second[:, :2] @ first[:, 2] + second[:, 2]])


def change_light(rng: np.random.Generator, wanted: Augmentation, window: Bytes) -> Bytes:
    """The window (S, S, 3) with its light, sharpness and content changed; the same if all is 0."""
    if not any(
        (wanted.brightness, wanted.contrast, wanted.colour, wanted.blur, wanted.noise, wanted.erase)
    ):
        return window
    size = len(window)
    brightness, contrast = rng.uniform(-1, 1, 2) * (wanted.brightness, wanted.contrast)
    colour = 1 + rng.uniform(-1, 1, 3) * wanted.colour
    pixels = window.astype(np.float32)
    mean = pixels.mean(dtype=np.float64)
    pixels = (mean + (pixels - mean) * (1 + contrast)) * (1 + brightness) * colour
    pixels = pixels.astype(np.float32)
    sigma = rng.uniform(0, wanted.blur) * size / _WINDOW
    if sigma > 0:
        pixels = np.asarray(cv2.GaussianBlur(pixels, (0, 0), sigma), np.float32)
    strength = rng.uniform(0, wanted.noise)
    if strength > 0:
        pixels += strength * rng.standard_normal(pixels.shape, np.float32)
    if rng.random() < wanted.erase:
        width, height = np.ceil(rng.uniform(*_ERASED, 2) * size).astype(int)
        left, top = rng.integers(0, size - np.array([width, height]) + 1)
        pixels[top : top + height, left : left + width] = rng.uniform(0, 255, 3)
    return np.asarray(np.clip(np.rint(pixels), 0, 255), np.uint8)
