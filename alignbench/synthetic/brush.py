"""Painting on 8-bit pictures in integers, so that every processor paints the same."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from alignbench.arrays import Bytes, Floats
from alignbench.synthetic.parameters import Colour

_SHIFT = 4
"""OpenCV takes coordinates in sixteenths of a pixel."""


def to_fixed_point(points: Floats) -> NDArray[np.int32]:
    """Pixel coordinates as OpenCV's fixed-point numbers."""
    return np.round(points * (1 << _SHIFT)).astype(np.int32)


def fill(picture: Bytes, outline: Floats, colour: Colour | int) -> None:
    """Fill an outline (K, 2), edges anti-aliased."""
    cv2.fillPoly(picture, [to_fixed_point(outline)], _scalar(colour), cv2.LINE_AA, shift=_SHIFT)


def line(
    picture: Bytes, points: Floats, colour: Colour | int, width: int, closed: bool = False
) -> None:
    """Draw a line along points (K, 2), anti-aliased."""
    at, scalar = [to_fixed_point(points)], _scalar(colour)
    cv2.polylines(picture, at, closed, scalar, width, cv2.LINE_AA, shift=_SHIFT)


def fill_mask(shape: tuple[int, ...], *outlines: Floats) -> Bytes:
    """A mask (H, W) of filled outlines."""
    mask = np.zeros(shape, np.uint8)
    for outline in outlines:
        fill(mask, outline, 255)
    return mask


def line_mask(shape: tuple[int, ...], width: int, *lines: Floats, closed: bool = False) -> Bytes:
    """A mask (H, W) of lines."""
    mask = np.zeros(shape, np.uint8)
    for points in lines:
        line(mask, points, 255, width, closed)
    return mask


def limit(values: Floats) -> Colour:
    """Three numbers as a colour: from 0 to 255."""
    red, green, blue = np.clip(values, 0, 255)
    return float(red), float(green), float(blue)


def _scalar(colour: Colour | int) -> tuple[int, ...]:
    values = (colour,) if isinstance(colour, int) else colour
    return tuple(round(value) for value in values)


def soften(picture: Bytes, sigma: float) -> Bytes:
    """A Gaussian blur; on bytes OpenCV computes it in integers."""
    reach = int(np.ceil(2.5 * sigma))
    return np.asarray(cv2.GaussianBlur(picture, (2 * reach + 1, 2 * reach + 1), sigma), np.uint8)


def soften_mask(mask: Bytes, sigma: float) -> Bytes:
    """Blur a mask (H, W), only where it is not empty, because most masks are small."""
    part = _bounds(mask, int(np.ceil(2.5 * sigma)))
    soft = np.zeros_like(mask)
    if part is not None:
        soft[part] = soften(mask[part], sigma)
    return soft


def _bounds(mask: Bytes, margin: int = 0) -> tuple[slice, slice] | None:
    """The part of a mask that is not empty, with a margin."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if len(rows) == 0:
        return None
    return (
        slice(max(0, rows[0] - margin), rows[-1] + 1 + margin),
        slice(max(0, columns[0] - margin), columns[-1] + 1 + margin),
    )


def mix(picture: Bytes, mask: Bytes, colour: Colour | Bytes, strength: float = 1.0) -> None:
    """Lay a colour, or another picture, over a picture (H, W, 3) where a mask (H, W) says so."""
    part = _bounds(mask)
    if part is None:
        return
    share = (mask[part].astype(np.int32) * round(256 * strength))[..., None]
    over = colour[part] if isinstance(colour, np.ndarray) else np.round(np.array(colour))
    under = picture[part].astype(np.int32)
    picture[part] = under + ((over.astype(np.int32) - under) * share + 32640) // 65280


def noise(rng: np.random.Generator, shape: tuple[int, int], grain: int, spread: float) -> Bytes:
    """Smooth noise (H, W) about 128, with spots of about ``grain`` pixels."""
    height, width = shape
    coarse = (height // grain + 2, width // grain + 2)
    spots = rng.standard_normal(coarse, np.float32) * np.float32(spread) + np.float32(128)
    spots = np.clip(np.rint(spots), 0, 255).astype(np.uint8)
    return np.asarray(cv2.resize(spots, (width, height), interpolation=cv2.INTER_LINEAR_EXACT))


def ellipse(
    centre: Floats | tuple[float, float],
    radii: tuple[float, float],
    angle: float = 0.0,
    count: int = 28,
) -> Floats:
    """Outline (count, 2) of an ellipse; angle in degrees."""
    at = np.linspace(0, 2 * np.pi, count, endpoint=False)
    circle = np.stack([np.cos(at) * radii[0], np.sin(at) * radii[1]], axis=1)
    turn = np.radians(angle)
    spin = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    return np.asarray(circle @ spin + np.asarray(centre))
