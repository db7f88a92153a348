"""What the camera does to the picture: blur, noise, JPEG."""

from __future__ import annotations

import cv2
import numpy as np

from alignbench.arrays import Bytes
from alignbench.synthetic.brush import soften
from alignbench.synthetic.parameters import Lens, Random

_OWN_BLUR = 0.55
"""Standard deviation in pixels that even a sharp picture has; it also smooths the head's edge."""


def photograph(picture: Bytes, lens: Lens, eyes: float, rng: Random) -> Bytes:
    """The picture (S, S, 3) as this lens sees it; ``eyes`` is the outer eye distance in pixels."""
    seen = soften(picture, max(_OWN_BLUR, lens.defocus * eyes))
    if lens.motion > 0:
        seen = _smeared(seen, max(2.0, lens.motion * eyes), lens.motion_angle)
    grainy = rng.standard_normal(seen.shape, np.float32)
    grainy *= np.float32(lens.noise)
    grainy += seen
    np.rint(grainy, out=grainy)
    return np.clip(grainy, 0, 255, out=grainy).astype(np.uint8)


def _smeared(picture: Bytes, length: float, angle: float) -> Bytes:
    """Mean of the picture over shifts along a line of ``length`` pixels."""
    turn = np.radians(angle)
    steps = np.linspace(-0.5, 0.5, 9) * length
    # Whole pixels, so that the mean is exact.
    shifts = np.round(np.outer(steps, [np.cos(turn), np.sin(turn)])).astype(int)
    edge = int(np.abs(shifts).max())
    # The border's own colour beyond it: the scene goes on about like that.
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
