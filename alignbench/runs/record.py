"""The record of a run: ``run.json`` and the rows of ``metrics.json``, schema version 1.

What a run *is* stands in ``model``, ``dataset``, ``protocol`` and ``statistics``; the run's key
is their hash. When and how fast it ran stands in ``timings`` alone, so everything else is the
same for the same inputs.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class _Block(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelBlock(_Block):
    """The model."""

    name: str
    """What tables and legends call it."""
    markup: str
    """Mark-up of its landmarks."""
    identity: dict[str, Any]
    """What tells it from any other: source, sha256 of weights, preprocessing."""
    notes: tuple[str, ...] = ()
    """Sentences a reader of its numbers must know."""


class DatasetBlock(_Block):
    """The data set, and how much of it was there."""

    name: str
    split: str
    markup: str
    faces: int
    """Faces evaluated."""
    official: int | None
    """Faces in the official split."""
    complete: bool
    """Whether every face of the official split was evaluated."""
    incomplete: tuple[str, ...] = ()
    """Why not: one phrase a reason."""
    images_missing: int = 0
    """Faces left out because their image is not there."""
    limit: int | None = None
    """``--limit``: only the first faces were evaluated."""
    fingerprint: str
    """sha256 of the annotation of the evaluated faces."""
    images_digest: str | None = None
    """sha256 of their image files, for a model that looks at images."""
    normalisers: tuple[str, ...] = Field(min_length=1)
    """Normalisers its papers use, the usual one first."""
    threshold: float
    """Threshold its papers use."""


class ProtocolBlock(_Block):
    """How faces were presented to the model, and its landmarks compared with the truth."""

    boxes: str
    """Box protocol: rect, tight, detector, or none for stored predictions."""
    boxes_digest: str | None = None
    """sha256 of the file of detections."""
    box_scale: float
    """Factor on the boxes, about their centres, before the model's own crop."""
    leak: str
    """What the boxes tell the model of the truth: none, ground-truth box, ground-truth landmarks;
    unknown for stored predictions."""
    decoding: str | None = None
    """How the model's output became landmarks: points, or the name of a heatmap decoder."""
    conversion: str | None = None
    """Conversion of the model's mark-up to the data set's."""


class StatisticsBlock(_Block):
    """How intervals were made, and which measures."""

    measures: tuple[str, ...]
    replicates: int = Field(ge=1, le=1_000_000)
    confidence: float = Field(gt=0, lt=1)
    seed: int = Field(ge=0)
    shares: Literal["bootstrap", "wilson"] = "bootstrap"
    """How intervals of shares of faces, such as FR, were made; all others by bootstrap."""
    clusters: int
    """Source images: faces of one image are drawn together."""


class RunRecord(_Block):
    """``run.json``."""

    schema_version: Literal[1] = 1
    alignbench: str
    """Version of alignbench."""
    key: str
    """Hash of what the run is; the last part of its default folder."""
    status: Literal["running", "complete"]
    model: ModelBlock
    dataset: DatasetBlock
    protocol: ProtocolBlock
    statistics: StatisticsBlock
    missed: int = 0
    """Faces for which the model gave no landmarks: failures in FR and AUC, left out of NME."""
    environment: dict[str, Any] = {}
    timings: dict[str, Any] = {}
    """Dates, durations, batch size, threads and processes: the only part that differs between two
    runs of the same inputs."""


class MetricRow(_Block):
    """A row of ``metrics.json``: one measure on one subset."""

    subset: str
    faces: int
    """Faces in the subset, missed ones included."""
    norm: str
    """Normaliser."""
    metric: str
    """``nme``, ``fr`` or ``auc``."""
    threshold: float | None
    """Fraction of the normaliser; null for ``nme``."""
    value: float | None
    """Percent for ``nme`` and ``fr``, a fraction for ``auc``; null where no face counts."""
    ci_low: float | None
    ci_high: float | None


def run_key(*blocks: _Block, version: str) -> str:
    """Twelve hexadecimal digits that stand for what a run is."""
    text = json.dumps([version, *(b.model_dump(mode="json") for b in blocks)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
