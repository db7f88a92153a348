"""Boxes of LAB's released test code, which uses the true landmarks to make them.

They exist so that a published number can be reproduced; every table says what they leak.
"""

from __future__ import annotations

from importlib.resources import files

import numpy as np

from alignbench import Dataset, InputError
from alignbench.arrays import Floats
from alignbench.boxes import TRUE_LANDMARKS, BoxProtocol
from alignbench.markups import WFLW98
from baselines.crops import LAB_CROP

_WINDOW, _CANVAS = 256, 384
"""Sides, in pixels, of the window and of the canvas that holds the mean pose."""


def lab_boxes(dataset: Dataset) -> Floats:
    """Boxes (N, 4) from which LAB's crop takes the window of its released test code.

    71 true landmarks are fitted to LAB's mean pose by a similarity. The released code turns the
    face back about the middle of the canvas of 384 pixels, (192, 192), so that only scale and
    shift are left. The window is the middle 256 pixels of the canvas.

    Raises InputError if the data set is not in WFLW's mark-up.
    """
    if dataset.markup != WFLW98:
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
    length = np.hypot(along, across)
    cosine, sine = along / length, across / length
    scale = (length / (x**2).sum(axis=(1, 2)))[:, None]
    a, b = _CANVAS / 2 - pose_middle
    turned_back = np.stack([cosine * a + sine * b, cosine * b - sine * a], axis=1)
    # The middle of the window lies half a pixel before the pixel (192, 192).
    centre = middle + (turned_back - 0.5) / scale
    half = _WINDOW / scale / LAB_CROP.scale / 2
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
    text = (files("baselines.lab") / "mean_pose.txt").read_text(encoding="utf-8")
    return np.array([line.split() for line in text.splitlines() if line[:1] != "#"], np.float64)


LAB_BOXES = BoxProtocol(
    name="lab-official",
    about="LAB's released test: 71 true landmarks fitted to a mean pose.",
    leak=TRUE_LANDMARKS,
    boxes=lab_boxes,
    crop=LAB_CROP,
)
