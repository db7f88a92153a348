"""Box protocols: which box a model gets for each face, and what it reveals about the truth.

A protocol is a value registered under the entry-point group ``alignbench.box_protocols``. The
harness registers ``rect``, ``tight`` and ``detector`` there, and any package can add its own.
Boxes are (N, 4): x_min, y_min, x_max, y_max in 0-based pixel-centre coordinates.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from operator import attrgetter
from pathlib import Path

import numpy as np

from alignbench import plugins
from alignbench.arrays import Floats, plausible
from alignbench.datasets.base import Dataset
from alignbench.exceptions import InputError, blame, unknown
from alignbench.geometry import MIN_OVERLAP, overlap, scale_boxes
from alignbench.io.files import sha256
from alignbench.io.folders import find_files
from alignbench.io.matlab import read_v5_values
from alignbench.io.text import id_table
from alignbench.matching import match_ids
from alignbench.predictors.base import Predictor
from alignbench.predictors.settings import Crop

NO_LEAK = "none"
TRUE_BOX = "ground-truth box"
TRUE_LANDMARKS = "ground-truth landmarks"
"""Leak levels: what boxes reveal about the truth. An annotated box comes from the annotator, as the
landmarks do; where a model is used in practice, only a detector's box is available."""

EDGES = ("x_min", "y_min", "x_max", "y_max")
"""The four numbers of a box, in order."""


@dataclass(frozen=True)
class BoxProtocol:
    """A rule that gives each face its box.

    Attributes
    ----------
    name
        Its name for ``--boxes``.
    about
        One line for lists.
    leak
        What the boxes reveal about the truth: a leak level.
    boxes
        Boxes (N, 4) of a data set's faces; None for ``detector``, whose boxes come from a file
        (``detector:FILE``) or from the model's own detector.
    crop
        The crop of the model that the boxes are made for; a model that crops otherwise is refused.
        None for boxes that serve any model.
    frames
        Some released code counts landmarks in a slightly different square than the one that the
        network sees. These are boxes (N, 4) whose crops are those squares. Only networks whose
        output has ``origin = "frame"`` use them. None where there is no such difference.
    """

    name: str
    about: str
    leak: str
    boxes: Callable[[Dataset], Floats] | None
    crop: Crop | None = None
    frames: Callable[[Dataset], Floats] | None = None


def _annotated_boxes(dataset: Dataset) -> Floats:
    """The boxes (N, 4) that the data set annotates; InputError where it has none."""
    if dataset.boxes is None:
        raise InputError(
            "box protocol 'rect'", f"{dataset.name} annotates no boxes", "tight, detector:FILE",
            "Give another --boxes.",
        )  # fmt: skip
    return dataset.boxes


RECT = BoxProtocol("rect", "The box that the data set annotates.", TRUE_BOX, _annotated_boxes)
TIGHT = BoxProtocol(
    "tight", "The tight box of the true landmarks.", TRUE_LANDMARKS,
    lambda dataset: dataset.tight_boxes(),
)  # fmt: skip
DETECTOR = BoxProtocol(
    "detector", "The model's own detector, or the boxes of a file: detector:FILE.", NO_LEAK, None
)


@dataclass(frozen=True)
class Boxes:
    """The boxes (N, 4) of a run and where they come from.

    A row of NaN marks a face that the detector missed. Where ``detect`` is True the predictor's
    own detector gives the boxes, and these only say which of several detections is the face.
    ``frames`` (N, 4) are those of the protocol, or None.
    """

    boxes: Floats
    protocol: str
    leak: str
    scale: float
    digest: str | None = None
    detect: bool = False
    notes: tuple[str, ...] = ()
    frames: Floats | None = None


def load_protocol(name: str) -> BoxProtocol:
    """The registered box protocol of this name; InputError with near matches."""
    if name not in plugins.entry_points(plugins.BOX_PROTOCOLS):
        names = [*plugins.entry_points(plugins.BOX_PROTOCOLS), "detector:FILE"]
        raise unknown("box protocol", name, names, "`alignbench list boxes` says what each is.")
    protocol = plugins.load(plugins.BOX_PROTOCOLS, name)
    if not isinstance(protocol, BoxProtocol):
        raise InputError(
            f"box protocol {name!r}", f"its entry point gives {protocol!r:.200}", "a BoxProtocol"
        )
    return protocol


def default_protocol(dataset: Dataset) -> str:
    """``rect`` where the data set annotates boxes, else ``tight``."""
    return TIGHT.name if dataset.boxes is None else RECT.name


