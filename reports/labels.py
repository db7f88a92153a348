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
"""Labels from short to long; a longer one is used only for runs that share the shorter one."""


def labels(runs: Sequence[Run]) -> list[str]:
    """A label for each run: the shortest that no other run of these has, as far as there is one."""
    names = [_FORMS[0](run) for run in runs]
    for form in _FORMS[1:]:
        times = Counter(names)
        names = [
            form(run) if times[name] > 1 else name for run, name in zip(runs, names, strict=True)
        ]
    return names


def execution(run: Run) -> list[str]:
    """How a run's network was computed: what is not eager, fp32, CPU and without flip test."""
    identity = run.record.model.identity
    settings = identity.get("execution")
    usual = {"backend": "eager", "precision": "fp32", "device": "cpu"}
    words = dict(usual)
    if isinstance(settings, Mapping):
        words = {key: str(settings.get(key, word)) for key, word in usual.items()}
    unusual = [word for word in words.values() if word not in usual.values()]
    return unusual + (["flip test"] if identity.get("flip_test") else [])


def box_text(record: RunRecord) -> str:
    """The box protocol of a run, with its scale unless that is 1."""
    protocol = record.protocol
    scale = f" x {protocol.box_scale:g}" if protocol.box_scale != 1 else ""
    return f"{protocol.boxes}{scale}"
