"""Tables 1 to 3: COFW, 300W and WFLW, published rows above those of runs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from alignbench import Run, parse_measure
from reports.labels import labels, protocol_notes
from reports.paper.model import NOTE, make_row, make_table, published_row, published_rows
from reports.tables import MEASURED, Group, Number, Quantity, Row, Table

MEASURES = {"nme": "nme", "fr10": "fr@0.10", "auc10": "auc@0.10"}
"""The measures of the paper, by what its files call them."""
SUBSETS = ("pose", "expression", "illumination", "make-up", "occlusion", "blur")
"""Subsets of WFLW, and of every data set that is shown in the form of Table 3."""
_TESTS = {1: "cofw test", 2: "300w test", 3: "wflw test"}
"""Data set and split of the published rows of a table."""
_PARTS = ("common", "challenging", "full")
_NORMS = {"inter_pupil": "inter-pupil", "inter_ocular": "inter-ocular"}

_BOLD = (
    "Bold: best of its group. Published numbers compete with published "
    "ones, measured ones with measured ones of the same normaliser and the same faces."
)
_MIXED = (
    "Very probably inter-ocular, although the text says inter-pupil: as an inter-pupil error, a "
    "value this low would mean an inter-ocular error far below what later methods reach."
)
_DOUBTS = {("table1_cofw", method): [_MIXED] for method in ("LAB", "PropNet")}
_OTHER_TEST = {
    "cofw68": "COFW68 has COFW's test faces with 68 landmarks in place of 29: another test than "
    "that of the published rows.",
    "synthetic": "Drawn faces: not comparable with the published rows.",
}


def table_of(run: Run) -> int | None:
    """The table that a run's numbers are for; None if it is none of the three."""
    dataset = run.record.dataset
    if dataset.name in ("cofw", "cofw68"):
        return 1
    if dataset.name == "300w":
        return 2 if set(_PARTS) & set(run.subsets) - {"full"} else None
    return 3 if dataset.name == "wflw" or set(SUBSETS) <= set(run.subsets) else None


def cofw(runs: Sequence[Run]) -> Table:
    """Table 1: NME and FR at 0.10 on COFW."""
    columns = ("nme", "fr10")
    of = {norm: {c: Quantity(MEASURES[c], "full", norm) for c in columns} for norm in _NORMS}
    title = "Published, inter-pupil by the paper's text"
    groups = [_published_group(title, "table1_cofw", of["inter_pupil"])]
    for norm, words in _NORMS.items():
        groups += _measured_groups(runs, of[norm].values(), f"Measured, {words}")
    headings = ("Method", *map(heading, columns))
    return make_table(1, "COFW", headings, groups, (NOTE, _BOLD))


def w300(runs: Sequence[Run]) -> Table:
    """Table 2: NME on 300W's test set and its two parts, by normaliser."""
    groups = []
    for norm, words in _NORMS.items():
        of = {part: Quantity("nme", part, norm) for part in _PARTS}
        groups.append(_published_group(f"Published, {words}", "table2_300w", of, norm=norm))
        groups += _measured_groups(runs, of.values(), f"Measured, {words}")
    columns = ("Method", *(f"{part.capitalize()} NME %" for part in _PARTS))
    return make_table(2, "300W", columns, groups, (NOTE, _BOLD))


def wflw(runs: Sequence[Run]) -> Table:
    """Table 3: NME, FR and AUC at 0.10 on WFLW's test set and its six subsets."""
    subsets = {"testset": "full", **{subset: subset for subset in SUBSETS}}
    groups = []
    for metric, measure in MEASURES.items():
        of = {c: Quantity(measure, subset, "inter_ocular") for c, subset in subsets.items()}
        title = f"{heading(metric)}, published"
        groups.append(_published_group(title, "table3_wflw", of, metric=metric))
        groups += _measured_groups(runs, of.values(), f"{heading(metric)}, measured")
    columns = ("Method", *(column.capitalize() for column in subsets))
    return make_table(3, "WFLW", columns, groups, (NOTE, "All inter-ocular.", _BOLD))


def heading(metric: str) -> str:
    """The heading of a measure, by what the paper's files call it."""
    return parse_measure(MEASURES[metric]).heading


def _published_group(title: str, file: str, of: Mapping[str, Quantity], **same: str) -> Group:
    """The rows of a published table that have these texts in these columns."""
    rows = [
        published_row(row["method"], row, of, _DOUBTS.get((file, row["method"]), ()))
        for row in published_rows(file)
        if same.items() <= row.items()
    ]
    return Group(title, tuple(rows))


def _measured_groups(
    runs: Sequence[Run], quantities: Collection[Quantity], title: str
) -> list[Group]:
    """A group for each data set, the table's own one first, and in it a row for each run."""
    rows: dict[str, list[Row]] = {}
    subsets = [quantity.subset for quantity in quantities]
    for name, run in zip(labels(runs), runs, strict=True):
        numbers = [measured_number(run, quantity) for quantity in quantities]
        where = run.record.dataset.title
        rows.setdefault(where, []).append(make_row(name, numbers, _run_notes(run, subsets)))
    return [
        Group(f"{title}, {where}", tuple(rows[where]))
        for where in sorted(rows, key=lambda where: where not in _TESTS.values())
    ]


def measured_number(run: Run, of: Quantity) -> Number:
    """A number of a run's metrics; if no face counts, a footnote instead of a value."""
    measure = parse_measure(of.metric)
    digits = measure.digits
    of = replace(of, faces=run.record.dataset.fingerprint, run=run.record.key)
    if of.subset not in run.subsets:
        note = f"No face of {of.subset} was there."
        return Number(None, digits, source=MEASURED, of=of, notes=(note,))
    row = run.row(measure.with_normaliser(of.norm), of.subset)
    notes = () if row.value is not None else (f"No face of {of.subset} counts.",)
    return Number(row.value, digits, row.ci_low, row.ci_high, MEASURED, of, notes=notes)


def _run_notes(run: Run, subsets: Sequence[str]) -> list[str]:
    """What a reader must know about a run: which faces, how presented, and what is left out."""
    dataset = run.record.dataset
    official = _TESTS[table_of(run) or 3]
    notes = []
    if dataset.title != official:
        other = f"{dataset.title}, not {official}: another test set."
        notes.append(_OTHER_TEST.get(dataset.name, other))
    return [*notes, faces_note(run, subsets), *protocol_notes(run), *run.record.model.notes]


def faces_note(run: Run, subsets: Sequence[str] = ()) -> str:
    """How many faces of its data set a run is over; by subset if some faces are missing."""
    dataset = run.record.dataset
    where = dataset.title
    if dataset.complete:
        return f"All {dataset.faces:,} faces of {where}."
    counts = {row.subset: row.faces for row in run.metrics}
    by_subset = ", ".join(f"{s} {counts[s]:,}" for s in dict.fromkeys(subsets) if s in counts)
    return f"{dataset.faces:,} faces of {where}{f' ({by_subset})' if by_subset else ''}."
