"""Fifteen ways in which an image or a box gets worse, each in up to five strengths.

Lengths are shares of the face, so that a strength means the same in every image.
The face's box is here the tight box of its true landmarks, whatever box the model is shown: every
model gets the same images. What is drawn at random comes from a generator that is the same for
every strength of a corruption: a stronger one has its noise and its occluder at the same place.

The mildest strengths can hardly be seen, the strongest leave a face that a person still recognises.
They are no model of any camera.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from alignbench.arrays import Bytes, Floats
from alignbench.effects import compress, reduce_resolution, tint

_T = TypeVar("_T", bound=np.generic)
Size = tuple[int, int]
"""Width and height, in pixels."""
Picture = Callable[[Bytes, Floats, float, np.random.Generator], Bytes]
"""(image (H, W, 3), box (4,), strength, generator) to the image, of the same size."""
Place = Callable[[Floats, Size, float, np.random.Generator], tuple[Floats, Size]]
"""(box (4,), size, strength, generator) to a map (2, 3) of pixels, and the new image's size."""
Move = Callable[[Floats, float, np.random.Generator], Floats]
"""(boxes (K, 4) of a face, strength, generator) to boxes (K, 4)."""


@dataclass(frozen=True)
class Corruption:
    """A way to make a face harder. One of ``picture``, ``place`` and ``move`` does it.

    Attributes
    ----------
    name, about
        Its name, and what its strengths are, in words.
    strengths
        From the mildest on.
    picture
        Changes pixels and leaves every landmark where it is.
    place
        Moves the whole image; landmarks move with it, and so does the centre of the box.
    move
        Moves the box alone.
    """

    name: str
    about: str
    strengths: tuple[float, ...]
    picture: Picture | None = None
    place: Place | None = None
    move: Move | None = None


LARGEST = 704
"""Sides of an image that can be corrupted, in pixels."""
_TILE = 1024
_MOST = 255.0


@cache
def _noise(scale: float) -> NDArray[np.int16]:
    """Whole normal numbers (_TILE, _TILE, 3) of a standard deviation, the same everywhere."""
    rng = np.random.Generator(np.random.PCG64(15))
    noise = scale * rng.standard_normal((_TILE, _TILE, 3), np.float32)
    return np.asarray(np.rint(noise), np.int16)


@cache
def _clouds() -> NDArray[np.float32]:
    """Soft noise (_TILE, _TILE) of 0 to 1: random grids, each twice as fine and half as strong."""
    rng = np.random.Generator(np.random.PCG64(16))
    clouds = np.zeros((_TILE, _TILE), np.float32)
    for octave in range(4):
        grid = rng.random((8 << octave, 8 << octave), np.float32)
        clouds += cv2.resize(grid, (_TILE, _TILE), interpolation=cv2.INTER_CUBIC) / (1 << octave)
    return np.asarray((clouds - clouds.min()) / np.ptp(clouds), np.float32)


def _part(tile: NDArray[_T], image: Bytes, rng: np.random.Generator) -> NDArray[_T]:
    """A part of a tile that is as large as an image, from a random place."""
    top, left = rng.integers(0, _TILE - LARGEST, 2)
    return tile[top : top + image.shape[0], left : left + image.shape[1]]


def _side(box: Floats) -> float:
    return float(np.sqrt(np.prod(box[2:] - box[:2])))


def _sign(rng: np.random.Generator) -> float:
    return 1.0 if rng.random() < 0.5 else -1.0


def _to_bytes(values: NDArray[Any]) -> Bytes:
    return np.asarray(np.clip(np.rint(values), 0, _MOST), np.uint8)


def add_noise(image: Bytes, box: Floats, strength: float, rng: np.random.Generator) -> Bytes:
    """Normal noise on every value."""
    noise = _part(_noise(_MOST * strength), image, rng)
    return np.asarray(cv2.add(image, noise, dtype=cv2.CV_8U), np.uint8)


def blur(image: Bytes, box: Floats, strength: float, rng: np.random.Generator) -> Bytes:
    """A Gaussian blur."""
    sigma = strength * _side(box)
    blurred = cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(blurred, np.uint8)


