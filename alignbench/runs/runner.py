"""Evaluating a predictor on a data set: batches, resume, results."""

from __future__ import annotations

import time
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from alignbench import plugins, threads
from alignbench.arrays import Bytes, Floats
from alignbench.datasets.base import Dataset, Images
from alignbench.errors import InputError
from alignbench.markups import MARKUPS, convert, require_convertible
from alignbench.metrics import Measure, default_measures, parse_measure
from alignbench.metrics.errors import normaliser_names
from alignbench.predictors.base import Batch, Predictor
from alignbench.runs import store
from alignbench.runs.boxes import Boxes, choose_boxes, choose_detection
from alignbench.runs.evaluation import evaluate_points
from alignbench.runs.plan import choose_faces, make_record
from alignbench.runs.record import RunRecord
from alignbench.runs.run import Run, load_run
from alignbench.stats import Bootstrap

Progress = Callable[[int, int], None]

_PART_SECONDS = 2.0
"""A killed run loses about this much work."""


def evaluate(
    predictor: Predictor,
    dataset: Dataset,
    *,
    boxes: str | None = None,
    box_scale: float = 1.0,
    limit: int | None = None,
    measures: Sequence[Measure] | None = None,
    bootstrap: Bootstrap | None = None,
    batch_size: int = 32,
    require_complete: bool = False,
    out: str | Path | Callable[[RunRecord], Path] | None = None,
    fresh: bool = False,
    progress: Progress = lambda done, total: None,
) -> Run:
    """Run a predictor over a data set and measure it.

    Parameters
    ----------
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
        Faces given to the predictor at a time; results do not depend on it.
    require_complete
        Refuse a data set of which a face or image is missing. Otherwise the faces that are there
        are evaluated and the run is labelled incomplete.
    out
        Folder to write to, or a function that names it from the record. A run that was cut short
        there goes on where it stopped; a finished run of the same key is read back. Nothing is
        written where it is None.
    fresh
        Start anew whatever run is in ``out``.
    progress
        Called with (faces done, faces in all).

    Raises
    ------
    InputError
        If predictor and data set do not fit, data is missing or broken, or ``out`` holds
        something else.
    """
    started = time.time()
    measures = tuple(measures or default_measures())
    bootstrap = bootstrap or Bootstrap()
    _check(dataset, measures, box_scale, limit, batch_size)
    markup = predictor.markup or dataset.markup
    require_convertible(markup, dataset.markup)
    faces, block = choose_faces(dataset, predictor, limit, require_complete)
    predictor.prepare(faces)
    used = choose_boxes(faces, predictor, boxes, box_scale)
    record = make_record(predictor, markup, faces, block, used, measures, bootstrap)

    def finish(predicted: Floats) -> Run:
        return _measure(record, predicted, faces, measures, bootstrap)

    predicted = np.full((len(faces), markup.landmarks, 2), np.nan)
    if out is None:
        for start, points in _predict(predictor, faces, used, batch_size, markup.landmarks, 0):
            predicted[start : start + len(points)] = points
            progress(start + len(points), len(faces))
        return finish(predicted)

    folder = out(record) if callable(out) else Path(out)
    with store.locked(folder):
        found = store.check_folder(folder, record.key, fresh)
        if found is not None and found.status == "complete":
            progress(len(faces), len(faces))
            return replace(load_run(folder), read_back=True)
        if found is None:
            store.clear(folder)
        resumed = kept = store.read_parts(folder, predicted)
        progress(resumed, len(faces))
        last = time.monotonic()
        for start, points in _predict(
            predictor, faces, used, batch_size, markup.landmarks, resumed
        ):
            done = start + len(points)
            predicted[start:done] = points
            progress(done, len(faces))
            if time.monotonic() - last > _PART_SECONDS:
                store.write_part(folder, record, kept, predicted[kept:done])
                kept, last = done, time.monotonic()
        run = finish(predicted)
        seconds = time.time() - started
        timings = {
            "started": datetime.fromtimestamp(started, UTC).isoformat(timespec="seconds"),
            "seconds": round(seconds, 3),
            "faces_per_second": round((len(faces) - resumed) / seconds, 2),
            "resumed_faces": resumed,
        }
        finished = run.record.model_copy(update={"timings": timings})
        run = replace(run, folder=folder, record=finished)
        store.write_results(run, folder, record, lambda: _write_run_files(run, folder))
    return run


