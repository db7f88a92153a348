"""Rules about what a paper's text claims of its tables, and about rows that it prints twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from alignbench.exceptions import unknown
from reports.audit.cells import IMPOSSIBLE, MARGINAL, OK, SUSPECT, Finding, PrintedCell
from reports.grouping import group_by
from reports.printed import ONE_OFF, Interval, Printed, show


@dataclass(frozen=True)
class Claim:
    """A change in percent of a cell from that in the row ``reference``, as ``source`` states it.

    ``where`` is the file and line of the claim, for messages.
    """

    table: str
    row: str
    column: str
    reference: str
    change: Printed
    source: str
    where: str


def check(claim: Claim, cells: Sequence[PrintedCell]) -> Finding:
    """``claim``: the cells give the change that the text states; InputError without the cells."""
    column = [c for c in cells if (c.table, c.column) == (claim.table, claim.column)]
    by_row = {name: c for c in column for name in (c.method, c.row)}
    for name in (claim.row, claim.reference):
        if name not in by_row:
            cell_of = f"cell of table {claim.table}, column {claim.column}, row"
            raise unknown(f"{claim.where}: {cell_of}", name, by_row)
    cell, reference = by_row[claim.row], by_row[claim.reference]
    below = reference.printed.rounded
    stated = f"{claim.source} says {claim.change.text} %"
    if below.low <= 0:
        return cell.finding("claim", SUSPECT, f"no change against 0; {stated}")
    ratio = cell.printed.rounded.over(below)
    change = Interval(100 * (ratio.low - 1), 100 * (ratio.high - 1))
    digits = claim.change.digits
    value = 100 * (cell.printed.value / reference.printed.value - 1)
    proof = (
        f"{cell.printed.text} / {reference.printed.text} - 1 = {show(value, digits)} % "
        f"({change.show(digits)} with rounding); {stated}"
    )
    if change.meets(claim.change.rounded):
        return cell.finding("claim", OK, proof)
    near = change.meets(claim.change.within(ONE_OFF))
    return cell.finding("claim", MARGINAL if near else IMPOSSIBLE, proof)


def baselines(cells: Sequence[PrintedCell]) -> Iterator[Finding]:
    """``baseline``: every factor of an ablation begins with the same row."""
    for column in group_by([c for c in cells if c.factor], lambda c: (c.table, c.column)).values():
        first, *others = (same[0] for same in group_by(column, lambda c: c.factor).values())
        for cell in others:
            same = cell.printed.value == first.printed.value
            proof = (
                f"{cell.printed.text} begins {cell.factor}, {first.printed.text} ({first.row}) "
                f"begins {first.factor}"
            )
            yield cell.finding("baseline", OK if same else SUSPECT, proof)
