"""What arithmetic forbids: rules about whole faces, subsets, and NME, FR and AUC of one row.

A mean over all faces is the mean of its subsets' means, weighted by their faces.

With errors e and threshold t: ``AUC = 1 - mean(min(e, t)) / t``. Since ``min(e, t) <= e``, AUC is
at least ``1 - NME / t``. Since ``min(e, t) = t`` where a face fails, AUC is at most ``1 - FR``. The
difference of NME and ``t (1 - AUC)`` is the mean of the part of the errors that lies beyond t,
which only failing faces have. A table may break these rules and be right if its NME leaves out
faces that its FR and AUC count (missed ones).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from math import ceil, floor
from typing import NamedTuple

from reports.audit.cells import (
    FULL,
    HIGHEST,
    IMPOSSIBLE,
    MARGINAL,
    OK,
    SUSPECT,
    Finding,
    PrintedCell,
)
from reports.grouping import group_by
from reports.printed import ONE_OFF, Interval, parse, show

_FAR = 50
"""Percent: a mean error of failing faces above half the distance of the eyes is not likely."""


class Partition(NamedTuple):
    """A set of faces and its parts: each face of the set is in exactly one of the parts."""

    whole: str
    parts: tuple[str, ...]


PARTITIONS: dict[str, tuple[Partition, ...]] = {
    "300w test": (
        Partition(FULL, ("common", "challenging")),
        Partition(FULL, ("common", "ibug")),
        Partition(FULL, ("helen", "lfpw", "challenging")),
        Partition(FULL, ("helen", "lfpw", "ibug")),
        Partition("common", ("helen", "lfpw")),
    ),
    "300w private": (Partition(FULL, ("indoor", "outdoor")),),
}
"""By data set and split. WFLW has none: its attributes overlap, and many faces have none."""


OTHER_COUNTS = {("aflw19 test", "frontal"): (1314, 1165)}
"""Other numbers of faces of a subset, where papers and code do not agree on its faces."""


def check(cells: Sequence[PrintedCell]) -> Iterator[Finding]:
    """``fr_lattice``, ``range``, ``auc_bounds``, ``fr_bound`` and ``failing_faces``."""
    for cell in cells:
        if cell.metric == "fr" and cell.faces:
            yield _lattice(cell, cell.faces)
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
                yield _failing_faces(fr, auc, nme, threshold)


def _lattice(cell: PrintedCell, faces: int) -> Finding:
    """FR = k / N for a whole k."""
    printed = cell.printed

    def spell(k: int) -> str:
        return f"{k:,}/{faces:,} = {show(Fraction(100 * k, faces), printed.digits + 2)} %"

    if fitting := counts(printed.rounded, faces):
        several = f" (any k up to {fitting[-1]:,})" if len(fitting) > 1 else ""
        return cell.finding("fr_lattice", OK, spell(fitting[0]) + several)
    if near := counts(printed.within(ONE_OFF), faces):
        cut = printed.value <= Fraction(100 * near[0], faces) < printed.value + printed.unit
        how = "cut, not rounded" if cut else "one off in the last digit"
        proof = f"{spell(near[0])}, printed {printed.text}: {how}"
        return cell.finding("fr_lattice", MARGINAL, proof)
    for count in OTHER_COUNTS.get((cell.dataset, cell.subset), ()):
        if fitting := counts(printed.rounded, count):
            proof = (
                f"no whole number of {faces:,} faces is {printed.text} %, but {fitting[0]:,} of "
                f"{count:,} is: {cell.subset} has other faces here"
            )
            return cell.finding("fr_lattice", SUSPECT, proof)
    below = floor(printed.value * faces / 100)
    around = " and ".join(spell(k) for k in (below, below + 1) if 0 <= k <= faces)
    proof = f"no whole number of {faces:,} faces is {printed.text} %: {around}"
    if coarse := _fewer_digits(printed.text, faces):
        proof += f"; {coarse} is possible"
    return cell.finding("fr_lattice", IMPOSSIBLE, proof)


def _fewer_digits(text: str, faces: int) -> str:
    """The number without zeros at its end, if a number of faces rounds to that; else empty."""
    short = text.rstrip("0").rstrip(".") if "." in text else text
    bare = parse(short or "0")
    padded = short != text and bare and counts(bare.rounded, faces)
    return f"{short} with zeros added" if padded else ""


def counts(interval: Interval, faces: int) -> range:
    """Numbers of faces whose share of ``faces``, in percent, lies in an interval."""
    low = max(0, ceil(interval.low * faces / 100))
    return range(low, min(faces, floor(interval.high * faces / 100)) + 1)


def possible(cell: PrintedCell) -> Interval:
    """The numbers that a printed number may stand for and that its measure can have.

    For a failure rate these are the rates that whole numbers of faces give.
    """
    interval = cell.printed.rounded
    if cell.metric == "fr" and cell.faces:
        for units in (Fraction(1, 2), ONE_OFF):
            if fitting := counts(cell.printed.within(units), cell.faces):
                return Interval(*(Fraction(100 * fitting[k], cell.faces) for k in (0, -1)))
    return Interval(max(interval.low, Fraction(0)), max(interval.high, Fraction(0)))


def _range(cell: PrintedCell) -> Iterator[Finding]:
    """``range``: a finding only for a number outside the range of its measure."""
    highest = HIGHEST[cell.metric]
    low, high = cell.printed.rounded.low, cell.printed.rounded.high
    if high < 0 or (highest is not None and low > highest):
        allowed = "0 or more" if highest is None else f"0 to {highest}"
        hint = ", a fraction" if cell.metric == "auc" else ""
        yield cell.finding("range", IMPOSSIBLE, f"{cell.printed.text} is not {allowed}{hint}")


def _least_area(auc: PrintedCell, nme: PrintedCell, t: Fraction) -> Finding:
    least, most = 1 - possible(nme).high / t, auc.printed.rounded.high
    fits = most >= least
    proof = (
        f"1 - {nme.printed.text}/{t} = {_area(1 - nme.printed.value / t, auc)} "
        f"(at least {_area(least, auc)} with rounding) {'<=' if fits else '>'} {auc.printed.text}"
        + ("" if fits else f" (at most {_area(most, auc)})")
    )
    return auc.finding("auc_bounds", OK if fits else IMPOSSIBLE, proof)


def _most_area(auc: PrintedCell, fr: PrintedCell) -> Finding:
    least, most = auc.printed.rounded.low, 1 - possible(fr).low / 100
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
    proof = (
        f"{fr.printed.text} % of faces above {t} % alone make "
        f"{show(least, nme.printed.digits + 2)} {'<=' if fits else '>'} {nme.printed.text}"
    )
    return fr.finding("fr_bound", OK if fits else IMPOSSIBLE, proof)


def _failing_faces(fr: PrintedCell, auc: PrintedCell, nme: PrintedCell, t: Fraction) -> Finding:
    """``(NME - t (1 - AUC)) / FR + t``, the mean error of failing faces."""
    one = Interval(Fraction(1), Fraction(1))
    beyond = possible(nme) - (one - auc.printed.rounded).times(t)
    share = possible(fr).times(Fraction(1, 100))
    formula = f"({nme.printed.text} - {t} (1 - {auc.printed.text}))"
    mean = f"{formula} / {fr.printed.text} % + {t}"
    if share.high == 0:
        verdict = OK if beyond.low <= 0 <= beyond.high else IMPOSSIBLE
        proof = f"{formula} = {beyond.show(4)}, 0 where no face is above {t} %"
    elif beyond.high < 0:
        verdict = IMPOSSIBLE
        proof = f"{mean} = at most {show(t + beyond.high / share.high, 2)} %, below {t} %"
    else:
        least = t + max(beyond.low, Fraction(0)) / share.high
        most = show(t + beyond.high / share.low, 2) if share.low > 0 else "any"
        verdict, far = (SUSPECT, f", above {_FAR} %") if least > _FAR else (OK, "")
        proof = f"{mean} = {show(least, 2)} to {most} %{far}"
    return fr.finding("failing_faces", verdict, proof)


def _area(value: Fraction, auc: PrintedCell) -> str:
    return show(value, auc.printed.digits + 1)


def check_subsets(cells: Sequence[PrintedCell], declared: Sequence[Partition]) -> Iterator[Finding]:
    """``subset_identity``: wholes agree with their parts, and faces outside a part are possible.

    ``declared`` are partitions in addition to those of the data sets.
    """
    for row in group_by(cells, lambda c: (*c.model, c.metric, c.threshold)).values():
        by_subset = {cell.subset: cell for cell in row if cell.faces}
        done: set[str] = set()
        for whole, parts in (*declared, *PARTITIONS.get(row[0].dataset, ())):
            if by_subset.keys() >= {whole, *parts}:
                yield _identity(by_subset[whole], [by_subset[part] for part in parts])
                done |= set(parts)
        for name, part in by_subset.items():
            if name not in done and FULL in by_subset and name != FULL:
                yield from _rest(by_subset[FULL], part)


def _identity(whole: PrintedCell, parts: Sequence[PrintedCell]) -> Finding:
    faces = sum(part.faces or 0 for part in parts)
    total = Interval(Fraction(0), Fraction(0))
    for part in parts:
        total += possible(part).times(Fraction(part.faces or 0, faces))
    fits = total.meets(possible(whole))
    terms = " + ".join(f"{part.faces:,} x {part.printed.text}" for part in parts)
    mean = total.show(whole.printed.digits + 2)
    proof = f"({terms}) / {faces:,} = {mean}, printed {whole.printed.text}"
    return whole.finding("subset_identity", OK if fits else IMPOSSIBLE, proof)


def _rest(whole: PrintedCell, part: PrintedCell) -> Iterator[Finding]:
    """The faces outside the part must have a mean that the measure can have."""
    assert whole.faces and part.faces
    left = whole.faces - part.faces
    if left <= 0:
        return
    mass = possible(whole).times(whole.faces) - possible(part).times(part.faces)
    rest = mass.times(Fraction(1, left))
    highest = HIGHEST[whole.metric]
    fits = rest.high >= 0 and (highest is None or rest.low <= highest)
    proof = (
        f"({whole.faces:,} x {whole.printed.text} - {part.faces:,} x {part.printed.text}) / "
        f"{left:,} = {rest.show(whole.printed.digits + 2)} on the other faces, "
        + ("not below 0" if highest is None else f"0 to {highest}")
        + (" as it must be" if fits else " is what it can be")
    )
    yield part.finding("subset_identity", OK if fits else IMPOSSIBLE, proof)
