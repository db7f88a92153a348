"""A published table as cells that know what they are a measure of."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeVar

from reports.audit.finding import Finding
from reports.audit.printed import Printed

Key = TypeVar("Key")


@dataclass(frozen=True)
class Cell:
    """One printed number.

    Attributes
    ----------
    table, row, column
        What findings call it.
    method, factor
        The row's method; what is varied in the rows of an ablation, else empty.
    dataset
        Data set and split, such as ``300w test``; empty where they are not known.
    subset, faces
        Subset, and its number of faces where that is known.
    norm
        Normaliser, empty where it is not known.
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
        """What a rule says of this cell."""
        return Finding(self.table, self.row, self.column, rule, verdict, proof)

    @property
    def model(self) -> tuple[str, ...]:
        """What cells of one model under one normaliser on one data set share."""
        return (self.table, self.dataset, self.norm, self.factor, self.method)


def grouped(cells: Iterable[Cell], key: Callable[[Cell], Key]) -> dict[Key, list[Cell]]:
    """Cells by a key, in the order they came."""
    groups: dict[Key, list[Cell]] = {}
    for cell in cells:
        groups.setdefault(key(cell), []).append(cell)
    return groups
