"""Landmarks of a data set's faces, batch after batch, on one process or several."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from itertools import chain
from typing import Any, TypeVar, cast

import numpy as np

from alignbench import threads
from alignbench.arrays import Bytes, Floats, Ints, blocks, full, plausible
from alignbench.boxes import EDGES, Boxes, choose_detection
from alignbench.datasets.base import Dataset, Images
from alignbench.distributed import ALONE, Ranks
from alignbench.exceptions import InputError, blame
from alignbench.markups import convert
from alignbench.predictors.base import Batch, Predictor
from alignbench.predictors.guard import check_landmarks

T = TypeVar("T")
Progress = Callable[[int, int], None]

_PART_SECONDS = 2.0
"""Seconds between parts: a killed run loses about this much work, an interrupted one none."""


class Place:
    """Where landmarks are kept while a run is under way; this one keeps nothing."""

    def restore(self, points: Floats) -> int:
        """Fill in the faces done before (N, L, 2), from the first on; gives their number."""
        return 0

    def keep_part(self, start: int, points: Floats) -> None:
        """Keep the landmarks (B, L, 2) of the faces from ``start`` on."""


@dataclass(frozen=True)
class Predictions:
    """Landmarks (N, L, 2) in the data set's mark-up, NaN for a missed face; how they were made."""

    points: Floats
    restored: int
    batch_size: int
    processes: int


def predict_points(
    predictor: Predictor,
    faces: Dataset,
    boxes: Boxes,
    *,
    batch_size: int | None = None,
    place: Place | None = None,
    ranks: Ranks = ALONE,
    progress: Progress = lambda done, total: None,
) -> Predictions:
    """Predict every face, with all processes of a run; each of them gets all landmarks.

    Batches are dealt to the ranks in turn. The first rank alone restores what was done before and
    keeps parts of what is done now.

    Raises
    ------
    InputError
        If an image is broken, or the model raises an error or gives no landmarks.
    """
    size = min(batch_size or predictor.batch_size, len(faces))
    place = place or Place()
    points = full(faces.points.shape, np.nan)
    restored = done = kept = _restore(place, points, ranks)
    progress(done, len(faces))
    batches = [range(k, min(k + size, len(faces))) for k in range(done, len(faces), size)]
    predicted = predict_batches(predictor, faces, boxes, batches[ranks.rank :: ranks.size])
    last = time.monotonic()
    with closing(predicted):
        try:
            for at in range(0, len(batches), ranks.size):
                turn = batches[at : at + ranks.size]
                contribution = np.full((size, *faces.points.shape[1:]), np.nan)
                if ranks.rank < len(turn):
                    contribution[: len(turn[ranks.rank])] = next(predicted)
                for batch, landmarks in zip(turn, ranks.gather(contribution), strict=False):
                    points[batch.start : batch.stop] = landmarks[: len(batch)]
                done = turn[-1].stop
                progress(done, len(faces))
                if time.monotonic() - last > _PART_SECONDS:
                    place.keep_part(kept, points[kept:done])
                    kept, last = done, time.monotonic()
        except KeyboardInterrupt:
            if done > kept:
                place.keep_part(kept, points[kept:done])
            raise
    return Predictions(points, restored, batch_size or predictor.batch_size, ranks.size)


def _restore(place: Place, points: Floats, ranks: Ranks) -> int:
    """Fill in the faces done before on every rank; gives their number."""
    done = place.restore(points) if ranks.first else 0
    done = int(ranks.share(np.array([float(done)]))[0])
    if ranks.size > 1:
        for rows in blocks(len(points)):
            points[rows] = ranks.share(points[rows])
    return done


