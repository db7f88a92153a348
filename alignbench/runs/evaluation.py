"""Evaluating a predictor on a data set: what is done in which order, resume, results."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from alignbench import arrays, plugins, threads
from alignbench.arrays import Floats
from alignbench.boxes import choose_boxes
from alignbench.datasets.base import Dataset
from alignbench.distributed import ALONE, Ranks
from alignbench.errors import InputError, blame
from alignbench.io.files import WriteError
from alignbench.markups import Markup, convert, require_convertible
from alignbench.metrics import Measure, default_measures, parse_measure
from alignbench.metrics.errors import normaliser_names, normalisers
from alignbench.predictors.base import Predictor
from alignbench.runs import store
from alignbench.runs.measure import evaluate_points
from alignbench.runs.plan import choose_faces, make_record
from alignbench.runs.predict import predict_faces
from alignbench.runs.record import RunRecord
from alignbench.runs.run import Run, load_run
from alignbench.stats import Bootstrap

Progress = Callable[[int, int], None]

_PART_SECONDS = 2.0
"""A killed run loses about this much work; an interrupted one none."""


def evaluate(
    predictor: Predictor,
    dataset: Dataset,
    *,
    name: str | None = None,
    boxes: str | None = None,
    box_scale: float = 1.0,
    limit: int | None = None,
    measures: Sequence[Measure] | None = None,
    bootstrap: Bootstrap | None = None,
    batch_size: int | None = None,
    require_complete: bool = False,
    out: str | Path | Callable[[RunRecord], Path] | None = None,
    fresh: bool = False,
    progress: Progress = lambda done, total: None,
    ranks: Ranks = ALONE,
) -> Run:
    """Run a predictor over a data set and measure it.

    Parameters
    ----------
    name
        What tables and legends call the model; its own name where it is None.
    boxes
        Box protocol: ``rect``, ``tight``, ``detector`` (the predictor's own) or
        ``detector:FILE``. The predictor's own wish where it is None; where that is None too,
        ``rect`` if the data set annotates boxes, else ``tight``.
    box_scale
        Factor on every box, about its centre, before the model's own crop.
    limit
        Evaluate only the first so many faces; the run is labelled incomplete.
    measures
        Measures; NME, and FR and AUC at 0.08 and 0.10, where it is None. One without normaliser
        is taken under every normaliser of the mark-up.
    bootstrap
        How intervals are made.
    batch_size
        Faces given to the predictor at a time; the predictor's own wish where it is None. Nothing
        here depends on it; a model's own arithmetic may, in its last bits.
    require_complete
        Refuse a data set of which a face or image is missing. Otherwise the faces that are there
        are evaluated and the run is labelled incomplete.
    out
        Folder to write to, or a function that names it from the record. A run that was cut short
        there goes on where it stopped; a finished run of the same key is read back. Nothing is
        written where it is None.
    fresh
        Replace whatever run is in ``out``; it stays until the new one has its results.
    progress
        Called with (faces done, faces in all).
    ranks
        The processes that share the run (:func:`alignbench.distributed.joined`): each calls this
        with the same arguments and gets the same numbers; the first alone writes. With as many
        threads each as one process would have, the files are the same bytes as one process's.

    Raises
    ------
    InputError
        If predictor and data set do not fit, data is missing or broken, or ``out`` holds
        something else.
    """
    started, began = time.time(), time.perf_counter()
    measures = tuple(dict.fromkeys(measures or default_measures()))
    bootstrap = bootstrap or Bootstrap()
    _check(predictor, dataset, measures, box_scale, limit, batch_size)
    markup = predictor.markup or dataset.markup
    require_convertible(markup, dataset.markup)
    faces, block = choose_faces(dataset, predictor, limit, require_complete)
    normalisers(faces.points, faces.markup, faces.ids)  # refuses a zero one before any work
    with blame(f"model {predictor.name!r}"):
        predictor.prepare(dataset)
    used = choose_boxes(dataset, faces, predictor, boxes, box_scale)
    with blame(f"model {predictor.name!r}"):
        record = make_record(
            name or predictor.name, predictor, markup, faces, block, used, measures, bootstrap
        )
    batch_size = batch_size or predictor.batch_size

    def nothing() -> Floats:
        return arrays.full((len(faces), markup.landmarks, 2), np.nan)

    def predict(predicted: Floats, first: int) -> Iterator[int]:
        """Fill in landmarks turn after turn of all ranks; gives the number of faces done."""
        progress(first, len(faces))
        batches = [
            range(start, min(start + batch_size, len(faces)))
            for start in range(first, len(faces), batch_size)
        ]
        own = predict_faces(
            predictor, faces, used, batches[ranks.rank :: ranks.size], markup.landmarks
        )
        with closing(own):
            for at in range(0, len(batches), ranks.size):
                turn = batches[at : at + ranks.size]
                found = np.full((batch_size, markup.landmarks, 2), np.nan)
                if ranks.rank < len(turn):
                    batch, points = next(own)
                    assert batch == turn[ranks.rank]
                    found[: len(batch)] = points
                for batch, points in zip(turn, ranks.gather(found), strict=False):
                    predicted[batch.start : batch.stop] = points[: len(batch)]
                done = turn[-1].stop
                progress(done, len(faces))
                yield done

    def measured(predicted: Floats) -> Run:
        points = predicted
        if markup is not dataset.markup:
            points = arrays.map_blocks(lambda p: convert(p, markup, dataset.markup), predicted)
        return _measure(record, points, faces, measures, bootstrap)

    if out is None:
        predicted = nothing()
        for _ in predict(predicted, 0):
            pass
        return measured(predicted)

    # Ranks share in one order whatever happens: how far the first one is, what it has, the turns.
    folder = out(record) if callable(out) else Path(out)
    if not ranks.first:
        # What the first rank says: how far the run is, -1 where it was finished before.
        resumed = int(ranks.share(np.zeros(1))[0])
        if resumed < 0:
            finished = arrays.full(faces.points.shape, np.nan)
            _share(ranks, finished)
            return _measure(record, finished, faces, measures, bootstrap)
        predicted = nothing()
        _share(ranks, predicted)
        for _ in predict(predicted, resumed):
            pass
        return measured(predicted)

    def finished_before() -> Run:
        progress(len(faces), len(faces))
        run = replace(load_run(folder), read_back=True)
        ranks.share(np.full(1, -1.0))
        if ranks.size > 1:  # alone, there is nobody to need them
            _share(ranks, run.all_points())
        return run

    if not fresh and store.holds(folder, record.key):
        store.tidy(folder, record.key)
        return finished_before()
    with store.locked(folder):
        if not fresh and store.holds(folder, record.key):  # by another process, a moment ago
            return finished_before()
        store.prepare(folder, record.key, fresh)
        predicted = nothing()
        resumed = store.resume(folder, predicted)
        ranks.share(np.full(1, float(resumed)))
        _share(ranks, predicted)
        _predict_and_keep(predict(predicted, resumed), resumed, predicted, folder, record)
        run = measured(predicted)
        seconds = time.perf_counter() - began
        timings = {
            "started": datetime.fromtimestamp(started, UTC).isoformat(timespec="seconds"),
            "seconds": round(seconds, 3),
            "faces_per_second": round((len(faces) - resumed) / seconds, 2),
            "resumed_faces": resumed,
            "batch_size": batch_size,
            "processes": ranks.size,
            "threads": threads.count(),
        }
        completed = run.record.model_copy(update={"timings": timings})
        run = replace(run, folder=folder, record=completed)
        store.write_results(run, folder, record, lambda staging: _write_run_files(run, staging))
    return run


def _share(ranks: Ranks, points: Floats) -> None:
    """Fill in the first rank's landmarks (N, L, 2) on every rank."""
    if ranks.size > 1:
        for rows in arrays.blocks(len(points)):
            points[rows] = ranks.share(points[rows])


def _predict_and_keep(
    batches: Iterator[int], resumed: int, predicted: Floats, folder: Path, record: RunRecord
) -> None:
    """Predict every batch, and every few seconds keep what is done for a run that is cut short."""
    done = kept = resumed
    last = time.monotonic()
    try:
        for done in batches:
            if time.monotonic() - last > _PART_SECONDS:
                store.write_part(folder, record, kept, predicted[kept:done])
                kept, last = done, time.monotonic()
    except KeyboardInterrupt:
        if done > kept:
            store.write_part(folder, record, kept, predicted[kept:done])
        raise


def _check(
    predictor: Predictor,
    dataset: Dataset,
    measures: Sequence[Measure],
    box_scale: float,
    limit: int | None,
    batch_size: int | None,
) -> None:
    if not isinstance(predictor.name, str) or not predictor.name:
        raise InputError(f"model {type(predictor).__name__}", "has no name", "a text in .name")
    if not isinstance(predictor.markup, Markup | None):
        raise InputError(
            f"model {predictor.name!r}", f"markup is {predictor.markup!r}",
            "None or a Markup, such as alignbench.markups.WFLW98",
        )  # fmt: skip
    for measure in measures:
        parse_measure(str(measure), normaliser_names(dataset.markup))
    taken = {"id", "image", *normaliser_names(dataset.markup)} & dataset.subsets.keys()
    if taken:
        raise InputError(
            f"data set {dataset.name!r}",
            f"a subset is called {min(taken)!r}, as another column of a run's faces is",
            "a name of its own",
        )
    if not 1e-3 <= box_scale <= 1e3:
        raise InputError("--box-scale", f"{box_scale}", "a factor of 0.001 to 1000")
    for option, value in (("--limit", limit), ("--batch-size", batch_size)):
        if value is not None and value < 1:
            raise InputError(option, f"{value}", "1 or more")


def _measure(
    record: RunRecord,
    points: Floats,
    dataset: Dataset,
    measures: Sequence[Measure],
    bootstrap: Bootstrap,
) -> Run:
    parts = [np.isnan(points[rows]).any(axis=(1, 2)) for rows in arrays.blocks(len(points))]
    missed = np.concatenate(parts)
    if missed.all():
        raise InputError(
            f"model {record.model.name!r}", f"gave no landmarks for any of {len(dataset)} faces"
        )
    result = evaluate_points(points, dataset, measures, bootstrap)
    return Run(
        record.model_copy(update={"status": "complete", "missed": int(missed.sum())}),
        result.metrics,
        result.faces,
        result.breakdown,
        tuple(dataset.ids[k] for k in np.flatnonzero(~missed)),
        arrays.take(points, ~missed) if missed.any() else points,
    )


def _write_run_files(run: Run, folder: Path) -> None:
    """Let whoever registered for it add files, such as the CED plot, to a finished run."""
    for name in plugins.registered(plugins.RUN_FILES):
        try:
            with blame(f"plug-in {name!r}"):
                plugins.load(plugins.RUN_FILES, name)(run, folder)
        except WriteError:
            raise  # a full disk is no fault of the plug-in: once there is room, all files are made
        except InputError as error:
            warnings.warn(f"no {name} written: {error}", stacklevel=2)
