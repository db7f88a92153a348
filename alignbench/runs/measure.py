"""From landmarks to numbers: pure functions of predictions and a data set."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from alignbench.arrays import Bools, Floats, Ints, blocks
from alignbench.datasets.base import Dataset
from alignbench.metrics import Measure
from alignbench.metrics.errors import (
    counted_faces,
    distances,
    face_errors,
    landmark_errors,
    normalisers,
)
from alignbench.metrics.measure import mean_counted
from alignbench.runs.record import MetricRow
from alignbench.stats import Bootstrap, design_effect, mean_intervals, wilson

_CI_DIGITS = 6
"""Decimals of interval ends. The rounding is far below their Monte Carlo error, and far above what
another number of threads can change in a matrix product."""


@dataclass(frozen=True)
class Evaluation:
    """Numbers of one run.

    Attributes
    ----------
    metrics
        Rows of ``metrics.json``.
    faces
        A row for each face: id, image (the source image, or what else was sampled), membership
        (0/1) of each subset, error by normaliser as a fraction, NaN for a missed face.
    breakdown
        NME in percent by region, over visible and over occluded landmarks, and by landmark.
    """

    metrics: tuple[MetricRow, ...]
    faces: pd.DataFrame
    breakdown: pd.DataFrame


def evaluate_points(
    predicted: Floats, dataset: Dataset, measures: Sequence[Measure], bootstrap: Bootstrap
) -> Evaluation:
    """Every measure under every normaliser on every subset.

    Parameters
    ----------
    predicted
        (N, L, 2) in image pixels, in the data set's mark-up and order; NaN for a missed face.
    measures
        A measure without normaliser is taken under every one.
    """
    scales = normalisers(dataset.points, dataset.markup, dataset.ids, dataset.scales)
    errors, parts, landmarks = _errors(predicted, dataset, scales)
    names = dataset.cluster_names()
    clusters = cluster_numbers(names)
    columns = {"id": list(dataset.ids), "image": names}
    members = {name: member.astype(np.int64) for name, member in dataset.subsets.items()}
    failing = {name: np.where(np.isnan(error), np.inf, error) for name, error in errors.items()}
    return Evaluation(
        metric_rows(bind_measures(measures, errors), failing, dataset.subsets, clusters, bootstrap),
        pd.DataFrame(columns | members | errors),
        _breakdown(parts, landmarks, clusters, bootstrap),
    )


def bind_measures(measures: Sequence[Measure], norms: Iterable[str]) -> list[Measure]:
    """Each measure with its normaliser, or with each of ``norms`` where it has none; each once."""
    bound = (
        measure.with_normaliser(name)
        for name in norms
        for measure in measures
        if measure.normaliser in (None, name)
    )
    return list(dict.fromkeys(bound))


def cluster_numbers(names: Sequence[str]) -> Ints:
    """The source image, or other cluster, (N,) of each face as a number from 0."""
    return np.unique(np.array(names), return_inverse=True)[1]


def metric_rows(
    measures: Sequence[Measure],
    errors: Mapping[str, Floats],
    subsets: Mapping[str, Bools],
    clusters: Ints,
    bootstrap: Bootstrap,
) -> tuple[MetricRow, ...]:
    """A row for each subset and measure.

    Parameters
    ----------
    measures
        Each with its normaliser.
    errors
        Errors (N,) by normaliser, fractions, infinite for a missed face.
    """
    values = np.stack([m.per_face(errors[str(m.normaliser)]) for m in measures], axis=1)
    member = np.stack(list(subsets.values()))
    low, high = mean_intervals(values, member, clusters, bootstrap)
    shares = [k for k, measure in enumerate(measures) if measure.whole is not None]
    whole = np.array([measures[k].whole for k in shares], np.float64)
    for s, inside in enumerate(member):
        if shares and inside.any():
            failed = values[inside][:, shares] / whole
            faces = inside.sum() / design_effect(failed, clusters[inside])
            ends = wilson(failed.mean(axis=0), faces, bootstrap.confidence)
            low[s, shares], high[s, shares] = whole * ends[0], whole * ends[1]
    return tuple(
        MetricRow(
            subset=subset, faces=int(member[s].sum()), norm=str(measure.normaliser),
            metric=measure.name, threshold=measure.threshold,
            value=_number(mean_counted(values[member[s], k])),
            ci_low=_number(low[s, k], _CI_DIGITS), ci_high=_number(high[s, k], _CI_DIGITS),
        )
        for s, subset in enumerate(subsets)
        for k, measure in enumerate(measures)
    )  # fmt: skip


_Case = tuple[str, str, str]
"""Kind, name and normaliser of a row of the breakdown."""


def _errors(
    predicted: Floats, dataset: Dataset, scales: Mapping[str, Floats]
) -> tuple[dict[str, Floats], dict[_Case, Floats], dict[_Case, tuple[int, float]]]:
    """Errors (N,) of faces by normaliser, and the parts of the breakdown, computed block by block.

    The second part holds the errors (N,) over the landmarks of each region, and over visible and
    occluded ones where the data set says which these are; NaN in a face that has none. The third
    holds, for each landmark, the number of faces it counts in, and its mean error over these.
    """
    faces = len(dataset)
    errors = {norm: np.empty(faces) for norm in scales}
    parts: dict[_Case, Floats] = {}
    counted = np.zeros(dataset.markup.landmarks, np.intp)
    means = {norm: np.zeros(dataset.markup.landmarks) for norm in scales}
    for rows in blocks(faces):
        distance = distances(predicted[rows], dataset.points[rows])
        here = counted_faces(distance)
        counted += here
        masks = list(_masks(dataset, rows))
        for norm, whole in scales.items():
            scale = whole[rows]
            errors[norm][rows] = face_errors(distance, scale)
            mean = landmark_errors(distance, scale)
            seen = here > 0
            means[norm][seen] += (mean - means[norm])[seen] * (here[seen] / counted[seen])
        for kind, name, mask in masks:
            for norm, whole in scales.items():
                part = parts.setdefault((kind, name, norm), np.empty(faces))
                part[rows] = face_errors(distance, whole[rows], mask)
    landmarks = {
        ("landmark", str(landmark), norm): (int(number), float(error) if number else np.nan)
        for norm, mean in means.items()
        for landmark, (number, error) in enumerate(zip(counted, mean, strict=True))
    }
    return errors, parts, landmarks


def _masks(dataset: Dataset, rows: slice) -> Iterator[tuple[str, str, Bools]]:
    """Kinds and names of parts of faces, and which landmarks (n, L) are in them."""
    shape = (rows.stop - rows.start, dataset.markup.landmarks)
    for name, members in dataset.markup.regions.items():
        inside = np.isin(np.arange(dataset.markup.landmarks), members)
        yield "region", name, np.broadcast_to(inside, shape)
    if dataset.visible is not None:
        yield "visibility", "visible", dataset.visible[rows]
        yield "visibility", "occluded", ~dataset.visible[rows]


def _breakdown(
    parts: Mapping[_Case, Floats],
    landmarks: Mapping[_Case, tuple[int, float]],
    clusters: Ints,
    bootstrap: Bootstrap,
) -> pd.DataFrame:
    """Rows kind, name, norm, faces, nme, ci_low, ci_high; landmarks have no interval.

    A face that has no landmark in a part does not count there.
    """
    rows: list[tuple[object, ...]] = []
    if parts:
        values = 100 * np.stack(list(parts.values()), axis=1)
        everyone = np.ones((1, len(values)), np.bool_)
        low, high = mean_intervals(values, everyone, clusters, bootstrap)
        counted = (~np.isnan(values)).sum(axis=0)
        rows = [
            (
                *case, int(counted[k]), _number(mean_counted(values[:, k])),
                _number(low[0, k], _CI_DIGITS), _number(high[0, k], _CI_DIGITS),
            )
            for k, case in enumerate(parts)
        ]  # fmt: skip
    rows += [(*case, faces, 100 * error, None, None) for case, (faces, error) in landmarks.items()]
    return pd.DataFrame(rows, columns=["kind", "name", "norm", "faces", "nme", "ci_low", "ci_high"])


def _number(value: float, digits: int | None = None) -> float | None:
    """A float for JSON: None for NaN, rounded where digits are given."""
    if math.isnan(value):
        return None
    return float(value) if digits is None else round(float(value), digits)
