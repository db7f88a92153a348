"""Tables 4 to 7: the paper's ablation above that of ``alignbench ablation``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from statistics import fmean
from typing import NamedTuple

from alignbench import Run
from reports.labels import protocol_notes
from reports.paper.benchmarks import MEASURES, faces_note, heading, measured_number
from reports.paper.model import NOTE, make_row, make_table, published_number, published_rows
from reports.tables import DERIVED, Group, Number, Quantity, Row, Table

_TITLES = {4: "propagation module", 5: "hourglass block", 6: "anti-aliasing", 7: "loss"}
_BASELINE = "BL"
_VARIANTS: dict[int, Mapping[str, tuple[str, ...]]] = {
    4: {"without PM": ("BL",), "with PM": ("BL+PM",)},
    5: {"BB": ("BL",), "MHM": ("BL+MHM",)},
    6: {"BL": ("BL",), "BL+AC-2": ("BL+AC-2",), "BL+AC-3": ("BL+AC-3",), "BL+AC-5": ("BL+AC-5",)},
    7: {"AWing": ("BL",), "Focal Wing": ("BL+Focal", "BL+Focal, per sample")},
}
"""By table and printed variant, the variants of the study that measure it; the baseline first."""
_NAME = re.compile(r"(?P<variant>.+), seed (?P<seed>[0-9]+)")
_NOTES = (
    NOTE,
    "Italics: derived. A change is in percent of its group's first variant.",
    "Bold: best of its group among numbers of the same source.",
)
_NO_BASE = "The baseline was not run on these faces."

NUMBERS = tuple(_TITLES)


class _Trial(NamedTuple):
    """A run of a study, the variant it is of, and the seed."""

    variant: str
    seed: int
    run: Run


def tables_of(run: Run) -> tuple[int, ...]:
    """The tables of the ablation that a run is for, by its name."""
    trial = _trial(run)
    return tuple(
        number
        for number, variants in _VARIANTS.items()
        if trial and trial.variant in chain.from_iterable(variants.values())
    )


def _trial(run: Run) -> _Trial | None:
    match = _NAME.fullmatch(run.record.model.name)
    return _Trial(match["variant"], int(match["seed"]), run) if match else None


def ablation(number: int, runs: Sequence[Run]) -> Table:
    """One of Tables 4 to 7, with each variant's change from the baseline, the first row.

    A variant that was trained with several seeds has a row for each seed and a row for their mean,
    whose change is shown.
    """
    by_faces: dict[tuple[object, ...], dict[tuple[str, int], _Trial]] = {}
    repeated = []
    for trial in filter(None, map(_trial, runs)):
        record = trial.run.record
        same = (record.dataset.fingerprint, record.protocol.boxes, record.protocol.box_scale)
        seeds = by_faces.setdefault(same, {})
        if seeds.setdefault((trial.variant, trial.seed), trial) is not trial:
            repeated.append(trial)
    groups = [_published(number)]
    groups += [_measured(number, list(seeds.values())) for seeds in by_faces.values()]
    headings = [heading(metric) for metric in MEASURES]
    changes = [f"{name.split('@')[0].split()[0]} change %" for name in headings]
    notes = list(_NOTES)
    notes += [
        f"Left out: run {trial.run.record.key}, another of {trial.variant}, seed {trial.seed}."
        for trial in repeated
    ]
    if by_faces:
        notes.append("(low–high): the lowest and the highest seed.")
    title = f"Ablation: {_TITLES[number]}"
    return make_table(number, title, ("Variant", *headings, *changes), groups, notes)


def _published(number: int) -> Group:
    base: list[Number] | None = None
    rows = []
    for row in published_rows("tables4_7_ablation"):
        if row["table"] == str(number):
            numbers = [published_number(row[c], Quantity(m)) for c, m in MEASURES.items()]
            base = base or numbers
            rows.append(make_row(row["variant"], [*numbers, *_changes(numbers, base)]))
    return Group("Published", tuple(rows))


def _changes(numbers: Sequence[Number], base: Sequence[Number] | None) -> list[Number]:
    """By how many percent each number differs from the baseline's, which itself has no change."""
    if base is None:
        return [replace(_no_change(number), notes=(_NO_BASE,)) for number in numbers]
    changes = []
    for number, reference in zip(numbers, base, strict=True):
        change = _no_change(number)
        if number is not reference and number.value is not None and reference.value:
            percent = 100 * (number.value - reference.value) / reference.value
            change = replace(change, value=percent)
        changes.append(change)
    return changes


def _no_change(number: Number) -> Number:
    of = replace(number.of, metric=f"{number.of.metric} change")
    return Number(None, source=DERIVED, of=of)


def _measured(number: int, trials: Sequence[_Trial]) -> Group:
    """The variants of this table that were run on the same faces."""
    dataset = trials[0].run.record.dataset
    norm = dataset.normalisers[0]
    of = [Quantity(metric, "full", norm) for metric in MEASURES.values()]
    base: list[Number] | None = None
    rows: list[Row] = []
    for printed, variants in _VARIANTS[number].items():
        for variant in variants:
            seeds = sorted((t for t in trials if t.variant == variant), key=lambda t: t.seed)
            if not seeds:
                continue
            name = printed if printed == variant else f"{printed} ({variant})"
            numbers = [[measured_number(trial.run, q) for q in of] for trial in seeds]
            compared = numbers[0] if len(seeds) == 1 else _means(numbers)
            base = compared if variant == _BASELINE else base
            changes = _changes(compared, base)
            rows += _seed_rows(name, seeds, numbers, changes)
            if len(seeds) > 1:
                every = dict.fromkeys(note for trial in seeds for note in _run_notes(trial.run))
                mean = f"{name}, mean of {len(seeds)} seeds"
                rows.append(make_row(mean, [*compared, *changes], every))
    where = f"{dataset.title}, {norm.replace('_', '-')}"
    return Group(f"Measured, {where}", tuple(rows))


def _seed_rows(
    name: str,
    seeds: Sequence[_Trial],
    numbers: Sequence[Sequence[Number]],
    changes: Sequence[Number],
) -> Iterator[Row]:
    """A row for each seed; if there is only one seed, its row has the changes."""
    for trial, values in zip(seeds, numbers, strict=True):
        last = map(_no_change, values) if len(seeds) > 1 else changes
        notes = _run_notes(trial.run)
        yield make_row(f"{name}, seed {trial.seed}", [*values, *last], notes)


def _run_notes(run: Run) -> list[str]:
    return [faces_note(run), *protocol_notes(run), *run.record.model.notes]


def _means(numbers: Sequence[Sequence[Number]]) -> list[Number]:
    """The mean over seeds of each measure, with the lowest and the highest seed."""
    means = []
    for same in zip(*numbers, strict=True):
        values = [number.value for number in same if number.value is not None]
        means.append(
            replace(
                same[0],
                value=fmean(values) if len(values) == len(same) else None,
                low=min(values, default=None),
                high=max(values, default=None),
                source=DERIVED,
                of=replace(same[0].of, run=" ".join(number.of.run for number in same)),
                spread=True,
                notes=(),
            )
        )
    return means
