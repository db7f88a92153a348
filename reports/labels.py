"""What tables and legends call runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from alignbench import Run

_FORMS: tuple[Callable[[Run], str], ...] = (
    lambda run: run.record.model.name,
    lambda run: f"{run.record.model.name} ({box_text(run)})",
    lambda run: f"{run.record.model.name} [{run.record.key}]",
)
"""The model's name; where that is not enough with its boxes; where that is not with its key."""


def labels(runs: Sequence[Run]) -> list[str]:
    """A label for each run, the shortest by which those of its name are told apart."""
    found = [_FORMS[0](run) for run in runs]
    for form in _FORMS[1:]:
        times = Counter(found)
        found = [
            form(run) if times[label] > 1 else label for run, label in zip(runs, found, strict=True)
        ]
    return found


def box_text(run: Run) -> str:
    """The box protocol of a run, with its scale where that is not 1."""
    protocol = run.record.protocol
    scale = f" x {protocol.box_scale:g}" if protocol.box_scale != 1 else ""
    return f"{protocol.boxes}{scale}"
