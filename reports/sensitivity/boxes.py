"""What boxes do to a model, measured by running it again with others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from alignbench import Dataset, InputError, Measure, Predictor, Run, evaluate
from alignbench.arrays import Floats
from alignbench.boxes import RECT, TIGHT, BoxProtocol
from alignbench.geometry import tight_boxes
from alignbench.metrics import usual_measures
from alignbench.stats import Bootstrap
from reports.labels import incomplete_notes, missed_text
from reports.sensitivity.rows import (
    Line,
    change_table,
    mean_changes,
    per_face,
    reference_note,
    title_of,
)
from reports.tables import Table

SCALES = (0.8, 0.9, 1.0, 1.1, 1.2)
JITTERS = (0.05, 0.10, 0.20)
"""Standard deviations, as shares of a box's side."""


@dataclass(frozen=True)
class _Case:
    """A row: its name, what the boxes tell the model of the truth, and the run with them."""

    name: str
    leak: str
    run: Run


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
    """Box protocols from the annotated box to the tight one, and scales of the model's own boxes.

    Each row is a run.

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
    _require_range("--jitter", jitters, 1)
    _require_range("--scale", scales, 10)
    jitters = sorted(set(jitters), reverse=True)
    scales = sorted({*scales, 1.0})
    measures = usual_measures(dataset.threshold)
    # The protocol of the model itself is probably one of the others, and is run once.
    total, done = (dataset.boxes is not None) + len(jitters) + 1 + len(scales), 0

    def run(faces: Dataset, protocol: str | None, scale: float = 1.0) -> Run:
        nonlocal done
        progress(done, total)
        done += 1
        return evaluate(
            predictor, faces, boxes=protocol, box_scale=scale, limit=limit, measures=measures,
            bootstrap=bootstrap,
        )  # fmt: skip

    reference = run(dataset, None)
    protocol = reference.record.protocol

    def case(other: BoxProtocol) -> _Case:
        same = other.name == protocol.boxes
        return _Case(other.name, other.leak, reference if same else run(dataset, other.name))

    tight = tight_boxes(dataset.points)
    cases = [] if dataset.boxes is None else [case(RECT)]
    for size in jitters:
        moved = replace(dataset, boxes=jitter_boxes(tight, size, bootstrap.seed))
        leak = f"{TIGHT.leak} and noise"
        cases.append(_Case(f"tight ±{100 * size:g}%", leak, run(moved, RECT.name)))
    cases.append(case(TIGHT))
    if all(one.run is not reference for one in cases):
        cases.insert(0, _Case(protocol.boxes, protocol.leak, reference))
    resized = [
        _Case(f"{s:g}", protocol.leak, reference if s == 1 else run(dataset, None, s))
        for s in scales
    ]
    progress(total, total)
    study = _Study(predictor.name, reference, measures, bootstrap)
    noise = (
        "±: the centre of the tight box shifted by a normal random number of this share of its "
        f"sides, the logarithm of its size changed by another, seed {bootstrap.seed}. Such a box "
        "is still made from the true landmarks; a detector's box is not."
    )
    return [
        study.table("which boxes?", "Boxes", cases, noise, group=True),
        study.table("which box scale?", "Scale", resized, f"Leak: {protocol.leak}.", group=False),
    ]


@dataclass(frozen=True)
class _Study:
    """The model, the run that others are compared with, and how."""

    model: str
    reference: Run
    measures: Sequence[Measure]
    bootstrap: Bootstrap

    def table(
        self, question: str, name: str, cases: Sequence[_Case], note: str, *, group: bool
    ) -> Table:
        """A row a case; ``group``: under what the boxes tell of the truth."""
        record, measures = self.reference.record, self.measures
        norm = record.dataset.normalisers[0]
        changes = mean_changes(
            [per_face(measures, case.run.errors(norm)) for case in cases],
            self.reference.clusters,
            self.bootstrap,
            [measure.digits for measure in measures],
            next(k for k, case in enumerate(cases) if case.run is self.reference),
        )
        lines = [
            Line((case.name,), numbers, f"Leak: {case.leak}" if group else "")
            for case, numbers in zip(cases, changes, strict=True)
        ]
        missed = [f"{c.run.record.missed:,} ({c.name})" for c in cases if c.run.record.missed]
        row = f"{record.protocol.boxes}, which the model uses, by {norm}"
        notes = [
            reference_note(row, self.bootstrap),
            note,
            *incomplete_notes(self.reference),
            *([f"Faces missed: {', '.join(missed)}; {missed_text(measures)}."] if missed else []),
        ]
        title = f"{title_of(self.model, self.reference)}: {question}"
        return change_table(title, [name], [m.heading for m in measures], lines, notes)


def jitter_boxes(boxes: Floats, size: float, seed: int) -> Floats:
    """Boxes (N, 4) moved at random, as a detector's error might move them.

    The centre is shifted in x and y by ``size`` times width and height times a standard normal
    number, width and height are multiplied by ``exp(size z)``. The numbers of a seed are the same
    for every size.
    """
    shift = np.random.default_rng(seed).standard_normal((len(boxes), 3))
    extent = boxes[:, 2:] - boxes[:, :2]
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2 + size * extent * shift[:, :2]
    half = extent / 2 * np.exp(size * shift[:, 2:])
    return np.concatenate([centre - half, centre + half], axis=1)


def _require_range(option: str, values: Sequence[float], top: float) -> None:
    for value in values:
        if not 0 < value <= top:
            raise InputError(option, f"{value}", f"above 0 and at most {top:g}")
