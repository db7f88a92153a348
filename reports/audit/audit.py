"""The audit: every rule over every table, and the tables of its findings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from alignbench import InputError
from alignbench.errors import unknown
from reports.audit import bounds, claims, failures, normalisers, subsets
from reports.audit.cells import OK, VERDICTS, Finding, PrintedCell, group_by
from reports.audit.reading import published, read
from reports.tables import Row, Table

_MEANING = (
    "A printed number stands for all numbers that round to it. impossible: no errors of faces give "
    "the number; suspect: possible, but not likely; marginal: right if a number was cut instead of "
    "rounded, or is off by one in its last digit."
)


def audit(
    paths: Sequence[str | Path] = (),
    *,
    dataset: str = "",
    norm: str = "",
    partitions: Sequence[str] = (),
) -> list[Finding]:
    """Apply the rules that published tables must obey.

    Parameters
    ----------
    paths
        Tables, and claims about them, as CSV files of the forms in docs/audit.md; by default the
        PropNet paper's.
    dataset, norm
        Data set (with its split behind a blank if it is not ``test``) and normaliser of tables
        that name none.
    partitions
        Further partitions, as ``full=indoor+outdoor``.

    Returns
    -------
    list of Finding
        One for each cell and rule that applies to it, in the order of the tables; ``ok`` too.

    Raises
    ------
    InputError
        If a file is not of the form, or a claim or partition names a cell or subset there is not.
    """
    cells: list[PrintedCell] = []
    stated: list[claims.Claim] = []
    for file in [*map(Path, paths)] or published():
        content = read(file, dataset, norm)
        if {cell.table for cell in content.cells} & {cell.table for cell in cells}:
            raise InputError(file, "another table of this name", "tables of different file names")
        cells += content.cells
        stated += content.claims
    declared = [_partition(text, cells) for text in partitions]
    findings = [
        *subsets.check(cells, declared),
        *failures.check(cells),
        *bounds.check(cells),
        *normalisers.check(cells),
        *claims.baselines(cells),
        *_check_claims(stated, cells),
    ]
    tables = {name: k for k, name in enumerate(dict.fromkeys(cell.table for cell in cells))}
    rows = {key: k for k, key in enumerate(dict.fromkeys((c.table, c.row) for c in cells))}
    return sorted(findings, key=lambda f: (tables[f.table], rows[f.table, f.row]))


def _partition(text: str, cells: Sequence[PrintedCell]) -> subsets.Partition:
    whole, _, rest = text.partition("=")
    names = [whole.strip(), *(part.strip() for part in rest.split("+"))]
    faces = {cell.subset: cell.faces for cell in cells}
    if len(names) < 3 or len(set(names)) < len(names):
        raise InputError(f"partition {text!r}", "not a partition", "such as full=indoor+outdoor")
    for name in names:
        if name not in faces:
            raise unknown(f"partition {text!r}, subset", name, faces)
        if faces[name] is None:
            raise InputError(
                f"partition {text!r}", f"the number of faces of {name} is unknown",
                "a data set, or NAME [FACES] as the column's heading",
            )  # fmt: skip
    parts = sum(faces[name] or 0 for name in names[1:])
    if parts != faces[names[0]]:
        raise InputError(
            f"partition {text!r}", f"the parts have {parts:,} faces, {names[0]} {faces[names[0]]:,}"
        )
    return subsets.Partition(names[0], tuple(names[1:]))


def _check_claims(
    stated: Sequence[claims.Claim], cells: Sequence[PrintedCell]
) -> Iterator[Finding]:
    for claim in stated:
        column = [c for c in cells if (c.table, c.column) == (claim.table, claim.column)]
        by_row = {name: c for c in column for name in (c.method, c.row)}
        for name in (claim.row, claim.reference):
            if name not in by_row:
                raise unknown(
                    f"{claim.where}: cell of table {claim.table}, column {claim.column}, row",
                    name,
                    by_row,
                )
        yield claims.check(by_row[claim.row], by_row[claim.reference], claim)


def tables(findings: Sequence[Finding], *, everything: bool = False) -> list[Table]:
    """A table of counts, and one for each published table with the findings that are not ``ok``.

    Parameters
    ----------
    findings
        All of them: the counts and the records include those that are ``ok``.
    everything
        Show findings that are ``ok`` as well.
    """
    by_table = group_by(findings, lambda finding: finding.table)
    rows: list[Row] = []
    for name, of_table in by_table.items():
        counts = Counter(finding.verdict for finding in of_table)
        rows.append((name, len(of_table), *(counts[verdict] for verdict in VERDICTS)))
    records = [asdict(finding) for finding in findings]
    columns = ("Table", "Checks", *VERDICTS)
    shown = [Table.of_rows("Audit", columns, rows, (_MEANING,), records=records)]
    for name, of_table in by_table.items():
        lines: list[Row] = [
            (f.row, f.column, f.rule, f.verdict, f.proof)
            for f in of_table
            if everything or f.verdict != OK
        ]
        if lines:
            headings = ("Row", "Column", "Rule", "Verdict", "Proof")
            shown.append(Table.of_rows(name, headings, lines))
    return shown
