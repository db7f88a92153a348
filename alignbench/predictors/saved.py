"""Stored predictions: ``saved:FILE``, matched to the data set by name."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from alignbench.arrays import Floats, blocks, map_blocks, plausible
from alignbench.datasets.base import Dataset
from alignbench.errors import InputError, unknown
from alignbench.formats import StoredFaces, read_faces
from alignbench.geometry import MIN_OVERLAP, overlap, tight_boxes
from alignbench.markups import by_landmarks
from alignbench.matching import Match, match_detections, match_ids
from alignbench.predictors.base import Batch, Predictor

Pick = Literal["score", "iou"]
Unit = Literal["pixel", "image", "box"]
Axes = Literal["xy", "yx", "x-then-y"]

_NUMBER = re.compile(r"([0-9]{1,9})$")
_RUN_FILE = "predictions.npz"


@dataclass(frozen=True)
class Interpretation:
    """What the user says of stored predictions; None where the file or its format says it.

    Attributes
    ----------
    order
        ``dataset``: row k is the data set's face k; names are not looked at.
    pick
        Which of several detections of an image is a face: ``score``, the surest one; ``iou``, the
        one whose landmarks' tight box overlaps that of the true landmarks most.
    id_offset
        The number at the end of each name, plus this, is the id.
    points_origin
        The coordinate of the centre of an image's first pixel.
    points_unit
        ``pixel``; or ``image`` or ``box``: fractions of the image's or the face's box's sides.
    points_axes
        ``xy``; ``yx`` where y stands before x; ``x-then-y`` where all x stand before all y.
    """

    order: Literal["dataset"] | None = None
    pick: Pick | None = None
    id_offset: int | None = None
    points_origin: float | None = None
    points_unit: Unit = "pixel"
    points_axes: Axes = "xy"

    def __post_init__(self) -> None:
        choices = {
            "order": (None, "dataset"), "pick": (None, *get_args(Pick)),
            "points_unit": get_args(Unit), "points_axes": get_args(Axes),
        }  # fmt: skip
        for name, accepted in choices.items():
            if getattr(self, name) not in accepted:
                option = "--" + name.replace("_", "-")
                raise unknown(option, str(getattr(self, name)), [c for c in accepted if c])
        if self.points_origin is not None and not 0 <= self.points_origin <= 1:
            raise InputError("--points-origin", f"{self.points_origin}", "0 to 1")


class SavedPredictor(Predictor):
    """Predictions from a file or folder.

    Their mark-up is the data set's where that has as many landmarks, else the registered one that
    has; it is known when the data set is. A face of the data set that is not stored counts as
    missed; stored faces that are not in the data set are counted in a note.
    """

    needs_images = False
    uses_boxes = False

    def __init__(self, path: Path, interpretation: Interpretation | None = None) -> None:
        self._says = interpretation or Interpretation()
        file = path / _RUN_FILE if (path / _RUN_FILE).is_file() else path
        self._format, self._faces = read_faces(file, origin=self._says.points_origin)
        self._points = self._faces.points
        _require_finite(self._faces, file)
        self.name = path.stem if path.is_file() else path.resolve().name
        self._path = path
        self._row: dict[str, int] = {}
        self._compared = ""
        self._notes: tuple[str, ...] = ()

    def prepare(self, dataset: Dataset) -> None:
        landmarks = self._points.shape[1]
        fits = landmarks == dataset.markup.landmarks
        self.markup = dataset.markup if fits else by_landmarks(landmarks, self._path)
        self._points = self._faces.points
        if self._says.points_axes == "yx":
            self._points = map_blocks(lambda points: points[:, :, ::-1], self._points)
        elif self._says.points_axes == "x-then-y":
            self._points = map_blocks(
                lambda points: points.reshape(-1, 2, landmarks).swapaxes(1, 2), self._points
            )
        match = self._match(dataset)
        faces = zip(dataset.ids, match.rows.tolist(), strict=True)
        self._row = {name: row for name, row in faces if row >= 0}
        self._compared, self._notes = match.compared, match.notes
        if self._says.points_unit != "pixel":
            self._points = self._to_pixels(dataset)

    def predict(self, batch: Batch) -> Floats:
        rows = np.array([self._row.get(name, -1) for name in batch.ids])
        return np.where((rows >= 0)[:, None, None], self._points[rows], np.nan)

    def describe(self) -> dict[str, Any]:
        surplus = len(self._points) - len(self._row)
        says = {k: v for k, v in asdict(self._says).items() if v != getattr(Interpretation, k)}
        notes = [f"{surplus:,} stored faces are not in the data set."] if surplus else []
        return {
            "source": f"saved:{self._path.name}",
            "format": self._format.name,
            "sha256": _digest(self._faces),
            "matched_by": self._compared,
            **says,
            "notes": [*notes, *self._faces.notes, *self._notes],
        }

    def _match(self, dataset: Dataset) -> Match:
        """Which stored face is which of the data set's."""
        if self._says.order == "dataset":
            if len(self._points) != len(dataset):
                raise InputError(
                    self._path, f"{len(self._points):,} faces",
                    f"{len(dataset):,}, one for each face of the data set, for --order dataset",
                )  # fmt: skip
            return Match(np.arange(len(dataset)), "order")
        if self._faces.names is None:
            raise InputError(
                self._path, "landmarks without names of faces", "names, or --order dataset",
                "Give --order dataset if the rows are in the order of `alignbench data ids`.",
            )  # fmt: skip
        names, images = self._names(dataset), dataset.images.sources()
        if self._says.pick is None:
            return match_ids(names, dataset.ids, self._path, images)
        return match_detections(names, dataset.ids, self._path, images, self._fit(dataset))

    def _names(self, dataset: Dataset) -> Sequence[str]:
        """Names of the stored faces, with what tells several of one image apart."""
        names = self._faces.names
        assert names is not None
        if self._says.id_offset is not None:
            return [self._shift(name, self._says.id_offset) for name in names]
        boxes = self._faces.boxes
        is_repeated = len(set(names)) < len(names)
        if is_repeated and boxes is not None and dataset.boxes is not None and not self._says.pick:
            return [
                f"{name}#{','.join(f'{edge:g}' for edge in box)}"
                for name, box in zip(names, boxes.round(3).tolist(), strict=True)
            ]
        return names

    def _shift(self, name: str, offset: int) -> str:
        number = _NUMBER.search(Path(name.replace("\\", "/")).stem)
        if number is None:
            raise InputError(
                f"{self._path}, face {name!r}", "no number at the end of the name",
                "names that end in a number, for --id-offset",
            )  # fmt: skip
        return str(int(number[1]) + offset)

    def _fit(self, dataset: Dataset) -> Any:
        """How well stored faces fit faces of the data set: the function that matching asks."""
        if self._says.pick == "iou":
            stored, true = tight_boxes(self._points), dataset.tight_boxes()

            def fit(rows: list[int], faces: list[int]) -> Floats:
                shared = np.stack([overlap(stored[rows], true[face]) for face in faces], axis=1)
                return np.where(shared >= MIN_OVERLAP, shared, -np.inf)

            return fit
        scores = self._faces.scores
        if scores is None:
            raise InputError(self._path, "no scores", "--pick iou", "Choose by overlap instead.")

        def surest(rows: list[int], faces: list[int]) -> Floats:
            if len(faces) > 1:
                raise InputError(
                    self._path, f"{dataset.ids[faces[0]]!r} shares its image with other faces",
                    "--pick iou", "A score cannot tell which of them a detection is.",
                )  # fmt: skip
            return scores[rows][:, None]

        return surest

    def _to_pixels(self, dataset: Dataset) -> Floats:
        """Fractions of images or boxes as pixels."""
        points = self._points.copy()
        boxes = dataset.tight_boxes() if dataset.boxes is None else dataset.boxes
        for face, name in enumerate(dataset.ids):
            row = self._row.get(name)
            if row is None:
                continue
            if self._says.points_unit == "box":
                corner, sides = boxes[face, :2], boxes[face, 2:] - boxes[face, :2]
            else:
                height, width = dataset.images.read(face).shape[:2]
                corner, sides = np.zeros(2), np.array([width, height], np.float64)
            points[row] = points[row] * sides + corner
        return points


