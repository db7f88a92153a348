"""The common predictor interface.

A predictor turns images and boxes into landmarks in image pixels. It owns its crop, its colour
order, its scaling and its decoding, because those are part of the model and are where
reproductions go wrong. The harness gives it batches and never looks inside.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alignbench.arrays import Bytes, Floats
from alignbench.datasets.base import Dataset
from alignbench.markups import Markup
from alignbench.predictors.facts import ModelFacts


@dataclass(frozen=True)
class Batch:
    """B faces to predict.

    Attributes
    ----------
    ids
        Their ids in the data set.
    images
        The image (H, W, 3), uint8, RGB, of each; empty for a predictor that needs none.
    boxes
        (B, 4) x_min, y_min, x_max, y_max in 0-based pixel-centre coordinates, by the run's box
        protocol and scale.
    frames
        Boxes (B, 4) whose crops are the squares in which landmarks are counted, where the box
        protocol has such squares and they differ from what the network sees; else None.
    """

    ids: Sequence[str]
    images: Sequence[Bytes]
    boxes: Floats
    frames: Floats | None = None


@dataclass(frozen=True)
class Origin:
    """How :func:`alignbench.load_predictor` made a predictor.

    The module, the options, the working folder, and the time in seconds.
    """

    module: str
    options: Mapping[str, Any]
    folder: Path
    loaded: float


class Predictor(ABC):
    """A landmark model.

    A model overrides :meth:`predict`; or, so that its steps overlap, :meth:`preprocess`,
    :meth:`forward` and :meth:`postprocess`. The harness calls the first and the last of these in
    threads of their own, while the second computes another batch.

    Attributes
    ----------
    name
        What tables and legends call it; may not be empty.
    markup
        The mark-up of its landmarks; None for a model that gives the data set's own.
    boxes
        The box protocol it prefers; None for no preference.
    needs_images
        False for a predictor that never looks at images: faces without one are evaluated too.
    uses_boxes
        False for a predictor whose landmarks do not depend on boxes.
    decoding
        How its output becomes landmarks: ``points``, or the name of a heatmap decoder.
    batch_size
        Faces in a batch, where the user does not say.
    remarks
        Sentences to print before a run, such as which back end was chosen.
    built_from
        Functions and networks that it calls, which may be a user's own.
    origin
        How :func:`alignbench.load_predictor` made it; None where it was made otherwise.
    facts
        What its weights were trained on, and more; None where that is not known.
    """

    name: str = ""
    markup: Markup | None = None
    boxes: str | None = None
    needs_images: bool = True
    uses_boxes: bool = True
    decoding: str | None = None
    batch_size: int = 32
    remarks: Sequence[str] = ()
    built_from: Sequence[Any] = ()
    origin: Origin | None = None
    facts: ModelFacts | None = None

    def predict(self, batch: Batch) -> Floats:
        """Landmarks (B, L, 2) in image pixels; a row of NaN for a face that was missed."""
        return self.postprocess(self.forward(self.preprocess(batch)))

    def preprocess(self, batch: Batch) -> Any:
        """The network's input for a batch."""
        raise NotImplementedError

    def forward(self, inputs: Any) -> Any:
        """The network's output for its input."""
        raise NotImplementedError

    def postprocess(self, outputs: Any) -> Floats:
        """Landmarks, as :meth:`predict` gives them, from the network's output."""
        raise NotImplementedError

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """What identifies the model, as JSON: source, hash of weights, preprocessing.

        It is part of the run's key, with the source and options of a user's own model
        (:func:`alignbench.predictors.identity.identify`).
        ``notes``, a list of sentences, is printed under every table.
        """

    def prepare(self, dataset: Dataset) -> None:  # noqa: B027 (most predictors have nothing to do)
        """Look at the data set before the first batch; raise InputError if it does not fit."""

    def detect(self, image: Bytes) -> Floats:
        """Boxes (K, 4) of faces in an image, for a predictor with a detector of its own."""
        raise NotImplementedError

    @property
    def has_steps(self) -> bool:
        """Whether :meth:`predict` calls the three steps."""
        return type(self).predict is Predictor.predict

    @property
    def has_detector(self) -> bool:
        """Whether it overrides :meth:`detect`."""
        return type(self).detect is not Predictor.detect
