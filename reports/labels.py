"""What tables and legends call runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from alignbench import Run
from alignbench.runs import RunRecord

_FORMS: tuple[Callable[[Run], str], ...] = (
    lambda run: run.record.model.name,
    lambda run: f"{run.record.model.name} ({box_text(run.record)})",
    lambda run: f"{run.record.model.name} ({', '.join([box_text(run.record), *execution(run)])})",
    lambda run: f"{run.record.model.name} [{run.record.key}]",
)
"""The model's name; where that is not enough with its boxes; where that is not also with what
computed it; where that is not with its key."""


def labels(runs: Sequence[Run]) -> list[str]:
    """A label for each run, the shortest by which those of its name are told apart."""
    found = [_FORMS[0](run) for run in runs]
    for form in _FORMS[1:]:
        times = Counter(found)
        found = [
            form(run) if times[label] > 1 else label for run, label in zip(runs, found, strict=True)
        ]
    return found


def execution(run: Run) -> list[str]:
    """What computed a run's network, where that is not eager fp32 without flip test."""
    identity = run.record.model.identity
    how = identity.get("execution")
    usual = {"backend": "eager", "precision": "fp32", "device": "cpu"}
    said = [str(how.get(key, word)) if isinstance(how, Mapping) else word
            for key, word in usual.items()]  # fmt: skip
    unusual = [word for word in said if word not in usual.values()]
    return unusual + (["flip test"] if identity.get("flip_test") else [])


def interval_text(record: RunRecord) -> str:
    """How the intervals of a run were made, measure by measure."""
    statistics = record.statistics
    ways: dict[str, list[str]] = {}
    for measure in statistics.measures:
        titles = ways.setdefault(measure.interval, [])
        if measure.title not in titles:
            titles.append(measure.title)
    samples = {"bootstrap": f"bootstrap, {statistics.replicates:,} samples"}
    how = ". ".join(
        f"{' and '.join(titles)}: {samples.get(way, way)}" for way, titles in ways.items()
    )
    over = f"{statistics.clusters:,} source images"
    return f"{statistics.confidence:.0%} intervals over {over}. {how}"


def box_text(record: RunRecord) -> str:
    """The box protocol of a run, with its scale where that is not 1."""
    protocol = record.protocol
    scale = f" x {protocol.box_scale:g}" if protocol.box_scale != 1 else ""
    return f"{protocol.boxes}{scale}"
