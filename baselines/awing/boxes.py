"""Boxes as AWing's released test code lays them, which looks at the true landmarks.

They are given so that a published number can be reproduced; every table says what they leak.
"""

from __future__ import annotations

import numpy as np

from alignbench import Dataset, InputError
from alignbench.arrays import Floats
from alignbench.boxes import TRUE_LANDMARKS, BoxProtocol
from baselines.landmark_maps import CROP

_FRAME = 450.0
"""Side, in pixels, of AWing's first crop."""
_WINDOW = 256.0


def awing_boxes(dataset: Dataset) -> Floats:
    """Boxes (N, 4) from which AWing's crop takes the window of its released test code.

    The annotated box, in whole pixels, grows by 5 %; a square of 0.8 times the sum of its sides
    becomes 450 pixels wide, and grows by steps until every true landmark is 10 pixels inside.
    The window is its middle 80 %, or all of it where a true landmark would be nearer than about
    5 pixels to the edge of the 256 the network sees.

    Raises InputError if the data set annotates no boxes.
    """
    if dataset.boxes is None:
        raise InputError(
            "box protocol 'awing-official'", f"{dataset.name} annotates no boxes", "rect of WFLW"
        )
    box = np.trunc(dataset.boxes)
    low, high = box[:, :2], box[:, 2:]
    margin = np.trunc(0.05 * (high - low) / 2)
    low, high = np.maximum(low - margin, 0), high + margin
    centre, extent = (low + high) / 2, (high - low).sum(axis=1)
    offset = dataset.points - centre[:, None]
    # The divisor is 250, less 10 for every step it takes to bring the farthest landmark inside.
    reach = np.abs(offset).max(axis=(1, 2))
    inside = (_FRAME / 2 - 10) / _FRAME
    divisor = np.floor(200 * extent * inside / np.maximum(reach, 1e-9) / 10) * 10
    side = 200 * extent / np.clip(divisor, 10, 250)
    seen = offset / (0.8 * side[:, None, None]) * _WINDOW + _WINDOW / 2
    cut = ((seen < 5) | (seen > _WINDOW - 6)).any(axis=(1, 2))
    window = np.where(cut, 1.0, 0.8) * side
    half = window[:, None] / CROP.scale / 2
    return np.concatenate([centre - half, centre + half], axis=1)


AWING_BOXES = BoxProtocol(
    name="awing-official",
    about="AWing's released test: the annotated box, grown until the true landmarks fit.",
    leak=TRUE_LANDMARKS,
    boxes=awing_boxes,
    crop=CROP,
)
