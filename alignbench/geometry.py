"""Boxes, square crops, warps and their exact inverse.

Boxes are (N, 4): x_min, y_min, x_max, y_max in 0-based pixel-centre coordinates. A crop is
(N, 3): left, top, side; it covers the area from ``left - 0.5`` to ``left + side - 0.5``, so that
whole numbers mean whole pixels. A crop that leaves the image is padded, never shifted: shifting
would move the face inside the network's window.
"""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np

from alignbench.arrays import SLICE, Bytes, Floats, blocks
from alignbench.exceptions import InputError

Rounding = Literal["none", "integer"]
BoxSide = Literal["longer", "mean"]


MIN_OVERLAP = 0.3
"""Least intersection over union with the face's own box at which a detected box counts as the
face."""


def tight_boxes(points: Floats) -> Floats:
    """Smallest boxes (N, 4) around the landmarks (N, L, 2); those that are NaN do not count."""
    boxes = np.empty((len(points), 4), points.dtype)
    for rows in blocks(len(points), SLICE):
        # Faces last: reducing over landmarks is then vectorised over faces, 20 times as fast.
        by_landmark = np.ascontiguousarray(points[rows].transpose(1, 2, 0))
        low, high = by_landmark.min(axis=0), by_landmark.max(axis=0)
        if np.isnan(low).any():
            low, high = np.fmin.reduce(by_landmark), np.fmax.reduce(by_landmark)
        boxes[rows, :2], boxes[rows, 2:] = low.T, high.T
    return boxes


def corners_of(boxes: Floats) -> Floats:
    """Boxes (N, 4) stored as x, y, width, height, as corners (N, 4)."""
    return np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)


def scale_boxes(boxes: Floats, factor: float) -> Floats:
    """Boxes (N, 4) grown by ``factor`` about their centres."""
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = (boxes[:, 2:] - boxes[:, :2]) / 2 * factor
    return np.concatenate([centre - half, centre + half], axis=1)


def overlap(boxes: Floats, box: Floats) -> Floats:
    """Intersection over union (K,) of boxes (K, 4) with one box (4,)."""
    low = np.maximum(boxes[:, :2], box[:2])
    high = np.minimum(boxes[:, 2:], box[2:])
    both = np.prod(np.clip(high - low, 0, None), axis=1)
    union = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) + np.prod(box[2:] - box[:2]) - both
    return np.asarray(both / np.maximum(union, np.finfo(np.float64).tiny))


def square_crops(
    boxes: Floats, scale: float, rounding: Rounding = "none", of: BoxSide = "longer"
) -> Floats:
    """Square crops (N, 3) about boxes (N, 4), ``scale`` times their longer or mean side.

    With ``rounding="integer"`` corners, centre and side are truncated to whole pixels and the
    box counts its last pixel, as the preparation scripts of PFLD do:
    ``w = int(x_max) - int(x_min) + 1``, ``side = int(scale * max(w, h))``,
    ``left = int(int(x_min) + w / 2) - side // 2``.

    Raises
    ------
    InputError
        If a crop has no size.
    """
    low, high = boxes[:, :2], boxes[:, 2:]
    if rounding == "integer":
        low, high = np.trunc(low), np.trunc(high)
        extent = high - low + 1
        side = np.trunc(_side(extent, of) * scale)
        corner = np.trunc(low + extent / 2) - side // 2
    else:
        side = _side(high - low, of) * scale
        corner = (low + high - side) / 2 + 0.5
    if not (side > 0).all():
        raise InputError("crop", f"side of {side.min()} pixels", "a box and a scale above 0")
    return np.concatenate([corner, side], axis=1)


def _side(extent: Floats, of: BoxSide) -> Floats:
    """Longer or mean side (N, 1) of boxes of width and height (N, 2)."""
    reduce = np.max if of == "longer" else np.mean
    return np.asarray(reduce(extent, axis=1, keepdims=True))


def crop_transforms(crops: Floats, size: int) -> Floats:
    """Affine maps (N, 2, 3) from image pixels to pixels of the ``size`` x ``size`` crop."""
    factor = size / crops[:, 2]
    matrices = np.zeros((len(crops), 2, 3))
    matrices[:, 0, 0] = matrices[:, 1, 1] = factor
    matrices[:, :, 2] = (0.5 - crops[:, :2]) * factor[:, None] - 0.5
    return matrices


def transform(points: Floats, matrices: Floats) -> Floats:
    """Points (N, L, 2) under affine maps (N, 2, 3)."""
    return points @ matrices[:, :, :2].transpose(0, 2, 1) + matrices[:, None, :, 2]


def warp(
    image: Bytes, matrix: Floats, size: int, border: int = 0, out: Bytes | None = None
) -> Bytes:
    """The ``size`` x ``size`` crop (size, size, 3) of an image (H, W, 3) under a map (2, 3).

    Bilinear; pixels outside the image have the grey value ``border``. The crop is written into
    ``out``, a row of a batch (B, size, size, 3), where that is given.

    Raises
    ------
    InputError
        If the image is not uint8 (H, W, 3): OpenCV would leave ``out`` unchanged.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        found = f"{image.dtype} of shape {image.shape}"
        raise InputError("image", found, "uint8 of shape (H, W, 3), RGB")
    crop = cv2.warpAffine(
        image, matrix, (size, size), dst=out, flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT, borderValue=(border, border, border),
    )  # fmt: skip
    return np.asarray(crop, dtype=np.uint8)
