"""NME, FR and AUC at one threshold bound each other.

With errors e and threshold t: ``AUC = 1 - mean(min(e, t)) / t``. Since ``min(e, t) <= e`` this is
at least ``1 - NME / t``; since ``min(e, t) >= t`` where a face fails, at most ``1 - FR``; and the
difference of NME and ``t (1 - AUC)`` is what failing faces have beyond t. A table whose NME
leaves out faces that its FR and AUC count (missed ones) may break these rules and be right.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

from reports.audit.cells import IMPOSSIBLE, OK, SUSPECT, Finding, PrintedCell, group_by
from reports.audit.failures import possible
from reports.audit.printed import Interval, show, span

_FAR = 50
"""Percent: a mean error of failing faces above half the distance of the eyes is not likely."""


def check(cells: Sequence[PrintedCell]) -> Iterator[Finding]:
    """``range``, ``auc_bounds``, ``fr_bound`` and ``failing_faces``."""
    for cell in cells:
        yield from _range(cell)
    for row in group_by(cells, lambda c: (*c.model, c.subset)).values():
        nme = next((cell for cell in row if cell.metric == "nme"), None)
        for threshold in dict.fromkeys(c.threshold for c in row if c.threshold is not None):
            at = {c.metric: c for c in row if c.threshold == threshold}
            fr, auc = at.get("fr"), at.get("auc")
            if auc and nme:
                yield _least_area(auc, nme, threshold)
            if auc and fr:
                yield _most_area(auc, fr)
            if fr and nme:
                yield _failures_cost(fr, nme, threshold)
            if auc and fr and nme:
                yield from _failing_faces(fr, auc, nme, threshold)


def _range(cell: PrintedCell) -> Iterator[Finding]:
    """``range``: only a number outside its range gives a finding."""
    highest = {"nme": None, "fr": 100, "auc": 1}[cell.metric]
    low, high = cell.printed.rounded.low, cell.printed.rounded.high
    if high < 0 or (highest is not None and low > highest):
        allowed = "0 or more" if highest is None else f"0 to {highest}"
        hint = ", a fraction" if cell.metric == "auc" else ""
        yield cell.finding("range", IMPOSSIBLE, f"{cell.printed.text} is not {allowed}{hint}")


def _least_area(auc: PrintedCell, nme: PrintedCell, t: Fraction) -> Finding:
    least = 1 - possible(nme).high / t
    most = auc.printed.rounded.high
    fits = most >= least
    proof = (
        f"1 - {nme.printed.text}/{t} = {_area(1 - nme.printed.value / t, auc)} "
        f"(at least {_area(least, auc)} with rounding) {'<=' if fits else '>'} {auc.printed.text}"
        + ("" if fits else f" (at most {_area(most, auc)})")
    )
    return auc.finding("auc_bounds", OK if fits else IMPOSSIBLE, proof)


def _most_area(auc: PrintedCell, fr: PrintedCell) -> Finding:
    most = 1 - possible(fr).low / 100
    least = auc.printed.rounded.low
    fits = least <= most
    proof = (
        f"{auc.printed.text} {'<=' if fits else '>'} 1 - {fr.printed.text} % = "
        f"{_area(1 - fr.printed.value / 100, auc)}"
        + ("" if fits else f" ({_area(least, auc)} against {_area(most, auc)} with rounding)")
    )
    return auc.finding("auc_bounds", OK if fits else IMPOSSIBLE, proof)


def _failures_cost(fr: PrintedCell, nme: PrintedCell, t: Fraction) -> Finding:
    """Failing faces alone add FR x t to NME."""
    least, most = possible(fr).low * t / 100, nme.printed.rounded.high
    fits = least <= most
    digits = nme.printed.digits + 2
    proof = (
        f"{fr.printed.text} % of faces above {t} % alone make {show(least, digits)} "
        f"{'<=' if fits else '>'} {nme.printed.text}"
    )
    return fr.finding("fr_bound", OK if fits else IMPOSSIBLE, proof)


def _failing_faces(
    fr: PrintedCell, auc: PrintedCell, nme: PrintedCell, t: Fraction
) -> Iterator[Finding]:
    """``(NME - t (1 - AUC)) / FR + t``, the mean error of failing faces."""
    one = Interval(Fraction(1), Fraction(1))
    beyond = possible(nme) - (one - auc.printed.rounded).times(t)
    share = possible(fr).times(Fraction(1, 100))
    formula = f"({nme.printed.text} - {t} (1 - {auc.printed.text}))"
    if share.high == 0:
        fits = beyond.low <= 0 <= beyond.high
        proof = f"{formula} = {span(beyond, 4)}, 0 where no face is above {t} %"
        yield fr.finding("failing_faces", OK if fits else IMPOSSIBLE, proof)
        return
    if beyond.high < 0:
        mean = t + beyond.high / share.high
        proof = f"{formula} / {fr.printed.text} % + {t} = at most {show(mean, 2)} %, below {t} %"
        yield fr.finding("failing_faces", IMPOSSIBLE, proof)
        return
    least = t + max(beyond.low, Fraction(0)) / share.high
    most = t + beyond.high / share.low if share.low > 0 else None
    verdict = SUSPECT if least > _FAR else OK
    proof = (
        f"{formula} / {fr.printed.text} % + {t} = {show(least, 2)} to "
        f"{'any' if most is None else show(most, 2)} %"
        + (f", above {_FAR} %" if verdict == SUSPECT else "")
    )
    yield fr.finding("failing_faces", verdict, proof)


def _area(value: Fraction, auc: PrintedCell) -> str:
    return show(value, auc.printed.digits + 1)
