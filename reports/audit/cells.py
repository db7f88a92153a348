"""A published table as cells that know what they measure, and what the audit finds of a cell.

A printed number stands for the exact interval of all numbers that are printed so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeVar

Item = TypeVar("Item")
Key = TypeVar("Key")

OK, MARGINAL, SUSPECT, IMPOSSIBLE = "ok", "marginal", "suspect", "impossible"
VERDICTS = (OK, MARGINAL, SUSPECT, IMPOSSIBLE)
"""The mildest first. Marginal: right if a number was cut instead of rounded, or is off by one in
its last digit. Suspect: possible, but not likely. Impossible: no errors of faces give it."""
OCULAR, PUPIL = "inter_ocular", "inter_pupil"
FULL = "full"
HIGHEST = {"nme": None, "fr": 100, "auc": 1}
"""The largest number that each metric can have; the smallest is 0."""
ONE_OFF = Fraction(3, 2)
"""Units of the last digit: so far away is at most what was cut, or is off by one in that digit."""
_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,6}(?:\.[0-9]{0,9})?|\.[0-9]{1,9})")


@dataclass(frozen=True)
class Interval:
    """All numbers from ``low`` to ``high``, both ends in it."""

    low: Fraction
    high: Fraction

    def __add__(self, other: Interval) -> Interval:
        return Interval(self.low + other.low, self.high + other.high)

    def __sub__(self, other: Interval) -> Interval:
        return Interval(self.low - other.high, self.high - other.low)

    def times(self, factor: Fraction | int) -> Interval:
        """Every number multiplied by a factor that is not negative."""
        return Interval(self.low * factor, self.high * factor)

    def over(self, other: Interval) -> Interval:
        """Quotients by an interval whose numbers are all above 0."""
        ends = [a / b for a in (self.low, self.high) for b in (other.low, other.high)]
        return Interval(min(ends), max(ends))

    def meets(self, other: Interval) -> bool:
        """Whether the two have a number in common."""
        return self.low <= other.high and other.low <= self.high

    def show(self, digits: int) -> str:
        """The interval for a proof."""
        return f"{show(self.low, digits)} to {show(self.high, digits)}"


def show(value: Fraction, digits: int) -> str:
    """A number with so many digits behind the point, for a proof."""
    return f"{float(value):.{digits}f}"


@dataclass(frozen=True)
class Printed:
    """A number as it was printed: its text, its value, and the digits behind its point."""

    text: str
    value: Fraction
    digits: int

    @property
    def unit(self) -> Fraction:
        """One in the last digit."""
        return Fraction(1, 10**self.digits)

    @property
    def rounded(self) -> Interval:
        """What rounds to it, both ends included: a half may have been rounded up or down."""
        return self.within(Fraction(1, 2))

    def within(self, units: Fraction) -> Interval:
        """What is at most so many units of the last digit away."""
        return Interval(self.value - units * self.unit, self.value + units * self.unit)


def parse(text: str) -> Printed | None:
    """Reads decimal digits, which may have a per cent sign behind them; None for anything else."""
    bare = text.strip().removesuffix("%").strip()
    if not _NUMBER.fullmatch(bare):
        return None
    return Printed(bare, Fraction(bare), len(bare.partition(".")[2]))


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


def group_by(items: Iterable[Item], key: Callable[[Item], Key]) -> dict[Key, list[Item]]:
    """Items by a key, in their order."""
    groups: dict[Key, list[Item]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups
