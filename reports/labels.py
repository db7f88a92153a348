"""What tables and legends call runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from alignbench import Run


def labels(runs: Sequence[Run]) -> list[str]:
    """The model's name of each run, with the run's key behind it where names are not unique."""
    names = [run.record.model.name for run in runs]
    times = Counter(names)
    return [
        name if times[name] == 1 else f"{name} [{run.record.key}]"
        for name, run in zip(names, runs, strict=True)
    ]
