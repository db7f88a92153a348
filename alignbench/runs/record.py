"""The record of a run: ``run.json`` and the rows of ``metrics.json``, schema version 2.

What identifies a run stands in ``model``, ``dataset``, ``protocol`` and ``statistics``; the run's
key is their hash. Dates and speed stand in ``timings`` and versions and machine in ``environment``;
everything else is the same for the same inputs. The record is complete: a run can be read, compared
and plotted where the packages of its data set, mark-up and measures are not installed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Container
from functools import cache
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from alignbench.arrays import Floats
from alignbench.exceptions import InputError
from alignbench.markups import Markup
from alignbench.metrics import Measure, parse_measure

Indices = tuple[int, ...]


class _Block(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class MarkupBlock(_Block):
    """The mark-up of a run's landmarks, as :class:`alignbench.markups.Markup` has it."""

    name: str
    landmarks: int = Field(ge=1)
    regions: dict[str, Indices] = {}
    flip_pairs: tuple[tuple[int, int], ...] = ()
    normalisers: dict[str, tuple[Indices, Indices]] = {}
    """Two-point normalisers of the run; it also has errors by ``box`` and ``diagonal``."""
    chains: dict[str, Indices] = {}

    @classmethod
    def of(cls, markup: Markup, computed: Container[str]) -> MarkupBlock:
        """The block of a mark-up, with those of its normalisers that are computed."""
        normalisers = {k: ends for k, ends in markup.normalisers.items() if k in computed}
        return cls(
            name=markup.name, landmarks=markup.landmarks, regions=dict(markup.regions),
            flip_pairs=markup.flip_pairs, normalisers=normalisers,
            chains=dict(markup.chains),
        )  # fmt: skip

    def to_markup(self) -> Markup:
        """The mark-up, without its conversions to others."""
        return Markup(
            self.name, self.landmarks, self.regions, self.flip_pairs, self.normalisers, self.chains
        )


class ModelBlock(_Block):
    """The model."""

    name: str
    """Name in tables and legends."""
    markup: str
    """Mark-up of its landmarks."""
    landmarks: int
    """Number of its landmarks, before a conversion."""
    identity: dict[str, Any]
    """Everything that identifies the model: source, options, hash of the weights."""
    notes: tuple[str, ...] = ()
    """Sentences that every reader of its numbers must know."""


class DatasetBlock(_Block):
    """The data set, and how much of it was evaluated."""

    name: str
    split: str
    markup: MarkupBlock
    whole_markup: str | None = None
    """The mark-up of the annotation, where only a part of its landmarks was measured."""
    faces: int = Field(ge=1)
    """Faces evaluated."""
    official: int | None
    """Faces in the official split."""
    complete: bool
    """Whether every face of the official split was evaluated."""
    incomplete: tuple[str, ...] = ()
    """Why not: one phrase for each reason."""
    images_missing: int = 0
    """Faces left out because their image is missing."""
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
    subsets: tuple[str, ...] = Field(min_length=1)
    """Names of its subsets; each is a column of ``faces.csv``."""
    scales: tuple[str, ...] = ()
    """Normalisers that the data set itself annotates."""
    sampled: str = "source images"
    """What ``statistics.clusters`` counts."""
    unannotated: int = 0
    """Landmarks of the evaluated faces that are not annotated, and count nowhere."""
    source: str | None = None
    """What a data set of a user's own was loaded by: ``FORMAT:PATH`` or a TOML file."""
    origin: float | None = None
    """``--origin``, where the user stated it."""
    notes: tuple[str, ...] = ()
    """What readers of these numbers must know about the files, such as rotated images."""

    @property
    def title(self) -> str:
        """Name and split, and the landmarks that were measured if these are not all."""
        part = f", landmarks {self.markup.name}" if self.whole_markup else ""
        return f"{self.name} {self.split}{part}"


class ProtocolBlock(_Block):
    """How faces were presented to the model, and its landmarks compared with the truth."""

    boxes: str
    """Box protocol: rect, tight, detector, ...; ``none`` for stored predictions."""
    boxes_digest: str | None = None
    """sha256 of the file of detections."""
    box_scale: float
    """Factor on the boxes, about their centres, before the model's own crop."""
    leak: str
    """What the boxes reveal about the truth: none, ground-truth box, ground-truth landmarks;
    unknown for stored predictions."""
    decoding: str | None = None
    """How the model's output became landmarks: points, or the name of a heatmap decoder."""
    conversion: str | None = None
    """Conversion of the model's mark-up to the data set's."""
    approximate: Indices = ()
    """Landmarks of the data set that the conversion only approximates."""


