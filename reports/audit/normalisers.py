"""Numbers under two normalisers: their ratio, and tables that mix them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

from reports.audit.cells import FULL, OCULAR, OK, PUPIL, SUSPECT, Finding, PrintedCell
from reports.grouping import group_by
from reports.printed import Interval, show

_RATIOS = {
    ("300w test", "common"): ("1.387", "0.003"),
    ("300w test", "challenging"): ("1.444", "0.008"),
    ("300w test", "ibug"): ("1.444", "0.008"),
    ("300w test", FULL): ("1.404", "0.004"),
    ("300w private", FULL): ("1.454", "0.004"),
    ("cofw68 test", FULL): ("1.400", "0.004"),
    ("wflw test", FULL): ("1.436", "0.004"),
    ("wflw test", "pose"): ("1.508", "0.004"),
    ("wflw test", "expression"): ("1.422", "0.004"),
    ("wflw test", "illumination"): ("1.421", "0.004"),
    ("wflw test", "make-up"): ("1.427", "0.004"),
    ("wflw test", "occlusion"): ("1.424", "0.004"),
    ("wflw test", "blur"): ("1.435", "0.004"),
}
"""Ratios of inter-pupil to inter-ocular NME: means and spreads over six methods. For WFLW the means
are over FaRL's four models. Their own spread is 0.001; the spread here is that of the others."""

_OF_OUTLINES = {("wflw test", FULL): "1.415"}
"""The same ratio for code that takes the mean of each eye's outline for the pupil instead of
landmarks 96 and 97: the ratio of the two distances on 1,966 annotated faces, corrected by that of
the landmarks."""

_BANDS = {
    "cofw test": {
        OCULAR: Interval(Fraction("3.4"), Fraction("4.0")),
        PUPIL: Interval(Fraction("4.6"), Fraction("5.6")),
    }
}
"""NME of good models on all faces, by the normaliser that their code uses."""


def check(cells: Sequence[PrintedCell]) -> Iterator[Finding]:
    """``norm_ratio`` and ``norm_mixing``."""
    nme = [cell for cell in cells if cell.metric == "nme"]
    for row in group_by(nme, lambda c: (c.table, c.dataset, c.factor, c.method, c.subset)).values():
        by_norm = {cell.norm: cell for cell in row}
        measured = _RATIOS.get((row[0].dataset, row[0].subset))
        if measured and OCULAR in by_norm and PUPIL in by_norm:
            yield _ratio(by_norm[PUPIL], by_norm[OCULAR], *measured)
    full = [cell for cell in nme if cell.subset == FULL]
    for column in group_by(full, lambda c: (c.table, c.dataset, c.norm)).values():
        if bands := _BANDS.get(column[0].dataset):
            yield from _mixing(column, bands)


def _ratio(pupil: PrintedCell, ocular: PrintedCell, mean: str, spread: str) -> Finding:
    below = ocular.printed.rounded
    if below.low <= 0:
        proof = f"the {OCULAR} error is {ocular.printed.text}, so there is no ratio"
        return pupil.finding("norm_ratio", SUSPECT, proof)
    ratio = pupil.printed.rounded.over(below)
    usual = _around(mean, spread)
    proof = (
        f"{PUPIL} {pupil.printed.text} / {OCULAR} {ocular.printed.text} = {ratio.show(4)}; "
        f"measured {mean} +- {spread}; three spreads allow {usual.show(3)}"
    )
    if ratio.meets(usual):
        return pupil.finding("norm_ratio", OK, proof)
    if outlines := _OF_OUTLINES.get((pupil.dataset, pupil.subset)):
        proof += f"; with the middles of the eyes' outlines as pupils {outlines} +- {spread}"
        if ratio.meets(_around(outlines, spread)):
            return pupil.finding("norm_ratio", OK, proof)
    return pupil.finding("norm_ratio", SUSPECT, f"{proof}: the columns mix models or normalisers")


def _around(mean: str, spread: str) -> Interval:
    three = 3 * Fraction(spread)
    return Interval(Fraction(mean) - three, Fraction(mean) + three)


def _mixing(column: Sequence[PrintedCell], bands: dict[str, Interval]) -> Iterator[Finding]:
    """Rows that lie in the range of a normaliser that their column does not name."""
    inside = {
        norm: [c for c in column if band.low <= c.printed.value <= band.high]
        for norm, band in bands.items()
    }
    declared = column[0].norm if column[0].norm in bands else PUPIL
    other = OCULAR if declared == PUPIL else PUPIL
    if not inside[declared] or not inside[other]:
        return
    named = f"named {declared}" if column[0].norm else "of no named normaliser"
    usual = bands[declared].show(1)
    beside = ", ".join(f"{c.method} {c.printed.text}" for c in inside[declared])
    # The number under the other normaliser, by the ratio measured on the same faces.
    ratio = Fraction(_RATIOS["cofw68 test", FULL][0])
    factor = 1 / ratio if other == OCULAR else ratio
    for cell in inside[other]:
        proof = (
            f"{cell.printed.text} lies in {bands[other].show(1)}, usual for {other}, in a column "
            f"{named} with {beside} in {usual}; as {declared} it would be "
            f"{show(cell.printed.value * factor, cell.printed.digits)} {other}"
        )
        yield cell.finding("norm_mixing", SUSPECT, proof)
    for cell in inside[declared]:
        proof = f"{cell.printed.text} lies in {usual}, usual for {declared}"
        yield cell.finding("norm_mixing", OK, proof)
