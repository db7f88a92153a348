"""Systematic faults in landmarks: not a poor model, but a convention that was mistaken.

Each fault is a hypothesis with a correction. It is reported where the correction at least halves
the error and leaves a small one: no correction does that for a model that is merely poor. Only a
shift by a pixel is smaller than the errors of models; it is recognised because it is the same for
all landmarks and for faces of every size. The limits were set on the published predictions of
SPIGA, CFSS, RCPR and TCDCN, on a WFLW network and on the networks of this package: these give no
finding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from operator import itemgetter

import numpy as np

from alignbench.arrays import Floats, Ints
from alignbench.datasets.base import Dataset
from alignbench.geometry import tight_boxes

_MOST_FACES = 2000
"""Faces that are examined; more are sampled evenly."""
_FEWEST_FACES = 3
_FEWEST_FOR_SHIFT = 30
_FEWEST_FOR_FRAME = 10
"""Below this number of faces, one odd annotation may move all boxes alike; the place and size of
faces are then doubted only where the error is at least half a face."""
_HALF_A_FACE = 0.5
_FEWEST_STRANGERS, _STRANGERS, _MOST_OF = 2, 0.05, 0.7
"""Landmarks of other faces are a finding if at least this number of faces, this share of all, and
this share of those that are far off fit another face."""
_GAIN, _SMALL = 0.5, 0.25
"""A correction must leave at most this share of the error, and at most this error."""
_FREEDOM = 0.7
"""A correction that moves each face must leave at most this share of what the others leave."""
_FITS = 0.1
"""Error below which landmarks are taken for those of a box or of a resized image."""
_POOR = 0.06
"""Median error, in sizes of the face, from which mistaken conventions are looked for; and the
largest error of landmarks that fit another face."""


class Fault(StrEnum):
    """What is looked for, in a few words."""

    PLACEHOLDERS = "faces that were not found have landmarks"
    CONSTANT = "the same landmarks for all faces"
    FRACTIONS = "landmarks are fractions or in [-1, 1], not pixels"
    AXES = "x and y are exchanged"
    ARRANGEMENT = "x and y are laid out in another way"
    IDS = "landmarks are those of other faces"
    MIRRORED = "left and right are exchanged"
    ORDER = "landmarks are in another order"
    CROP = "landmarks are pixels of a crop or of a resized image"
    BOXES = "boxes of another convention"
    ORIGIN = "landmarks are counted from another origin"


@dataclass(frozen=True)
class Finding:
    """A systematic fault.

    Attributes
    ----------
    fault
        What is wrong.
    evidence
        The numbers that say so.
    remedy
        What to do about it.
    """

    fault: Fault
    evidence: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.fault}: {self.evidence}. {self.remedy}"


Describe = Callable[[Fault, float, str], tuple[float, Finding]]
"""Takes a fault, the error after its correction and a remedy; gives that error and the finding."""


@dataclass(frozen=True)
class _Faces:
    """Predicted and true landmarks (N, L, 2) of the faces that were not missed."""

    predicted: Floats
    true: Floats
    rows: Ints
    dataset: Dataset

    @cached_property
    def boxes(self) -> Floats:
        """(N, 4) tight boxes of the true landmarks."""
        return tight_boxes(self.true)

    @cached_property
    def sizes(self) -> Floats:
        """(N,) roots of the areas of the boxes."""
        sides = self.boxes[:, 2:] - self.boxes[:, :2]
        return np.asarray(np.maximum(np.sqrt(sides.prod(axis=1)), 1e-6))

    def error(self, predicted: Floats) -> float:
        """Median over faces of the mean distance to the truth, in sizes of the face."""
        distance = np.linalg.norm(predicted - self.true, axis=2)
        return float(np.median(np.nanmean(distance, axis=1) / self.sizes))


def examine(predicted: Floats, dataset: Dataset) -> list[Finding]:
    """Systematic faults in the landmarks (N, L, 2) of a data set's faces; NaN for missed faces.

    If several faults explain the error, the one whose correction leaves the least error is given.
    """
    rows = np.flatnonzero(~np.isnan(predicted).any(axis=(1, 2)))
    if len(rows) > _MOST_FACES:
        rows = rows[np.linspace(0, len(rows) - 1, _MOST_FACES).astype(np.intp)]
    if len(rows) < _FEWEST_FACES:
        return []
    faces = _Faces(predicted[rows], dataset.points[rows], rows, dataset)
    if placeholders := _placeholders(faces):
        return [placeholders]
    if constant := _constant(faces):
        return [constant]
    if fractions := _fractions(faces):
        return [fractions]
    now = faces.error(faces.predicted)
    mistaken = _mistaken(faces, now) if now > _POOR else None
    if mistaken is None or mistaken.fault != Fault.IDS:
        mistaken = _strangers(faces) or mistaken
    finding = mistaken or _shift(faces)
    return [finding] if finding else []


def unchecked(faces: int) -> dict[Fault, str]:
    """Faults that :func:`examine` cannot look for in this number of predicted faces, and why."""
    if faces < _FEWEST_FACES:
        return dict.fromkeys(Fault, f"fewer than {_FEWEST_FACES} faces")
    few = faces < _FEWEST_FOR_SHIFT
    return {Fault.ORIGIN: f"fewer than {_FEWEST_FOR_SHIFT} faces"} if few else {}


def _mistaken(faces: _Faces, now: float) -> Finding | None:
    """The fault whose correction leaves the least error.

    A correction that moves and scales each face has more freedom than the others: it must be
    clearly better.
    """

    def finding(fault: Fault, error: float, remedy: str) -> tuple[float, Finding]:
        evidence = f"the median error falls from {_percent(now)} to {_percent(error)} of a face"
        return error, Finding(fault, evidence, remedy)

    best: list[tuple[float, Finding]] = []
    for corrections in (_corrections(faces, finding), _frame_findings(faces, finding)):
        fitting = [one for one in corrections if one[0] < min(_GAIN * now, _SMALL)]
        best += [min(fitting, key=itemgetter(0))] if fitting else []
    if len(best) == 2 and best[1][0] < _FREEDOM * best[0][0]:
        del best[0]
    return best[0][1] if best else None


def _strangers(faces: _Faces) -> Finding | None:
    """Faces whose landmarks fit another face of the data set, but not their own."""
    from scipy.spatial import KDTree  # slow to import

    dataset = faces.dataset
    known = np.flatnonzero(~np.isnan(dataset.points).any(axis=(1, 2)))
    if not len(known):
        return None
    # Place and size tell faces apart, and make a small tree.
    place, predicted_place = (
        np.concatenate([points.mean(axis=1), points.std(axis=1)], axis=1)
        for points in (dataset.points[known], faces.predicted)
    )
    nearest = known[KDTree(place).query(predicted_place)[1]]
    own_error, other = (
        np.nanmean(np.linalg.norm(faces.predicted - true, axis=2), axis=1) / faces.sizes
        for true in (faces.true, dataset.points[nearest])
    )
    is_off = own_error > _SMALL
    odd = np.flatnonzero((nearest != faces.rows) & is_off & (other < _POOR))
    fewest = max(_FEWEST_STRANGERS, _STRANGERS * len(faces.rows), _MOST_OF * is_off.sum())
    if len(odd) < fewest:
        return None
    first = odd[0]
    return Finding(
        Fault.IDS,
        f"the landmarks of {len(odd):,} of {len(faces.rows):,} faces fit another, such as those "
        f"of {dataset.ids[faces.rows[first]]}, which fit {dataset.ids[nearest[first]]}",
        "Compare names and order with those of `alignbench data ids`.",
    )


def _corrections(faces: _Faces, finding: Describe) -> Iterator[tuple[float, Finding]]:
    """Error and finding of each correction that is the same for all faces."""
    swapped = faces.error(faces.predicted[:, :, ::-1])
    yield finding(Fault.AXES, swapped, "Exchange them. For saved:FILE, give --points-axes yx.")
    count, landmarks, _ = faces.predicted.shape
    planes = faces.predicted.reshape(count, 2, landmarks).swapaxes(1, 2)
    yield finding(
        Fault.ARRANGEMENT, faces.error(planes),
        "All x come before all y: for saved:FILE, give --points-axes x-then-y; for ONNX, set "
        'output.order = "x-then-y".',
    )  # fmt: skip
    turns = faces.predicted.swapaxes(1, 2).reshape(count, landmarks, 2)
    yield finding(
        Fault.ARRANGEMENT, faces.error(turns),
        "The numbers are x, y, x, y, ..., but were read as all x before all y: leave --points-axes "
        'x-then-y out; for ONNX, set output.order = "xy-pairs".',
    )  # fmt: skip
    for step, whose in ((1, "the next"), (-1, "the previous")):
        yield finding(
            Fault.IDS, _shifted_error(faces, step),
            f"A face has the landmarks of {whose} one: compare the names with those of "
            "`alignbench data ids`, or give --id-offset.",
        )  # fmt: skip
    order = faces.dataset.markup.flip_order
    yield finding(
        Fault.MIRRORED, faces.error(faces.predicted[:, order]),
        "Left is that of the image, not of the person: exchange the landmarks of each flip pair of "
        f"mark-up {faces.dataset.markup.name}.",
    )  # fmt: skip
    order = _best_order(faces)
    first = int((order != np.arange(len(order))).argmax())
    if (error := faces.error(faces.predicted[:, order])) < _FITS:
        remedy = (
            f"Landmark {first} of mark-up {faces.dataset.markup.name} is stored as {order[first]}: "
            "bring them into the mark-up's order."
        )
        yield finding(Fault.ORDER, error, remedy)
    boxes = faces.boxes if faces.dataset.boxes is None else faces.dataset.boxes[faces.rows]
    if (error := faces.error(faces.predicted + boxes[:, None, :2])) < _FITS:
        remedy = "They are counted from the box's corner: add it to x and y."
        yield finding(Fault.CROP, error, remedy)
    middle, true = (np.nanmean(p, axis=1) for p in (faces.predicted, faces.true))
    scale = float(np.median(true.sum(axis=1) / np.maximum(middle.sum(axis=1), 1e-6)))
    if (error := faces.error(faces.predicted * scale)) < _FITS:
        remedy = f"They are pixels of an image that was resized: multiply them by {scale:.3g}."
        yield finding(Fault.CROP, error, remedy)


def _percent(error: float) -> str:
    return f"{100 * error:.3g} %"


def _placeholders(faces: _Faces) -> Finding | None:
    """Faces all of whose landmarks are 0 or -1, as some programs write for a face not found."""
    places = faces.predicted.reshape(len(faces.rows), -1)
    is_one = (places == places[:, :1]).all(axis=1) & np.isin(places[:, 0], (0, -1))
    if not 0 < is_one.sum() < len(is_one):
        return None
    first = faces.dataset.ids[faces.rows[is_one.argmax()]]
    return Finding(
        Fault.PLACEHOLDERS,
        f"all landmarks are {places[is_one][0, 0]:g} in {is_one.sum():,} of {len(is_one):,} faces, "
        f"such as {first}",
        "Leave such a face out of a file; a model gives None, or NaN in all its landmarks.",
    )


def _constant(faces: _Faces) -> Finding | None:
    spread = float(faces.predicted.std(axis=0).max())
    truth = float(np.nanmean(faces.true, axis=1).std(axis=0).max())
    if spread > 0.01 or truth < 1:
        return None
    return Finding(
        Fault.CONSTANT, f"they differ by {spread:.2g} pixels, the true ones by {truth:.0f}",
        "Check that the model is given each face's image and box.",
    )  # fmt: skip


def _fractions(faces: _Faces) -> Finding | None:
    """Landmarks that are not in pixels; the finding names the box where its unit explains them."""
    low, high = float(faces.predicted.min()), float(faces.predicted.max())
    if not (low >= -2 and high <= 2 and np.median(faces.sizes) > 10):
        return None
    dataset = faces.dataset
    boxes = faces.boxes if dataset.boxes is None else dataset.boxes[faces.rows]
    corner, sides = boxes[:, None, :2], (boxes[:, 2:] - boxes[:, :2])[:, None]
    evidence = f"all coordinates lie between {low:.2f} and {high:.2f}"
    remedy = (
        "Give --points-unit image or box for fractions of either; otherwise take them to pixels of "
        "the image before they are saved. For ONNX, give output.unit."
    )
    if (error := faces.error(faces.predicted * sides + corner)) < _FITS:
        evidence += f"; as fractions of the box the median error is {_percent(error)} of a face"
        remedy = 'Give --points-unit box; for ONNX, unit = "fraction".'
    elif (error := faces.error((faces.predicted + 1) / 2 * sides + corner)) < _FITS:
        evidence += f"; as [-1, 1] of the box the median error is {_percent(error)} of a face"
        remedy = 'Take them to pixels before they are saved; for ONNX, give unit = "signed".'
    return Finding(Fault.FRACTIONS, evidence, remedy)


def _shifted_error(faces: _Faces, step: int) -> float:
    """The error where face k has the landmarks that were predicted for face k - step."""
    neighbour = faces.rows + step
    inside = (neighbour >= 0) & (neighbour < len(faces.dataset))
    true = faces.dataset.points[neighbour[inside]]
    distance = np.linalg.norm(faces.predicted[inside] - true, axis=2)
    return float(np.median(np.nanmean(distance, axis=1) / faces.sizes[inside]))


def _best_order(faces: _Faces) -> Ints:
    """For each landmark the predicted one that lies nearest to it on average, each used once."""
    from scipy.optimize import linear_sum_assignment  # slow to import

    corner, size = faces.boxes[:, None, :2], faces.sizes[:, None, None]
    predicted = np.median((faces.predicted - corner) / size, axis=0)
    known = ~np.isnan(faces.true)
    total = np.where(known, (faces.true - corner) / size, 0).sum(axis=0)
    true = total / np.maximum(known.sum(axis=0), 1)
    distance = np.linalg.norm(true[:, None] - predicted[None], axis=2)
    distance[~known.any(axis=(0, 2))] = 0  # a landmark without annotation may lie anywhere
    return np.asarray(linear_sum_assignment(distance)[1])


def _frame_findings(faces: _Faces, finding: Describe) -> Iterator[tuple[float, Finding]]:
    """Landmarks that have the right shape at another place or of another size."""
    known = ~np.isnan(faces.true)
    true = np.where(known, faces.true, 0)
    count = known.sum(axis=1, keepdims=True)
    predicted = np.where(known, faces.predicted, 0)
    centre = true.sum(axis=1, keepdims=True) / count
    predicted_centre = predicted.sum(axis=1, keepdims=True) / count
    spread = np.sqrt((((true - centre) * known) ** 2).sum(axis=(1, 2)))
    size = np.sqrt((((predicted - predicted_centre) * known) ** 2).sum(axis=(1, 2)))
    ratio = size / np.maximum(spread, 1e-6)
    if (size < 1e-6).any():
        return
    if len(faces.rows) < _FEWEST_FOR_FRAME and faces.error(faces.predicted) < _HALF_A_FACE:
        return
    aligned = (faces.predicted - predicted_centre) / ratio[:, None, None]
    mirrored = faces.error(aligned * [-1, 1] + centre)
    yield finding(Fault.MIRRORED, mirrored, "x is counted from the right: make it width - x.")
    error = faces.error(aligned + centre)
    offset = (predicted_centre - centre)[:, 0] / faces.sizes[:, None]
    is_steady = _deviation(ratio) < 0.2 * np.median(ratio) and (
        np.array([_deviation(offset[:, axis]) for axis in (0, 1)]) < 0.15
    ).all()  # fmt: skip
    x, y = np.median(offset, axis=0)
    if is_steady and (read := _unit_read(float(np.median(ratio)), x, y)):
        unit, as_unit, remedy = read
        yield finding(
            Fault.FRACTIONS, error,
            f"Predicted faces are {np.median(ratio):.2f} times as large as the true ones and lie "
            f"({x:.2f}, {y:.2f}) of a face's size away. This happens when {unit} of a window "
            f"are read as {as_unit}: {remedy}",
        )  # fmt: skip
    elif is_steady:
        yield finding(
            Fault.BOXES, error,
            f"Predicted faces are {np.median(ratio):.2f} times as large as the true ones and lie "
            f"({x:.2f}, {y:.2f}) of a face's size away: check --boxes, --box-scale, whether the "
            "model takes corners or width and height, and whether these are pixels of the image.",
        )  # fmt: skip
    elif _deviation(size) < 0.5 * np.median(size):
        high = np.percentile(faces.predicted, 99)
        yield finding(
            Fault.CROP, error,
            f"Their shape is right, but not their place; coordinates reach {high:.0f}: take them "
            "from the crop back to the image; for ONNX, see output.unit.",
        )  # fmt: skip


def _unit_read(ratio: float, x: float, y: float) -> tuple[str, str, str] | None:
    """The unit of a window's landmarks and the unit they were read in, if these explain the error.

    A landmark at the share t of a window's side, 0 to 1, has the value 2 t - 1 in [-1, 1]. If this
    value is read as a fraction, faces are twice as large and lie about half a window to the upper
    left. If a fraction is read as such a value, they are half as large and lie a quarter of a
    window to the lower right. A window is 0.9 to 2 times a face's size.
    """
    if 1.8 < ratio < 2.2 and -1 < min(x, y) <= max(x, y) < -0.4:
        return "values in [-1, 1]", "fractions", 'for ONNX, set output.unit = "signed".'
    if 0.45 < ratio < 0.55 and 0.2 < min(x, y) <= max(x, y) < 0.5:
        return "fractions", "values in [-1, 1]", 'for ONNX, set output.unit = "fraction".'
    return None


def _deviation(values: Floats) -> float:
    """The median absolute deviation, scaled to a normal distribution's standard deviation."""
    return float(1.4826 * np.median(np.abs(values - np.median(values))))


def _shift(faces: _Faces) -> Finding | None:
    """A shift by one pixel or half of one that all landmarks share in faces of every size."""
    if len(faces.rows) < _FEWEST_FOR_SHIFT:
        return None
    outline = {
        k for name in ("contour", "chin") for k in faces.dataset.markup.regions.get(name, ())
    }
    inner = [k for k in np.flatnonzero(~np.isnan(faces.true).all(axis=(0, 2))) if k not in outline]
    residual = (faces.predicted - faces.true)[:, inner]
    # Small faces weigh most: a model's own bias grows with the face, a shift does not.
    weights = 1 / faces.sizes**2
    by_landmark = np.stack([_weighted_median(residual[:, :, a], weights) for a in (0, 1)], axis=1)
    shift = np.median(by_landmark, axis=0)
    spread = np.array([_deviation(by_landmark[:, axis]) for axis in (0, 1)])
    for step, nearest in ((0.5, 0.2), (1.0, 0.65)):
        for sign in (1, -1):
            if (np.abs(shift - sign * step) <= nearest).all() and (spread <= 0.5).all():
                x, y = shift
                return Finding(
                    Fault.ORIGIN,
                    f"the inner landmarks lie ({x:+.2f}, {y:+.2f}) pixels from the true ones, "
                    f"alike for all landmarks (spread {spread.max():.2f}) and faces of every size",
                    f"Give --points-origin {step:g} if the file counts from {step:g}."
                    if sign > 0
                    else "Pixels may have been shifted once too often: give --points-origin 0 if "
                    "the file counts from 0.",
                )
    return None


def _weighted_median(values: Floats, weights: Floats) -> Floats:
    """The weighted median (L,) of values (N, L); values that are NaN do not count."""
    order = np.argsort(values, axis=0)
    ordered = np.take_along_axis(values, order, axis=0)
    mass = np.where(np.isnan(ordered), 0, weights[order]).cumsum(axis=0)
    row = (mass >= mass[-1] / 2).argmax(axis=0)
    return np.asarray(np.take_along_axis(ordered, row[None], axis=0)[0])
