"""How much a model's error grows under corruptions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from alignbench import Dataset, InputError, Predictor
from alignbench.arrays import Floats, Ints
from alignbench.boxes import Boxes, choose_boxes
from alignbench.exceptions import unknown
from alignbench.metrics.errors import distances, face_errors, normalisers
from alignbench.metrics.measure import mean_counted, usual_measures
from alignbench.runs.measure import cluster_numbers
from alignbench.runs.plan import choose_faces, training_warnings
from alignbench.runs.record import DatasetBlock
from alignbench.stats import Bootstrap, bootstrap_means
from reports.labels import percent
from reports.robustness.conditions import Condition, all_conditions, predict_conditions
from reports.robustness.corruptions import CORRUPTIONS, Corruption
from reports.tables import Cell, Number, Record, Table

ALL = "all"
"""The row of the mean over all corruptions."""


@dataclass(frozen=True)
class Degradation:
    """Errors of a model under conditions, of which the first is the one without corruption.

    Attributes
    ----------
    model
        Its name.
    dataset
        The record of the faces.
    boxes, leak
        The box protocol, and what it reveals about the truth.
    conditions
        C conditions.
    errors
        (C, N): error of each face by the data set's usual normaliser, a fraction; NaN for a
        missed face.
    clusters
        (N,): number of each face's source image.
    seed
        The seed of everything that was drawn at random.
    notes
        What must be said of the boxes and of what the model was trained on.
    """

    model: str
    dataset: DatasetBlock
    boxes: str
    leak: str
    conditions: Sequence[Condition]
    errors: Floats
    clusters: Ints
    seed: int
    notes: tuple[str, ...] = ()


def measure_degradation(
    predictor: Predictor,
    dataset: Dataset,
    *,
    corruptions: Sequence[str] | None = None,
    boxes: str | None = None,
    limit: int | None = None,
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Degradation:
    """Run a model under every strength of some corruptions.

    Parameters
    ----------
    corruptions
        Names of :data:`~reports.robustness.corruptions.CORRUPTIONS`; all of them where it is None.
    boxes
        Box protocol; by default the one that the model prefers, or that of the data set.
    limit
        Evaluate only this number of faces, the first ones.
    seed
        Of what is drawn at random: every model gets the same corrupted faces.
    progress
        Called with (faces done, faces in all), where a face counts once for each condition.

    Raises
    ------
    InputError
        If a corruption is unknown, the predictor's landmarks are stored, or images are missing.
    """
    chosen = choose_corruptions(corruptions)
    if not dataset.markup.flip_pairs:
        chosen = [one for one in chosen if one.name != "mirrored"]
        if not chosen or "mirrored" in (corruptions or ()):
            require_flips(dataset)
    conditions = all_conditions(chosen)
    require_running(predictor)
    predictor.prepare(dataset)
    faces, block = choose_faces(dataset, predictor, limit, False)
    shown = fixed_boxes(dataset, faces, predictor, boxes)
    norm = block.normalisers[0]
    scale = normalisers(faces.points, faces.markup, faces.ids, faces.scales)[norm]
    errors = np.empty((len(conditions), len(faces)))
    done, total = 0, len(conditions) * len(faces)
    progress(0, total)
    for number, rows, points in predict_conditions(predictor, faces, shown, conditions, seed):
        errors[number, rows] = face_errors(distances(points, faces.points[rows]), scale[rows])
        done += rows.stop - rows.start
        progress(done, total)
    clusters = cluster_numbers(faces.cluster_names())
    return Degradation(
        predictor.name, block, shown.protocol, shown.leak, conditions, errors, clusters, seed,
        (*shown.notes, *training_warnings(predictor, dataset)),
    )  # fmt: skip


def choose_corruptions(names: Sequence[str] | None) -> list[Corruption]:
    """The corruptions of these names, each once; all of them for None."""
    for name in names or ():
        if name not in CORRUPTIONS:
            raise unknown("corruption", name, CORRUPTIONS)
    return [CORRUPTIONS[name] for name in dict.fromkeys(names or CORRUPTIONS)]


def fixed_boxes(
    dataset: Dataset, faces: Dataset, predictor: Predictor, requested: str | None
) -> Boxes:
    """The boxes of a run; InputError if the model's own detector would find new ones."""
    boxes = choose_boxes(dataset, faces, predictor, requested, 1.0)
    if boxes.detect:
        raise InputError(
            f"model {predictor.name!r}",
            "its own detector would find another box in each corrupted image",
            "boxes that are known before: rect, tight, detector:FILE", "Give --boxes.",
        )  # fmt: skip
    return boxes


