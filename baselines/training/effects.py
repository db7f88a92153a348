"""What happens to a picture in training alone: objects in front of it, gamma, motion.

Pure functions of a window (S, S, 3); the random ones draw from the generator they are given.
"""

from __future__ import annotations

import cv2
import numpy as np

from alignbench.arrays import Bytes

_SIDES = (0.1, 0.4)
"""Sides of a rectangle that covers a part, as shares of the window's."""


def draw_rectangle(rng: np.random.Generator, size: int) -> tuple[slice, slice]:
    """Rows and columns of a rectangle within a window of ``size`` pixels."""
    width, height = np.ceil(rng.uniform(*_SIDES, 2) * size).astype(int)
    left, top = rng.integers(0, size - np.array([width, height]) + 1)
    return slice(top, top + height), slice(left, left + width)


def cover(rng: np.random.Generator, window: Bytes, rectangles: int) -> Bytes:
    """The window with rectangles of one colour, of noise, or of another place of the window."""
    window, size = window.copy(), len(window)
    for _ in range(rectangles):
        rows, columns = draw_rectangle(rng, size)
        part, kind = window[rows, columns], rng.integers(3)
        if kind == 0:
            part[:] = rng.integers(0, 256, 3)
        elif kind == 1:
            part[:] = rng.integers(0, 256, part.shape, np.uint8)
        else:
            height, width = part.shape[:2]
            top, left = rng.integers(0, size - np.array([height, width]) + 1)
            part[:] = window[top : top + height, left : left + width].copy()
    return window


def apply_gamma(window: Bytes, exponent: float) -> Bytes:
    """The window with its values, as shares of 255, raised to a power."""
    table = np.rint(255 * (np.arange(256) / 255) ** exponent).astype(np.uint8)
    return np.asarray(cv2.LUT(window, table), np.uint8)


def blur_motion(window: Bytes, length: float, angle: float) -> Bytes:
    """The window blurred along a line of ``length`` pixels at an angle in radians."""
    reach = int(np.ceil(length / 2)) + 1
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
    points = 4 * reach
    along = length * ((np.arange(points) + 0.5) / points - 0.5)
    place = reach + along[:, None] * np.array([np.sin(angle), np.cos(angle)])
    corner = np.floor(place).astype(int)
    share = place - corner
    for corner_of in np.ndindex(2, 2):  # each point is shared by the four pixels around it
        weight = np.where(corner_of, share, 1 - share).prod(axis=1)
        np.add.at(kernel, tuple((corner + corner_of).T), weight)
    kernel /= kernel.sum()
    return np.asarray(cv2.filter2D(window, -1, kernel, borderType=cv2.BORDER_REPLICATE), np.uint8)
