"""What users must know about a model before they trust its numbers: weights, licence, training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class ModelFacts:
    """Facts about a model and its own weights; nothing is known about weights that a user gives.

    A factory or class of a model carries them as its attribute ``facts``.

    Attributes
    ----------
    points
        The number of its landmarks, in words where there are several.
    weights
        Whether they come with the package, must be given, can be fetched, or come through the
        package of another project.
    licence
        The licence of the weights.
    trained_on
        The data they were trained on; empty where the model's own notes say it.
    seen
        Data sets and splits, all or some of whose faces they were trained on.
    warning
        The sentence that is printed with numbers on these.
    """

    points: str
    weights: Literal["shipped", "needed", "to be fetched", "by its package"]
    licence: str
    trained_on: str
    seen: tuple[tuple[str, str], ...] = ()
    warning: str = "The model was trained on these faces: its numbers are training error."

    def notes(self) -> tuple[str, ...]:
        """Licence and training data, for under a table."""
        training = self.trained_on and f"trained on {self.trained_on}"
        known = "; ".join(filter(None, (self.licence, training)))
        return (f"Weights: {known}.",) if known else ()

    def warnings(self, dataset: str, split: str) -> tuple[str, ...]:
        """What must be said with numbers on a split of a data set."""
        return (self.warning,) if (dataset, split) in self.seen else ()


UNKNOWN = ModelFacts(points="", weights="needed", licence="", trained_on="")
"""Weights that a user gives."""
