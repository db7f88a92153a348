"""From landmarks to numbers: a pure function of predictions and a data set."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from alignbench.arrays import Bools, Floats, Ints
from alignbench.datasets.base import Dataset
from alignbench.metrics import Measure
from alignbench.metrics.errors import (
    distances,
    face_errors,
    landmark_errors,
    normalisers,
    region_errors,
)
from alignbench.runs.record import MetricRow
from alignbench.stats import Bootstrap, mean_intervals

_CI_DIGITS = 6
"""Decimals of interval ends: far below their Monte Carlo error, and far above what another
number of threads can change in a matrix product."""


@dataclass(frozen=True)
class Evaluation:
    """Numbers of one run.

    Attributes
    ----------
    metrics
        Rows of ``metrics.json``.
    faces
        A row a face: id, membership (0/1) of each subset, error in percent by normaliser; a
        missed face has no error.
    breakdown
        NME in percent by landmark, by region, and over visible and over occluded points.
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
    distance = distances(predicted, dataset.points)
    scales = normalisers(dataset.points, dataset.markup, dataset.ids)
    errors = {name: face_errors(distance, scale) for name, scale in scales.items()}
    clusters = cluster_numbers(dataset)
    return Evaluation(
        _metric_rows(errors, dataset, measures, clusters, bootstrap),
        _face_table(errors, dataset),
        _breakdown(distance, scales, dataset, clusters, bootstrap),
    )


def cluster_numbers(dataset: Dataset) -> Ints:
    """The source image (N,) of each face as a number from 0."""
    return np.unique(np.array(dataset.images.sources()), return_inverse=True)[1]


def _metric_rows(
    errors: dict[str, Floats],
    dataset: Dataset,
    measures: Sequence[Measure],
    clusters: Ints,
    bootstrap: Bootstrap,
) -> tuple[MetricRow, ...]:
    bound = [
        measure if measure.normaliser else measure.with_normaliser(name)
        for name in errors
        for measure in measures
        if measure.normaliser in (None, name)
    ]
    failed = {name: np.where(np.isnan(error), np.inf, error) for name, error in errors.items()}
    values = np.stack([m.per_face(failed[str(m.normaliser)]) for m in bound], axis=1)
    member = np.stack(list(dataset.subsets.values()))
    low, high = mean_intervals(values, member, clusters, bootstrap)
    return tuple(
        MetricRow(
            subset=subset,
            faces=int(member[s].sum()),
            norm=str(measure.normaliser),
            metric=measure.name,
            threshold=measure.threshold,
            value=_number(_mean(values[member[s], k])),
            ci_low=_number(low[s, k], _CI_DIGITS),
            ci_high=_number(high[s, k], _CI_DIGITS),
        )
        for s, subset in enumerate(dataset.subsets)
        for k, measure in enumerate(bound)
    )


def _face_table(errors: dict[str, Floats], dataset: Dataset) -> pd.DataFrame:
    columns: dict[str, object] = {"id": list(dataset.ids)}
    columns |= {name: member.astype(int) for name, member in dataset.subsets.items()}
    columns |= {name: 100 * error for name, error in errors.items()}
    return pd.DataFrame(columns)


def _breakdown(
    distance: Floats,
    scales: dict[str, Floats],
    dataset: Dataset,
    clusters: Ints,
    bootstrap: Bootstrap,
) -> pd.DataFrame:
    """Rows kind, name, norm, faces, nme, ci_low, ci_high; intervals for visibility only."""
    rows: list[dict[str, object]] = []
    found = int((~np.isnan(distance).any(axis=1)).sum())
    for norm, scale in scales.items():
        base = {"norm": norm, "faces": found, "ci_low": None, "ci_high": None}
        for name, error in region_errors(distance, scale, dataset.markup).items():
            rows.append({"kind": "region", "name": name, **base, "nme": 100 * error})
        for landmark, error in enumerate(landmark_errors(distance, scale)):
            rows.append({"kind": "landmark", "name": str(landmark), **base, "nme": 100 * error})
    if dataset.visible is not None:
        masks = {"visible": dataset.visible, "occluded": ~dataset.visible}
        rows += _visibility_rows(distance, scales, masks, clusters, bootstrap)
    columns = ["kind", "name", "norm", "faces", "nme", "ci_low", "ci_high"]
    return pd.DataFrame(rows, columns=columns)


def _visibility_rows(
    distance: Floats,
    scales: dict[str, Floats],
    masks: dict[str, Bools],
    clusters: Ints,
    bootstrap: Bootstrap,
) -> list[dict[str, object]]:
    cases = [(name, norm) for name in masks for norm in scales]
    values = 100 * np.stack(
        [face_errors(distance, scales[norm], masks[name]) for name, norm in cases], axis=1
    )
    everyone = np.ones((1, len(distance)), np.bool_)
    low, high = mean_intervals(values, everyone, clusters, bootstrap)
    return [
        {
            "kind": "visibility",
            "name": name,
            "norm": norm,
            "faces": int((~np.isnan(values[:, k])).sum()),
            "nme": _number(_mean(values[:, k])),
            "ci_low": _number(low[0, k], _CI_DIGITS),
            "ci_high": _number(high[0, k], _CI_DIGITS),
        }
        for k, (name, norm) in enumerate(cases)
    ]


def _mean(values: Floats) -> float:
    counted = values[~np.isnan(values)]
    return float(counted.mean()) if len(counted) else math.nan


def _number(value: float, digits: int | None = None) -> float | None:
    """A float for JSON: None for NaN, rounded where digits are given."""
    if math.isnan(value):
        return None
    return float(value) if digits is None else round(float(value), digits)
