"""Effects on pictures that training and measurements of robustness share.

Pure functions of an image (H, W, 3) of bytes, RGB.
"""

from __future__ import annotations

import cv2
import numpy as np

from alignbench.arrays import Bytes, Floats

_LUMA = np.array([[0.299, 0.587, 0.114]])
"""Weights of red, green and blue in grey (ITU-R BT.601)."""


def tint(image: Bytes, colour: Floats, strength: float) -> Bytes:
    """The image mixed with its grey picture in a colour.

    Parameters
    ----------
    colour
        (3,) factors of red, green and blue; three ones leave grey.
    strength
        The share of the coloured picture, 0 to 1.
    """
    matrix = (1 - strength) * np.eye(3) + strength * colour[:, None] * _LUMA
    return np.asarray(cv2.transform(image, matrix), np.uint8)


def reduce_resolution(image: Bytes, share: float) -> Bytes:
    """The image reduced to a share of its sides, and enlarged to its size again."""
    size = image.shape[1::-1]
    small = cv2.resize(image, [max(1, round(share * n)) for n in size], None, 0, 0, cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, size, interpolation=cv2.INTER_LINEAR), np.uint8)


def compress(image: Bytes, quality: int) -> Bytes:
    """The image after JPEG compression at a quality of 0 to 100."""
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    _, file = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded = np.asarray(cv2.imdecode(file, cv2.IMREAD_COLOR), np.uint8)
    return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), np.uint8)
