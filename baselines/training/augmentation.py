"""Augmentation: a face turned, scaled, shifted and mirrored, and its picture changed.

The geometry is one affine map of the window (S, S), which is joined with the crop's, so that a
face is resampled once. Amounts are drawn from the uniform distribution, because the papers give
ranges and no distribution; only a box is jittered by normal amounts, because a detector's errors
have a spread and no range.
"""

from __future__ import annotations

from typing import Annotated

import cv2
import numpy as np
from pydantic import Field

from alignbench.arrays import Bytes, Floats
from alignbench.effects import compress, reduce_resolution, tint
from baselines.model import Table
from baselines.training.effects import apply_gamma, blur_motion, cover, draw_rectangle

Share = Annotated[float, Field(ge=0, le=1)]
Amount = Annotated[float, Field(ge=0)]

_WINDOW = 256
"""Side of the window in whose pixels a shift and a blur are given."""
_BEST_JPEG = 95
"""Highest quality of a compression; it is hardly seen."""


class Augmentation(Table):
    """Table ``[augmentation]`` of a recipe: how far a face is changed each time it is seen.

    ``rotation`` in degrees, ``scale`` a share, ``shift`` in pixels of a window of 256 (and in
    proportion of another), ``flip`` a probability. The others are off by default.

    ``wide`` is the probability that the rotation is drawn from ``wide_rotation`` instead.
    ``box_shift`` and ``box_scale`` are standard deviations of a box's place, in sides of the box,
    and of the logarithm of its side.

    ``brightness``, ``contrast`` and ``colour`` are shares, ``blur`` the largest sigma in pixels of
    a window of 256, ``noise`` the largest standard deviation in grey values, ``erase`` the
    probability that a rectangle is painted over.

    ``grey`` and ``tint`` are probabilities of a grey picture and of one in a random colour.
    ``cutouts`` is the largest number of rectangles that cover a part, each with a colour, noise or
    another place of the window. Each of the others happens with ``probability``: ``gamma``, of
    which the exponent lies between 1 / (1 + gamma) and 1 + gamma; ``motion``, the longest line of
    motion blur in pixels of a window of 256; ``resolution``, the smallest share of the window's
    side that it is brought down to; ``jpeg``, the lowest quality of a compression.
    """

    rotation: Amount = 30.0
    wide: Share = 0.0
    wide_rotation: Amount = 90.0
    scale: float = Field(default=0.15, ge=0, lt=1)
    shift: Amount = 25.0
    flip: Share = 0.5
    box_shift: Amount = 0.0
    box_scale: Amount = 0.0
    brightness: Share = 0.0
    contrast: Share = 0.0
    colour: Share = 0.0
    blur: Amount = 0.0
    noise: Amount = 0.0
    erase: Share = 0.0
    grey: Share = 0.0
    tint: Share = 0.0
    cutouts: int = Field(default=0, ge=0, le=20)
    probability: Share = 0.5
    gamma: Amount = 0.0
    motion: Amount = 0.0
    resolution: float = Field(default=1.0, gt=0, le=1)
    jpeg: int = Field(default=100, ge=1, le=100)


def draw_map(
    rng: np.random.Generator, amounts: Augmentation, size: int, scale: float = 1.0
) -> tuple[Floats, bool]:
    """A map (2, 3) from window to window of ``size`` pixels, and whether it mirrors.

    About the middle of the window: the jitter of the box, rotation of -r to r degrees, scale of
    1 - s to 1 + s, a mirror, then a shift of -t to t pixels along each axis.

    Parameters
    ----------
    scale
        The window's side in sides of the box.
    """
    turn, zoom, right, down = rng.uniform(-1, 1, 4)
    mirrored = bool(rng.random() < amounts.flip)
    degrees = turn * amounts.rotation
    if amounts.wide and rng.random() < amounts.wide:
        degrees = rng.uniform(-1, 1) * amounts.wide_rotation
    angle, factor = np.radians(degrees), 1 + zoom * amounts.scale
    cos, sin = factor * np.cos(angle), factor * np.sin(angle)
    linear = np.array([[cos, -sin], [sin, cos]])
    if mirrored:
        linear[0] *= -1
    shift = np.array([right, down]) * amounts.shift * size / _WINDOW
    change = _about_middle(linear, shift, size)
    if amounts.box_shift or amounts.box_scale:
        side, *place = rng.standard_normal(3)
        jitter = np.array(place) * amounts.box_shift * size / scale
        box = _about_middle(np.exp(side * amounts.box_scale) * np.eye(2), jitter, size)
        change = join(box, change)
    return change, mirrored


def _about_middle(linear: Floats, shift: Floats, size: int) -> Floats:
    """The map (2, 3) of a linear one (2, 2) about the window's middle, then a shift (2,)."""
    middle = np.full(2, (size - 1) / 2)
    return np.column_stack([linear, middle + shift - linear @ middle])


def join(first: Floats, second: Floats) -> Floats:
    """The map (2, 3) that is the first (2, 3) and then the second (2, 3)."""
    linear = second[:, :2] @ first[:, :2]
    return np.column_stack([linear, second[:, :2] @ first[:, 2] + second[:, 2]])


def change_picture(rng: np.random.Generator, amounts: Augmentation, window: Bytes) -> Bytes:
    """The window (S, S, 3) with content, light and sharpness changed; the same if all is off.

    The order is that in which a photograph is made: the scene, the light, the file.
    """
    window = _change_scene(rng, amounts, window)
    window = _change_light(rng, amounts, window)
    return _change_file(rng, amounts, window)


def _change_scene(rng: np.random.Generator, amounts: Augmentation, window: Bytes) -> Bytes:
    """The window with rectangles in front of it, motion blur, a tint and another gamma."""
    # What is off draws no random numbers, so that a recipe without it still gets the same faces.
    if amounts.cutouts:
        window = cover(rng, window, int(rng.integers(amounts.cutouts + 1)))
    if amounts.motion and rng.random() < amounts.probability:
        length = rng.uniform(0, amounts.motion) * len(window) / _WINDOW
        window = blur_motion(window, length, rng.uniform(0, np.pi))
    if amounts.tint and rng.random() < amounts.tint:
        colour = rng.uniform(0.2, 1, 3)
        window = tint(window, colour / colour.mean(), rng.random())
    if amounts.gamma and rng.random() < amounts.probability:
        window = apply_gamma(window, (1 + amounts.gamma) ** rng.uniform(-1, 1))
    return window


def _change_light(rng: np.random.Generator, amounts: Augmentation, window: Bytes) -> Bytes:
    """The window with its light and sharpness changed, and a rectangle painted over."""
    keys = ("brightness", "contrast", "colour", "blur", "noise", "erase")
    if not any(getattr(amounts, key) for key in keys):
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
        rectangle = draw_rectangle(rng, size)
        pixels[rectangle] = rng.uniform(0, 255, 3)
    return np.asarray(np.clip(np.rint(pixels), 0, 255), np.uint8)


def _change_file(rng: np.random.Generator, amounts: Augmentation, window: Bytes) -> Bytes:
    """The window without colours, with fewer pixels, and compressed."""
    if amounts.grey and rng.random() < amounts.grey:
        window = tint(window, np.ones(3), 1.0)
    if amounts.resolution < 1 and rng.random() < amounts.probability:
        window = reduce_resolution(window, amounts.resolution ** rng.random())
    if amounts.jpeg < _BEST_JPEG and rng.random() < amounts.probability:
        window = compress(window, int(rng.integers(amounts.jpeg, _BEST_JPEG + 1)))
    return window
