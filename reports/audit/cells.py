"""A published table as cells that know what they measure, and what the audit finds of a cell."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from reports.printed import Printed

OK, MARGINAL, SUSPECT, IMPOSSIBLE = "ok", "marginal", "suspect", "impossible"
VERDICTS = (OK, MARGINAL, SUSPECT, IMPOSSIBLE)
"""The mildest first. Marginal: right if a number was cut instead of rounded, or is off by one in
its last digit. Suspect: possible, but not likely. Impossible: no errors of faces give it."""
OCULAR, PUPIL = "inter_ocular", "inter_pupil"
FULL = "full"
HIGHEST = {"nme": None, "fr": 100, "auc": 1}
"""The largest number that each metric can have; the smallest is 0."""


MEANING = (
    "A printed number stands for all numbers that round to it. impossible: no errors of faces give "
    "the number; suspect: possible, but not likely; marginal: right if a number was cut instead of "
    "rounded, or is off by one in its last digit."
)
"""What the verdicts mean, for the notes under tables."""


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


@dataclass(frozen=True)
class PrintedCell:
    """One printed number: NME and FR in percent, AUC as a fraction.

    ``table``, ``row`` and ``column`` are what findings call it. A text is empty where nothing is
    known; ``factor`` is what the rows of an ablation vary. ``dataset`` includes the split, as in
    ``300w test``; ``faces`` is the number of faces of the subset, ``threshold`` in percent.
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
