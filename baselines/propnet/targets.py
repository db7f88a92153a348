"""The boundary maps that PropNet learns."""

from __future__ import annotations

import cv2
import numpy as np

from alignbench.arrays import Floats
from baselines.drawing import Chains, Drawn, draw_lines, filter_maps


def blurred_boundaries(points: Floats, chains: Chains, size: int, sigma: float = 1.0) -> Drawn:
    """PropNet's boundary targets (N, M, size, size).

    Straight segments between consecutive landmarks of each chain, one pixel wide, blurred by a
    Gaussian and divided by their maximum, so that the ridge is 1. (The paper names segments
    and Gaussian; width, sigma and scale are ours.)
    """
    reach = int(np.ceil(3 * sigma))
    kernel = (2 * reach + 1, 2 * reach + 1)
    maps = filter_maps(
        draw_lines(points, chains, size),
        reach,
        lambda image: cv2.GaussianBlur(image, kernel, sigma, borderType=cv2.BORDER_CONSTANT),
    )
    maps /= np.maximum(maps.max(axis=(2, 3), keepdims=True), np.finfo(np.float32).tiny)
    return maps