def _require_finite(faces: StoredFaces, path: Path) -> None:
    """Raise InputError for a landmark that has no usable position."""
    for rows in blocks(len(faces.points)):
        for row, landmark, _ in np.argwhere(~plausible(faces.points[rows])):
            face = rows.start + row
            name = face if faces.names is None else repr(faces.names[face])
            raise InputError(
                f"{path}, face {name}, landmark {landmark}",
                f"found {faces.points[face, landmark].tolist()}",
                "finite coordinates of an image's size",
                "Leave a face that was missed out of the file: it is counted as missed.",
            )


def _digest(faces: StoredFaces) -> str:
    """The sha256 of names and points."""
    digest = hashlib.sha256("\n".join(faces.names or ()).encode())
    digest.update(np.ascontiguousarray(faces.points).data)
    return digest.hexdigest()


def load(
    argument: str,
    *,
    order: Literal["dataset"] | None = None,
    pick: Pick | None = None,
    id_offset: int | None = None,
    points_origin: float | None = None,
    points_unit: Unit = "pixel",
    points_axes: Axes = "xy",
) -> SavedPredictor:
    """Stored predictions: saved:FILE.

    The options are those of :class:`Interpretation`.
    """
    path = Path(argument)
    if not path.exists():
        raise InputError(path, "no such file or folder", remedy="Check the name behind 'saved:'.")
    says = Interpretation(order, pick, id_offset, points_origin, points_unit, points_axes)
    return SavedPredictor(path, says)
