"""Normalised mean error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from alignbench.arrays import Floats
from alignbench.metrics.measure import Measure


@dataclass(frozen=True)
class NME(Measure):
    """Mean over faces of each face's error, in percent. A missed face has none: it is left out."""

    name: ClassVar[str] = "nme"
    title: ClassVar[str] = "NME"
    unit: ClassVar[str] = "%"
    thresholds: ClassVar[int] = 0

    def per_face(self, errors: Floats) -> Floats:
        percent = 100 * errors
        percent[percent == np.inf] = np.nan
        return percent
