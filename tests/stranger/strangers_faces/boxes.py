"""A box protocol: squares around the true landmarks."""

import numpy as np

from alignbench.boxes import TRUE_LANDMARKS, BoxProtocol


def squares(dataset):
    """Boxes (N, 4) whose side is the longer side of the tight box."""
    low, high = dataset.points.min(axis=1), dataset.points.max(axis=1)
    centre, half = (low + high) / 2, (high - low).max(axis=1, keepdims=True) / 2
    return np.concatenate([centre - half, centre + half], axis=1)


SQUARE = BoxProtocol(
    name="square",
    about="The square around the true landmarks.",
    leak=TRUE_LANDMARKS,
    boxes=squares,
)
