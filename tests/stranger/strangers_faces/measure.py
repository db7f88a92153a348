"""A measure with two thresholds."""

from dataclasses import dataclass
from typing import ClassVar

from alignbench import Measure


@dataclass(frozen=True)
class Between(Measure):
    """Share of faces whose error is above the first threshold and at most the second."""

    name: ClassVar[str] = "between"
    title: ClassVar[str] = "Between"
    unit: ClassVar[str] = "%"
    thresholds: ClassVar[int] = 2
    whole: ClassVar[float] = 100.0

    def per_face(self, errors):
        low, high = self.threshold
        return 100.0 * ((errors > low) & (errors <= high))