def predict_batches(
    predictor: Predictor, faces: Dataset, boxes: Boxes, batches: Sequence[range]
) -> Generator[Floats]:
    """The landmarks (B, L, 2) of each batch of faces in turn, in the data set's mark-up.

    NaN for a face that was missed, by its detector or by the model. While the network computes a
    batch, one thread prepares the next batch, whose images other threads decode, and another thread
    decodes the output of the batch before: the network does not wait.

    Raises
    ------
    InputError
        If an image is broken, or the model raises an error or gives no landmarks.
    """
    markup = predictor.markup or faces.annotated_markup

    def check(work: _Work, output: Any) -> Floats:
        return check_landmarks(output, work.ids, markup.landmarks, predictor.name)

    def finish(work: _Work, outputs: Any) -> Floats:
        points = np.full((len(work.batch), markup.landmarks, 2), np.nan)
        if len(work.boxed):
            if predictor.has_steps:
                with blame(work.blamed):
                    outputs = predictor.postprocess(outputs)
                outputs = check(work, outputs)
            points[work.boxed] = outputs
        return convert(points, markup, faces.markup)

    finisher = ThreadPoolExecutor(1)
    pending: deque[Future[Floats]] = deque()
    ready = _prepare(predictor, faces, boxes, batches)
    try:
        # A detector may share its model with the predictor: the two are not called at once.
        for work in ready if boxes.detect else _ahead(ready):
            outputs = None
            if len(work.boxed):
                with blame(work.blamed):
                    step = predictor.forward if predictor.has_steps else predictor.predict
                    outputs = step(work.inputs)
                if not predictor.has_steps:
                    # Copied here, because the next call may write into the same array.
                    outputs = check(work, outputs)
            pending.append(finisher.submit(finish, work, outputs))
            if len(pending) > 1:
                yield _oldest(pending)
        while pending:
            yield _oldest(pending)
    except GeneratorExit:
        raise
    except BaseException:
        # The batches that were computed before the error are kept.
        while pending and pending[0].exception() is None:
            yield _oldest(pending)
        raise
    finally:
        finisher.shutdown(cancel_futures=True)
        ready.close()


def _oldest(pending: deque[Future[Floats]]) -> Floats:
    """The landmarks of the oldest batch; one that failed stays in the queue."""
    points = pending[0].result()
    pending.popleft()
    return points


@dataclass(frozen=True)
class _Work:
    """A batch that is ready for the network: which of its faces have a box, and its inputs."""

    batch: range
    boxed: Ints
    ids: Sequence[str]
    inputs: Any
    blamed: str


def _prepare(
    predictor: Predictor, faces: Dataset, boxes: Boxes, batches: Sequence[range]
) -> Generator[_Work]:
    everyone = chain.from_iterable(batches)
    images = _read_ahead(faces.images, everyone) if predictor.needs_images else None
    for batch in batches:
        pixels = [] if images is None else [next(images) for _ in batch]
        rows = boxes.boxes[batch.start : batch.stop]
        if boxes.detect:
            rows = np.stack(
                [
                    choose_detection(_detect(predictor, image), box, boxes.scale)
                    for image, box in zip(pixels, rows, strict=True)
                ]
            )
        boxed = np.flatnonzero(~np.isnan(rows).any(axis=1))
        ids = [faces.ids[batch[k]] for k in boxed]
        blamed = f"model {predictor.name!r}, faces {ids[0]} to {ids[-1]}" if ids else ""
        frames = None if boxes.frames is None else boxes.frames[batch.start : batch.stop][boxed]
        shown = [pixels[k] for k in boxed] if pixels else []
        inputs: Any = Batch(ids, shown, rows[boxed], frames)
        if predictor.has_steps and len(boxed):
            with blame(blamed):
                inputs = predictor.preprocess(inputs)
        yield _Work(batch, boxed, ids, inputs, blamed)


def _detect(predictor: Predictor, image: Bytes) -> Floats:
    """Boxes (K, 4) of a predictor's own detector."""
    where = f"model {predictor.name!r}, its detector"
    with blame(where):
        detections = np.asarray(predictor.detect(image), np.float64)
    if detections.size and (detections.ndim != 2 or detections.shape[1] != len(EDGES)):
        raise InputError(where, f"gave shape {detections.shape}", "(K, 4)")
    if not plausible(detections).all():
        raise InputError(where, "gave a box that is not finite", "x_min, y_min, x_max, y_max")
    return detections.reshape(-1, len(EDGES))


def _read_ahead(images: Images, faces: Iterable[int]) -> Iterator[Bytes]:
    """Images in order, decoded in threads a few ahead of what is asked for.

    Copies, so that a model that writes to an image changes no later face.
    """
    pending: deque[Future[Bytes]] = deque()
    workers = threads.count()
    pool = ThreadPoolExecutor(workers)
    try:
        for face in faces:
            pending.append(pool.submit(lambda k: images.read(k).copy(), face))
            if len(pending) > 2 * workers:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _ahead(items: Generator[T]) -> Iterator[T]:
    """Items in order; a thread makes the next one while one is used."""
    end = object()
    with ThreadPoolExecutor(1) as pool:
        try:
            coming = pool.submit(next, items, end)
            while (item := coming.result()) is not end:
                coming = pool.submit(next, items, end)
                yield cast("T", item)
        finally:
            coming.cancel()
            pool.submit(items.close).result()
