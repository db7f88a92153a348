"""A mean over all faces is the mean of its subsets' means, weighted by their faces."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple

from reports.audit.bounds import possible
from reports.audit.cells import (
    FULL,
    HIGHEST,
    IMPOSSIBLE,
    OK,
    Finding,
    Interval,
    PrintedCell,
    group_by,
)


class Partition(NamedTuple):
    """A set, and the subsets that each of its faces is in exactly one of."""

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


def check(cells: Sequence[PrintedCell], declared: Sequence[Partition] = ()) -> Iterator[Finding]:
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