def save_as_jpeg(image: Bytes, box: Floats, strength: float, rng: np.random.Generator) -> Bytes:
    """The image after JPEG compression at a low quality."""
    return compress(image, round(strength))


def shrink(image: Bytes, box: Floats, strength: float, rng: np.random.Generator) -> Bytes:
    """The image with so few pixels that the face's side is ``strength`` of them."""
    return reduce_resolution(image, min(1.0, strength / _side(box)))


def expose(image: Bytes, box: Floats, strength: float, rng: np.random.Generator) -> Bytes:
    """Light that is so many stops too strong or too weak; values above white are cut."""
    linear = (np.arange(256) / _MOST) ** 2.2 * 2 ** (strength * _sign(rng))
    return np.asarray(cv2.LUT(image, _to_bytes(_MOST * linear.clip(0, 1) ** (1 / 2.2))), np.uint8)


def flatten(image: Bytes, box: Floats, strength: float, rng: np.random.Generator) -> Bytes:
    """Less contrast: values nearer to the mean of the image."""
    mean = float(image.mean(dtype=np.float64))
    table = mean + (1 - strength) * (np.arange(256) - mean)
    return np.asarray(cv2.LUT(image, _to_bytes(table)), np.uint8)


def colour(image: Bytes, box: Floats, strength: float, rng: np.random.Generator) -> Bytes:
    """The image mixed with its grey picture in a colour of random hue."""
    hue = 2 * np.pi * (rng.random() + np.arange(3) / 3)
    return tint(image, 1 + 0.9 * np.cos(hue), strength)


def grey(image: Bytes, box: Floats, strength: float, rng: np.random.Generator) -> Bytes:
    """The image mixed with its grey picture."""
    return tint(image, np.ones(3), strength)


def add_fog(image: Bytes, box: Floats, strength: float, rng: np.random.Generator) -> Bytes:
    """The image behind light clouds."""
    clouds = _part(_clouds(), image, rng)
    fog = cv2.cvtColor(cv2.convertScaleAbs(clouds, alpha=30, beta=215), cv2.COLOR_GRAY2RGB)
    share = (strength * (0.7 + 0.6 * clouds)).clip(0, 1).astype(np.float32)
    return np.asarray(cv2.blendLinear(image, fog, 1 - share, share), np.uint8)


def occlude(image: Bytes, box: Floats, strength: float, rng: np.random.Generator) -> Bytes:
    """An ellipse or a rectangle before the face, of one colour with noise, within its box."""
    ratio = 2 ** rng.uniform(-1, 1)  # of its width to its height
    sides = box[2:] - box[:2]
    size = np.minimum(np.sqrt(strength * np.prod(sides)) * ratio ** np.array([0.5, -0.5]), sides)
    corner = box[:2] + rng.random(2) * (sides - size)
    low = np.maximum(np.rint(corner).astype(int), 0)
    high = np.maximum(np.rint(corner + size).astype(int), low)
    changed = image.copy()
    part = changed[low[1] : high[1], low[0] : high[0]]
    surface = _to_bytes(rng.integers(20, 236, 3) + _part(_noise(10.0), part, rng))
    mask = np.ones(part.shape[:2], np.bool_)
    if rng.random() < 0.5:
        y, x = (2 * (np.arange(n) + 0.5) / n - 1 for n in part.shape[:2])
        mask = x**2 + y[:, None] ** 2 <= 1
    part[mask] = surface[mask]
    return changed


def cut_off(
    box: Floats, size: Size, strength: float, rng: np.random.Generator
) -> tuple[Floats, Size]:
    """The image ends within the box, at one of its four sides."""
    width, height = size
    edge, (x, y) = rng.integers(4), strength * (box[2:] - box[:2])
    left = top = 0
    if edge == 0:
        left = round(box[0] + x)
    elif edge == 1:
        top = round(box[1] + y)
    elif edge == 2:
        width = min(width, round(box[2] - x))
    else:
        height = min(height, round(box[3] - y))
    left, top = max(left, 0), max(top, 0)
    matrix = np.array([[1.0, 0, -left], [0, 1, -top]])
    return matrix, (max(width - left, 1), max(height - top, 1))


def rotate(
    box: Floats, size: Size, strength: float, rng: np.random.Generator
) -> tuple[Floats, Size]:
    """The image rotated about the centre of the box, to the left or to the right."""
    centre = (box[:2] + box[2:]) / 2
    angle = np.deg2rad(strength * _sign(rng))
    linear = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return np.column_stack([linear, centre - linear @ centre]), size


def mirror(
    box: Floats, size: Size, strength: float, rng: np.random.Generator
) -> tuple[Floats, Size]:
    """The image mirrored."""
    return np.array([[-1.0, 0, size[0] - 1], [0, 1, 0]]), size


def scale_box(boxes: Floats, strength: float, rng: np.random.Generator) -> Floats:
    """The box too large by a share, or too small by the same factor."""
    factor = (1 + strength) ** _sign(rng)
    centre, half = (boxes[:, :2] + boxes[:, 2:]) / 2, factor * (boxes[:, 2:] - boxes[:, :2]) / 2
    return np.concatenate([centre - half, centre + half], axis=1)


def shift_box(boxes: Floats, strength: float, rng: np.random.Generator) -> Floats:
    """The box shifted in a random direction, by a share of its sides."""
    angle = 2 * np.pi * rng.random()
    shift = strength * (boxes[:, 2:] - boxes[:, :2]) * [np.cos(angle), np.sin(angle)]
    return boxes + np.tile(shift, 2)


CORRUPTIONS = {
    corruption.name: corruption
    for corruption in (
        Corruption(
            "noise", "standard deviation of normal noise, as a share of white",
            (0.04, 0.08, 0.13, 0.19, 0.26), picture=add_noise,
        ),
        Corruption(
            "blur", "sigma of a Gaussian, as a share of the face's side",
            (0.006, 0.012, 0.02, 0.03, 0.045), picture=blur,
        ),
        Corruption(
            "jpeg", "quality of a JPEG", (40.0, 25.0, 15.0, 10.0, 6.0), picture=save_as_jpeg
        ),
        Corruption(
            "resolution", "the face's side in pixels", (64.0, 48.0, 32.0, 24.0, 16.0),
            picture=shrink,
        ),
        Corruption(
            "light", "stops of exposure, up in half of the faces and down in the other",
            (0.5, 1, 1.5, 2, 2.5), picture=expose,
        ),
        Corruption(
            "contrast", "share of the contrast that is lost", (0.2, 0.4, 0.55, 0.7, 0.8),
            picture=flatten,
        ),
        Corruption(
            "colour-cast", "share of a picture of one hue", (0.15, 0.3, 0.5, 0.75, 1),
            picture=colour,
        ),
        Corruption(
            "grey", "share of the colour that is lost", (0.2, 0.4, 0.6, 0.8, 1), picture=grey
        ),
        Corruption("fog", "share of light clouds", (0.2, 0.35, 0.5, 0.65, 0.8), picture=add_fog),
        Corruption(
            "occluder", "share of the box that a rectangle covers, or one around an ellipse",
            (0.05, 0.1, 0.2, 0.3, 0.4), picture=occlude,
        ),
        Corruption(
            "cut-off", "share of the box beyond the edge of the image", (0.05, 0.1, 0.2, 0.3, 0.4),
            place=cut_off,
        ),
        Corruption(
            "rotation", "degrees, to the left or to the right", (10.0, 20.0, 30.0, 45.0, 60.0),
            place=rotate,
        ),
        Corruption("mirrored", "the image mirrored; it has one strength", (1,), place=mirror),
        Corruption(
            "box-scale", "share by which the box is too large, or its inverse too small",
            (0.1, 0.2, 0.3, 0.4, 0.5), move=scale_box,
        ),
        Corruption(
            "box-shift", "shift of the box as a share of its sides, in any direction",
            (0.05, 0.1, 0.15, 0.2, 0.3), move=shift_box,
        ),
    )
}  # fmt: skip
