"""What identifies a model besides its own description."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from alignbench.predictors.base import Predictor


@dataclass(frozen=True)
class Identity:
    """What identifies a model, as JSON, and whether that is certain; if not, for what reason."""

    parts: dict[str, Any]
    certain: bool
    reason: str


def identify(predictor: Predictor) -> Identity:
    """What identifies a predictor besides its description."""
    return Identity({}, True, "")
