"""Numbers as they are printed: exact intervals of all numbers that round to them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,6}(?:\.[0-9]{0,9})?|\.[0-9]{1,9})")
ONE_OFF = Fraction(3, 2)
"""Units of the last digit. A number that was cut, or is off by one in that digit, is at most so far
away."""


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
    """A number with ``digits`` digits behind the point, for a proof."""
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
        """All numbers that round to it, both ends included: a half may be rounded up or down."""
        return self.within(Fraction(1, 2))

    def agrees(self, other: Printed) -> bool:
        """Whether the two may be one number, printed with more and with fewer digits."""
        mine, others = self.rounded, other.rounded
        return mine.low < others.high and others.low < mine.high

    def within(self, units: Fraction) -> Interval:
        """All numbers that are at most ``units`` of the last digit away."""
        return Interval(self.value - units * self.unit, self.value + units * self.unit)


def parse(text: str) -> Printed | None:
    """Reads decimal digits, which may have a per cent sign behind them; None for anything else."""
    bare = text.strip().removesuffix("%").strip()
    if not _NUMBER.fullmatch(bare):
        return None
    return Printed(bare, Fraction(bare), len(bare.partition(".")[2]))
