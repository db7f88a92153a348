"""Landmarks of a data set's faces, batch after batch, and what a model may give."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from typing import Any, TypeVar, cast

import numpy as np

from alignbench import threads
from alignbench.arrays import Bytes, Floats, Ints, plausible
from alignbench.boxes import EDGES, Boxes, choose_detection
from alignbench.datasets.base import Dataset, Images
from alignbench.errors import InputError, blame
from alignbench.predictors.base import Batch, Predictor

T = TypeVar("T")


def predict_faces(
    predictor: Predictor,
    dataset: Dataset,
    used: Boxes,
    batches: Sequence[range],
    landmarks: int,
) -> Generator[tuple[range, Floats]]:
    """Batch after batch of faces with its landmarks (B, L, 2).

    NaN for a face that was missed, by its detector or by the model. While the network computes a
    batch, a thread makes the next one ready, with its images decoded by others, and another
    decodes what came of the one before: a network need not wait.

    Raises
    ------
    InputError
        If an image is broken, or the model raises something or gives no landmarks.
    """

    def finish(work: _Work, outputs: Any) -> Floats:
        points = np.full((len(work.batch), landmarks, 2), np.nan)
        if len(work.boxed):
            with blame(work.blamed):
                given = predictor.postprocess(outputs) if predictor.has_steps else outputs
            points[work.boxed] = _checked(given, work.ids, landmarks, predictor.name)
        return points

    finisher = ThreadPoolExecutor(1)
    pending: deque[tuple[range, Future[Floats]]] = deque()
    ready = _ready(predictor, dataset, used, batches)
    try:
        # A detector may share its model with the predictor: it is not called beside it.
        for work in ready if used.detect else _ahead(ready):
            outputs = None
            if len(work.boxed):
                with blame(work.blamed):
                    step = predictor.forward if predictor.has_steps else predictor.predict
                    outputs = step(work.inputs)
            pending.append((work.batch, finisher.submit(finish, work, outputs)))
            if len(pending) > 1:
                yield _oldest(pending)
        while pending:
            yield _oldest(pending)
    except GeneratorExit:
        raise
    except BaseException:
        # What was computed before it broke off is kept.
        while pending and pending[0][1].exception() is None:
            yield _oldest(pending)
        raise
    finally:
        finisher.shutdown(cancel_futures=True)
        ready.close()


def _oldest(pending: deque[tuple[range, Future[Floats]]]) -> tuple[range, Floats]:
    """The oldest batch with its landmarks; one that failed stays where it is."""
    batch, future = pending[0]
    points = future.result()
    pending.popleft()
    return batch, points


@dataclass(frozen=True)
class _Work:
    """A batch that is ready for the network: which of its faces have a box, and its inputs."""

    batch: range
    boxed: Ints
    ids: Sequence[str]
    inputs: Any
    blamed: str


def _ready(
    predictor: Predictor, dataset: Dataset, used: Boxes, batches: Sequence[range]
) -> Generator[_Work]:
    faces = chain.from_iterable(batches)
    images = _read_ahead(dataset.images, faces) if predictor.needs_images else None
    for batch in batches:
        pixels = [] if images is None else [next(images) for _ in batch]
        boxes = used.boxes[batch.start : batch.stop]
        if used.detect:
            boxes = np.stack(
                [
                    choose_detection(_detect(predictor, image), box, used.scale)
                    for image, box in zip(pixels, boxes, strict=True)
                ]
            )
        boxed = np.flatnonzero(~np.isnan(boxes).any(axis=1))
        ids = [dataset.ids[batch[k]] for k in boxed]
        blamed = f"model {predictor.name!r}, faces {ids[0]} to {ids[-1]}" if ids else ""
        inputs: Any = Batch(ids, [pixels[k] for k in boxed] if pixels else [], boxes[boxed])
        if predictor.has_steps and len(boxed):
            with blame(blamed):
                inputs = predictor.preprocess(inputs)
        yield _Work(batch, boxed, ids, inputs, blamed)


def _detect(predictor: Predictor, image: Bytes) -> Floats:
    """Boxes (K, 4) of a predictor's own detector."""
    with blame(f"model {predictor.name!r}, its detector"):
        found = np.asarray(predictor.detect(image), np.float64)
    if found.size and (found.ndim != 2 or found.shape[1] != len(EDGES)):
        raise InputError(
            f"model {predictor.name!r}, its detector", f"gave shape {found.shape}", "(K, 4)"
        )
    return found.reshape(-1, len(EDGES))


def _checked(given: object, ids: Sequence[str], landmarks: int, model: str) -> Floats:
    """What a predictor gave, if it is landmarks: all finite, or all NaN for a missed face."""
    wanted = (len(ids), landmarks, 2)
    if hasattr(given, "detach"):  # a torch tensor, on whatever device
        given = given.detach().cpu()
    try:
        points = np.asarray(given, np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"model {model!r}", f"gave a {type(given).__name__} that is no array of numbers",
            f"landmarks of shape {wanted}",
        ) from error  # fmt: skip
    if points.shape != wanted:
        what = f"landmarks of shape {points.shape}" if points.ndim else repr(given)
        raise InputError(f"model {model!r}", f"gave {what}", f"landmarks of shape {wanted}")
    broken = ~plausible(points).all(axis=(1, 2)) & ~np.isnan(points).all(axis=(1, 2))
    for face in np.flatnonzero(broken).tolist():
        raise InputError(
            f"model {model!r}, face {ids[face]}",
            "gave a landmark that is not finite or not of an image's size",
            "finite landmarks, or NaN in all of them for a face that was missed",
        )
    return points


def _read_ahead(images: Images, faces: Iterable[int]) -> Iterator[Bytes]:
    """Images in order, decoded in threads a few ahead of what is asked for."""
    pending: deque[Future[Bytes]] = deque()
    workers = threads.count()
    pool = ThreadPoolExecutor(workers)
    try:
        for face in faces:
            pending.append(pool.submit(images.read, face))
            if len(pending) > 2 * workers:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _ahead(items: Generator[T]) -> Iterator[T]:
    """Items in order, the next one already being made in a thread when one is given."""
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
