"""What tables and legends call runs, and the notes under tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import groupby

import numpy as np

from alignbench import InputError, Measure, Run
from alignbench.metrics import usual_measures
from alignbench.runs.record import RunRecord

_FORMS: tuple[Callable[[Run], str], ...] = (
    lambda run: run.record.model.name,
    lambda run: f"{run.record.model.name} ({box_text(run.record)})",
    lambda run: f"{run.record.model.name} ({', '.join([box_text(run.record), *execution(run)])})",
    lambda run: f"{run.record.model.name} [{run.record.key}]",
)
"""Labels from short to long; a longer one is used only for runs that share the shorter one."""


def labels(runs: Sequence[Run]) -> list[str]:
    """A label for each run: the shortest one that no other of these runs has, if there is one."""
    names = [_FORMS[0](run) for run in runs]
    for form in _FORMS[1:]:
        times = Counter(names)
        names = [
            form(run) if times[name] > 1 else name for run, name in zip(runs, names, strict=True)
        ]
    return names


def execution(run: Run) -> list[str]:
    """What differs from eager, fp32, CPU and no flip test in how a run's network was computed."""
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


def percent(share: float) -> str:
    """A share such as 0.95 as ``95 %``."""
    return f"{100 * share:.4g} %"


def join_words(words: Iterable[str]) -> str:
    """``NME, FR and AUC``; each word once."""
    *first, last = dict.fromkeys(words)
    return f"{', '.join(first)} and {last}" if first else last


def by_measure(texts: Mapping[Measure, str]) -> str:
    """Sentences such as ``FR: Wilson interval. NME and AUC: bootstrap.``; bootstrap comes last."""
    groups: dict[str, list[str]] = {}
    for measure, text in texts.items():
        groups.setdefault(text, []).append(measure.title)
    ordered = sorted(groups.items(), key=lambda item: "bootstrap" in item[0])
    return " ".join(f"{join_words(titles)}: {text}." for text, titles in ordered)


def _ranges(landmarks: Sequence[int]) -> str:
    """``0-16, 30``: landmarks in ascending order, with each run of successive ones as a range."""
    # Within a run of successive numbers, number minus place is the same.
    runs = groupby(enumerate(sorted(landmarks)), lambda pair: pair[1] - pair[0])
    ends = [[number for _, number in run] for _, run in runs]
    return ", ".join(f"{e[0]}-{e[-1]}" if len(e) > 1 else f"{e[0]}" for e in ends)


def interval_note(record: RunRecord, measures: Iterable[Measure]) -> str:
    """How the intervals of a run's measures were made."""
    statistics = record.statistics
    samples = f", {statistics.replicates:,} samples"
    texts = {
        measure: measure.interval + (samples if "bootstrap" in measure.interval else "")
        for measure in measures
    }
    return (
        f"[low, high]: {percent(statistics.confidence)} intervals over {statistics.clusters:,} "
        f"{record.dataset.sampled}. {by_measure(texts)}"
    )


def missed_text(measures: Iterable[Measure]) -> str:
    """How measures count a missed face: ``failures in FR and AUC, left out of NME``.

    A measure whose package is not installed cannot be asked, and is not named.
    """
    counted: list[str] = []
    left_out: list[str] = []
    for measure in measures:
        with suppress(InputError):
            without_number = np.isnan(measure.per_face(np.array([np.inf])))[0]
            (left_out if without_number else counted).append(measure.title)
    parts = [f"failures in {join_words(counted)}"] if counted else []
    parts += [f"left out of {join_words(left_out)}"] if left_out else []
    return ", ".join(parts)


def incomplete_notes(run: Run) -> list[str]:
    """What a run lacks of its data set; nothing for a complete run."""
    dataset = run.record.dataset
    return [] if dataset.complete else [f"INCOMPLETE: {'; '.join(dataset.incomplete)}."]


def protocol_notes(run: Run, measures: Sequence[Measure] = ()) -> list[str]:
    """What is missing of the data, the boxes and their leak, the conversion and missed faces.

    ``measures`` are those that are shown; by default the usual ones.
    """
    record = run.record
    protocol, dataset = record.protocol, record.dataset
    notes = [*incomplete_notes(run), *dataset.notes]
    if dataset.unannotated:
        landmarks = dataset.faces * dataset.markup.landmarks
        notes.append(
            f"{dataset.unannotated:,} of {landmarks:,} landmarks are not annotated: they count "
            "nowhere."
        )
    if protocol.boxes == "none":
        notes.append("Stored predictions; whether their boxes used the ground truth is unknown.")
    else:
        notes.append(f"Boxes: {box_text(record)}; leak: {protocol.leak}.")
    if words := execution(run):
        notes.append(f"Computed with: {', '.join(words)}.")
    notes += [f"DOUBTFUL: {finding}" for finding in record.findings]
    if dataset.whole_markup:
        notes.append(
            f"Landmarks measured: the {dataset.markup.landmarks} of {dataset.markup.name}, not all "
            f"of {dataset.whole_markup}; errors are divided by the normalisers of the latter."
        )
    if protocol.conversion:
        notes.append(
            f"Landmarks converted: {protocol.conversion}, the model's {record.model.landmarks} "
            f"points to {dataset.markup.landmarks}."
        )
    if protocol.approximate:
        notes.append(
            f"The conversion only approximates {len(protocol.approximate)} of the "
            f"{dataset.markup.landmarks} landmarks: {_ranges(protocol.approximate)}. Errors at "
            "these landmarks are also those of the conversion."
        )
    if record.missed:
        how = missed_text(measures or usual_measures(dataset.threshold))
        notes.append(f"{record.missed:,} of {dataset.faces:,} faces missed: {how}.")
    return notes
