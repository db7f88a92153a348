"""Numbers under two normalisers: their ratio, and tables that mix them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from reports.audit.cells import OK, SUSPECT, Finding, PrintedCell, group_by
from reports.audit.printed import Interval, show, span

OCULAR, PUPIL = "inter_ocular", "inter_pupil"


@dataclass(frozen=True)
class _Measured:
    """A ratio of inter-pupil to inter-ocular NME, measured on the predictions of methods."""

    ratio: Fraction
    spread: Fraction

    @property
    def usual(self) -> Interval:
        return Interval(self.ratio - 3 * self.spread, self.ratio + 3 * self.spread)

    def __str__(self) -> str:
        return f"{float(self.ratio):.3f} +- {float(self.spread):.3f}"


def _measured(ratio: str, spread: str) -> _Measured:
    return _Measured(Fraction(ratio), Fraction(spread))


_RATIOS = {
    ("300w test", "common"): _measured("1.387", "0.003"),
    ("300w test", "challenging"): _measured("1.444", "0.008"),
    ("300w test", "ibug"): _measured("1.444", "0.008"),
    ("300w test", "full"): _measured("1.404", "0.004"),
    ("300w private", "full"): _measured("1.454", "0.004"),
    ("cofw68 test", "full"): _measured("1.400", "0.004"),
}
"""Means and spreads over six methods."""

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
            yield _ratio(by_norm[PUPIL], by_norm[OCULAR], measured)
    full = [cell for cell in nme if cell.subset == "full"]
    for column in group_by(full, lambda c: (c.table, c.dataset, c.norm)).values():
        if bands := _BANDS.get(column[0].dataset):
            yield from _mixing(column, bands)


def _ratio(pupil: PrintedCell, ocular: PrintedCell, measured: _Measured) -> Finding:
    below = ocular.printed.rounded
    if below.low <= 0:
        return pupil.finding("norm_ratio", SUSPECT, f"{ocular.printed.text} by {OCULAR}: no error")
    ratio = pupil.printed.rounded.over(below)
    fits = ratio.meets(measured.usual)
    proof = (
        f"{PUPIL} {pupil.printed.text} / {OCULAR} {ocular.printed.text} = {span(ratio, 4)}; "
        f"measured {measured}, three times that {span(measured.usual, 3)}"
        + ("" if fits else ": the columns mix models or normalisers")
    )
    return pupil.finding("norm_ratio", OK if fits else SUSPECT, proof)


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
    beside = ", ".join(f"{c.method} {c.printed.text}" for c in inside[declared])
    for cell in inside[other]:
        yield cell.finding(
            "norm_mixing", SUSPECT,
            f"{cell.printed.text} lies in {_spell(bands[other])}, usual for {other}, in a column "
            f"{named} with {beside} in {_spell(bands[declared])}; as {declared} it would be "
            f"{_convert(cell, other)} {other}",
        )  # fmt: skip
    for cell in inside[declared]:
        proof = f"{cell.printed.text} lies in {_spell(bands[declared])}, usual for {declared}"
        yield cell.finding("norm_mixing", OK, proof)


def _convert(cell: PrintedCell, other: str) -> str:
    """The number under the other normaliser, by the ratio measured on the same faces."""
    ratio = _RATIOS["cofw68 test", "full"].ratio
    value = cell.printed.value
    return show(value / ratio if other == OCULAR else value * ratio, cell.printed.digits)


def _spell(band: Interval) -> str:
    return span(band, 1)
