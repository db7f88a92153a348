"""The worst faces of a run as thumbnails, so small that a page of several runs is quick to load."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from alignbench import Run
from alignbench.arrays import Bytes, Floats
from alignbench.datasets.base import FULL
from reports.data import Root, evaluated_faces, with_image
from reports.figures.tiles import Windows
from reports.figures.worst import largest_errors

FACES = 12
SIDE = 224
"""Pixels of a thumbnail, which is shown about 150 wide: sharp on fine screens."""
_QUALITY = 72
_DOT, _EDGE, _LINE = (240, 228, 66), (0, 0, 0), (230, 159, 0)
"""RGB, of Okabe and Ito's palette: yellow dots with a black edge, orange lines."""
_FINE = 4
"""Binary digits behind the point in coordinates given to OpenCV."""


@dataclass(frozen=True)
class Face:
    """A face of the gallery: its thumbnail as WebP, and what is said of it."""

    name: str
    error: str
    subsets: tuple[str, ...]
    image: bytes


def worst_faces(run: Run, root: Root = None) -> list[Face]:
    """The faces with the largest errors whose image is there; missed ones come first.

    Raises
    ------
    InputError
        If the data set or every image is absent.
    """
    errors = run.errors(run.record.dataset.normalisers[0])
    dataset = evaluated_faces(run, root)
    rows = largest_errors(errors, with_image(dataset, np.ones(len(errors), np.bool_)), FACES)
    windows, points = Windows(dataset, rows), run.all_points()
    faces = []
    for k, row in enumerate(rows.tolist()):
        seen = np.isfinite(errors[row])
        found = windows.points(k, points[row]) if seen else None
        image = _thumbnail(windows.pixels(k), found, windows.truth[k])
        error = f"{100 * errors[row]:.2f} %" if seen else "missed"
        face = run.faces.iloc[row]
        subsets = tuple(name for name in run.subsets if name != FULL and face[name] == 1)
        faces.append(Face(str(face["id"]), error, subsets, image))
    return faces


def _thumbnail(window: Bytes, found: Floats | None, truth: Floats) -> bytes:
    """A window with predicted landmarks as dots and lines to the true ones, as WebP."""
    scale = SIDE / len(window)
    image = cv2.resize(window, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    if found is not None:
        starts, ends = (_to_fixed_point((points + 0.5) * scale - 0.5) for points in (found, truth))
        for start, end in zip(starts, ends, strict=True):
            if start is not None and end is not None:
                cv2.line(image, start, end, _LINE, 1, cv2.LINE_AA, _FINE)
        for radius, colour in ((1.9, _EDGE), (1.3, _DOT)):
            size = round(radius * 2**_FINE)
            for start in filter(None, starts):
                cv2.circle(image, start, size, colour, -1, cv2.LINE_AA, _FINE)
    quality = [cv2.IMWRITE_WEBP_QUALITY, _QUALITY]
    return cv2.imencode(".webp", image[:, :, ::-1], quality)[1].tobytes()


def _to_fixed_point(points: Floats) -> list[tuple[int, int] | None]:
    """Points (L, 2) as OpenCV takes them; None for one that is not annotated, or far away."""
    numbers: list[list[float]] = points.tolist()
    return [
        (round(x * 2**_FINE), round(y * 2**_FINE))
        if abs(x) < 10 * SIDE and abs(y) < 10 * SIDE  # False for NaN
        else None
        for x, y in numbers
    ]
