"""The audit: every rule over every table, and the tables of what it found."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, astuple
from pathlib import Path

from alignbench import InputError
from alignbench.errors import unknown, visible
from reports.audit import bounds, claims, failures, normalisers, subsets
from reports.audit.cells import Cell
from reports.audit.finding import OK, VERDICTS, Finding, worst
from reports.audit.reading import published, read
from reports.tables import Cell as Shown
from reports.tables import Table, render

_FIELDS = ("table", "row", "column", "rule", "verdict", "proof")
_MEANING = (
    "Printed numbers are taken as all that round to them. impossible: no errors of faces give the "
    "number; suspect: possible, but not likely; marginal: right if a number was cut instead of "
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
        Tables, and claims about them, as CSV files of the forms in docs/audit.md; the PropNet
        paper's where there is none.
    dataset, norm
        Data set (with its split behind a blank if it is not ``test``) and normaliser of tables
        that do not say.
    partitions
        Further partitions, as ``full=indoor+outdoor``.

    Returns
    -------
    list of Finding
        One for each cell and rule that applies to it, those that are ``ok`` too.

    Raises
    ------
    InputError
        If a file is not of the form, or a claim or partition names what is not there.
    """
    cells: list[Cell] = []
    stated: list[claims.Claim] = []
    for file in [*map(Path, paths)] or published():
        of_table, of_text = read(file, dataset, norm)
        if of_table and of_table[0].table in {cell.table for cell in cells}:
            raise InputError(file, "another table of this name", "tables of different file names")
        cells += of_table
        stated += of_text
    declared = [_partition(text, cells) for text in partitions]
    found = [
        *subsets.check(cells, declared),
        *failures.check(cells),
        *bounds.check(cells),
        *normalisers.check(cells),
        *claims.baselines(cells),
        *_claimed(stated, cells),
    ]
    # In the order of the tables: by rule they were found.
    place = {name: k for k, name in enumerate(dict.fromkeys(cell.table for cell in cells))}
    rows = {key: k for k, key in enumerate(dict.fromkeys((c.table, c.row) for c in cells))}
    return sorted(found, key=lambda f: (place[f.table], rows[f.table, f.row]))


def _partition(text: str, cells: Sequence[Cell]) -> subsets.Partition:
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
                f"partition {text!r}", f"how many faces {name} has is not known",
                "a data set, or NAME [FACES] as the column's heading",
            )  # fmt: skip
    parts = sum(faces[name] or 0 for name in names[1:])
    if parts != faces[names[0]]:
        raise InputError(
            f"partition {text!r}", f"the parts have {parts:,} faces, {names[0]} {faces[names[0]]:,}"
        )
    return names[0], tuple(names[1:])


def _claimed(stated: Sequence[claims.Claim], cells: Sequence[Cell]) -> Iterator[Finding]:
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
    """A table of how much was found, and one a published table of what is not ``ok``.

    Parameters
    ----------
    everything
        Show what is ``ok`` as well.
    """
    by_table: dict[str, list[Finding]] = {}
    for finding in findings:
        by_table.setdefault(finding.table, []).append(finding)
    rows: list[tuple[Shown, ...]] = []
    for name, found in by_table.items():
        counts = Counter(finding.verdict for finding in found)
        rows.append((name, len(found), *(counts[verdict] for verdict in VERDICTS)))
    shown = [Table("Audit", ("Table", "Checks", *VERDICTS), tuple(rows), (_MEANING,))]
    for name, found in by_table.items():
        lines: tuple[tuple[Shown, ...], ...] = tuple(
            (f.row, f.column, f.rule, f.verdict, f.proof)
            for f in found
            if everything or f.verdict != OK
        )
        if lines:
            columns = ("Row", "Column", "Rule", "Verdict", "Proof")
            shown.append(Table(name, columns, lines, ()))
    return shown


def command(
    paths: Sequence[Path], form: str, *, everything: bool, dataset: str, norm: str,
    partitions: Sequence[str],
) -> tuple[str, str]:  # fmt: skip
    """What ``alignbench audit`` prints, and the worst verdict in it.

    Parameters
    ----------
    form
        ``json`` and ``csv`` (each finding), or a form of tables.
    """
    findings = audit(paths, dataset=dataset, norm=norm, partitions=partitions)
    if form == "json":
        text = json.dumps([asdict(finding) for finding in findings], indent=1)
    elif form == "csv":
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(_FIELDS)
        writer.writerows(map(astuple, findings))
        text = visible(stream.getvalue(), lines=True).rstrip("\n")
    else:
        text = render(tables(findings, everything=everything), form)
    return text, worst(findings)
