"""Boxes as the official test code of LAB and AWing lays them, with what they tell of the truth.

Both look at the true landmarks of the test face. They are given so that a published number can
be followed; every table says what they leak.
"""

from __future__ import annotations

from importlib.resources import files

import numpy as np

from alignbench import Dataset, InputError
from alignbench.arrays import Floats
from alignbench.boxes import TRUE_LANDMARKS, BoxProtocol
from alignbench.markups import WFLW98
from baselines.crops import AWING_CROP, LAB_CROP

_FRAME = 450.0
"""Side, in pixels, of AWing's first crop."""
_WINDOW = 256.0


def awing_boxes(dataset: Dataset) -> Floats:
    """Boxes (N, 4) from which AWing's crop takes the window of its released test code.

    The annotated box, in whole pixels, grows by 5 %; a square of 0.8 times the sum of its sides
    becomes 450 pixels wide, and grows by steps until every true landmark is 10 pixels inside.
    The window is its middle 80 %, or all of it where a true landmark would be nearer than about
    5 pixels to the edge of the 256 the network sees.

    Raises
    ------
    InputError
        If the data set annotates no boxes.
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
    return _about(centre, window / AWING_CROP.scale)


def lab_boxes(dataset: Dataset) -> Floats:
    """Boxes (N, 4) from which LAB's crop takes the window of its released test code.

    71 true landmarks are fitted to LAB's mean pose by a similarity, whose rotation is left out;
    the window is the middle 256 of 384 pixels.

    Raises
    ------
    InputError
        If the data set is not in WFLW's mark-up.
    """
    if dataset.markup is not WFLW98:
        raise InputError(
            "box protocol 'lab-official'", f"{dataset.name} has mark-up {dataset.markup.name}",
            WFLW98.name,
        )  # fmt: skip
    pose = _mean_pose()
    points = dataset.points[:, _pose_landmarks()]
    middle, pose_middle = points.mean(axis=1), pose.mean(axis=0)
    x, y = points - middle[:, None], pose - pose_middle
    along = (x * y).sum(axis=(1, 2))
    across = (x[..., 0] * y[:, 1] - x[..., 1] * y[:, 0]).sum(axis=1)
    scale = np.hypot(along, across) / (x**2).sum(axis=(1, 2))
    canvas_middle = (384 - 1) / 2
    centre = middle + (canvas_middle - pose_middle) / scale[:, None]
    return _about(centre, _WINDOW / scale / LAB_CROP.scale)


def _about(centre: Floats, side: Floats) -> Floats:
    half = side[:, None] / 2
    return np.concatenate([centre - half, centre + half], axis=1)


def _pose_landmarks() -> list[int]:
    """The landmarks of LAB's mean pose: all but lower brows, nose base, inner lids and pupils."""
    chains, regions = WFLW98.chains, WFLW98.regions
    eyes = [chains[f"{side}_eye_upper"] for side in ("left", "right")]
    return [
        *regions["contour"],
        *chains["left_brow_upper"],
        *chains["right_brow_upper"],
        *chains["nose_bridge"],
        *(corner for eye in eyes for corner in (eye[0], eye[-1])),
        *regions["mouth"],
    ]


def _mean_pose() -> Floats:
    """LAB's mean pose (71, 2) on its canvas of 384 pixels."""
    text = (files("baselines") / "lab_mean_pose.txt").read_text(encoding="utf-8")
    return np.array([line.split() for line in text.splitlines() if line[:1] != "#"], np.float64)


AWING = BoxProtocol(
    "awing-official",
    "AWing's released test: the annotated box, grown until the true landmarks fit.",
    TRUE_LANDMARKS, awing_boxes, AWING_CROP,
)  # fmt: skip
LAB = BoxProtocol(
    "lab-official", "LAB's released test: 71 true landmarks fitted to a mean pose.",
    TRUE_LANDMARKS, lab_boxes, LAB_CROP,
)  # fmt: skip