class MeasureBlock(_Block):
    """A measure, so that its rows can be shown where its package is not installed."""

    text: str
    """Its name in the grammar of measures, such as ``fr@0.10``."""
    title: str
    unit: str
    digits: int
    """Decimals it is printed with."""
    interval: str
    """How its interval was made."""

    @classmethod
    def of(cls, measure: Measure) -> MeasureBlock:
        """The block of a measure."""
        shown = {name: getattr(measure, name) for name in ("title", "unit", "digits", "interval")}
        return cls(text=str(measure), **shown)

    def to_measure(self) -> Measure:
        """The measure; one whose package is not installed has a heading and stored rows alone."""
        try:
            return parse_measure(self.text)
        except InputError:
            return _stored_measure(self)


class StoredMeasure(Measure):
    """A measure whose package is not installed: it has a heading, and the rows of its runs."""

    def per_face(self, errors: Floats) -> Floats:
        raise InputError(
            f"measure {self}", "its package is not installed",
            remedy="Install the package that registers it.",
        )  # fmt: skip


@cache
def _stored_measure(block: MeasureBlock) -> Measure:
    """A measure by its block alone; the same one for the same block, so that runs share it."""
    head, _, at = block.text.partition("@")
    name, _, norm = head.rstrip(")").partition("(")
    values = tuple(map(float, at.split(","))) if at else ()
    named = block.model_dump(exclude={"text"}) | {"name": name, "thresholds": len(values)}
    kind: type[Measure] = type("StoredMeasure", (StoredMeasure,), named)
    return kind(norm or None, values if len(values) > 1 else next(iter(values), None))


class StatisticsBlock(_Block):
    """Measures, and how their intervals were made."""

    measures: tuple[MeasureBlock, ...]
    replicates: int = Field(ge=1, le=1_000_000)
    confidence: float = Field(gt=0, lt=1)
    seed: int = Field(ge=0)
    clusters: int
    """Source images, or videos: faces of one are drawn together."""


class RunRecord(_Block):
    """``run.json``."""

    schema_version: Literal[2] = 2
    alignbench: str
    """Version of alignbench."""
    key: str
    """Hash of what identifies the run; the last part of its default folder."""
    status: Literal["running", "complete"]
    model: ModelBlock
    dataset: DatasetBlock
    protocol: ProtocolBlock
    statistics: StatisticsBlock
    error_unit: Literal["fraction"] = "fraction"
    """Errors in ``faces.csv`` are fractions of the normaliser."""
    missed: int = Field(default=0, ge=0)
    """Faces for which the model gave no landmarks: failures in FR and AUC, left out of NME."""
    findings: tuple[str, ...] = ()
    """Systematic faults in the landmarks, such as x and y exchanged; see ``alignbench doctor``."""
    files: dict[str, str] = {}
    """sha256 of each file of results, those of plug-ins included, by its path in the folder."""
    environment: dict[str, Any] = {}
    """Versions and machine: the same for the same inputs on the same machine."""
    timings: dict[str, Any] = {}
    """Dates, durations, batch size, threads and processes: the only part that differs between two
    runs of the same inputs on one machine."""


class MetricRow(_Block):
    """A row of ``metrics.json``: one measure on one subset."""

    subset: str
    faces: int
    """Faces in the subset, missed ones included."""
    norm: str
    """Normaliser."""
    metric: str
    """``nme``, ``fr``, ``auc`` or another registered measure."""
    threshold: float | tuple[float, ...] | None
    """Fraction of the normaliser; null for ``nme``, a list for a measure of several."""
    value: float | None
    """Percent for ``nme`` and ``fr``, a fraction for ``auc``; null where no face counts."""
    ci_low: float | None
    ci_high: float | None


_WORDS: dict[type[_Block], Any] = {
    StatisticsBlock: {"measures": {"__all__": {"title", "unit", "digits", "interval"}}},
    DatasetBlock: {"notes", "source"},
    ProtocolBlock: {"approximate"},
}
"""Fields that are only text for readers. They do not change the key of a run."""


def run_key(*blocks: _Block, version: str, conversion: object = None) -> str:
    """Twelve hexadecimal digits that stand for what identifies a run.

    ``conversion`` is what landmarks are converted by, as JSON; None where they are not.
    """
    content = [b.model_dump(mode="json", exclude=_WORDS.get(type(b))) for b in blocks]
    parts = [version, *content] + ([] if conversion is None else [conversion])
    text = json.dumps(parts, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