def boxes_of(dataset: Dataset, protocol: str) -> Floats:
    """The boxes (N, 4) of a protocol that needs neither a file nor a detector.

    Raises
    ------
    InputError
        If there is no such protocol, it needs a detector, the data set annotates no boxes, or the
        protocol gives no boxes.
    """
    chosen = load_protocol(protocol)
    if chosen.boxes is None:
        raise InputError(
            f"box protocol {protocol!r}", "needs a detector", f"{RECT.name}, {TIGHT.name}, ..."
        )
    return _compute(chosen, chosen.boxes, dataset)


def _compute(
    protocol: BoxProtocol, function: Callable[[Dataset], Floats], dataset: Dataset
) -> Floats:
    """The boxes (N, 4) that a protocol's function gives; InputError if it gives anything else."""
    where = f"box protocol {protocol.name!r}"
    with blame(where):
        boxes = np.asarray(function(dataset), np.float64)
    if boxes.shape != (len(dataset), len(EDGES)) or not np.isfinite(boxes).all():
        raise InputError(
            where, f"gave boxes of shape {boxes.shape}, or values that are not finite",
            f"finite ({len(dataset)}, {len(EDGES)})",
        )  # fmt: skip
    return boxes


def choose_boxes(
    dataset: Dataset, faces: Dataset, predictor: Predictor, requested: str | None, scale: float
) -> Boxes:
    """The boxes of a run.

    Parameters
    ----------
    dataset, faces
        The whole data set, and the faces to evaluate. The names in a file of boxes are compared
        with those of the whole data set.
    requested
        A registered protocol or ``detector:FILE``; None for the predictor's preferred boxes, or
        else the data set's default.
    scale
        Factor on every box, about its centre.

    Raises
    ------
    InputError
        If the data set annotates no boxes, the predictor has no detector, or the predictor takes
        no boxes at all.
    """
    if not predictor.uses_boxes:
        if requested is not None or scale != 1:
            raise InputError(
                f"model {predictor.name!r}", "takes no boxes: its landmarks are stored",
                remedy="Leave out --boxes and --box-scale.",
            )  # fmt: skip
        return Boxes(faces.tight_boxes(), "none", "unknown", 1.0)
    text = requested or predictor.boxes or default_protocol(faces)
    name, _, file = text.partition(":")
    if file and name == DETECTOR.name:
        detections = read_detections(Path(file), dataset, faces)
        boxes, digest = scale_boxes(detections, scale), _digest(Path(file))
        notes = _detection_notes(detections, faces)
        return Boxes(boxes, name, DETECTOR.leak, scale, digest, notes=notes)
    protocol = load_protocol(text)
    if protocol.boxes is None:
        if not predictor.has_detector:
            raise InputError(
                f"box protocol {name!r}", f"{predictor.name} has no detector of its own",
                f"detector:FILE, a CSV file with header id,{','.join(EDGES)}, or 300W's "
                "bounding_boxes_*.mat",
            )  # fmt: skip
        reference = faces.tight_boxes() if faces.boxes is None else faces.boxes
        return Boxes(reference, name, protocol.leak, scale, detect=True)
    _require_crop(protocol, predictor)
    boxes = scale_boxes(boxes_of(faces, name), scale)
    frames = None
    if protocol.frames is not None:
        frames = scale_boxes(_compute(protocol, protocol.frames, faces), scale)
    return Boxes(boxes, name, protocol.leak, scale, frames=frames)


def _detection_notes(boxes: Floats, faces: Dataset) -> tuple[str, ...]:
    """Notes on faces without a box (N, 4) in a file, and on boxes around something else."""
    here = np.flatnonzero(~np.isnan(boxes).any(axis=1))
    missing = len(boxes) - len(here)
    notes = (f"{missing:,} of {len(boxes):,} faces have no detected box: missed.",) * bool(missing)
    names = replace(faces.take(here), boxes=boxes[here]).boxes_elsewhere()
    if not names:
        return notes
    found = f"{len(names):,} of {len(here):,} faces have most landmarks outside their detected box"
    return (
        *notes,
        f"{found}, such as {names[0]}: columns must be corners, not width and height.",
    )


def _require_crop(protocol: BoxProtocol, predictor: Predictor) -> None:
    """Raise InputError unless a predictor crops as the protocol's boxes require."""
    if protocol.crop is None:
        return
    crop = getattr(getattr(predictor, "settings", None), "crop", None)
    geometry = attrgetter("scale", "of", "rounding")
    if crop is None or geometry(crop) != geometry(protocol.crop):
        scale, side, _ = geometry(protocol.crop)
        raise InputError(
            f"box protocol {protocol.name!r}",
            f"{predictor.name} does not make the crop that these boxes need",
            f"a crop of {scale} times a box's {side} side", "Choose another --boxes.",
        )  # fmt: skip


