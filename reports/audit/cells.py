"""A published table as cells that know what they measure, and what the audit finds of a cell."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeVar

from reports.audit.printed import Printed

Item = TypeVar("Item")
Key = TypeVar("Key")

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


@dataclass(frozen=True)
class PrintedCell:
    """One printed number.

    Attributes
    ----------
    table, row, column
        What findings call it.
    method, factor
        The row's method; what the rows of an ablation vary, else empty.
    dataset
        Data set and split, such as ``300w test``; empty if unknown.
    subset, faces
        Subset, and its number of faces; None if unknown.
    norm
        Normaliser; empty if unknown.
    metric, threshold
        ``nme``, ``fr`` or ``auc``, and its threshold in percent (None for ``nme``).
    printed
        The number: percent for NME and FR, a fraction for AUC.
    """

    table: str
    row: str
    column: str
    method: str
    factor: str
    dataset: str
    subset: str
    faces: int | None
    norm: str
    metric: str
    threshold: Fraction | None
    printed: Printed

    def finding(self, rule: str, verdict: str, proof: str) -> Finding:
        """The finding of a rule about this cell."""
        return Finding(self.table, self.row, self.column, rule, verdict, proof)

    @property
    def model(self) -> tuple[str, ...]:
        """The key that cells of one model under one normaliser on one data set share."""
        return (self.table, self.dataset, self.norm, self.factor, self.method)


def group_by(items: Iterable[Item], key: Callable[[Item], Key]) -> dict[Key, list[Item]]:
    """Items by a key, in their order."""
    groups: dict[Key, list[Item]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups
