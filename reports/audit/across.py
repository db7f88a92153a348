"""Published results across their sources: rows that cannot be right, and cells that were changed.

Every row of a source obeys the rules of one table. Beyond these, what one source prints of a method
is compared with what others print.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from fractions import Fraction
from itertools import combinations
from math import comb, prod

from alignbench.datasets import source
from reports.audit import bounds, normalisers
from reports.audit.cells import (
    MARGINAL,
    MEANING,
    OK,
    SUSPECT,
    VERDICTS,
    Finding,
    PrintedCell,
)
from reports.grouping import group_by
from reports.printed import ONE_OFF, Printed
from reports.published import NOT_STATED, PublishedCell
from reports.published.cell import OWN, QUOTED, RERUN
from reports.tables import Row, Table

_RARE = 0.01
"""Rows are suspect if fewer such pairs than this are expected by chance in the whole collection."""
_LEAST_COPIES = 3


def audit_published(cells: Sequence[PublishedCell]) -> list[Finding]:
    """Apply the rules for one table to each source, and those across sources.

    Returns
    -------
    list of Finding
        Their ``table`` is the source. The rules across sources list only what is not ``ok``.
    """
    printed = [_as_printed(cell) for cell in cells]
    return [
        *bounds.check_subsets(printed, ()),
        *bounds.check(printed),
        *normalisers.check(printed),
        *_drift(cells),
        *_disagreements(cells),
        *_chimeras(cells),
        *_copies(cells),
    ]


def published_tables(findings: Sequence[Finding], *, everything: bool = False) -> list[Table]:
    """A table of counts by rule, and one of the findings that are not ``ok``, the worst first.

    The records of the first are all findings.
    """
    counts: list[Row] = []
    for rule, same in group_by(findings, lambda finding: finding.rule).items():
        times = Counter(finding.verdict for finding in same)
        counts.append((rule, len(same), *(times[verdict] for verdict in VERDICTS)))
    shown = [finding for finding in findings if everything or finding.verdict != OK]
    worst_first = sorted(shown, key=lambda f: -VERDICTS.index(f.verdict))
    lines: list[Row] = [(f.row, f.column, f.rule, f.verdict, f.proof, f.table) for f in worst_first]
    records = [asdict(finding) for finding in findings]
    columns = ("Row", "Column", "Rule", "Verdict", "Proof", "Source")
    return [
        Table.of_rows("Audit", ("Rule", "Checks", *VERDICTS), counts, (MEANING,), records=records),
        Table.of_rows("Findings", columns, lines),
    ]


def _as_printed(cell: PublishedCell) -> PrintedCell:
    """The cell as one of a table that is named after the source."""
    name, split = cell.dataset.split()
    stated = cell.threshold not in ("", NOT_STATED)
    return PrintedCell(
        cell.source, cell.method, cell.column, cell.method, "", cell.dataset, cell.subset,
        source(name).splits[split].get(cell.subset),
        "" if cell.normaliser == NOT_STATED else cell.normaliser,
        cell.metric, 100 * Fraction(cell.threshold) if stated else None, cell.printed,
    )  # fmt: skip


def _finding(cell: PublishedCell, rule: str, verdict: str, proof: str) -> Finding:
    return Finding(cell.source, cell.method, cell.column, rule, verdict, proof)


def _verdict(one: Printed, other: Printed) -> str:
    """The verdict on two numbers that should be the same, by the distance between them."""
    near = one.within(ONE_OFF).meets(other.rounded) or other.within(ONE_OFF).meets(one.rounded)
    return MARGINAL if near else SUSPECT


def _drift(cells: Sequence[PublishedCell]) -> Iterator[Finding]:
    """``quoted_drift``: a number that others quote is not what the method's authors print."""
    for same in group_by(cells, lambda cell: cell.place).values():
        authors_cells = [cell for cell in same if cell.kind == OWN]
        for cell in same:
            agrees = any(cell.printed.agrees(o.printed) for o in authors_cells)
            if cell.kind == QUOTED and authors_cells and not agrees:
                proof = f"{cell.printed.text}, its authors print " + " and ".join(
                    f"{o.printed.text} ({o.source})" for o in authors_cells
                )
                verdicts = [_verdict(cell.printed, o.printed) for o in authors_cells]
                mildest = min(verdicts, key=VERDICTS.index)
                yield _finding(cell, "quoted_drift", mildest, proof)


def _disagreements(cells: Sequence[PublishedCell]) -> Iterator[Finding]:
    """``sources_disagree``: others print different numbers, and the authors' is not known."""
    for same in group_by(cells, lambda cell: cell.place).values():
        if any(cell.kind == OWN for cell in same):
            continue
        copies = [cell for cell in same if cell.kind != RERUN]
        first, *_ = copies or same
        other = next((c for c in copies if not first.printed.agrees(c.printed)), None)
        if other is not None:
            texts = group_by(copies, lambda cell: cell.printed.text)
            proof = "; ".join(
                f"{text} in {', '.join(c.source for c in there)}" for text, there in texts.items()
            )
            verdict = _verdict(first.printed, other.printed)
            yield _finding(first, "sources_disagree", verdict, proof)


