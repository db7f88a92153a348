"""Tables 1 to 3: COFW, 300W and WFLW, published rows above those of runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from alignbench import Run, parse_measure
from reports import published
from reports.labels import labels
from reports.paper.model import FORMAT, Entry, Group, PaperTable, Row
from reports.summary import protocol_notes
from reports.tables import MEASURED, PUBLISHED, Number

SUBSETS = ("pose", "expression", "illumination", "make-up", "occlusion", "blur")
"""Subsets of WFLW, and of every data set that is shown in the form of Table 3."""
_OWN = {1: "cofw test", 2: "300w test", 3: "wflw test"}
"""Data set and split that the published rows of a table are of."""
_PARTS = ("common", "challenging", "full")
_NORMS = ("inter_pupil", "inter_ocular")
_WORDS = {"inter_pupil": "inter-pupil", "inter_ocular": "inter-ocular"}

_PRINTED = f"Published: as {published.PAPER} prints it."
_BOLD = (
    "Bold, in plain text a star: best of its group. Published numbers compete with published "
    "ones, measured ones with measured ones of the same normaliser and the same faces."
)
_MIXED = (
    "Very probably inter-ocular, whatever the text says: inter-pupil, a value this low would mean "
    "an inter-ocular error far below what later methods reach."
)
_OTHER_TEST = {
    "cofw68": "COFW68 has COFW's test faces with other landmarks, 68 in place of 29: another "
    "test than that of the published rows.",
    "synthetic": "Drawn faces: not comparable with the published rows.",
}


def belongs(run: Run) -> int | None:
    """The table of a benchmark that a run's numbers are for; None where there is none."""
    dataset = run.record.dataset
    if dataset.name in ("cofw", "cofw68"):
        return 1
    if dataset.name == "300w":
        return 2 if set(_PARTS) & set(run.subsets) - {"full"} else None
    return 3 if dataset.name == "wflw" or set(SUBSETS) <= set(run.subsets) else None


def cofw(runs: Sequence[Run]) -> PaperTable:
    """Table 1: NME and FR at 0.10 on COFW."""
    metrics = {"nme": "nme", "fr10": "fr@0.10"}
    printed = tuple(
        Row(
            row["method"],
            PUBLISHED,
            tuple(
                Entry(published.number(row[column]), metric, "full", "inter_pupil")
                for column, metric in metrics.items()
            ),
            notes=(_MIXED,) if row["method"] in ("LAB", "PropNet") else (),
        )
        for row in published.rows("table1_cofw")
    )
    groups = [Group("Published, inter-pupil by the paper's text", printed)]
    for norm in _NORMS:
        wanted = [(metric, "full", norm) for metric in metrics.values()]
        groups += _measured(runs, wanted, f"measured, {_WORDS[norm]}")
    return PaperTable(
        1, "COFW", ("Method", *(FORMAT[m][0] for m in metrics.values())), tuple(groups),
        (_PRINTED, _BOLD),
    )  # fmt: skip


def w300(runs: Sequence[Run]) -> PaperTable:
    """Table 2: NME on 300W's test set and its two parts, by normaliser."""
    groups = []
    for norm in _NORMS:
        printed = tuple(
            Row(
                row["method"],
                PUBLISHED,
                tuple(Entry(published.number(row[part]), "nme", part, norm) for part in _PARTS),
            )
            for row in published.rows("table2_300w")
            if row["norm"] == norm
        )
        groups.append(Group(f"Published, {_WORDS[norm]}", printed))
        wanted = [("nme", part, norm) for part in _PARTS]
        groups += _measured(runs, wanted, f"measured, {_WORDS[norm]}")
    columns = ("Method", *(f"{part.capitalize()} NME %" for part in _PARTS))
    return PaperTable(2, "300W", columns, tuple(groups), (_PRINTED, _BOLD))


