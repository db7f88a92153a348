"""Which box each face of a run is presented in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from alignbench import plugins
from alignbench.arrays import Floats
from alignbench.datasets.base import Dataset
from alignbench.errors import InputError, blame
from alignbench.geometry import (
    LEAK_LEVELS,
    overlap,
    parse_protocol,
    scale_boxes,
    tight_boxes,
)
from alignbench.io.text import id_table
from alignbench.matching import match_ids
from alignbench.predictors.base import Predictor, sha256
from alignbench.predictors.settings import Crop

MIN_OVERLAP = 0.3
"""Least intersection over union with the face's own box of a detection that counts as it."""

EDGES = ("x_min", "y_min", "x_max", "y_max")
"""The four numbers of a box, in order."""


@dataclass(frozen=True)
class BoxRule:
    """A further box protocol, such as a model's official code has; registered by entry point.

    Attributes
    ----------
    name
        What ``--boxes`` calls it.
    leak
        What it tells the model of the truth, one of the values of ``LEAK_LEVELS``.
    boxes
        Boxes (N, 4) of a data set's faces.
    about
        One line for lists.
    crop
        The crop of the model they are laid for; one that crops otherwise is refused. None for
        boxes that serve any.
    """

    name: str
    leak: str
    boxes: Callable[[Dataset], Floats]
    about: str
    crop: Crop | None = None


@dataclass(frozen=True)
class Boxes:
    """The boxes (N, 4) of a run and where they come from.

    A row of NaN marks a face the detector missed. Where ``detect`` is True the predictor's own
    detector gives the box, and these only say which of several detections is the face.
    """

    boxes: Floats
    protocol: str
    leak: str
    scale: float
    digest: str | None = None
    detect: bool = False


def choose_boxes(
    dataset: Dataset, faces: Dataset, predictor: Predictor, wish: str | None, scale: float
) -> Boxes:
    """The boxes of a run.

    Parameters
    ----------
    dataset, faces
        The whole data set, whose names those in a file are compared with, and the faces chosen.
    wish
        ``rect``, ``tight``, ``detector``, ``detector:FILE`` or a registered protocol; None for
        what the predictor wants.
    scale
        Factor on every box, about its centre.

    Raises
    ------
    InputError
        If the data set annotates no boxes, the predictor has no detector, or the predictor takes
        no boxes at all.
    """
    if not predictor.uses_boxes:
        if wish is not None or scale != 1:
            raise InputError(
                f"model {predictor.name!r}",
                "takes no boxes: its landmarks are stored",
                remedy="Leave out --boxes and --box-scale.",
            )
        return Boxes(tight_boxes(faces.points), "none", "unknown", 1.0)
    if wish in plugins.registered(plugins.BOX_PROTOCOLS):
        rule: BoxRule = plugins.load(plugins.BOX_PROTOCOLS, wish)
        return Boxes(scale_boxes(_by_rule(rule, faces, predictor), scale), wish, rule.leak, scale)
    default = "tight" if faces.boxes is None else "rect"
    protocol, file = parse_protocol(wish or predictor.boxes or default)
    leak, digest, detect = LEAK_LEVELS[protocol], None, False
    if protocol == "tight":
        boxes = tight_boxes(faces.points)
    elif protocol == "rect":
        if faces.boxes is None:
            raise InputError(
                "box protocol 'rect'",
                f"{dataset.name} annotates no boxes",
                "tight, detector:FILE" + (", detector" if predictor.has_detector else ""),
                "Give --boxes.",
            )
        boxes = faces.boxes
    elif file is not None:
        path = Path(file)
        boxes, digest = read_detections(path, dataset, faces), sha256(path)
    else:
        if not predictor.has_detector:
            raise InputError(
                "box protocol 'detector'",
                f"{predictor.name} has no detector of its own",
                f"detector:FILE, a CSV file with header id,{','.join(EDGES)}",
            )
        boxes, detect = _reference(faces), True
    if not detect:
        boxes = scale_boxes(boxes, scale)
    return Boxes(boxes, protocol, leak, scale, digest, detect)


def _by_rule(rule: BoxRule, faces: Dataset, predictor: Predictor) -> Floats:
    """Boxes (N, 4) of a registered protocol, if it is for this predictor."""
    crop = getattr(getattr(predictor, "settings", None), "crop", None)
    if rule.crop is not None and (
        crop is None
        or (crop.scale, crop.of, crop.rounding)
        != (rule.crop.scale, rule.crop.of, rule.crop.rounding)
    ):
        raise InputError(
            f"box protocol {rule.name!r}",
            f"{predictor.name} does not crop as it expects",
            f"a crop of {rule.crop.scale} times a box's {rule.crop.of} side",
            "Choose another --boxes.",
        )
    with blame(f"box protocol {rule.name!r}"):
        boxes = np.asarray(rule.boxes(faces), np.float64)
    if boxes.shape != (len(faces), len(EDGES)) or not np.isfinite(boxes).all():
        raise InputError(
            f"box protocol {rule.name!r}", f"gave shape {boxes.shape}, or values not finite",
            f"finite ({len(faces)}, {len(EDGES)})",
        )  # fmt: skip
    return boxes


def choose_detection(found: Floats, reference: Floats, scale: float) -> Floats:
    """Of the boxes (K, 4) a detector found, the one (4,) that overlaps the face's most, scaled.

    NaN where none overlaps it by at least ``MIN_OVERLAP``: the face was missed. This is all a
    detector is told of the truth.
    """
    if not len(found):
        return np.full(len(EDGES), np.nan)
    shared = overlap(found, reference)
    best = int(shared.argmax())
    if shared[best] < MIN_OVERLAP:
        return np.full(len(EDGES), np.nan)
    scaled: Floats = scale_boxes(found[best : best + 1], scale)[0]
    return scaled


def read_detections(path: Path, dataset: Dataset, faces: Dataset) -> Floats:
    """Boxes (N, 4) of a CSV file for the faces chosen; NaN for a face that is not in it.

    Raises
    ------
    InputError
        If header, a line or a box is wrong, or no face of the data set is in it.
    """
    ids, boxes = id_table(path, EDGES)
    for bad in np.flatnonzero((boxes[:, 2:] <= boxes[:, :2]).any(axis=1)):
        raise InputError(
            f"{path}, face {ids[bad]!r}",
            f"empty box {boxes[bad].tolist()}",
            "x_min < x_max and y_min < y_max",
        )
    rows = match_ids(ids, dataset.ids, path).rows
    row_of = dict(zip(dataset.ids, rows.tolist(), strict=True))
    found = np.array([row_of[name] for name in faces.ids])
    return np.asarray(np.where((found >= 0)[:, None], boxes[found], np.nan))


def _reference(dataset: Dataset) -> Floats:
    return tight_boxes(dataset.points) if dataset.boxes is None else dataset.boxes
