"""Stored predictions: ``saved:FILE``, matched to the data set by name."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from alignbench.arrays import Floats, blocks, map_blocks, plausible
from alignbench.datasets.base import Dataset
from alignbench.exceptions import InputError, unknown
from alignbench.formats import StoredFaces, read_faces
from alignbench.geometry import MIN_OVERLAP, overlap, tight_boxes
from alignbench.io.files import require_regular
from alignbench.markups import by_landmarks
from alignbench.matching import Match, match_detections, match_ids
from alignbench.predictors.base import Batch, Predictor

Pick = Literal["score", "iou"]
Unit = Literal["pixel", "image", "box"]
Axes = Literal["xy", "yx", "x-then-y"]

_NUMBER = re.compile(r"([0-9]{1,9})$")
_SAME_BOX = 0.9
"""Intersection over union from which two boxes are one, written with other numbers of digits."""

Fit = Callable[[list[int], list[int]], Floats]


@dataclass(frozen=True)
class Interpretation:
    """Options of the user; None takes what the file or its format says.

    Attributes
    ----------
    order
        ``dataset``: row k is the data set's face k; names are not looked at.
    pick
        Which of several detections of an image is a face: ``score``, the one with the highest
        score; ``iou``, the one whose landmarks' tight box overlaps that of the true landmarks most.
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

    Their mark-up is the data set's if it has as many landmarks, else the registered mark-up with
    this number. It is known only when the data set is known. A face of the data set that is not
    stored counts as missed; stored faces that are not in the data set are counted in a note.
    """

    needs_images = False
    uses_boxes = False

    def __init__(self, path: Path, interpretation: Interpretation | None = None) -> None:
        self._options = interpretation or Interpretation()
        # Fractions are converted to pixels first, because an origin is given in pixels.
        is_pixels = self._options.points_unit == "pixel"
        origin = self._options.points_origin if is_pixels else 0
        self._format, self._faces = read_faces(path, origin=origin)
        self._points = self._faces.points
        _require_finite(self._faces, path)
        self.name = path.stem if path.is_file() else path.resolve().name
        self._path = path
        self._row: dict[str, int] = {}
        self._compared = ""
        self._notes: tuple[str, ...] = ()
        self._image_sizes = ""

    def prepare(self, dataset: Dataset) -> None:
        landmarks = self._points.shape[1]
        fits = landmarks == dataset.markup.landmarks
        self.markup = dataset.markup if fits else by_landmarks(landmarks, self._path)
        self._points = self._faces.points
        if self._options.points_axes == "yx":
            self._points = map_blocks(lambda points: points[:, :, ::-1], self._points)
        elif self._options.points_axes == "x-then-y":
            self._points = map_blocks(
                lambda points: points.reshape(-1, 2, landmarks).swapaxes(1, 2), self._points
            )
        match = self._match(dataset)
        faces = zip(dataset.ids, match.rows.tolist(), strict=True)
        self._row = {name: row for name, row in faces if row >= 0}
        self._compared, self._notes = match.compared, match.notes
        if self._options.points_unit != "pixel":
            self._points = self._to_pixels(dataset)
            if self._options.points_unit == "box" and dataset.boxes is None:
                note = "The stored points were read as fractions of the tight boxes of the true"
                self._notes += (f"{note} landmarks.",)

    def predict(self, batch: Batch) -> Floats:
        rows = np.array([self._row.get(name, -1) for name in batch.ids])
        return np.where((rows >= 0)[:, None, None], self._points[rows], np.nan)

    def describe(self) -> dict[str, Any]:
        surplus = sorted(set(range(len(self._points))) - set(self._row.values()))
        changed_options = {
            name: value
            for name, value in asdict(self._options).items()
            if value != getattr(Interpretation, name)
        }
        notes = []
        if surplus:
            names = self._faces.names or [str(row) for row in range(len(self._points))]
            why = "are not in the data set" if self._options.pick is None else "were not picked"
            notes = [f"{len(surplus):,} stored faces, such as {names[surplus[0]]!r}, {why}."]
        return {
            "source": f"saved:{self._path.name}",
            "format": self._format.name,
            "sha256": _digest(self._faces),
            "matched_by": self._compared,
            **({"image_sizes": self._image_sizes} if self._image_sizes else {}),
            **changed_options,
            "notes": [*notes, *self._faces.notes, *self._notes],
        }

    def _match(self, dataset: Dataset) -> Match:
        """Which stored face is which of the data set's."""
        if self._options.order == "dataset":
            if len(self._points) != len(dataset):
                raise InputError(
                    self._path, f"{len(self._points):,} faces",
                    f"{len(dataset):,}, one for each face of the data set, for --order dataset",
                )  # fmt: skip
            self._require_order(dataset)
            return Match(np.arange(len(dataset)), "order")
        if self._faces.names is None:
            raise InputError(
                self._path, "landmarks without names of faces", "names, or --order dataset",
                "Give --order dataset if the rows are in the order of `alignbench data ids`.",
            )  # fmt: skip
        names, images = list(self._faces.names), dataset.images.sources()
        if self._faces.ids is not None and set(self._faces.ids) <= set(dataset.ids):
            names = list(self._faces.ids)
        if self._options.id_offset is not None:
            names = [self._shift(name, self._options.id_offset) for name in names]
        fit: Fit | None = None
        if self._options.pick is not None:
            fit = self._fit(dataset)
        elif len(set(names)) < len(names) or len(set(images)) < len(images):
            fit = self._fit_boxes(dataset)
        if fit is None:
            return match_ids(names, dataset.ids, self._path, images)
        return match_detections(names, dataset.ids, self._path, images, fit)

    def _require_order(self, dataset: Dataset) -> None:
        """Raise InputError where the names in the file say that its rows are in another order."""
        names = self._faces.ids or self._faces.names
        if names is None:
            return
        try:
            match = match_ids(names, dataset.ids, self._path, dataset.images.sources())
        except InputError:
            return  # such as running numbers, which say nothing
        for face in np.flatnonzero((match.rows >= 0) & (match.rows != np.arange(len(dataset)))):
            raise InputError(
                self._path, f"row {match.rows[face]} is called {names[match.rows[face]]!r}, which "
                f"is face {face} of the data set, {dataset.ids[face]!r}",
                "rows in the order of the data set, for --order dataset",
                "Leave --order out: the names tell whose landmarks these are.",
            )  # fmt: skip

    def _shift(self, name: str, offset: int) -> str:
        number = _NUMBER.search(Path(name.replace("\\", "/")).stem)
        if number is None:
            raise InputError(
                f"{self._path}, face {name!r}", "no number at the end of the name",
                "names that end in a number, for --id-offset",
            )  # fmt: skip
        return str(int(number[1]) + offset)

    def _fit_boxes(self, dataset: Dataset) -> Fit | None:
        """A function that tells faces of an image apart by their boxes; None without boxes."""
        stored, boxes = self._faces.boxes, dataset.boxes
        if stored is None or boxes is None:
            return None

        def fit(rows: list[int], faces: list[int]) -> Floats:
            if len(rows) == len(faces) == 1:
                return np.zeros((1, 1))
            shared = np.stack([overlap(stored[rows], boxes[face]) for face in faces], axis=1)
            same = shared >= _SAME_BOX
            if not same.any(axis=0).all() and not same.any(axis=1).all():
                odd = rows[int(np.flatnonzero(~same.any(axis=1))[0])]
                raise InputError(
                    f"{self._path}, face {odd}", f"box {stored[odd].round(2).tolist()}, which "
                    f"matches no box of the image of {dataset.ids[faces[0]]!r}",
                    "the boxes of the data set",
                    "Give --pick iou to choose by the landmarks instead.",
                )  # fmt: skip
            return np.where(same, shared, -np.inf)

        return fit

    def _fit(self, dataset: Dataset) -> Fit:
        """A function that says how well stored faces fit faces of the data set, by ``pick``."""
        if self._options.pick == "iou":
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
                    "--pick iou", "A score does not say which face a detection belongs to.",
                )  # fmt: skip
            return scores[rows][:, None]

        return surest

    def _to_pixels(self, dataset: Dataset) -> Floats:
        """Fractions of images or boxes as pixels."""
        points, sizes = self._points.copy(), hashlib.sha256()
        boxes = dataset.tight_boxes() if dataset.boxes is None else dataset.boxes
        for face, name in enumerate(dataset.ids):
            row = self._row.get(name)
            if row is None:
                continue
            if self._options.points_unit == "box":
                corner, sides = boxes[face, :2], boxes[face, 2:] - boxes[face, :2]
            else:
                height, width = dataset.images.read(face).shape[:2]
                sizes.update(f"{width}x{height},".encode())
                corner, sides = np.zeros(2), np.array([width, height], np.float64)
            points[row] = points[row] * sides + corner - (self._options.points_origin or 0)
        if self._options.points_unit == "image":
            self._image_sizes = sizes.hexdigest()
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
                "finite coordinates, not far outside any image",
                "Leave a face that was missed out of the file: it is counted as missed.",
            )


def _digest(faces: StoredFaces) -> str:
    """The sha256 of all that landmarks are chosen by: names, points, boxes, scores."""
    digest = hashlib.sha256("\n".join(faces.names or ()).encode())
    for column in (faces.points, faces.boxes, faces.scores):
        if column is not None:
            digest.update(np.ascontiguousarray(column).data)
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
    require_regular(path)
    if not path.exists():
        raise InputError(path, "no such file or folder", remedy="Check the name behind 'saved:'.")
    options = Interpretation(order, pick, id_offset, points_origin, points_unit, points_axes)
    return SavedPredictor(path, options)
