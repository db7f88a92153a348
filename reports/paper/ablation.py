"""Tables 4 to 7: the paper's ablation above that of ``alignbench ablation``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from alignbench import Run
from reports import published
from reports.paper.benchmarks import faces_notes, measured
from reports.paper.model import FORMAT, Entry, Group, PaperTable, Row
from reports.summary import protocol_notes
from reports.tables import DERIVED, MEASURED, PUBLISHED, Number

_TITLES = {4: "propagation module", 5: "hourglass block", 6: "anti-aliasing", 7: "loss"}
_VARIANTS: dict[int, Mapping[str, tuple[str, ...]]] = {
    4: {"without PM": ("BL",), "with PM": ("BL+PM",)},
    5: {"BB": ("BL",), "MHM": ("BL+MHM",)},
    6: {"BL": ("BL",), "BL+AC-2": ("BL+AC-2",), "BL+AC-3": ("BL+AC-3",), "BL+AC-5": ("BL+AC-5",)},
    7: {"AWing": ("BL",), "Focal Wing": ("BL+Focal", "BL+Focal, per sample")},
}
"""By table and printed variant, which variants of the study measure it; the baseline first."""
_METRICS = {"nme": "nme", "fr10": "fr@0.10", "auc10": "auc@0.10"}
_NAME = re.compile(r"(?P<variant>.+), seed (?P<seed>\d+)")
_CHANGE = (
    "Italics, in plain text =: derived. A change is in percent of the baseline, the first variant "
    "of its group."
)
_BOLD = (
    "Bold, in plain text a star: best of its group; published, measured and derived numbers "
    "compete with their own kind."
)
_NO_BASE = "The baseline was not run on these faces."

NUMBERS = tuple(_TITLES)


@dataclass(frozen=True)
class _Trial:
    """A run of a study: of which variant, with which seed."""

    variant: str
    seed: int
    run: Run


def belongs(run: Run) -> tuple[int, ...]:
    """The tables of the ablation that a run is for, by its name."""
    trial = _trial(run)
    if trial is None:
        return ()
    return tuple(
        number
        for number, variants in _VARIANTS.items()
        if any(trial.variant in measuring for measuring in variants.values())
    )


def _trial(run: Run) -> _Trial | None:
    found = _NAME.fullmatch(run.record.model.name)
    return _Trial(found["variant"], int(found["seed"]), run) if found else None


def ablation(number: int, runs: Sequence[Run]) -> PaperTable:
    """One of Tables 4 to 7, with each variant's change from the baseline, the first row.

    A variant that was trained with several seeds has a row a seed and their mean, from which the
    change is.
    """
    printed = [row for row in published.rows("tables4_7_ablation") if row["table"] == str(number)]
    rows = [
        Row(
            row["variant"],
            PUBLISHED,
            tuple(Entry(published.number(row[c]), metric) for c, metric in _METRICS.items()),
        )
        for row in printed
    ]
    groups = [Group("Published", tuple(with_changes(row, rows[0]) for row in rows))]
    by_faces: dict[tuple[object, ...], dict[tuple[str, int], _Trial]] = {}
    repeated = []
    for trial in filter(None, map(_trial, runs)):
        record = trial.run.record
        same = (record.dataset.fingerprint, record.protocol.boxes, record.protocol.box_scale)
        seeds = by_faces.setdefault(same, {})
        if seeds.setdefault((trial.variant, trial.seed), trial) is not trial:
            repeated.append(trial)
    groups += [_measured(number, list(seeds.values())) for seeds in by_faces.values()]
    headings = [FORMAT[metric][0] for metric in _METRICS.values()]
    changes = [f"{heading.split('@')[0].split()[0]} change %" for heading in headings]
    notes = [
        f"Published: as {published.PAPER} prints it.",
        _CHANGE,
        _BOLD,
    ]
    notes += [
        f"Left out: run {one.run.record.key}, another of {one.variant}, seed {one.seed}."
        for one in repeated
    ]
    if len(groups) > 1:
        notes.append("(low–high): the lowest and the highest seed.")
    if number == 6 and len(groups) > 1:
        notes.append(
            "BL+AC-2: in our reading of the network a blur of two pixels is BL's average pool, so "
            "that BL is measured for both."
        )
    return PaperTable(
        number, f"Ablation: {_TITLES[number]}", ("Variant", *headings, *changes), tuple(groups),
        tuple(notes),
    )  # fmt: skip


def with_changes(row: Row, base: Row | None) -> Row:
    """A row and by how many percent each of its numbers differs from the baseline's."""
    own = row.entries
    return replace(row, entries=(*own, *(_change(e, base, k) for k, e in enumerate(own))))


def _change(entry: Entry, base: Row | None, column: int) -> Entry:
    of = replace(entry, metric=f"{entry.metric} change", notes=())
    if base is None:
        return replace(of, number=_no_number(), notes=(_NO_BASE,))
    value, reference = entry.number.value, base.entries[column].number.value
    if base.entries[column] is entry or value is None or not reference:
        return replace(of, number=_no_number())
    change = 100 * (value - reference) / reference
    return replace(of, number=Number(change, None, None, 2, DERIVED))


def _no_number() -> Number:
    return Number(None, None, None, 2, DERIVED)


def _measured(number: int, trials: Sequence[_Trial]) -> Group:
    """The variants of this table that were run on the same faces."""
    dataset = trials[0].run.record.dataset
    norm = dataset.normalisers[0]
    base: Row | None = None
    rows: list[Row] = []
    for printed, variants in _VARIANTS[number].items():
        for variant in variants:
            name = printed if printed == variant else f"{printed} ({variant})"
            seeds = sorted((t for t in trials if t.variant == variant), key=lambda t: t.seed)
            if not seeds:
                continue
            own = [_row(name, trial, norm) for trial in seeds]
            last = own[0] if len(own) == 1 else _mean(name, own)
            if variant == "BL":
                base = last
            if len(own) > 1:
                rows += [_without_changes(row) for row in own]
            rows.append(with_changes(last, base))
    words = norm.replace("_", "-")
    return Group(f"Measured, {dataset.name} {dataset.split}, {words}", tuple(rows))


def _row(name: str, trial: _Trial, norm: str) -> Row:
    run = trial.run
    return Row(
        f"{name}, seed {trial.seed}",
        MEASURED,
        tuple(measured(run, metric, "full", norm) for metric in _METRICS.values()),
        run.record.key,
        (*faces_notes(run), *protocol_notes(run), *run.record.model.notes),
        MEASURED,
    )


def _mean(name: str, rows: Sequence[Row]) -> Row:
    """The mean of a variant's seeds, with the lowest and the highest of them."""
    entries = []
    for same in zip(*(row.entries for row in rows), strict=True):
        values = [entry.number.value for entry in same if entry.number.value is not None]
        complete = len(values) == len(same)
        number = Number(
            fmean(values) if complete else None,
            min(values, default=None),
            max(values, default=None),
            same[0].number.digits,
            DERIVED,
            spread=True,
        )
        entries.append(replace(same[0], number=number, notes=()))
    notes = dict.fromkeys(note for row in rows for note in row.notes)
    return Row(
        f"{name}, mean of {len(rows)} seeds",
        DERIVED,
        tuple(entries),
        " ".join(row.key for row in rows),
        tuple(notes),
        DERIVED,
    )


def _without_changes(row: Row) -> Row:
    """A row beside the mean: what changes is the mean."""
    blank = tuple(
        Entry(_no_number(), f"{entry.metric} change", entry.subset, entry.norm)
        for entry in row.entries
    )
    return replace(row, entries=(*row.entries, *blank))