def _check(
    dataset: Dataset,
    measures: Sequence[Measure],
    box_scale: float,
    limit: int | None,
    batch_size: int,
) -> None:
    for measure in measures:
        parse_measure(str(measure), normaliser_names(dataset.markup))
    if not 0 < box_scale < 100:
        raise InputError("--box-scale", f"{box_scale}", "a factor above 0 and below 100")
    for option, value in (("--limit", limit), ("--batch-size", batch_size)):
        if value is not None and value < 1:
            raise InputError(option, f"{value}", "1 or more")


def _predict(
    predictor: Predictor,
    dataset: Dataset,
    used: Boxes,
    batch_size: int,
    landmarks: int,
    first: int,
) -> Iterator[tuple[int, Floats]]:
    """Landmarks of batch after batch, from face ``first`` on, as (start, (B, L, 2))."""
    faces = range(first, len(dataset))
    images = _read_ahead(dataset.images, faces, batch_size) if predictor.needs_images else None
    for start in range(first, len(dataset), batch_size):
        batch = range(start, min(start + batch_size, len(dataset)))
        pixels = [] if images is None else [next(images) for _ in batch]
        boxes = used.boxes[batch.start : batch.stop]
        if used.detect:
            boxes = np.stack(
                [
                    choose_detection(predictor.detect(image), box, used.scale)
                    for image, box in zip(pixels, boxes, strict=True)
                ]
            )
        points = np.full((len(batch), landmarks, 2), np.nan)
        boxed = np.flatnonzero(~np.isnan(boxes).any(axis=1))
        if len(boxed):
            ids = [dataset.ids[batch[k]] for k in boxed]
            given = predictor.predict(
                Batch(ids, [pixels[k] for k in boxed] if pixels else [], boxes[boxed])
            )
            points[boxed] = _checked(given, ids, landmarks, predictor.name)
        yield start, points


def _checked(points: Floats, ids: Sequence[str], landmarks: int, model: str) -> Floats:
    """What a predictor gave, if it is landmarks: all finite, or all NaN for a missed face."""
    if np.shape(points) != (len(ids), landmarks, 2):
        raise InputError(
            f"model {model!r}",
            f"gave landmarks of shape {np.shape(points)}",
            f"({len(ids)}, {landmarks}, 2)",
        )
    points = np.asarray(points, np.float64)
    broken = ~np.isfinite(points).all(axis=(1, 2)) & ~np.isnan(points).all(axis=(1, 2))
    for face in np.flatnonzero(broken).tolist():
        raise InputError(
            f"model {model!r}, face {ids[face]}",
            "gave a landmark that is not finite",
            "finite landmarks, or NaN in all of them for a face that was missed",
        )
    return points


def _read_ahead(images: Images, faces: range, batch_size: int) -> Iterator[Bytes]:
    """Images in order, decoded in threads up to two batches before they are asked for."""
    pending: deque[Future[Bytes]] = deque()
    pool = ThreadPoolExecutor(threads.count())
    try:
        for face in faces:
            pending.append(pool.submit(images.read, face))
            if len(pending) >= 2 * batch_size:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _measure(
    record: RunRecord,
    predicted: Floats,
    dataset: Dataset,
    measures: Sequence[Measure],
    bootstrap: Bootstrap,
) -> Run:
    missed = np.isnan(predicted).any(axis=(1, 2))
    if missed.all():
        raise InputError(
            f"model {record.model.name!r}", f"gave no landmarks for any of {len(dataset)} faces"
        )
    points = convert(predicted, MARKUPS[record.model.markup], dataset.markup)
    result = evaluate_points(points, dataset, measures, bootstrap)
    return Run(
        record.model_copy(update={"status": "complete", "missed": int(missed.sum())}),
        result.metrics,
        result.faces,
        result.breakdown,
        tuple(dataset.ids[k] for k in np.flatnonzero(~missed)),
        points[~missed],
    )


def _write_run_files(run: Run, folder: Path) -> None:
    """Let whoever registered for it add files, such as the CED plot, to a finished run."""
    for name in plugins.registered(plugins.RUN_FILES):
        try:
            write = plugins.load(plugins.RUN_FILES, name)
        except InputError as error:
            warnings.warn(f"no {name} written: {error}", stacklevel=2)
            continue
        write(run, folder)
