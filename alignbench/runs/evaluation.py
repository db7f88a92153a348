"""Evaluating a predictor on a data set: plan, predict, measure, keep."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alignbench import threads
from alignbench.arrays import blocks, take
from alignbench.datasets import Dataset, load_dataset
from alignbench.distributed import ALONE, Ranks
from alignbench.exceptions import InputError
from alignbench.metrics import Measure, default_measures
from alignbench.metrics.errors import normaliser_names
from alignbench.metrics.measure import read_measures
from alignbench.predictors.base import Predictor
from alignbench.predictors.guard import guard_streams
from alignbench.predictors.memory import as_predictor
from alignbench.progress import show_progress
from alignbench.runs.doctor import examine
from alignbench.runs.measure import evaluate_points
from alignbench.runs.plan import Plan, make_plan
from alignbench.runs.predict import Predictions, Progress, predict_points
from alignbench.runs.record import RunRecord
from alignbench.runs.run import Run
from alignbench.runs.store import open_place
from alignbench.stats import Bootstrap


def evaluate(
    model: Predictor | str | Callable[..., Any] | NDArray[Any],
    dataset: Dataset | str,
    *,
    name: str | None = None,
    boxes: str | None = None,
    box_scale: float = 1.0,
    limit: int | None = None,
    landmarks: str | None = None,
    measures: Sequence[Measure | str] | None = None,
    bootstrap: Bootstrap | None = None,
    batch_size: int | None = None,
    require_complete: bool = False,
    out: str | Path | Callable[[RunRecord], Path] | None = None,
    fresh: bool = False,
    progress: Progress | bool = True,
    ranks: Ranks = ALONE,
) -> Run:
    """Run a model over a data set and measure it.

    Parameters
    ----------
    model
        A :class:`alignbench.Predictor`; a name, such as ``"dlib"``, as
        :func:`alignbench.load_predictor` takes it; a function of (images, boxes), images being
        (H, W, 3) uint8 RGB and boxes (B, 4), that gives landmarks (B, L, 2) in image pixels; or
        landmarks (N, L, 2) of all N faces of the data set, in its order, as an array or a tensor.
    dataset
        A data set, or its name, such as ``"wflw"``, as :func:`alignbench.load_dataset` takes it.
    name
        The model's name in tables and legends; by default its own.
    boxes
        Box protocol: ``rect``, ``tight``, ``detector`` (the predictor's own), ``detector:FILE`` or
        another registered one. By default the predictor's preferred boxes; if it has none,
        ``rect`` if the data set annotates boxes, else ``tight``.
    box_scale
        Factor on every box, about its centre, before the model's own crop.
    limit
        Evaluate only this number of faces, the first ones; the run is labelled incomplete.
    landmarks
        The mark-up in which model and truth are compared: a registered one that both can be
        converted to, such as ``inner51``, or ``common``, the one of most landmarks. Errors are
        still divided by the normalisers of the whole annotation. By default the data set's own.
    measures
        Measures, or their names, such as ``"fr@0.05"``; by default NME, and FR and AUC at 0.08
        and 0.10. One without normaliser is taken under every normaliser of the mark-up.
    bootstrap
        How intervals are made.
    batch_size
        Faces given to the predictor at a time; by default as many as it prefers. Nothing here
        depends on it; a model's own arithmetic may, in its last bits.
    require_complete
        Refuse a data set of which a face or image is missing. Otherwise the remaining faces are
        evaluated and the run is labelled incomplete.
    out
        Folder to write to, or a function that names it from the record. A run that was cut short
        there goes on where it stopped; a finished run of the same key is read back, unless the
        model may have changed. Nothing is written where it is None.
    fresh
        Replace whatever run is in ``out``; it stays until the new one has its results.
    progress
        Whether a bar is shown on a terminal and in a notebook; or a function, which is called with
        (faces done, faces in all) instead.
    ranks
        The processes that share the run (:func:`alignbench.distributed.join_ranks`): each calls
        this with the same arguments and gets the same numbers; the first alone writes. With as
        many threads each as one process would have, the files are the same bytes as one
        process's.

    Returns
    -------
    Run
        Its ``to_frame()`` has the measures, ``faces`` the error of each face, ``breakdown`` NME by
        region and landmark, and ``points`` the landmarks.

    Raises
    ------
    InputError
        If model and data set do not fit, data is missing or broken, or ``out`` holds
        something else.
    """
    started = time.time()
    predictor = as_predictor(model)
    faces = load_dataset(dataset) if isinstance(dataset, str) else dataset
    if not isinstance(faces, Dataset):
        raise InputError("data set", f"a {type(faces).__name__}", "a Dataset, or its name")
    norms = normaliser_names(faces.markup, tuple(faces.scales))
    shown = read_measures(measures or default_measures(), norms)
    if batch_size is not None and batch_size < 1:
        raise InputError("--batch-size", f"{batch_size}", "1 or more")
    # The bar is drawn outside: what is printed inside does not reach the screen.
    with _report(progress, f"{name or predictor.name} on {faces.name}") as report, guard_streams():
        plan = make_plan(
            predictor, faces, name=name, boxes=boxes, box_scale=box_scale, limit=limit,
            landmarks=landmarks, measures=tuple(dict.fromkeys(shown)),
            bootstrap=bootstrap or Bootstrap(), require_complete=require_complete,
        )  # fmt: skip
        with open_place(out if ranks.first else None, plan, fresh) as place:
            if place.finished is not None and ranks.size == 1:
                report(len(plan.faces), len(plan.faces))
                return place.finished
            predictions = predict_points(
                predictor, plan.faces, plan.boxes, batch_size=batch_size, place=place,
                ranks=ranks, progress=report,
            )  # fmt: skip
            return place.finished or place.finish(_measure(plan, predictions, started))


def _report(progress: Progress | bool, title: str) -> AbstractContextManager[Progress]:
    """The function that is called with (faces done, faces in all)."""
    if callable(progress):
        return nullcontext(progress)
    return show_progress(title, "faces") if progress else nullcontext(lambda done, total: None)


def _measure(plan: Plan, predictions: Predictions, started: float) -> Run:
    """The finished run of a plan and its predictions; ``started`` is a time in seconds."""
    points, faces = predictions.points, plan.faces
    parts = [np.isnan(points[rows]).any(axis=(1, 2)) for rows in blocks(len(points))]
    missed = np.concatenate(parts)
    if missed.all():
        remedy = (
            "A network's output that is not finite counts as none: check its input (colours, "
            "scale) and its precision."
        )
        raise InputError(
            f"model {plan.record.model.name!r}", f"gave no landmarks for any of {len(faces)} faces",
            remedy="" if plan.record.protocol.decoding is None else remedy,
        )  # fmt: skip
    evaluation = evaluate_points(points, faces, plan.measures, plan.bootstrap)
    findings = tuple(map(str, examine(points, faces)))
    seconds = time.time() - started
    timings = {
        "started": datetime.fromtimestamp(started, UTC).isoformat(timespec="seconds"),
        "seconds": round(seconds, 3),
        "faces_per_second": round((len(faces) - predictions.restored) / max(seconds, 1e-9), 2),
        "resumed_faces": predictions.restored,
        "batch_size": predictions.batch_size,
        "processes": predictions.processes,
        "threads": threads.count(),
    }
    return Run(
        plan.record.model_copy(
            update={
                "status": "complete",
                "missed": int(missed.sum()),
                "findings": findings,
                "timings": timings,
            }
        ),
        evaluation.metrics,
        evaluation.faces,
        evaluation.breakdown,
        tuple(faces.ids[k] for k in np.flatnonzero(~missed)),
        take(points, ~missed) if missed.any() else points,
    )