def require_flips(dataset: Dataset) -> None:
    """Raise InputError where it is not known which landmark of a mirrored face is which."""
    if not dataset.markup.flip_pairs:
        raise InputError(
            f"mark-up {dataset.markup.name!r}",
            "has no flip pairs, so no image can be mirrored",
            "flip pairs, in the file that describes the data set",
        )


def require_running(predictor: Predictor) -> None:
    """Raise InputError for a predictor whose landmarks do not depend on image and box."""
    if not (predictor.uses_boxes and predictor.needs_images):
        raise InputError(
            f"model {predictor.name!r}",
            "does not look at images" if predictor.uses_boxes else "takes no boxes",
            "a model that looks at images in boxes",
        )


@dataclass(frozen=True)
class Row:
    """A corruption's numbers.

    Attributes
    ----------
    name
        The corruption, or :data:`ALL`.
    nme
        In percent, by strength; empty for :data:`ALL`.
    mean, fr
        Means of NME and FR over the strengths, in percent.
    change, relative
        Growth of the mean over the condition without corruption, and the ends of its interval,
        (3,): in percent of the normaliser, and in percent of the NME without corruption.
    """

    name: str
    nme: tuple[float, ...]
    mean: float
    fr: float
    change: Floats
    relative: Floats


def summarise(result: Degradation, bootstrap: Bootstrap) -> tuple[float, float, list[Row]]:
    """NME and FR without corruption, and a row for each corruption; the last one is of all.

    All intervals are computed from the same draws of source images.
    """
    measures = usual_measures(result.dataset.threshold)[:2]
    failing = np.where(np.isnan(result.errors), np.inf, result.errors)
    values, failures = (np.stack([m.per_face(e) for e in failing], axis=1) for m in measures)
    means, rates = (np.array([mean_counted(c) for c in v.T]) for v in (values, failures))
    everyone = np.ones((1, len(values)), np.bool_)
    drawn = bootstrap_means(values, everyone, result.clusters, bootstrap)[:, 0]
    names = [condition.name for condition in result.conditions]
    groups = {name: np.flatnonzero(np.array(names) == name) for name in names[1:]}
    # Each row is a weighted mean of the conditions, and so is each of its samples.
    weights = {name: np.bincount(g, minlength=len(names)) / len(g) for name, g in groups.items()}
    if len(groups) > 1:
        weights[ALL] = np.mean(list(weights.values()), axis=0)
    tails = [(1 - bootstrap.confidence) / 2, (1 + bootstrap.confidence) / 2]
    one_image = result.clusters.max() == 0  # which says nothing about spread
    rows = []
    for name, weight in weights.items():
        here = weight > 0
        mean, samples = means[here] @ weight[here], drawn[:, here] @ weight[here]
        changes = np.array([mean - means[0], 100 * (mean / means[0] - 1)])
        spread = np.stack([samples - drawn[:, 0], 100 * (samples / drawn[:, 0] - 1)])
        known = not one_image and np.isfinite(spread).any(axis=1).all()
        ends = np.nanquantile(spread, tails, axis=1) if known else np.full((2, 2), np.nan)
        nme = means[groups[name]] if name in groups else means[:0]
        change, relative = np.stack([changes, *ends], axis=1)
        rates_here = float(rates[here] @ weight[here])
        rows.append(Row(name, tuple(nme.tolist()), float(mean), rates_here, change, relative))
    return float(means[0]), float(rates[0]), rows


