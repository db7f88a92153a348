"""Runs brought together face by face."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from alignbench import InputError, Run
from alignbench.arrays import Bools, Floats, Ints
from alignbench.exceptions import unknown
from reports.labels import labels

_SAME = 1e-6
"""Largest relative difference of two ratios that are the same number, rounded."""
TIE = 1e-6
"""Two errors of a face tie if they differ by no more than this, as fractions of the normaliser.

Another number of threads or another batch moves a landmark by up to 2e-5 pixels, an error by up to
4e-8 (docs/explanation/trust-notes.md). For a face of 1,000 pixels a tie is a thousandth of a pixel;
no annotation is as exact."""


@dataclass(frozen=True, eq=False)
class Pairing:
    """R runs, by the names that tables call them, over the N faces that all of them have.

    ``rows`` (R, N) are the rows of these faces in each run's table of faces, ``subsets`` the
    membership (N,) in each subset that all runs have, ``clusters`` (N,) the number of each face's
    source image.
    """

    runs: tuple[Run, ...]
    names: tuple[str, ...]
    rows: Ints
    subsets: dict[str, Bools]
    clusters: Ints

    def errors(self, normaliser: str) -> Floats:
        """Errors (R, N), fractions; infinite for a missed face."""
        return np.stack(
            [run.errors(normaliser)[rows] for run, rows in zip(self.runs, self.rows, strict=True)]
        )

    @property
    def left_out(self) -> list[int]:
        """Faces of each run that another run does not have."""
        return [len(run.faces) - self.rows.shape[1] for run in self.runs]


def merge_ties(errors: Floats) -> Floats:
    """Errors (R, N) in which errors of a face that tie, within :data:`TIE`, are one number.

    In ascending order, an error that ties with the one before it becomes the first of that chain.
    Example: of 0.5, 0.5 + 0.9 TIE and 0.5 + 1.8 TIE all become 0.5, although the first and the
    last are 1.8 TIE apart. So if two runs tie with a third, they tie with each other.
    """
    order = np.argsort(errors, axis=0, kind="stable")
    ascending = np.take_along_axis(errors, order, axis=0)
    begins = np.ones(errors.shape, np.bool_)
    with np.errstate(invalid="ignore"):  # The difference of two infinite errors is NaN: a tie.
        begins[1:] = np.diff(ascending, axis=0) > TIE
    runs = np.arange(len(errors))[:, None]
    smallest = np.maximum.accumulate(np.where(begins, runs, 0), axis=0)
    merged = np.empty_like(errors)
    np.put_along_axis(merged, order, np.take_along_axis(ascending, smallest, axis=0), axis=0)
    return merged


def pair(runs: Sequence[Run]) -> Pairing:
    """Pair runs by the ids of faces.

    Raises InputError if there are fewer than two runs, if they are on different data sets or splits
    or share no face, or if the annotation of a shared face differs.
    """
    if len(runs) < 2:
        raise InputError("compare", f"{len(runs)} runs", "two or more")
    names = labels(runs)
    for run, name in zip(runs[1:], names[1:], strict=True):
        _check_dataset(runs[0], run, f"runs {names[0]} and {name}")
    ids = [pd.Index(run.faces["id"]) for run in runs]
    shared = ids[0][np.all([ids[0].isin(other) for other in ids], axis=0)]
    if shared.empty:
        raise InputError(f"runs {', '.join(names)}", "no face is in all of them")
    rows = np.stack([index.get_indexer(shared) for index in ids])
    subsets = [s for s in runs[0].subsets if all(s in run.subsets for run in runs)]
    faces = runs[0].faces.iloc[rows[0]]
    pairing = Pairing(
        tuple(runs),
        tuple(names),
        rows,
        {name: (faces[name] == 1).to_numpy() for name in subsets},
        np.unique(faces["image"].to_numpy(np.str_), return_inverse=True)[1],
    )
    for k, run in enumerate(runs[1:], 1):
        if run.record.dataset.fingerprint != runs[0].record.dataset.fingerprint:
            _check_truth(pairing, k, same_faces=ids[k].equals(ids[0]))
    return pairing


def _check_dataset(first: Run, other: Run, where: str) -> None:
    one, two = first.record.dataset, other.record.dataset
    for kind, *names in (
        ("data set", one.name, two.name),
        ("split", one.split, two.split),
        ("mark-up", first.markup.name, other.markup.name),
    ):
        if names[0] != names[1]:
            raise InputError(
                where, f"{kind} {' and '.join(names)}", "the same one",
                "Name the folders of runs on one data set, such as runs/DATASET.",
            )  # fmt: skip


def _check_truth(pairing: Pairing, other: int, same_faces: bool) -> None:
    """Refuse runs whose annotation of the shared faces differs.

    Runs over the same faces must have the same fingerprint. For runs over different faces the
    images, the subsets and the ratios of a face's errors under two normalisers must agree: in such
    a ratio the prediction cancels.
    """
    where = f"runs {pairing.names[0]} and {pairing.names[other]}"
    remedy = "Run both on one copy of the data set."
    if same_faces:
        problem = "the annotation differs (fingerprint of the truth)"
        raise InputError(where, problem, "the same truth", remedy)
    one, two = (pairing.runs[k].faces.iloc[pairing.rows[k]] for k in (0, other))
    differ = np.zeros(len(one), np.bool_)
    for column in ("image", *pairing.subsets):
        differ |= one[column].to_numpy() != two[column].to_numpy()
    norms = [n for n in pairing.runs[0].normalisers if n in pairing.runs[other].normalisers]
    first, *others = (pairing.errors(norm)[[0, other]] for norm in norms)
    for errors in others:
        # Products instead of ratios, because an error can be 0.
        with np.errstate(invalid="ignore"):  # A missed face gives NaN, which differs from nothing.
            crossed, against = errors[0] * first[1], first[0] * errors[1]
            differ |= np.abs(crossed - against) > _SAME * np.abs(crossed)
    for face in np.flatnonzero(differ).tolist():
        problem = f"the annotation of face {one['id'].iloc[face]} differs"
        raise InputError(where, problem, "the same truth", remedy)


def choose_subsets(pairing: Pairing, subsets: Sequence[str] | None) -> list[str]:
    """The subsets asked for, by default all; raises InputError for one the runs do not have."""
    for name in subsets or ():
        if name not in pairing.subsets:
            dataset = pairing.runs[0].record.dataset.name
            raise unknown(f"subset of {dataset}", name, pairing.subsets)
    return list(dict.fromkeys(subsets or pairing.subsets))
