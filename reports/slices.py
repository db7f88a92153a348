"""Slices of a data set on which a model is worse, found by search and corrected for the search."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from alignbench import InputError, Run
from alignbench.arrays import Bools, Floats, Ints, blocks
from alignbench.datasets.base import FULL
from alignbench.exceptions import unknown
from alignbench.stats import Bootstrap
from reports.conditions import known_conditions
from reports.data import Root, evaluated_faces
from reports.labels import percent
from reports.tables import Cell, Number, Record, Table

BINS = 8
FEWEST = 30
"""Faces, and source images, that a slice and the rest must have. With fewer, p-values are too
small: with 10, in data without any slice one search in six called one clear."""
_DIGITS = 10
_TOGETHER = 2_000_000
"""Random numbers drawn at a time."""
_ALIKE = 0.5
"""Slices whose intersection over union is larger than this count once: the clearer one is kept."""
PERSONAL = {
    "age", "gender", "sex", "male", "female", "ancestry", "ethnicity", "race", "skin", "child",
    "adult", "senior", "young", "old",
}  # fmt: skip
"""Words in names of labels of people."""
_WORD = re.compile("[a-z]+")
_WARNING = (
    "Labels of people's age, gender or ancestry are others' guesses. A difference between such "
    "groups may come from pose, light, resolution or make-up; it says nothing about the people. "
    "Equal errors here do not make a model fair elsewhere."
)


@dataclass(frozen=True)
class Slice:
    """A slice, and how much larger the error is on it.

    Attributes
    ----------
    name
        Such as ``yaw 30 to 58`` or ``make-up``.
    members
        (N,).
    inside, outside
        NME on the slice and on the other faces, in percent.
    difference
        ``inside - outside`` and the ends of its interval, (3,), corrected for the search.
    p
        Corrected two-sided p-value of no difference.
    """

    name: str
    members: Bools
    inside: float
    outside: float
    difference: Floats
    p: float


def candidates(
    conditions: Mapping[str, Floats], subsets: Mapping[str, Bools], bins: int = BINS
) -> dict[str, Bools]:
    """Slices to search: subsets, and ranges of each condition from one quantile to another.

    Parameters
    ----------
    conditions, subsets
        Values and membership (N,) by name.
    bins
        Quantiles between which ranges begin and end: there are ``bins (bins + 1) / 2 - 1`` ranges.
    """
    slices = {name: member for name, member in subsets.items() if name != FULL}
    for name, values in conditions.items():
        if not np.isfinite(values).any():
            continue
        edges = np.unique(np.nanquantile(values, np.linspace(0, 1, bins + 1)))
        texts = _edge_texts(edges)
        for low in range(len(edges) - 1):
            for high in range(low + 1, len(edges)):
                is_last = high == len(edges) - 1
                if low or not is_last:
                    below = values <= edges[high] if is_last else values < edges[high]
                    text = f"{name} {texts[low]} to {texts[high]}"
                    slices[text] = (values >= edges[low]) & below
    return slices


def _edge_texts(edges: Floats) -> list[str]:
    """Edges with as few decimals as tell them apart, three digits at least."""
    for digits in range(_DIGITS):
        texts = [f"{edge:.{digits}f}" for edge in edges]
        if len(set(texts)) == len(texts) and max(map(len, texts)) > 2:
            break
    return texts


def search(
    errors: Floats, slices: Mapping[str, Bools], clusters: Ints, bootstrap: Bootstrap
) -> tuple[list[Slice], int]:
    """The slices on which errors are larger than on the other faces, and how many were searched.

    The clearest comes first; slices of fewer than :data:`FEWEST` faces or source images, or that
    leave fewer, are not searched. Of slices that largely overlap, only the clearest is kept.

    Each slice has a t statistic of the difference of means, whose standard error is that of the
    sums by source image. Intervals and p-values hold for all slices at once: they come from the
    largest statistic of any slice under a Gaussian multiplier bootstrap (Chernozhukov, Chetverikov
    and Kato, Annals of Statistics 2013), with one random number for each source image.

    Parameters
    ----------
    errors
        (N,), in percent; NaN for a missed face, which counts nowhere.
    slices
        Membership (N,) by name.
    clusters
        (N,): number of each face's source image.
    """
    counted = np.isfinite(errors)
    errors, images = errors[counted], np.unique(clusters[counted], return_inverse=True)[1]
    count = images.max(initial=-1) + 1
    names, members = [], []
    for name, member in slices.items():
        inside = member[counted]
        sizes = [
            min(side.sum(), len(np.unique(images[side]))) if side.any() else 0
            for side in (inside, ~inside)
        ]
        if min(sizes) >= FEWEST:
            names.append(name)
            members.append(inside)
    if not names:
        return [], 0
    member = np.array(members, np.float64)
    n_in = member.sum(axis=1)
    n_out = member.shape[1] - n_in
    inside = member @ errors / n_in
    outside = (errors.sum() - member @ errors) / n_out
    # What each face adds to a difference beyond its mean, summed by image: (S, C).
    parts = member / n_in[:, None] * (errors - inside[:, None])
    parts -= (1 - member) / n_out[:, None] * (errors - outside[:, None])
    sums = np.stack([np.bincount(images, weights=row, minlength=count) for row in parts])
    spread = np.sqrt((sums**2).sum(axis=1))
    spread = np.maximum(spread, np.finfo(np.float64).tiny)  # of equal errors
    rng = np.random.default_rng(bootstrap.seed)
    units = (sums / spread[:, None]).T
    largest = np.empty(bootstrap.replicates)
    for rows in blocks(bootstrap.replicates, max(1, _TOGETHER // count)):
        numbers = rng.standard_normal((rows.stop - rows.start, count))
        largest[rows] = np.abs(numbers @ units).max(axis=1)
    largest.sort()
    statistic = (inside - outside) / spread
    above = len(largest) - np.searchsorted(largest, statistic)
    p = (1 + above) / (1 + len(largest))
    reach = np.quantile(largest, bootstrap.confidence) * spread
    results: list[Slice] = []
    for k in np.argsort(-statistic):
        if inside[k] <= outside[k] or any(_alike(members[k], r.members[counted]) for r in results):
            continue
        whole = np.zeros(len(counted), np.bool_)
        whole[counted] = members[k]
        d = inside[k] - outside[k]
        ends = np.array([d, d - reach[k], d + reach[k]])
        results.append(Slice(names[k], whole, inside[k], outside[k], ends, float(p[k])))
    return results, len(names)


def _alike(one: Bools, other: Bools) -> bool:
    return bool((one & other).sum() > _ALIKE * (one | other).sum())


def slice_table(
    run: Run,
    *,
    normaliser: str | None = None,
    conditions: Sequence[str] | None = None,
    bins: int = BINS,
    pixels: bool = False,
    most: int = 10,
    data_root: Root = None,
    bootstrap: Bootstrap | None = None,
) -> Table:
    """The slices of a run's faces on which its error is larger, with corrected p-values.

    Parameters
    ----------
    conditions
        Names of :func:`~reports.conditions.known_conditions`; all that are known where it is None.
    bins, pixels
        As for :func:`candidates` and :func:`~reports.conditions.known_conditions`.
    most
        So many slices at most.

    Raises
    ------
    InputError
        If the data set is not there, a condition is unknown, or there are too few faces.
    """
    bootstrap = bootstrap or Bootstrap()
    record = run.record.dataset
    norm = normaliser or record.normalisers[0]
    errors = 100 * run.errors(norm)
    faces = evaluated_faces(run, data_root)
    known = known_conditions(faces, pixels=pixels)
    for name in conditions or ():
        if name not in known:
            raise unknown(f"condition of {record.name}", name, known)
    chosen = {name: known[name] for name in conditions or known}
    slices = candidates(chosen, faces.subsets, bins)
    results, searched = search(errors, slices, run.clusters, bootstrap)
    if not searched:
        raise InputError(
            f"run on {record.title}", f"{len(faces):,} faces have no slice to compare",
            f"slices of {FEWEST} faces and source images or more",
        )  # fmt: skip
    rows: list[tuple[Cell, ...]] = [
        (
            one.name, f"{one.members.sum():,}", Number(one.inside), Number(one.outside),
            Number(one.difference[0], 2, one.difference[1], one.difference[2]), _p_text(one.p),
        )
        for one in results[:most]
    ]  # fmt: skip
    title = f"{run.record.model.name} on {record.title}, {record.faces:,} faces: where is it worse?"
    columns = ("Slice", "Faces", "NME, %", "Others, %", "Difference", "p")
    notes = _notes(run, norm, searched, results, bootstrap)
    words = {word for name in (*chosen, *faces.subsets) for word in _WORD.findall(name.lower())}
    if words & PERSONAL:
        notes.append(_WARNING)
    return Table.of_rows(title, columns, rows, notes, records=list(map(_record, results)))


def _p_text(p: float) -> str:
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def _record(one: Slice) -> Record:
    difference, low, high = one.difference.tolist()
    return {
        "slice": one.name, "faces": int(one.members.sum()), "nme": float(one.inside),
        "others": float(one.outside), "difference": difference, "low": low, "high": high,
        "p": one.p,
    }  # fmt: skip


def _notes(
    run: Run, norm: str, searched: int, results: Sequence[Slice], bootstrap: Bootstrap
) -> list[str]:
    clear = sum(one.p < 1 - bootstrap.confidence for one in results)
    first = (
        f"{searched:,} slices were searched. Of those that overlap by more than half, the "
        f"clearest is kept; of these, {clear} {'is' if clear == 1 else 'are'} clear "
        f"(p < {1 - bootstrap.confidence:.2g})."
    )
    how = (
        f"NME in % of {norm.replace('_', '-')}. p and {percent(bootstrap.confidence)} intervals "
        "hold for all slices at once (multiplier bootstrap over "
        f"{run.record.dataset.sampled}, {bootstrap.replicates:,} samples)."
    )
    notes = [first, how]
    if run.record.missed:
        notes.append(f"{run.record.missed:,} missed faces are left out.")
    if not run.record.dataset.complete:
        notes.append(f"INCOMPLETE: {'; '.join(run.record.dataset.incomplete)}.")
    return notes
