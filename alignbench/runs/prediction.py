"""Landmarks of a data set's faces, batch after batch, and what a model may give."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from alignbench import threads
from alignbench.arrays import Bytes, Floats
from alignbench.datasets.base import Dataset, Images
from alignbench.errors import InputError, blame
from alignbench.geometry import plausible
from alignbench.predictors.base import Batch, Predictor
from alignbench.runs.boxes import EDGES, Boxes, choose_detection


def predict_faces(
    predictor: Predictor,
    dataset: Dataset,
    used: Boxes,
    batch_size: int,
    landmarks: int,
    first: int,
) -> Iterator[tuple[int, Floats]]:
    """Landmarks of batch after batch, from face ``first`` on, as (start, (B, L, 2)).

    NaN for a face that was missed, by its detector or by the model.

    Raises
    ------
    InputError
        If an image is broken, or the model raises something or gives no landmarks.
    """
    faces = range(first, len(dataset))
    images = _read_ahead(dataset.images, faces) if predictor.needs_images else None
    for start in range(first, len(dataset), batch_size):
        batch = range(start, min(start + batch_size, len(dataset)))
        pixels = [] if images is None else [next(images) for _ in batch]
        boxes = used.boxes[batch.start : batch.stop]
        if used.detect:
            boxes = np.stack(
                [
                    choose_detection(_detect(predictor, image), box, used.scale)
                    for image, box in zip(pixels, boxes, strict=True)
                ]
            )
        points = np.full((len(batch), landmarks, 2), np.nan)
        boxed = np.flatnonzero(~np.isnan(boxes).any(axis=1))
        if len(boxed):
            ids = [dataset.ids[batch[k]] for k in boxed]
            shown = Batch(ids, [pixels[k] for k in boxed] if pixels else [], boxes[boxed])
            with blame(f"model {predictor.name!r}, faces {ids[0]} to {ids[-1]}"):
                given = predictor.predict(shown)
            points[boxed] = _checked(given, ids, landmarks, predictor.name)
        yield start, points


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


def _read_ahead(images: Images, faces: range) -> Iterator[Bytes]:
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
