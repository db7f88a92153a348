"""A sheet of a data set's faces, to see whether landmarks, boxes and images belong together."""

from __future__ import annotations

from math import ceil
from pathlib import Path

import cv2
import numpy as np

from alignbench import Dataset, InputError
from alignbench.cli.options import require_ending
from alignbench.geometry import crop_transforms, square_crops, tight_boxes, transform, warp
from alignbench.io.files import write_atomic

ENDINGS = (".png", ".jpg")
_TILE, _COLUMNS, _GAP = 256, 8, 4
_SEEN, _HIDDEN, _BOX = (0, 158, 115), (213, 94, 0), (86, 180, 233)
"""Of Okabe and Ito's palette, RGB: landmarks that are visible or hidden, boxes."""


def draw(dataset: Dataset, path: Path, faces: int = 24, landmarks: bool = True) -> None:
    """Draw a sheet of faces, evenly spread over those with an image, each in a window of its own.

    On every second face landmarks (green, hidden ones orange) and, where there is one, the
    annotated box (blue) are drawn, so that the face beside it can be seen undisturbed.

    Raises
    ------
    InputError
        If no image is there, or the ending of the file is unknown.
    """
    require_ending(path, ENDINGS)
    there = np.flatnonzero(dataset.images.available())
    if len(there) == 0:
        raise InputError(f"data set {dataset.name!r}", "no image is there")
    chosen = there[np.linspace(0, len(there) - 1, min(faces, len(there))).round().astype(int)]
    shown = dataset.take(chosen)
    crops = square_crops(tight_boxes(shown.points), 1.7)
    matrices = crop_transforms(crops, _TILE)
    points = transform(shown.points, matrices)
    rows = ceil(len(shown) / _COLUMNS)
    step = _TILE + _GAP
    sheet = np.full((rows * step - _GAP, min(_COLUMNS, len(shown)) * step - _GAP, 3), 255, np.uint8)
    for k in range(len(shown)):
        tile = warp(shown.images.read(k), matrices[k], _TILE, border=127)
        if landmarks and k % 2:
            if shown.boxes is not None:
                corners = transform(shown.boxes[k].reshape(1, 2, 2), matrices[k : k + 1])[0]
                low, high = (tuple(map(int, corner)) for corner in corners.round())
                cv2.rectangle(tile, low, high, _BOX, 1)
            for landmark, (x, y) in enumerate(points[k].round().astype(int)):
                seen = shown.visible is None or shown.visible[k, landmark]
                cv2.circle(tile, (x, y), 2, _SEEN if seen else _HIDDEN, -1, cv2.LINE_AA)
        top, left = k // _COLUMNS * step, k % _COLUMNS * step
        sheet[top : top + _TILE, left : left + _TILE] = tile
    _, data = cv2.imencode(path.suffix.lower(), sheet[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, data.tobytes())
