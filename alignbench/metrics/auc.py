"""Area under the cumulative error distribution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from alignbench.arrays import Floats
from alignbench.metrics.measure import Measure


@dataclass(frozen=True)
class AUC(Measure):
    """Exact integral of the empirical CED from 0 to the threshold, divided by it: in [0, 1].

    ``(1/t) int_0^t CED(x) dx = mean(1 - min(e, t) / t)``: no grid, no rule of integration, and a
    perfect predictor has exactly 1. A missed face adds 0.
    """

    name: ClassVar[str] = "auc"
    title: ClassVar[str] = "AUC"

    def per_face(self, errors: Floats) -> Floats:
        assert isinstance(self.threshold, float)
        return 1 - errors.clip(max=self.threshold) / self.threshold
