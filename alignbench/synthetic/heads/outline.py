"""Where annotators put the landmarks of a turned face.

Learnt from WFLW's annotations, by looking at its most turned faces and by measuring all of them:

- The two halves of the contour, from its ends at the height of the eyes to the chin, are spaced
  evenly in the image: steps of a half differ by 0.1 % of their mean in near-frontal faces.
- The half that the head itself hides is drawn on the head's outline, as if there were no nose.
- Brow, eye, nose and mouth of the far side, where the head hides them, lie at the outline too.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from alignbench.arrays import Bools, Floats, Ints
from alignbench.markups import WFLW98
from alignbench.synthetic.heads import anatomy
from alignbench.synthetic.parameters import View

_BANDS = 48
"""Heights at which the outline is looked for."""
_NOSE = (0.32, -0.05, 0.72, 1.12)
"""The nose of the base head: half its width, from height to height, and nearer than this."""
_SEEN, _HIDDEN = 0.12, -0.1
"""Cosines between surface and view: above the first, the fixed point is taken; below the second,
the outline; between them, a mixture of both."""
_FRONTAL = 20.0
"""Degrees of yaw up to which the outline may matter on the near side."""
_TURNED = 30.0
"""Degrees of yaw from which the far side's brow, eye, nose and mouth may be hidden."""


@cache
def _front() -> tuple[Ints, Ints]:
    """Vertices of the face that make its outline: with the nose, and without."""
    head = anatomy.load()
    x, y, z = head.rest.T
    azimuth = np.arctan2(x, z)
    skin = np.zeros(len(x), bool)
    skin[head.parts["skin"].ravel()] = True
    front = skin & (np.abs(azimuth) < 1.3) & (y > -0.75) & (head.openness > 0.2)
    # Below the jaw's edge lies the neck.
    contour = head.landmarks(head.rest)[list(WFLW98.regions["contour"])]
    edge = np.interp(x, contour[:, 0], contour[:, 1])
    front &= y < edge + 0.06
    half, top, bottom, near = _NOSE
    nose = (np.abs(x) < half) & (y > top) & (y < bottom) & (z > near)
    return np.flatnonzero(front), np.flatnonzero(front & ~nose)


def annotate(
    at: Floats, fixed: Floats, facing: Floats, by_head: Bools, view: View, unit: float
) -> Floats:
    """Landmarks (98, 2) where annotators put them.

    Parameters
    ----------
    at
        (V, 2) vertices of the head in pixels.
    fixed
        (98, 2) the landmarks' places on the surface, projected, in pixels.
    facing
        (98,) cosine between the surface at a landmark and the view; negative on the far side.
    by_head
        (98,) whether the head itself is in front of a landmark.
    view
        Its roll says what height is in the image, its yaw which side is the far one.
    unit
        Pixels of half a face's width.
    """
    roll = np.radians(view.roll)
    upright = np.array([[np.cos(roll), np.sin(roll)], [-np.sin(roll), np.cos(roll)]])
    points, vertices = fixed @ upright.T, at @ upright.T
    with_nose, without = _front()
    result = points.copy()
    contour = np.array(WFLW98.regions["contour"])
    middle = len(contour) // 2
    for side, half in ((-1, contour[: middle + 1]), (1, contour[middle:])):
        edge = _edge(vertices[without], points[half, 1], side)
        share = np.clip((_SEEN - facing[half]) / (_SEEN - _HIDDEN), 0, 1)
        share[half == contour[middle]] = 0
        if side * view.yaw < 0:  # the near side is not hidden by the head
            share *= np.clip((_FRONTAL - abs(view.yaw)) / _FRONTAL, 0, 1)
        outwards = np.maximum(side * (edge - points[half, 0]), 0) * side
        result[half, 0] += share * outwards
        result[half] = _spread(result[half])
    if abs(view.yaw) > _TURNED:
        side = 1 if view.yaw > 0 else -1
        far = _far_side(side) & by_head
        edge = _edge(vertices[with_nose], points[far, 1], side) - side * 0.03 * unit
        result[far, 0] += np.maximum(side * (edge - points[far, 0]), 0) * side
    return np.asarray(result @ upright)


def _far_side(side: int) -> Bools:
    """Which landmarks (98,), the contour aside, lie on one side of the head's middle."""
    across = anatomy.load().landmarks(anatomy.load().rest)[:, 0]
    far = side * across > 0.01
    far[list(WFLW98.regions["contour"])] = False
    return np.asarray(far)


def _edge(vertices: Floats, heights: Floats, side: int) -> Floats:
    """How far the vertices (K, 2) reach to one side at heights (N,)."""
    low, high = vertices[:, 1].min(), vertices[:, 1].max()
    step = (high - low) / _BANDS
    band = np.clip(((vertices[:, 1] - low) / step).astype(int), 0, _BANDS - 1)
    reach = np.full(_BANDS, -np.inf)
    np.maximum.at(reach, band, side * vertices[:, 0])
    known = np.flatnonzero(np.isfinite(reach))
    middles = low + (known + 0.5) * step
    return np.asarray(side * np.interp(heights, middles, reach[known]))


def _spread(line: Floats) -> Floats:
    """The points (N, 2) of a line, evenly along it; the ends stay."""
    along = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    even = np.linspace(0, along[-1], len(line))
    return np.stack([np.interp(even, along, line[:, k]) for k in range(2)], axis=1)
