"""What boxes do to a model, found by running it again with others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from alignbench import (
    Dataset,
    InputError,
    Predictor,
    Run,
    evaluate,
)
from alignbench.arrays import Floats
from alignbench.boxes import TRUE_BOX, TRUE_LANDMARKS
from alignbench.geometry import tight_boxes
from alignbench.metrics import usual_measures
from alignbench.stats import Bootstrap
from reports.sensitivity.rows import (
    Case,
    compared,
    digits_of,
    headings,
    incomplete_note,
    per_face,
    reference,
    text_of,
    title,
)
from reports.tables import Table

SCALES = (0.8, 0.9, 1.0, 1.1, 1.2)
JITTERS = (0.05, 0.10, 0.20)
"""Standard deviations, as shares of a box's side."""


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
    return text_of(
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
    measures = usual_measures(dataset.threshold)
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
        cases = [Case(cells, per_face(measures, run.errors(norm))) for cells, run in rows]
        place = next(k for k, (_, run) in enumerate(rows) if run is own)
        changes = compared(cases, own.clusters, bootstrap, digits_of(measures), place)
        return Table(
            f"{title(predictor.name, own)}: {question}",
            (column, *headings(measures)),
            changes,
            (
                reference(f"{protocol.boxes}, which the model uses, by {norm}", bootstrap),
                note, *incomplete_note(own), *_missed_by_row(rows),
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
            f"{TRUE_LANDMARKS} and noise",
            replace(dataset, boxes=jittered(tight, size, seed)),
            "rect",
        )
        for size in jitters
    ]
    annotated = [] if dataset.boxes is None else [_Step("rect", TRUE_BOX, dataset, "rect")]
    return [*annotated, *moved, _Step("tight", TRUE_LANDMARKS, dataset, "tight")]


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
