"""What boxes do to a model, measured by running it again with others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from alignbench import Dataset, InputError, Predictor, Run, evaluate
from alignbench.arrays import Floats
from alignbench.boxes import RECT, TIGHT
from alignbench.metrics import usual_measures
from alignbench.stats import Bootstrap
from reports.labels import incomplete_notes, missed_text
from reports.sensitivity import Line, change_table, mean_changes, reference_note, title_of
from reports.tables import Table

SCALES = (0.8, 0.9, 1.0, 1.1, 1.2)
JITTERS = (0.05, 0.10, 0.20)
"""Standard deviations, as shares of a box's side."""
_NOISE = (
    "±: the centre of the tight box shifted by a normal random number of this share of its sides, "
    "the logarithm of its size changed by another, seed {seed}. Such a box is still made from the "
    "true landmarks; a detector's box is not."
)


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
        Evaluate only this number of faces, the first ones.
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
            f"model {predictor.name!r}", "takes no boxes", "a model that finds landmarks in boxes"
        )
    _require_range("--jitter", jitters, 1)
    _require_range("--scale", scales, 10)
    jitters = sorted(set(jitters), reverse=True)
    scales = sorted({*scales, 1.0})
    # The protocol of the model itself is probably one of the others, and is run once.
    total, done = (dataset.boxes is not None) + len(jitters) + 1 + len(scales), 0

    def run(faces: Dataset, boxes: str | None, scale: float = 1.0) -> Run:
        nonlocal done
        progress(done, total)
        done += 1
        return evaluate(
            predictor, faces, boxes=boxes, box_scale=scale, limit=limit, bootstrap=bootstrap,
            measures=usual_measures(dataset.threshold), progress=False,
        )  # fmt: skip

    reference = run(dataset, None)
    protocol = reference.record.protocol
    ladder = _ladder(dataset, jitters, bootstrap.seed)
    if protocol.boxes not in [rung.name for rung in ladder]:
        ladder.insert(0, _Rung(protocol.boxes, protocol.leak, dataset, None))
    rows = [
        (rung, reference if rung.name == protocol.boxes else run(rung.faces, rung.boxes))
        for rung in ladder
    ]
    by_boxes = [(rung.name, f"Leak: {rung.leak}", one) for rung, one in rows]
    by_scale = [
        (f"{scale:g}", "", reference if scale == 1 else run(dataset, None, scale))
        for scale in scales
    ]
    progress(total, total)
    title = title_of(predictor.name, reference)
    noise, leak = _NOISE.format(seed=bootstrap.seed), f"Leak: {protocol.leak}."
    return [
        _table(f"{title}: which boxes?", "Boxes", by_boxes, reference, bootstrap, noise),
        _table(f"{title}: which box scale?", "Scale", by_scale, reference, bootstrap, leak),
    ]


def _require_range(option: str, values: Sequence[float], top: float) -> None:
    for value in values:
        if not 0 < value <= top:
            raise InputError(option, f"{value}", f"above 0 and at most {top:g}")


@dataclass(frozen=True)
class _Rung:
    """A row of the ladder: what its boxes reveal about the truth, and how to run with them."""

    name: str
    leak: str
    faces: Dataset
    boxes: str | None


def _ladder(dataset: Dataset, jitters: Sequence[float], seed: int) -> list[_Rung]:
    """From the annotated box over tight ones with ever less noise to the tight one."""
    rungs = [] if dataset.boxes is None else [_Rung(RECT.name, RECT.leak, dataset, RECT.name)]
    tight = dataset.tight_boxes()
    for size in jitters:
        moved = replace(dataset, boxes=jitter_boxes(tight, size, seed))
        name, leak = f"tight ±{100 * size:g}%", f"{TIGHT.leak} and noise"
        rungs.append(_Rung(name, leak, moved, RECT.name))
    return [*rungs, _Rung(TIGHT.name, TIGHT.leak, dataset, TIGHT.name)]


def _table(
    title: str,
    name: str,
    rows: Sequence[tuple[str, str, Run]],
    reference: Run,
    bootstrap: Bootstrap,
    note: str,
) -> Table:
    """A table of rows: the name, the heading and the run of each."""
    record = reference.record
    norm = record.dataset.normalisers[0]
    measures = usual_measures(record.dataset.threshold)
    runs = [run for _, _, run in rows]
    cases = [(measures, run.errors(norm)) for run in runs]
    changes = mean_changes(cases, reference.clusters, bootstrap, runs.index(reference))
    lines = [
        Line((text,), numbers, heading)
        for (text, heading, _), numbers in zip(rows, changes, strict=True)
    ]
    missed = [f"{run.record.missed:,} ({text})" for text, _, run in rows if run.record.missed]
    row = f"{record.protocol.boxes}, which the model uses, by {norm}"
    notes = [reference_note(row, reference, bootstrap), note, *incomplete_notes(reference)]
    if missed:
        notes.append(f"Faces missed: {', '.join(missed)}; {missed_text(measures)}.")
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
