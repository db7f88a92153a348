"""What the audit says of a cell: a verdict and its proof in numbers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

OK, MARGINAL, SUSPECT, IMPOSSIBLE = "ok", "marginal", "suspect", "impossible"
VERDICTS = (OK, MARGINAL, SUSPECT, IMPOSSIBLE)
"""The mildest first. Marginal: right if a number was cut instead of rounded, or is off by one in
its last digit. Suspect: possible, but not likely. Impossible: no errors of faces give it."""


@dataclass(frozen=True)
class Finding:
    """One rule applied to one cell.

    Attributes
    ----------
    table, row, column
        The cell: the file's name without ending, the method, the column's heading.
    rule
        Name of the rule.
    verdict
        One of ``VERDICTS``.
    proof
        One line of numbers.
    """

    table: str
    row: str
    column: str
    rule: str
    verdict: str
    proof: str


def worst(findings: Iterable[Finding]) -> str:
    """The most severe verdict among findings; ``ok`` of none."""
    return max((finding.verdict for finding in findings), key=VERDICTS.index, default=OK)
