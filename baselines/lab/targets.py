"""The boundary maps that LAB learns."""

from __future__ import annotations

import cv2
import numpy as np

from alignbench.arrays import Floats
from baselines.drawing import Chains, Drawn, draw_lines, fade, filter_maps

_DOT = 2
"""Radius, in pixels, of a boundary of one landmark."""


def distance_boundaries(points: Floats, chains: Chains, size: int, sigma: float = 1.0) -> Drawn:
    """LAB's boundary targets (N, M, size, size).

    ``exp(-d^2 / 2 sigma^2)`` of the distance d to the boundary's pixels, 0 from 3 sigma on; a
    boundary of one landmark is a disc of radius 2.
    """
    chains = [list(chain) for chain in chains]
    lines = draw_lines(points, chains, size)
    if dots := [k for k, chain in enumerate(chains) if len(chain) == 1]:
        reach = np.arange(-_DOT, _DOT + 1)
        disc = (reach[:, None] ** 2 + reach**2 <= _DOT**2).astype(np.uint8)
        lines[:, dots] = filter_maps(lines[:, dots], _DOT, lambda image: cv2.dilate(image, disc))
    return fade(lines, sigma)
