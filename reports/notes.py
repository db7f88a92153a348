"""Notes under tables, made from runs and from the measures that are shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

import numpy as np

from alignbench import InputError, Measure, Run
from alignbench.metrics import usual_measures
from alignbench.runs import RunRecord
from reports.labels import box_text, execution


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


def interval_note(record: RunRecord, measures: Iterable[Measure]) -> str:
    """How the intervals of a run's measures were made."""
    statistics = record.statistics
    samples = f", {statistics.replicates:,} samples"
    texts = {
        measure: measure.interval + (samples if "bootstrap" in measure.interval else "")
        for measure in measures
    }
    return (
        f"[low, high]: {statistics.confidence:.0%} intervals over {statistics.clusters:,} source "
        f"images. {by_measure(texts)}"
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
    notes = incomplete_notes(run)
    if protocol.boxes == "none":
        notes.append("Stored predictions; whether their boxes used the ground truth is unknown.")
    else:
        notes.append(f"Boxes: {box_text(record)}; leak: {protocol.leak}.")
    if words := execution(run):
        notes.append(f"Computed with: {', '.join(words)}.")
    if protocol.conversion:
        notes.append(
            f"Landmarks converted: {protocol.conversion}, {dataset.markup.landmarks} of the "
            f"model's {record.model.landmarks} points."
        )
    if record.missed:
        how = missed_text(measures or usual_measures(dataset.threshold))
        notes.append(f"{record.missed:,} of {dataset.faces:,} faces missed: {how}.")
    return notes