def _chimeras(cells: Sequence[PublishedCell]) -> Iterator[Finding]:
    """``chimera``: the cells of a quoted row belong to two different rows of other sources."""
    subsets = group_by(cells, lambda c: (c.dataset, c.subset, c.normaliser, c.family)).values()
    for same in subsets:
        rows = list(group_by(same, lambda cell: (cell.source, cell.method)).values())
        for row in rows:
            if row[0].kind == QUOTED and len(row) > 1:
                others = [other for other in rows if other[0].source != row[0].source]
                yield from _chimera(row, others)


def _chimera(
    row: Sequence[PublishedCell], others: Sequence[Sequence[PublishedCell]]
) -> Iterator[Finding]:
    compared = [(other, *_compare(row, other)) for other in others]
    # If the authors or a page print the row as it is, it is not a mixture. A source that quotes it
    # proves nothing, because it may have copied the mixture.
    if any(
        len(agreeing) > 1 and not differing and other[0].kind != QUOTED
        for other, agreeing, differing in compared
    ):
        return
    for one, two in combinations(compared, 2):
        if one[1] & two[2] and two[1] & one[2]:
            proof = "; ".join(_part(row, *side) for side in (one, two))
            yield _finding(row[0], "chimera", SUSPECT, proof)
            return


def _compare(
    row: Sequence[PublishedCell], other: Sequence[PublishedCell]
) -> tuple[set[str], set[str]]:
    """Measures in which two rows agree, and in which they do not."""
    there = {cell.measure: cell.printed for cell in other}
    shared = [cell for cell in row if cell.measure in there]
    agreeing = {c.measure for c in shared if c.printed.agrees(there[c.measure])}
    return agreeing, {cell.measure for cell in shared} - agreeing


def _part(
    row: Sequence[PublishedCell],
    other: Sequence[PublishedCell],
    agreeing: set[str],
    differing: set[str],
) -> str:
    """A text: the cells that a row shares with another row, and the cells that differ there."""
    shared_text = ", ".join(f"{c.measure} {c.printed.text}" for c in row if c.measure in agreeing)
    rest = ", ".join(f"{c.measure} is {c.printed.text}" for c in other if c.measure in differing)
    return f"{shared_text} as of {other[0].method} in {other[0].source}, where {rest}"


def _copies(cells: Sequence[PublishedCell]) -> Iterator[Finding]:
    """``copied_cells``: rows of two methods are equal in more subsets than chance explains."""
    for same in group_by(cells, lambda cell: cell.protocol).values():
        rows = _rows(same)
        shares = _shares(rows)
        pairs = list(combinations(rows, 2))
        for one, two in pairs:
            shared = one.keys() & two.keys()
            equal = [s for s in one if s in shared and one[s].printed == two[s].printed]
            if len(equal) < _LEAST_COPIES or len(equal) == len(shared):
                continue
            ways = comb(len(shared), len(equal))
            expected = len(pairs) * ways * prod(shares[subset] for subset in equal)
            if expected < _RARE:
                first, second = next(iter(one.values())), next(iter(two.values()))
                texts = ", ".join(f"{s} {one[s].printed.text}" for s in equal)
                proof = (
                    f"{texts} equal those of {second.method} in {second.source}; the other "
                    f"{len(shared) - len(equal)} differ. By chance, about {expected:.1g} of the "
                    f"{len(pairs):,} pairs of rows would have such equal cells"
                )
                yield _finding(first, "copied_cells", SUSPECT, proof)


def _rows(cells: Sequence[PublishedCell]) -> list[dict[str, PublishedCell]]:
    """Rows by subset, one for each method family: that of the source which prints most of it."""
    rows = group_by(cells, lambda cell: (cell.source, cell.method))
    best: dict[str, list[PublishedCell]] = {}
    for row in rows.values():
        family = row[0].family
        if len(row) > len(best.get(family, [])):
            best[family] = row
    return [{cell.subset: cell for cell in row} for row in best.values()]


def _shares(rows: Sequence[dict[str, PublishedCell]]) -> dict[str, float]:
    """Share of pairs of rows with the same number, by subset; one added pair keeps it above 0."""
    shares = {}
    for subset in dict.fromkeys(subset for row in rows for subset in row):
        values = [row[subset].printed for row in rows if subset in row]
        pairs = list(combinations(values, 2))
        equal = sum(one == two for one, two in pairs)
        shares[subset] = (equal + 1) / (len(pairs) + 1)
    return shares
