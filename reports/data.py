"""The data set of a run, its faces and their images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

import numpy as np

from alignbench import Dataset, InputError, Run, load_dataset
from alignbench.arrays import Bools, Floats, Ints
from alignbench.datasets.landmarks import select_landmarks
from alignbench.exceptions import unknown
from alignbench.markups import load_markup, markup_names
from alignbench.metrics.errors import normalisers
from reports.labels import labels

Root = str | Path | None


_read: ContextVar[dict[tuple[object, ...], Dataset] | None] = ContextVar("read", default=None)


@contextmanager
def read_once() -> Iterator[None]:
    """Read each data set once for all runs and figures in the block. Its files must not change."""
    token = _read.set({} if _read.get() is None else _read.get())
    try:
        yield
    finally:
        _read.reset(token)


class OtherDataError(InputError):
    """The data set on disk is not the one of the run."""


def require_one_dataset(runs: Sequence[Run], what: str) -> None:
    """Raise InputError unless there are runs, all on one data set and split."""
    sets = dict.fromkeys(r.record.dataset.title for r in runs)
    if len(sets) != 1:
        problem = f"runs on {', '.join(sets)}" if sets else "no run"
        raise InputError(what, problem, "runs on one data set and split")


def require_one_run(runs: Sequence[Run], what: str) -> Run:
    """The only run; InputError if there are others, or none."""
    if len(runs) != 1:
        raise InputError(what, f"{len(runs)} runs", "one run")
    return runs[0]


def evaluated_faces(run: Run, root: Root = None) -> Dataset:
    """The faces of a run, in its order, from its data set in ``root``.

    Raises InputError if it is not there, OtherDataError if its fingerprint is not that of the run.
    """
    record = run.record.dataset
    markup = None
    if record.source is not None and not record.source.endswith(".toml"):
        annotated = record.whole_markup or record.markup.name
        markup = annotated if annotated in markup_names() else None
    dataset = _load(record.source or record.name, root, record.split, markup, record.origin)
    if record.whole_markup is not None:
        scales = normalisers(dataset.points, dataset.markup, dataset.ids, dataset.scales)
        dataset = select_landmarks(dataset, load_markup(record.markup.name), scales)
    rows = {name: row for row, name in enumerate(dataset.ids)}
    places = [rows.get(name, -1) for name in run.faces["id"]]
    faces = None if -1 in places else dataset.take(np.array(places, dtype=np.intp))
    if faces is None or faces.fingerprint() != record.fingerprint:
        raise OtherDataError(
            f"data set {record.name!r}, split {record.split!r}",
            f"is not the one {labels([run])[0]} was evaluated on: its annotation differs",
            f"annotation with fingerprint {record.fingerprint[:12]}",
            "Name the folder of that data set with --data-root, or evaluate the model again.",
        )
    return faces


def _load(name: str, root: Root, split: str, markup: str | None, origin: float | None) -> Dataset:
    cache = _read.get()
    key = (name, root, split, markup, origin)
    if cache is not None and key in cache:
        return cache[key]
    dataset = load_dataset(name, root, split, markup=markup, origin=origin)
    if cache is not None:
        cache[key] = dataset
    return dataset


def all_landmarks(run: Run) -> Floats:
    """Landmarks (N, L, 2) of all faces of a run; NaN for those that were missed."""
    row = {name: k for k, name in enumerate(run.ids)}
    rows = np.array([row.get(name, -1) for name in run.faces["id"]], dtype=np.intp)
    return np.where((rows >= 0)[:, None, None], run.points[rows], np.nan)


def member(run: Run, subset: str) -> Bools:
    """Which faces (N,) of a run are in a subset; InputError if there is none, or it is empty."""
    if subset not in run.subsets:
        raise unknown(f"subset of {run.record.dataset.name}", subset, run.subsets)
    chosen: Bools = (run.faces[subset] == 1).to_numpy()
    if not chosen.any():
        raise InputError(f"subset {subset!r}", f"has no faces in run {labels([run])[0]}")
    return chosen


def with_image(faces: Dataset, chosen: Bools) -> Bools:
    """Which of the chosen faces (N,) have their image; InputError if none has."""
    available = faces.images.available() & chosen
    if not available.any():
        first = int(np.flatnonzero(chosen)[0])
        raise InputError(
            f"data set {faces.name!r}",
            f"no image is there, the first missing one is {faces.images.location(first)}",
            "images in the data set's official layout",
            "Put them there, or name another folder with --data-root.",
        )
    return available


def spread(order: Ints, number: int) -> Ints:
    """At most ``number`` of ordered faces, evenly spread from the first to the last."""
    places = np.linspace(0, len(order) - 1, min(number, len(order))).round().astype(np.intp)
    return order[places]
