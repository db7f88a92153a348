"""Boxes of AWing's released test code, which uses the true landmarks to make them.

They exist so that a published number can be reproduced; every table says what they leak.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from alignbench import Dataset, InputError
from alignbench.arrays import Floats
from alignbench.boxes import TRUE_LANDMARKS, BoxProtocol
from baselines.crops import AWING_CROP

_FRAME = 450.0
"""Side, in pixels, of AWing's first crop."""
_WINDOW = 256.0
_MIDDLE = 0.8
"""The part of the first crop that the network sees, unless a landmark would be cut off."""


class _Cuts(NamedTuple):
    """What the released code cuts from the image for each face.

    The pixel ``corner`` (N, 2), x and y, is the first one of the cut, which is ``pixels`` (N, 2)
    wide and high. The code labels landmarks as if its side were ``length`` (N, 1), which is up
    to two pixels more. The network sees the middle ``share`` (N, 1) of its sides.
    """

    corner: Floats
    pixels: Floats
    length: Floats
    share: Floats


def awing_boxes(dataset: Dataset) -> Floats:
    """Boxes (N, 4) from which AWing's crop takes the window of its released test code.

    The annotated box, in whole pixels, grows by 5 %. A square of L = 0.8 times the sum of its
    sides, cut to 2 floor(L / 2) pixels, becomes 450 pixels wide; it grows by steps until every
    true landmark is labelled at least 10 pixels inside. The window is its middle 80 %, or all of
    it where a true landmark would be nearer than about 5 pixels to the edge of the 256 the
    network sees.

    Where the cut's corner lies outside the image, the released code rounds towards 0. In 2.7 % of
    WFLW's test faces the cut is therefore a pixel wider than high, or higher than wide; the
    window here is the square of the same middle and mean side.

    Raises InputError if the data set annotates no boxes.
    """
    corner, pixels, _, share = _cut(dataset)
    side = share * pixels.mean(axis=1, keepdims=True)
    return _boxes_of_windows(corner + (pixels - 1) / 2, side)


def awing_frames(dataset: Dataset) -> Floats:
    """Boxes (N, 4) from which AWing's crop takes the square in which landmarks are labelled.

    The released code cuts 2 floor(L / 2) pixels, but divides by L. Both squares begin at the same
    pixel. A label is therefore off by 0 to 2 pixels of the image: the farther right and down it
    lies, the more.

    Raises InputError if the data set annotates no boxes.
    """
    corner, _, length, share = _cut(dataset)
    return _boxes_of_windows(corner + (length - 1) / 2, share * length)


def _boxes_of_windows(centre: Floats, side: Floats) -> Floats:
    """Boxes (N, 4) from which ``AWING_CROP`` takes squares of a centre (N, 2) and a side (N, 1)."""
    half = side / AWING_CROP.scale / 2
    return np.concatenate([centre - half, centre + half], axis=1)


def _cut(dataset: Dataset) -> _Cuts:
    if dataset.boxes is None:
        raise InputError(
            "box protocol 'awing-official'", f"{dataset.name} annotates no boxes", "rect of WFLW"
        )
    box = np.trunc(dataset.boxes)
    low, high = box[:, :2], box[:, 2:]
    margin = np.trunc(0.05 * (high - low) / 2)
    low, high = np.maximum(low - margin, 0), high + margin
    centre, extent = (low + high) / 2, (high - low).sum(axis=1, keepdims=True)
    divisor = np.full_like(extent, 250)
    # With the divisor 10 the square is 20 times the box: the released code would soon fail.
    while True:
        length = 200 * (extent / divisor)
        corner = np.trunc(centre - length // 2)
        pixels = np.trunc(centre + length // 2) - corner
        labels = (dataset.points - corner[:, None]) / length[:, None] * _FRAME
        outside = ((labels < 10) | (labels > _FRAME - 10)).any(axis=(1, 2)) & (divisor[:, 0] > 10)
        if not outside.any():
            break
        divisor[outside] -= 10
    seen = (labels - _FRAME * (1 - _MIDDLE) / 2) / (_FRAME * _MIDDLE) * _WINDOW
    hidden = ((seen < 5) | (seen > _WINDOW - 6)).any(axis=(1, 2))
    return _Cuts(corner, pixels, length, np.where(hidden, 1.0, _MIDDLE)[:, None])


AWING_BOXES = BoxProtocol(
    name="awing-official",
    about="AWing's released test: the annotated box, grown until the true landmarks fit.",
    leak=TRUE_LANDMARKS,
    boxes=awing_boxes,
    crop=AWING_CROP,
    frames=awing_frames,
)
