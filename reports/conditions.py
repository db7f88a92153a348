"""What is known of each face that can make it hard: how it is turned, its size, what hides it."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np

from alignbench import Dataset, InputError
from alignbench.arrays import Floats
from alignbench.geometry import crop_transforms, square_crops, tight_boxes, warp
from alignbench.metrics.errors import BOX, normalisers
from alignbench.synthetic.write import CONDITIONS

_TITLES = {
    "size": "Face size, pixels",
    "height": "Face height, pixels",
    "occlusion": "Hidden landmarks, %",
    "turn": "Turn of the head",
    "yaw": "Yaw, degrees",
    "pitch": "Pitch, degrees",
    "roll": "Roll, degrees",
    "sharpness": "Sharpness",
    "brightness": "Brightness, % of white",
}
_WINDOW = 128
"""Side of the window in which pixels are measured."""


def title_of(condition: str) -> str:
    """What an axis or a table calls a condition."""
    return _TITLES.get(condition, condition.replace("_", " "))


def known_conditions(faces: Dataset, *, pixels: bool = False) -> dict[str, Floats]:
    """What is known of each face (N,), by name.

    ``size`` is the square root of the area of the true landmarks' tight box and ``height`` the
    height of that box, in pixels. ``turn`` is how far the tip of the nose lies from the middle
    between the outer corners of the eyes, along their line: 0 seen from the front, 1 above a
    corner. ``occlusion`` is the share of hidden landmarks in percent, where the data set says which
    these are. The columns of the data set's file of conditions follow.

    Parameters
    ----------
    pixels
        Measure the images too, of which all must be there: ``sharpness``, the standard deviation
        of the Laplacian of the grey face over that of the grey face, and ``brightness``. Outside
        the image is mid-grey.

    Raises
    ------
    InputError
        If the file of conditions beside the data set's lists is damaged, or an image is missing.
    """
    scales = normalisers(faces.points, faces.markup, faces.ids)
    boxes = tight_boxes(faces.points)
    conditions = {"size": scales[BOX], "height": boxes[:, 3] - boxes[:, 1]}
    if "inter_ocular" in scales and "nose_bridge" in faces.markup.chains:
        turn = _turn(faces)
        if np.isfinite(turn).all():  # not where a face lacks the annotation of its nose
            conditions["turn"] = turn
    if faces.visible is not None:
        conditions["occlusion"] = 100 * (1 - faces.visible.mean(axis=1))
    if pixels:
        conditions |= _measure_pixels(faces)
    return conditions | _read_listed(faces)


def _turn(faces: Dataset) -> Floats:
    left, right = (
        faces.points[:, list(side)].mean(axis=1)
        for side in faces.markup.normalisers["inter_ocular"]
    )
    tip = faces.points[:, faces.markup.chains["nose_bridge"][-1]]
    line = right - left
    along = ((tip - left) * line).sum(axis=1) / (line**2).sum(axis=1)
    return np.asarray(np.abs(2 * along - 1))


def _measure_pixels(faces: Dataset) -> dict[str, Floats]:
    """What the pixels in the tight box of each face show."""
    matrices = crop_transforms(square_crops(tight_boxes(faces.points), 1.0), _WINDOW)
    sharpness, brightness = np.empty((2, len(faces)))
    for face, matrix in enumerate(matrices):
        window = warp(faces.images.read(face), matrix, _WINDOW, border=127)
        grey = cv2.cvtColor(window, cv2.COLOR_RGB2GRAY)
        sharpness[face] = cv2.Laplacian(grey, cv2.CV_64F).std() / max(grey.std(), 1.0)
        brightness[face] = grey.mean() / 2.55
    return {"sharpness": sharpness, "brightness": brightness}


def _read_listed(faces: Dataset) -> dict[str, Floats]:
    """The columns of the data set's file of conditions; none where there is no such file."""
    images = faces.images.sources()
    # The lists lie in a folder beside that of the images.
    above = Path(faces.images.location(0)).parents
    depth = len(Path(images[0]).parts)
    path = above[min(depth, len(above) - 1)] / CONDITIONS.format(split=faces.split)
    if not path.is_file():
        return {}
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            rows = {row["image"]: row for row in csv.DictReader(stream)}
        names = [name for name in rows[images[0]] if name != "image"]
        columns = {name: np.array([float(rows[image][name]) for image in images]) for name in names}
        if not all(np.isfinite(values).all() for values in columns.values()):
            raise ValueError("a value is not finite")
    except (KeyError, ValueError, TypeError) as error:
        raise InputError(
            path, f"damaged ({error})", "a line of numbers for each image", "Copy it again."
        ) from error
    return columns
