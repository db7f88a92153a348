"""Sample results: faces of each subset with the landmarks a model found."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure, FigureBase

from alignbench import InputError, Run
from alignbench.cli.options import DataRoot
from reports.cli import options
from reports.data import Root, evaluated_faces, member, require_one_dataset, spread, with_image
from reports.figures import style, tiles
from reports.labels import labels


def figure(
    runs: Sequence[Run],
    subsets: Sequence[str] | None = None,
    normaliser: str | None = None,
    *,
    faces: int = 6,
    truth: bool = False,
    data_root: Root = None,
    into: FigureBase | None = None,
) -> Figure:
    """Sample results: for each subset, faces from the smallest error to the largest.

    The faces stand at evenly spread places of their order by error: of five, the best, those at
    the quartiles and the worst.

    Parameters
    ----------
    runs
        Each has a row for each subset, of the same faces, chosen by the error of the first run.
    subsets
        All of the first run's where it is None; one without an image is then left out.
    faces
        How many a row.
    truth
        Whether lines lead from predicted to true landmarks.

    Raises
    ------
    InputError
        If the runs have no face in common, or there is no image of a subset.
    """
    require_one_dataset(runs, "figure of samples")
    run, names = runs[0], labels(runs)
    norm = normaliser or run.record.dataset.normalisers[0]
    for subset in subsets or ():
        member(run, subset)  # refuses an unknown one before images are read
    # The row of each face of the first run in every run; -1 if a run does not have the face.
    places = [pd.Index(one.faces["id"]).get_indexer(run.faces["id"]) for one in runs]
    errors = [one.errors(norm)[place] for one, place in zip(runs, places, strict=True)]
    points = [one.all_points() for one in runs]
    dataset = evaluated_faces(run, data_root)
    common = np.min(places, axis=0) >= 0
    if not common.any():
        raise InputError("figure of samples", "runs without a face in common")
    there = with_image(dataset, common)
    if subsets is None:
        subsets = [name for name in run.subsets if (there & (run.faces[name] == 1)).any()]
    chosen = []
    for subset in subsets:
        inside = common & member(run, subset)
        if not inside.any():
            raise InputError(f"subset {subset!r}", "has no face that all runs have")
        rows = np.flatnonzero(with_image(dataset, inside))
        chosen.append(spread(rows[np.argsort(errors[0][rows], kind="stable")], faces))
    drawing, axes = tiles.grid(len(chosen) * len(runs), max(map(len, chosen)), 1, into)
    one_model = len(runs) == 1
    for s, (subset, rows) in enumerate(zip(subsets, chosen, strict=True)):
        windows = tiles.Windows(dataset, rows)
        for m, name in enumerate(names):
            line = axes[s * len(runs) + m]
            for k, (tile, row) in enumerate(zip(line, rows, strict=False)):
                found = points[m][places[m][row]]
                error = tiles.face(tile, windows, k, found, errors[m][row], truth=truth)
                tiles.label(tile, error)
            tiles.side(line[0], subset, *([] if one_model else [name]))
    size = f"{there.sum():,} faces with image"
    who = names[0] if one_model else f"{len(runs)} models"
    by = "" if one_model else f" of {names[0]}"
    style.caption(
        drawing,
        f"Samples of {who}, {style.heading(runs, 'by subset', size)}",
        f"Faces at evenly spread places of a subset's order by error{by}. Error in % of "
        f"{style.unit(norm)}. Dots: predicted{tiles.LINES if truth else ''}.",
    )
    return drawing


def draw(
    *,
    runs: options.Runs,
    out: options.FigureFile,
    subset: options.Subsets = None,
    faces: options.FacesInRow = 6,
    norm: options.Norm = None,
    truth: options.Truth = False,
    data_root: DataRoot = None,
) -> None:
    """Sample results: faces of each subset, from best to worst.

    Several runs show the same faces, which are chosen by the errors of the first run.

    For example:
      alignbench figure samples run --subset pose --truth --out samples.png
    """
    drawing = figure(
        options.read_runs(runs), subset, norm, faces=faces, truth=truth, data_root=data_root
    )
    options.put_figure(drawing, out)
