"""A user's own function as a predictor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from alignbench.arrays import Bytes, Floats
from alignbench.io.files import sha256
from alignbench.predictors.base import Batch, Predictor

PredictFunction = Callable[[Sequence[Bytes], Floats], Any]


class FunctionPredictor(Predictor):
    """``function(images, boxes) -> (B, L, 2)`` behind the interface.

    Images are (H, W, 3) uint8 RGB, boxes (B, 4), landmarks in image pixels; all as in
    :class:`Batch`. The mark-up is the data set's; the runner checks the shape.
    """

    def __init__(self, name: str, function: PredictFunction, weights: Path | None = None) -> None:
        self.name = name
        self.built_from = (function,)
        self._function, self._weights = function, weights

    def predict(self, batch: Batch) -> Floats:
        landmarks: Floats = self._function(batch.images, batch.boxes)
        return landmarks

    def describe(self) -> dict[str, Any]:
        return {
            "source": self.name,
            "weights_sha256": sha256(self._weights) if self._weights else None,
        }