def choose_detection(detections: Floats, reference: Floats, scale: float) -> Floats:
    """The detected box (4,) of (K, 4) that overlaps the face's own box most, scaled.

    NaN if no overlap reaches ``MIN_OVERLAP``: the detector missed the face. A detector's boxes use
    the truth for this choice alone.
    """
    if not len(detections):
        return np.full(len(EDGES), np.nan)
    shared = overlap(detections, reference)
    best = int(shared.argmax())
    if shared[best] < MIN_OVERLAP:
        return np.full(len(EDGES), np.nan)
    scaled: Floats = scale_boxes(detections[best : best + 1], scale)[0]
    return scaled


def read_detections(path: Path, dataset: Dataset, faces: Dataset) -> Floats:
    """Boxes (N, 4) of a file for the faces chosen; NaN for a face that is not in it.

    The file is a CSV file with the columns id, x_min, y_min, x_max and y_max, or one of 300W's
    official ``bounding_boxes_PART.mat``, or a folder of these.

    Raises
    ------
    InputError
        If header, a line or a box is wrong, or no face of the data set is in it.
    """
    if path.is_dir() or path.suffix.lower() == ".mat":
        ids, boxes = _read_ibug_boxes(path)
    else:
        ids, boxes = id_table(
            path, EDGES, "Give corners in this order: x_max is x + width, y_max is y + height."
        )
    for bad in np.flatnonzero((boxes[:, 2:] <= boxes[:, :2]).any(axis=1)):
        raise InputError(
            f"{path}, face {ids[bad]!r}", f"empty box {boxes[bad].tolist()}",
            "x_min < x_max and y_min < y_max",
        )  # fmt: skip
    images = dataset.images.sources()
    rows = match_ids(ids, dataset.ids, path, images, remedy="Keep one box a face.").rows
    row_of = dict(zip(dataset.ids, rows.tolist(), strict=True))
    chosen = np.array([row_of[name] for name in faces.ids])
    return np.asarray(np.where((chosen >= 0)[:, None], boxes[chosen], np.nan))


def _box_files(path: Path) -> list[Path]:
    """The file itself, or the files of a folder."""
    if not path.is_dir():
        return [path]
    files, _ = find_files(path, (".mat",), deep=False)
    if not files:
        raise InputError(path, "no .mat file in this folder", "bounding_boxes_*.mat of 300W")
    return files


def _digest(path: Path) -> str:
    """The sha256 of a file, or the combined sha256 of all files in a folder of boxes."""
    if not path.is_dir():
        return sha256(path)
    return hashlib.sha256("".join(map(sha256, _box_files(path))).encode()).hexdigest()


def _read_ibug_boxes(path: Path) -> tuple[list[str], Floats]:
    """Names of images and 0-based boxes (N, 4) of 300W's detector, in MATLAB files of version 5.

    ``bounding_boxes`` is a cell of structs with ``imgName``, ``bb_detector`` and
    ``bb_ground_truth``; boxes are x_min, y_min, x_max, y_max and count pixels from 1. The file's
    name says where the images are: ``bounding_boxes_helen_testset.mat``, ``helen/testset``.
    """
    ids: list[str] = []
    boxes: list[Floats] = []
    for file in _box_files(path):
        (cell,) = read_v5_values(file, "bounding_boxes")
        part = file.stem.removeprefix("bounding_boxes_").replace("_", "/")
        for number, item in enumerate(cell if isinstance(cell, list) else [], start=1):
            entry = item[0] if isinstance(item, list) and len(item) == 1 else item
            fields = entry if isinstance(entry, dict) else {}
            name, box = fields.get("imgName"), fields.get("bb_detector")
            if (
                not isinstance(name, str) or not isinstance(box, np.ndarray)
                or box.size != len(EDGES) or not plausible(box).all()
            ):  # fmt: skip
                raise InputError(
                    f"{file}, bounding_boxes, item {number}", "is no box of an image",
                    "a struct with imgName (a text) and bb_detector (four finite numbers)",
                )  # fmt: skip
            ids.append(f"{part}/{name}")
            boxes.append(box.ravel().astype(np.float64) - 1)
    if not ids:
        raise InputError(path, "bounding_boxes holds no box", "a cell of structs, as 300W has it")
    return ids, np.stack(boxes)
