"""Rules about what a paper's text claims of its tables, and about rows that it prints twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from reports.audit.cells import IMPOSSIBLE, MARGINAL, OK, SUSPECT, Finding, PrintedCell, group_by
from reports.audit.printed import Interval, Printed, show, span


@dataclass(frozen=True)
class Claim:
    """A relative change that a text states.

    Attributes
    ----------
    table, row, column, reference
        The cell, and the row whose cell in this column it is compared with.
    change
        The change in percent, negative where the number falls.
    source
        Where the text stands.
    where
        File and line, for messages.
    """

    table: str
    row: str
    column: str
    reference: str
    change: Printed
    source: str
    where: str


def check(cell: PrintedCell, reference: PrintedCell, claim: Claim) -> Finding:
    """``claim``: the cells give the change that the text states."""
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
        f"({span(change, digits)} with rounding); {stated}"
    )
    if change.meets(claim.change.rounded):
        verdict = OK
    else:
        near = change.meets(claim.change.within(Fraction(3, 2)))
        verdict = MARGINAL if near else IMPOSSIBLE
    return cell.finding("claim", verdict, proof)


def baselines(cells: Sequence[PrintedCell]) -> Iterator[Finding]:
    """``baseline``: every factor of an ablation begins with the same row."""
    for table in group_by([c for c in cells if c.factor], lambda c: c.table).values():
        columns = group_by(table, lambda c: c.column)
        for column in columns.values():
            first, *others = (cells[0] for cells in group_by(column, lambda c: c.factor).values())
            for cell in others:
                same = cell.printed.value == first.printed.value
                proof = (
                    f"{cell.printed.text} begins {cell.factor}, {first.printed.text} "
                    f"({first.row}) begins {first.factor}"
                )
                yield cell.finding("baseline", OK if same else SUSPECT, proof)