def degradation_table(result: Degradation, bootstrap: Bootstrap) -> Table:
    """NME by corruption and strength, and its growth with intervals of a paired bootstrap."""
    dataset = result.dataset
    clean_nme, clean_fr, rows = summarise(result, bootstrap)
    most = max(len(row.nme) for row in rows)
    fr = usual_measures(dataset.threshold)[1].heading
    columns = (
        "Corruption", *map(str, range(1, most + 1)), "Mean", "Change", "Relative change, %", fr,
    )  # fmt: skip
    nothing = Number(None)
    first: tuple[Cell, ...] = (
        "none", *[nothing] * most, Number(clean_nme), nothing, nothing, Number(clean_fr),
    )  # fmt: skip
    cells: list[tuple[Cell, ...]] = [
        (
            row.name, *map(Number, row.nme), *[nothing] * (most - len(row.nme)), Number(row.mean),
            _interval(row.change, 2), _interval(row.relative, 0), Number(row.fr),
        )
        for row in rows
    ]  # fmt: skip
    norm = dataset.normalisers[0].replace("_", "-")
    title = f"{result.model} on {dataset.title}, {dataset.faces:,} faces: robustness"
    return Table.of_rows(
        title, columns, [first, *cells], _notes(result, norm, bootstrap),
        records=_records(result, clean_nme, clean_fr, rows),
    )  # fmt: skip


def strength_table(corruptions: Sequence[Corruption]) -> Table:
    """What the strengths of corruptions are."""
    most = max(len(one.strengths) for one in corruptions)
    columns = ("Corruption", *map(str, range(1, most + 1)), "Strength")
    rows: list[tuple[Cell, ...]] = [
        (
            one.name, *(f"{strength:g}" for strength in one.strengths),
            *[""] * (most - len(one.strengths)), one.about,
        )
        for one in corruptions
    ]  # fmt: skip
    return Table.of_rows("Strengths of the corruptions", columns, rows, ())


def _interval(ends: Floats, digits: int) -> Number:
    value, low, high = (None if np.isnan(end) else end for end in ends.tolist())
    return Number(value, digits, low, high)


def _notes(result: Degradation, norm: str, bootstrap: Bootstrap) -> list[str]:
    dataset = result.dataset
    changes = (
        f"Changes from the condition without corruption, with {percent(bootstrap.confidence)} "
        f"intervals of a paired bootstrap over {dataset.sampled} ({bootstrap.replicates:,} "
        "samples). Each corruption counts once in 'all'."
    )
    notes = [
        f"NME in % of {norm} by strength, and its mean over the strengths.",
        f"Boxes: {result.boxes}; leak: {result.leak}. Seed of the corruptions: {result.seed}.",
        changes,
        *result.notes,
    ]
    missed = np.isnan(result.errors).sum(axis=1)
    if missed.any():
        worst = 1 + int(missed[1:].argmax())
        condition = result.conditions[worst]
        notes.append(
            f"Faces missed without corruption: {missed[0]:,}; most with a corruption: "
            f"{missed[worst]:,} ({condition.name}, strength {condition.level}). They count as "
            "failures in FR and are left out of NME."
        )
    if not dataset.complete:
        notes.append(f"INCOMPLETE: {'; '.join(dataset.incomplete)}.")
    return notes


def _records(
    result: Degradation, clean_nme: float, clean_fr: float, rows: Sequence[Row]
) -> list[Record]:
    """One record for each strength and one for each mean, in full precision."""
    about = {
        "model": result.model, "dataset": result.dataset.name, "split": result.dataset.split,
        "faces": result.dataset.faces, "norm": result.dataset.normalisers[0],
        "boxes": result.boxes,
    }  # fmt: skip
    empty = dict.fromkeys(
        ("change", "change_low", "change_high", "relative", "relative_low", "relative_high")
    )
    records: list[Record] = [
        about | {"corruption": "none", "strength": "", "nme": clean_nme, "fr": clean_fr} | empty
    ]
    for row in rows:
        for level, nme in enumerate(row.nme, start=1):
            records.append(
                about | {"corruption": row.name, "strength": level, "nme": nme, "fr": None} | empty
            )
        numbers = [*row.change.tolist(), *row.relative.tolist()]
        records.append(
            about | {"corruption": row.name, "strength": "mean", "nme": row.mean, "fr": row.fr}
            | dict(zip(empty, numbers, strict=True))
        )  # fmt: skip
    return records
