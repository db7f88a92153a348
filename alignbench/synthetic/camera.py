"""The camera: rotation and perspective, then blur, noise and JPEG."""

from __future__ import annotations

import cv2
import numpy as np

from alignbench.arrays import Bytes, Floats
from alignbench.synthetic.brush import soften
from alignbench.synthetic.parameters import Lens, Random, View

MIDDLE = np.array([0.0, 0.35, 0.2])
"""Point of the head, in its own coordinates, about which it turns; the view is centred on it."""

_LEAST_BLUR = 0.55
"""Standard deviation in pixels that even a sharp picture has; it also smooths the head's edge."""


def rotation(view: View) -> Floats:
    """Rotation (3, 3) of the head: yaw, then pitch, then roll."""
    angles = np.radians([view.yaw, view.pitch, view.roll])
    (sin_y, sin_x, sin_z), (cos_y, cos_x, cos_z) = np.sin(angles), np.cos(angles)
    about_y = np.array([[cos_y, 0, sin_y], [0, 1, 0], [-sin_y, 0, cos_y]])
    about_x = np.array([[1, 0, 0], [0, cos_x, sin_x], [0, -sin_x, cos_x]])
    about_z = np.array([[cos_z, -sin_z, 0], [sin_z, cos_z, 0], [0, 0, 1]])
    return np.asarray(about_z @ about_x @ about_y)


def project(points: Floats, view: View, side: int) -> Floats:
    """Pixels and depth (K, 3) of points (K, 3) of the head.

    x and y are 0-based pixel-centre coordinates of an image of ``side`` x ``side``; the third is
    how near the camera a point is, larger being nearer.
    """
    turned = (points - MIDDLE) @ rotation(view).T
    nearer = view.distance / (view.distance - turned[:, 2:])
    scale = view.size * side / 2
    middle = (side - 1) / 2 + np.array(view.shift) * side
    return np.concatenate([turned[:, :2] * nearer * scale + middle, turned[:, 2:]], axis=1)


def photograph(picture: Bytes, lens: Lens, eyes: float, rng: Random) -> Bytes:
    """The picture (S, S, 3) as this lens sees it; ``eyes`` is the outer eye distance in pixels."""
    seen = soften(picture, max(_LEAST_BLUR, lens.defocus * eyes))
    if lens.motion > 0:
        seen = _smear(seen, max(2.0, lens.motion * eyes), lens.motion_angle)
    grainy = rng.standard_normal(seen.shape, np.float32)
    grainy *= np.float32(lens.noise)
    grainy += seen
    np.rint(grainy, out=grainy)
    return np.clip(grainy, 0, 255, out=grainy).astype(np.uint8)


def _smear(picture: Bytes, length: float, angle: float) -> Bytes:
    """Mean of the picture over shifts along a line of ``length`` pixels."""
    turn = np.radians(angle)
    steps = np.linspace(-0.5, 0.5, 9) * length
    # Whole pixels, so that the mean is exact.
    shifts = np.round(np.outer(steps, [np.cos(turn), np.sin(turn)])).astype(int)
    edge = int(np.abs(shifts).max())
    # Beyond the border, its own colour is repeated: the scene looks about like that.
    wide = np.asarray(
        cv2.copyMakeBorder(picture, edge, edge, edge, edge, cv2.BORDER_REPLICATE), np.uint8
    )
    height, width = picture.shape[:2]
    total = np.zeros(picture.shape, np.int32)
    for right, down in edge - shifts:
        total += wide[down : down + height, right : right + width]
    return np.asarray((total + len(steps) // 2) // len(steps), np.uint8)


def encode(picture: Bytes, quality: int) -> bytes:
    """The picture as a JPEG file."""
    _, data = cv2.imencode(".jpg", picture[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return data.tobytes()