def wflw(runs: Sequence[Run]) -> PaperTable:
    """Table 3: NME, FR and AUC at 0.10 on WFLW's test set and its six subsets."""
    columns = {"testset": "full", **{subset: subset for subset in SUBSETS}}
    norm = "inter_ocular"
    groups = []
    for printed_metric, metric in {"nme": "nme", "fr10": "fr@0.10", "auc10": "auc@0.10"}.items():
        printed = tuple(
            Row(
                row["method"],
                PUBLISHED,
                tuple(
                    Entry(published.number(row[column]), metric, subset, norm)
                    for column, subset in columns.items()
                ),
            )
            for row in published.rows("table3_wflw")
            if row["metric"] == printed_metric
        )
        title = FORMAT[metric][0]
        groups.append(Group(f"{title}, published", printed))
        wanted = [(metric, subset, norm) for subset in columns.values()]
        groups += _measured(runs, wanted, f"{title}, measured")
    note = "All inter-ocular."
    return PaperTable(
        3, "WFLW", ("Method", *(name.capitalize() for name in columns)), tuple(groups),
        (_PRINTED, note, _BOLD),
    )  # fmt: skip


def _measured(
    runs: Sequence[Run], wanted: Sequence[tuple[str, str, str]], heading: str
) -> list[Group]:
    """A group for each data set, the table's own first, and in it a row a run.

    ``wanted`` is measure, subset and normaliser of each column.
    """
    by_set: dict[str, list[tuple[str, Run]]] = {}
    for name, run in zip(labels(runs), runs, strict=True):
        dataset = run.record.dataset
        by_set.setdefault(f"{dataset.name} {dataset.split}", []).append((name, run))
    heading = heading[0].upper() + heading[1:]
    return [
        Group(f"{heading}, {where}", tuple(_row(name, run, wanted) for name, run in found))
        for where, found in sorted(by_set.items(), key=lambda item: item[0] not in _OWN.values())
    ]


def _row(name: str, run: Run, wanted: Sequence[tuple[str, str, str]]) -> Row:
    return Row(
        name,
        MEASURED,
        tuple(measured(run, metric, subset, norm) for metric, subset, norm in wanted),
        run.record.key,
        run_notes(run, [subset for _, subset, _ in wanted]),
        run.record.dataset.fingerprint,
    )


def measured(run: Run, metric: str, subset: str, norm: str) -> Entry:
    """A number of a run's metrics; none, with a footnote, where no face counts."""
    digits = FORMAT[metric][1]
    if subset not in run.subsets:
        none = Number(None, None, None, digits, MEASURED)
        return Entry(none, metric, subset, norm, (f"No face of {subset} was there.",))
    row = run.row(parse_measure(metric).with_normaliser(norm), subset)
    number = Number(row.value, row.ci_low, row.ci_high, digits, MEASURED)
    notes = () if row.value is not None else (f"No face of {subset} counts.",)
    return Entry(number, metric, subset, norm, notes)


def run_notes(run: Run, subsets: Sequence[str] = ()) -> tuple[str, ...]:
    """What a reader must know of a run: which faces, how presented, and what is left out."""
    dataset = run.record.dataset
    official = _OWN[belongs(run) or 3]
    notes = []
    if f"{dataset.name} {dataset.split}" != official:
        other = f"{dataset.name} {dataset.split}, not {official}: another test set."
        notes.append(_OTHER_TEST.get(dataset.name, other))
    notes += faces_notes(run, subsets)
    return (*notes, *protocol_notes(run), *run.record.model.notes)


def faces_notes(run: Run, subsets: Sequence[str] = ()) -> list[str]:
    """How many faces of its data set a run is over, by subset where some are missing."""
    dataset = run.record.dataset
    where = f"{dataset.name} {dataset.split}"
    if dataset.complete:
        return [f"All {dataset.faces:,} faces of {where}."]
    counts: Mapping[str, int] = {row.subset: row.faces for row in run.metrics}
    by_subset = ", ".join(f"{s} {counts[s]:,}" for s in dict.fromkeys(subsets) if s in counts)
    return [f"{dataset.faces:,} faces of {where}{f' ({by_subset})' if by_subset else ''}."]
