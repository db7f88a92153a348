"""Audit of published tables: what arithmetic forbids, and what is not likely, with proofs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from alignbench import InputError
from alignbench.exceptions import unknown
from reports.audit import bounds, claims, normalisers
from reports.audit.cells import MEANING, OK, VERDICTS, Finding, PrintedCell
from reports.audit.reading import PRINTED, Content, paper_files, read
from reports.grouping import group_by
from reports.tables import Row, Table

__all__ = ["Finding", "audit", "tables", "worst"]


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
        Tables, and claims about them, as CSV files of the forms in docs/reference/audit-rules.md,
        or files with tables in LaTeX, Markdown or HTML; by default the PropNet paper's.
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
        If a file is not of the form, or a claim or partition names a cell or subset that does not
        exist.
    """
    cells: list[PrintedCell] = []
    stated: list[claims.Claim] = []
    notes: list[Finding] = []
    for file in [*map(Path, paths)] or paper_files():
        if isinstance(file, Path) and file.suffix.lower() in PRINTED:
            from reports.audit.grid_reading import read_printed_tables  # its parsers take 0.3 s

            printed, understood = read_printed_tables(file, dataset, norm)
            content = Content(printed, [])
            notes += understood
        else:
            content = read(file, dataset, norm)
        if {cell.table for cell in content.cells} & {cell.table for cell in cells}:
            raise InputError(file, "another table of this name", "tables of different file names")
        cells += content.cells
        stated += content.claims
    declared = [_partition(text, cells) for text in partitions]
    findings = [
        *notes,
        *bounds.check_subsets(cells, declared),
        *bounds.check(cells),
        *normalisers.check(cells),
        *claims.baselines(cells),
        *(claims.check(claim, cells) for claim in stated),
    ]
    tables = {name: k for k, name in enumerate(dict.fromkeys(cell.table for cell in cells))}
    rows = {key: k for k, key in enumerate(dict.fromkeys((c.table, c.row) for c in cells))}
    return sorted(findings, key=lambda f: (tables[f.table], rows.get((f.table, f.row), -1)))


def _partition(text: str, cells: Sequence[PrintedCell]) -> bounds.Partition:
    where = f"partition {text!r}"
    whole, _, rest = text.partition("=")
    names = [whole.strip(), *(part.strip() for part in rest.split("+"))]
    faces = {cell.subset: cell.faces for cell in cells}
    if len(names) < 3 or len(set(names)) < len(names):
        raise InputError(where, "not a partition", "such as full=indoor+outdoor")
    for name in names:
        if name not in faces:
            raise unknown(f"{where}, subset", name, faces)
        if faces[name] is None:
            problem = f"the number of faces of {name} is unknown"
            raise InputError(where, problem, "a data set, or NAME [FACES] as the column's heading")
    total, *parts = (faces[name] or 0 for name in names)
    if sum(parts) != total:
        raise InputError(where, f"the parts have {sum(parts):,} faces, {names[0]} {total:,}")
    return bounds.Partition(names[0], tuple(names[1:]))


def worst(findings: Iterable[Finding]) -> str:
    """The most severe verdict among findings; ``ok`` if there are none."""
    return max((finding.verdict for finding in findings), key=VERDICTS.index, default=OK)


def tables(findings: Sequence[Finding], *, everything: bool = False) -> list[Table]:
    """A table of counts, and one for each published table with the findings that are not ``ok``.

    Parameters
    ----------
    findings
        All of them: the counts and the records include those that are ``ok``.
    everything
        Show findings that are ``ok`` as well.
    """
    counts: list[Row] = []
    details = []
    for name, of_table in group_by(findings, lambda finding: finding.table).items():
        times = Counter(finding.verdict for finding in of_table)
        counts.append((name, len(of_table), *(times[verdict] for verdict in VERDICTS)))
        lines: list[Row] = [
            (f.row, f.column, f.rule, f.verdict, f.proof)
            for f in of_table
            if everything or f.verdict != OK
        ]
        if lines:
            headings = ("Row", "Column", "Rule", "Verdict", "Proof")
            details.append(Table.of_rows(name, headings, lines))
    columns = ("Table", "Checks", *VERDICTS)
    records = [asdict(finding) for finding in findings]
    return [Table.of_rows("Audit", columns, counts, (MEANING,), records=records), *details]
