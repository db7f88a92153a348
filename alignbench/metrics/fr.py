"""Failure rate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from alignbench.arrays import Floats
from alignbench.metrics.measure import Measure


@dataclass(frozen=True)
class FR(Measure):
    """Share of faces whose error is larger than the threshold, in percent.

    Strictly larger, as WFLW (Wu et al., CVPR 2018) and PropNet have it. A missed face fails.
    """

    name: ClassVar[str] = "fr"
    title: ClassVar[str] = "FR"
    unit: ClassVar[str] = "%"
    whole: ClassVar[float | None] = 100.0

    def per_face(self, errors: Floats) -> Floats:
        assert isinstance(self.threshold, float)
        shares = errors.clip(max=0)  # zeros, and NaN for a face that does not count
        shares[errors > self.threshold] = self.whole
        return shares
