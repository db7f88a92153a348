"""Sample results: faces of each subset with the landmarks a model found."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from alignbench import InputError, Run
from alignbench.arrays import Ints
from alignbench.cli.options import DataRoot
from reports.cli.options import (
    FacesInRow,
    FigureFile,
    Norm,
    Runs,
    Subsets,
    Truth,
    put_figure,
    read_runs,
)
from reports.data import (
    Root,
    evaluated_faces,
    member,
    require_one_dataset,
    spread,
    with_image,
)
from reports.figures import style, tiles
from reports.labels import labels


def figure(
    runs: Sequence[Run],
    *,
    subsets: Sequence[str] | None = None,
    faces: int = 6,
    normaliser: str | None = None,
    truth: bool = False,
    data_root: Root = None,
) -> Figure:
    """Sample results: for each subset, faces from the smallest error to the largest.

    The faces stand at evenly spread places of their order by error: of five, the best, those at
    the quartiles and the worst.

    Parameters
    ----------
    runs
        On one data set and split; each has a row for each subset, of the same faces, chosen by
        the error of the first run.
    subsets
        All of the first run's where it is None; one without an image is then left out.
    faces
        How many a row.
    normaliser
        The data set's usual one where it is None.
    truth
        Whether lines lead from predicted to true landmarks.

    Raises
    ------
    InputError
        If the runs are of different data sets or have no face in common, there is no such subset
        or normaliser, or no image of one.
    """
    require_one_dataset(runs, "figure of samples")
    run, names = runs[0], labels(runs)
    norm = normaliser or run.record.dataset.normalisers[0]
    errors = [one.errors(norm) for one in runs]
    members = {subset: member(run, subset) for subset in subsets or ()}
    dataset = evaluated_faces(run, data_root)
    places = _places(runs)
    common = (places >= 0).all(axis=0)
    if not common.any():
        raise InputError("figure of samples", "runs without a face in common")
    there = with_image(dataset, common)
    if subsets is None:
        every = {subset: (run.faces[subset] == 1).to_numpy() for subset in run.subsets}
        members = {subset: inside for subset, inside in every.items() if (there & inside).any()}
    rows: list[tuple[str, Ints]] = []
    for subset, inside in members.items():
        if not (common & inside).any():
            raise InputError(f"subset {subset!r}", "has no face that all runs have")
        chosen = np.flatnonzero(with_image(dataset, common & inside))
        rows.append((subset, spread(chosen[np.argsort(errors[0][chosen], kind="stable")], faces)))
    drawing, axes = tiles.grid(len(rows) * len(runs), max(len(row) for _, row in rows), 1)
    points = [one.all_points() for one in runs]
    for r, (subset, chosen) in enumerate(rows):
        windows = tiles.Windows(dataset, chosen)
        for k, row in enumerate(chosen.tolist()):
            for m in range(len(runs)):
                tile, place = axes[r * len(runs) + m, k], places[m, row]
                error = errors[m][place]
                tiles.label(
                    tile, tiles.face(tile, windows, k, points[m][place], error, truth=truth)
                )
        for m, name in enumerate(names):
            left = axes[r * len(runs) + m, 0]
            tiles.side(left, subset, *([name] if len(runs) > 1 else []))
    size = f"{there.sum():,} faces with image"
    who = names[0] if len(runs) == 1 else f"{len(runs)} models"
    by = "" if len(runs) == 1 else f" of {names[0]}"
    style.caption(
        drawing,
        f"Samples of {who}, {style.heading(runs, 'by subset', size)}",
        f"Faces at evenly spread places of a subset's order by error{by}. Error in % of "
        f"{style.unit(norm)}. Dots: predicted{tiles.LINES if truth else ''}.",
    )
    return drawing


def draw(
    *,
    runs: Runs,
    out: FigureFile,
    subset: Subsets = None,
    faces: FacesInRow = 6,
    norm: Norm = None,
    truth: Truth = False,
    data_root: DataRoot = None,
) -> None:
    """Sample results: faces of each subset, from best to worst.

    Several runs show the same faces, which are chosen by the errors of the first run.

    For example:
      alignbench figure samples run --subset pose --truth --out samples.png
    """
    put_figure(
        figure(
            read_runs(runs), subsets=subset, faces=faces, normaliser=norm, truth=truth,
            data_root=data_root,
        ),
        out,
    )  # fmt: skip


def _places(runs: Sequence[Run]) -> Ints:
    """Where the faces (N,) of the first run stand in each run (R, N); -1 where they do not."""
    ids = runs[0].faces["id"]
    tables = [{name: row for row, name in enumerate(run.faces["id"])} for run in runs]
    return np.array([[table.get(name, -1) for name in ids] for table in tables], dtype=np.intp)
