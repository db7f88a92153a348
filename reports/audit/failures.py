"""A failure rate is a whole number of faces."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from math import ceil, floor

from reports.audit.cells import IMPOSSIBLE, MARGINAL, OK, Finding, PrintedCell
from reports.audit.printed import Interval, show

_ONE_OFF = Fraction(3, 2)
"""Units of the last digit: so far away is at most what was cut, or is off by one in that digit."""


def check(cells: Sequence[PrintedCell]) -> Iterator[Finding]:
    """``fr_lattice``: FR = k / N for a whole k."""
    for cell in cells:
        if cell.metric == "fr" and cell.faces:
            yield _lattice(cell, cell.faces)


def _lattice(cell: PrintedCell, faces: int) -> Finding:
    printed, digits = cell.printed, cell.printed.digits + 2
    if fitting := counts(printed.rounded, faces):
        several = f" (any k up to {fitting[-1]:,})" if len(fitting) > 1 else ""
        first = show(Fraction(100 * fitting[0], faces), digits)
        return cell.finding("fr_lattice", OK, f"{fitting[0]:,}/{faces:,} = {first} %{several}")
    if near := counts(printed.within(_ONE_OFF), faces):
        share = Fraction(100 * near[0], faces)
        cut = printed.value <= share < printed.value + printed.unit
        how = "cut, not rounded" if cut else "one off in the last digit"
        return cell.finding(
            "fr_lattice", MARGINAL,
            f"{near[0]:,}/{faces:,} = {show(share, digits)} %, printed {printed.text}: {how}",
        )  # fmt: skip
    below = floor(printed.value * faces / 100)
    around = " and ".join(
        f"{k:,}/{faces:,} = {show(Fraction(100 * k, faces), digits)} %"
        for k in (below, below + 1)
        if 0 <= k <= faces
    )
    proof = f"no whole number of {faces:,} faces is {printed.text} %: {around}"
    if coarse := _fewer_digits(cell, faces):
        proof += f"; {coarse} is possible"
    return cell.finding("fr_lattice", IMPOSSIBLE, proof)


def _fewer_digits(cell: PrintedCell, faces: int) -> str:
    """The number without zeros at its end, if a number of faces rounds to that; else empty."""
    text = cell.printed.text
    short = text.rstrip("0").rstrip(".") if "." in text else text
    half = Fraction(1, 2 * 10 ** len(short.partition(".")[2]))
    value = Fraction(short or 0)
    padded = short != text and counts(Interval(value - half, value + half), faces)
    return f"{short} with zeros added" if padded else ""


def counts(interval: Interval, faces: int) -> range:
    """Numbers of faces, of so many, whose share in percent lies in an interval."""
    low = max(0, ceil(interval.low * faces / 100))
    return range(low, min(faces, floor(interval.high * faces / 100)) + 1)


def possible(cell: PrintedCell) -> Interval:
    """The numbers that a printed number may stand for and that its measure can have.

    Of a failure rate these are the rates that whole numbers of faces give.
    """
    interval = cell.printed.rounded
    if cell.metric == "fr" and cell.faces:
        for units in (Fraction(1, 2), _ONE_OFF):
            if fitting := counts(cell.printed.within(units), cell.faces):
                return Interval(
                    Fraction(100 * fitting[0], cell.faces), Fraction(100 * fitting[-1], cell.faces)
                )
    return Interval(max(interval.low, Fraction(0)), max(interval.high, Fraction(0)))
