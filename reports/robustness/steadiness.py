"""How much a model's landmarks move where they should not.

Three questions. Does a shift of the window by a fraction of a pixel move them in the image? Is the
mirrored image's result the mirrored result? Do errors change from frame to frame of a video? The
first is what anti-aliasing of strided convolutions is for (Zhang, ICML 2019).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import itemgetter

import numpy as np

from alignbench import Dataset, InputError, Predictor, Run
from alignbench.arrays import Floats, Ints
from alignbench.metrics.errors import distances, face_errors, normalisers
from alignbench.runs.measure import cluster_numbers
from alignbench.runs.plan import choose_faces, training_warnings
from alignbench.runs.record import DatasetBlock
from alignbench.stats import Bootstrap, mean_intervals
from reports.data import Root, evaluated_faces, require_one_dataset
from reports.grouping import group_by
from reports.labels import percent
from reports.robustness.conditions import CLEAN, Condition, predict_conditions
from reports.robustness.corruptions import CORRUPTIONS, Corruption
from reports.robustness.degradation import fixed_boxes, require_flips, require_running
from reports.tables import Cell, Number, Record, Table

SHIFTS = 8
SHIFT = 0.005
"""Largest shift of a box, as a share of its sides: about a pixel of a window of 256."""


@dataclass(frozen=True)
class Steadiness:
    """How much a model's landmarks move, by face, in percent of the normaliser; NaN if missed.

    Attributes
    ----------
    model, dataset, boxes
        Names of the model and of its box protocol; the record of the faces.
    values
        Name of a column to (N,).
    notes
        How it was measured.
    clusters
        (N,): number of each face's source image, or video.
    """

    model: str
    dataset: DatasetBlock
    boxes: str
    values: dict[str, Floats]
    clusters: Ints
    notes: tuple[str, ...] = ()


def measure_steadiness(
    predictor: Predictor,
    dataset: Dataset,
    *,
    shifts: int = SHIFTS,
    shift: float = SHIFT,
    boxes: str | None = None,
    limit: int | None = None,
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Steadiness:
    """Run a model on boxes that are shifted a little, and on mirrored images.

    The box is shifted instead of the image, because the model cuts its window out of the image
    anyway: no second interpolation hides what the network does.

    Parameters
    ----------
    shifts
        Number of shifts of each box.
    shift
        The largest one, as a share of the box's sides; x and y are drawn from -shift to shift.
    boxes, limit, seed, progress
        As for :func:`~reports.robustness.degradation.measure_degradation`.

    Returns
    -------
    Steadiness
        ``NME``; ``Shift``: root of the mean squared distance of a landmark from its mean over the
        shifts, mean over landmarks; ``Mirror``: mean distance of the landmarks of the mirrored
        image from those of the image.

    Raises
    ------
    InputError
        If ``shifts`` or ``shift`` is out of range, the predictor's landmarks are stored, or images
        are missing.
    """
    if not 2 <= shifts <= 1000:
        raise InputError("--shifts", f"{shifts}", "2 to 1,000")
    if not 0 < shift <= 0.5:
        raise InputError("--shift", f"{shift}", "above 0 and at most 0.5")
    require_running(predictor)
    require_flips(dataset)
    predictor.prepare(dataset)
    faces, block = choose_faces(dataset, predictor, limit, False)
    shown = fixed_boxes(dataset, faces, predictor, boxes)
    scale = normalisers(faces.points, faces.markup, faces.ids, faces.scales)[block.normalisers[0]]
    moves = [
        Condition(Corruption(f"shift {k}", "", (shift,), move=_shift_little), 1)
        for k in range(shifts)
    ]
    conditions = [CLEAN, Condition(CORRUPTIONS["mirrored"], 1), *moves]
    nme, mirror, jitter = (np.empty(len(faces)) for _ in range(3))
    done, total = 0, len(conditions) * len(faces)
    progress(0, total)
    block_points: list[Floats] = []
    for number, rows, points in predict_conditions(predictor, faces, shown, conditions, seed):
        block_points.append(points)
        done += len(points)
        progress(done, total)
        if number == len(conditions) - 1:
            clean, mirrored, *shifted = block_points
            nme[rows] = face_errors(distances(clean, faces.points[rows]), scale[rows])
            mirror[rows] = face_errors(distances(mirrored, clean), scale[rows])
            jitter[rows] = _spread(np.stack(shifted)) / scale[rows]
            block_points = []
    values = {"NME": nme, "Shift": jitter, "Mirror": mirror}
    about = (
        f"{shifts} shifts of at most {100 * shift:g} % of a box's sides, seed {seed}. Boxes: "
        f"{shown.protocol}; leak: {shown.leak}."
    )
    return Steadiness(
        predictor.name, block, shown.protocol, {name: 100 * v for name, v in values.items()},
        cluster_numbers(faces.cluster_names()),
        (about, *shown.notes, *training_warnings(predictor, dataset)),
    )  # fmt: skip


def _shift_little(boxes: Floats, strength: float, rng: np.random.Generator) -> Floats:
    shift = strength * rng.uniform(-1, 1, 2) * (boxes[:, 2:] - boxes[:, :2])
    return boxes + np.tile(shift, 2)


def _spread(points: Floats) -> Floats:
    """Root mean squared distance from their mean of K results (K, n, L, 2), mean over landmarks."""
    squared = ((points - points.mean(axis=0)) ** 2).sum(axis=3).mean(axis=0)
    return np.asarray(np.sqrt(squared).mean(axis=1))


def run_steadiness(run: Run, root: Root = None) -> Steadiness:
    """How much a run's errors change from frame to frame of videos.

    Returns
    -------
    Steadiness
        ``NME``; ``Frame to frame``: for a frame whose predecessor was found too, mean over
        landmarks of the length of ``(p_t - g_t) - (p_(t-1) - g_(t-1))``, predicted ``p`` and true
        ``g``, over the normaliser of frame t. NaN for the other frames.

    Raises
    ------
    InputError
        If the data set has no videos, or no two successive frames.
    """
    faces = evaluated_faces(run, root)
    where = f"data set {faces.name!r}"
    if faces.clusters is None or faces.sampled != "videos":
        raise InputError(where, "has no videos", "a data set of videos, such as 300vw")
    before = predecessors(faces.ids, faces.clusters)
    following = np.flatnonzero(before >= 0)
    if not len(following):
        raise InputError(where, "has no two successive frames", "ids that end in frame numbers")
    norm = run.record.dataset.normalisers[0]
    scale = normalisers(faces.points, faces.markup, faces.ids, faces.scales)[norm]
    # The difference of two error vectors is that of the two motions.
    motion, true_motion = (
        points[following] - points[before[following]] for points in (run.all_points(), faces.points)
    )
    moved = np.full(len(faces), np.nan)
    moved[following] = face_errors(distances(motion, true_motion), scale[following])
    errors = run.errors(norm)
    nme = np.where(np.isfinite(errors), 100 * errors, np.nan)
    values = {"NME": nme, "Frame to frame": 100 * moved}
    return Steadiness(
        run.record.model.name, run.record.dataset, run.record.protocol.boxes, values, run.clusters
    )


def predecessors(ids: Sequence[str], videos: Sequence[str]) -> Ints:
    """Row (N,) of the frame before each one in its video, by the number its id ends in; else -1."""
    numbers = [re.search(r"\d+$", name) for name in ids]
    keys = [
        None if number is None else (video, name[: number.start()], int(number[0]))
        for name, video, number in zip(ids, videos, numbers, strict=True)
    ]
    row = {key: k for k, key in enumerate(keys)}
    before = [-1 if key is None else row.get((*key[:2], key[2] - 1), -1) for key in keys]
    return np.array(before, np.intp)


def steadiness_table(results: Sequence[Steadiness], bootstrap: Bootstrap) -> Table:
    """A row for each model, with intervals; differences from the first one if there are several.

    Raises
    ------
    InputError
        If the results are of different faces.
    """
    first = results[0]
    if any(r.dataset.fingerprint != first.dataset.fingerprint for r in results):
        raise InputError("steadiness", "results on different faces", "one data set and split")
    names = list(first.values)
    columns = ("Model", "Boxes", *names)
    if len(results) > 1:
        columns += tuple(f"{name}, minus {first.model}" for name in names[1:])
    reference = np.stack(list(first.values.values()), axis=1)
    rows: list[tuple[Cell, ...]] = []
    records: list[Record] = []
    for k, result in enumerate(results):
        values = np.stack(list(result.values.values()), axis=1)
        means = _means(values, result.clusters, bootstrap)
        others = [Number(None)] * len(names[1:])
        if k:
            others = _means((values - reference)[:, 1:], result.clusters, bootstrap)
        rows.append((result.model, result.boxes, *means, *(others if len(results) > 1 else ())))
        records += [
            {
                "model": result.model, "dataset": result.dataset.title, "boxes": result.boxes,
                "norm": result.dataset.normalisers[0], "measure": name, "value": number.value,
                "low": number.low, "high": number.high, "minus_first": minus.value,
                "minus_first_low": minus.low, "minus_first_high": minus.high,
            }
            for name, number, minus in zip(names, means, [Number(None), *others], strict=True)
        ]  # fmt: skip
    title = f"Steadiness on {first.dataset.title}, {first.dataset.faces:,} faces"
    return Table.of_rows(title, columns, rows, _notes(results, bootstrap), records=records)


def _means(values: Floats, clusters: Ints, bootstrap: Bootstrap) -> list[Number]:
    """Means of columns (N, K) over the faces that have a value, with intervals."""
    everyone = np.ones((1, len(values)), np.bool_)
    low, high = mean_intervals(values, everyone, clusters, bootstrap)
    means = [float(v[np.isfinite(v)].mean()) if np.isfinite(v).any() else None for v in values.T]
    ends = [[None if np.isnan(end) else float(end) for end in side[0]] for side in (low, high)]
    return [Number(mean, 3, a, b) for mean, a, b in zip(means, *ends, strict=True)]


_MEANINGS = {
    "Shift": "Shift: standard distance of a landmark from its mean over small shifts of the box.",
    "Mirror": "Mirror: distance between the landmarks of the image and those of the mirrored "
    "image, mirrored back.",
    "Frame to frame": "Frame to frame: how far the error vector of a landmark moves from one frame "
    "to the next.",
}


def _notes(results: Sequence[Steadiness], bootstrap: Bootstrap) -> list[str]:
    dataset = results[0].dataset
    notes = [_MEANINGS[name] for name in results[0].values if name in _MEANINGS]
    notes.append(
        f"All in % of {dataset.normalisers[0].replace('_', '-')}, with "
        f"{percent(bootstrap.confidence)} intervals of a bootstrap over {dataset.sampled} "
        f"({bootstrap.replicates:,} samples)."
    )
    missed = [(int(np.isnan(result.values["NME"]).sum()), result.model) for result in results]
    notes += [
        f"{faces:,} missed faces of {model} are left out." for faces, model in missed if faces
    ]
    for note, models in group_by(
        [(note, result.model) for result in results for note in result.notes], itemgetter(0)
    ).items():
        whose = "" if len(models) == len(results) else f"{', '.join(m for _, m in models)}: "
        notes.append(f"{whose}{note}")
    if not dataset.complete:
        notes.append(f"INCOMPLETE: {'; '.join(dataset.incomplete)}.")
    return notes


def run_tables(runs: Sequence[Run], root: Root, bootstrap: Bootstrap) -> Table:
    """The table of stored runs on one data set of videos."""
    require_one_dataset(runs, "steadiness")
    return steadiness_table([run_steadiness(run, root) for run in runs], bootstrap)
