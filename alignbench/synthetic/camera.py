"""From head coordinates to image pixels: rotation and perspective."""

from __future__ import annotations

import numpy as np

from alignbench.arrays import Floats
from alignbench.synthetic.parameters import View

_MIDDLE = np.array([0.0, 0.35, 0.2])
"""Point of the head, in its own coordinates, that it turns about and that is centred."""


def rotation(view: View) -> Floats:
    """Rotation (3, 3) of the head: yaw, then pitch, then roll."""
    yaw, pitch, roll = np.radians([view.yaw, view.pitch, view.roll])
    about_y = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    about_x = np.array(
        [[1, 0, 0], [0, np.cos(pitch), np.sin(pitch)], [0, -np.sin(pitch), np.cos(pitch)]]
    )
    about_z = np.array(
        [[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]]
    )
    return np.asarray(about_z @ about_x @ about_y)


def project(points: Floats, view: View, side: int) -> Floats:
    """Pixels and depth (K, 3) of points (K, 3) of the head.

    x and y are 0-based pixel-centre coordinates of an image of ``side`` x ``side``; the third is
    how near the camera a point is, larger being nearer.
    """
    turned = (points - _MIDDLE) @ rotation(view).T
    nearer = view.distance / (view.distance - turned[:, 2:])
    scale = view.size * side / 2
    middle = (side - 1) / 2 + np.array(view.shift) * side
    return np.concatenate([turned[:, :2] * nearer * scale + middle, turned[:, 2:]], axis=1)
