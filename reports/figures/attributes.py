"""How many faces of a data set have each attribute."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np
import typer
from matplotlib.figure import Figure, FigureBase

from alignbench import Dataset, InputError, Run, load_dataset
from alignbench.cli.options import DataRoot, Threads
from alignbench.datasets import DataNotFoundError, source
from alignbench.datasets.base import FULL
from reports.cli.options import FigureFile, OptionalRuns, Width, put_figure, read_runs, several
from reports.data import Root, require_one_dataset
from reports.figures import style

_COLOURS = (style.BLUE, style.ORANGE, style.GREEN, style.PURPLE)
_UNKNOWN = np.array([np.nan])
"""Stands for an attribute that a split does not have: it gets no bar."""
_WIDTH = 0.8
"""Width of all bars of an attribute together, where attributes are 1 apart."""


def figure(
    runs: Sequence[Run] = (),
    *,
    dataset: str | None = None,
    splits: Sequence[str] | None = None,
    data_root: Root = None,
    into: FigureBase | None = None,
) -> Figure:
    """Share of a data set's faces that have each attribute, a bar for each split.

    Parameters
    ----------
    runs
        Runs on the data set, where ``dataset`` does not name it.
    splits
        By default those that are there; of a data set that draws itself, ``test`` and those that
        were drawn before. Any other that is named is drawn.

    Raises
    ------
    InputError
        If no data set is named, a split of it is unknown or none is there, or it has no attributes.
    """
    if dataset is None:
        require_one_dataset(runs, "figure of attributes, no --dataset")
        dataset = runs[0].record.dataset.name
    loaded, missing = _splits(dataset, splits, data_root)
    names = list(dict.fromkeys(name for faces in loaded for name in faces.subsets if name != FULL))
    if not names:
        raise InputError(
            f"data set {dataset!r}", "has no attributes", "one with subsets, such as wflw"
        )
    drawing = style.canvas(into, max(1.5 + 1.0 * len(names), 4.8), 3.6)
    axes = drawing.add_subplot()
    width = _WIDTH / len(loaded)
    for k, faces in enumerate(loaded):
        shares = [100 * float(faces.subsets.get(name, _UNKNOWN).mean()) for name in names]
        bars = axes.bar(
            np.arange(len(names)) + (k - (len(loaded) - 1) / 2) * width, shares, width,
            color=_COLOURS[k % len(_COLOURS)], hatch=style.HATCHES[k % len(style.HATCHES)],
            edgecolor="white", label=_label(faces),
        )  # fmt: skip
        texts = ["" if np.isnan(share) else f"{share:.1f}" for share in shares]
        axes.bar_label(bars, texts, fontsize=7 if len(loaded) < 3 else 6, padding=1)
    axes.set_xticks(np.arange(len(names)), names)
    axes.set(ylabel="Share of the split's faces, %")
    without = f" ({', '.join(missing)}: not there)" if missing else ""
    axes.set_title(f"{dataset}: faces with each attribute{without}", fontsize="medium", loc="left")
    style.plain(axes)
    axes.grid(visible=False, axis="x")
    drawing.legend(loc="outside lower center", ncols=len(loaded), frameon=False, fontsize="small")
    style.show_plain_text(drawing)
    return drawing


def draw(
    out: FigureFile,
    runs: OptionalRuns = None,
    dataset: Annotated[
        str | None,
        typer.Option(metavar="D", help="Data set, if no run names it.", show_default=False),
    ] = None,
    split: Annotated[list[str] | None, several("S", "Split", "every split that is there")] = None,
    data_root: DataRoot = None,
    threads: Threads = None,
    width: Width = None,
) -> None:
    """Share of a data set's faces that have each attribute.

    Each split has a bar. A data set that draws itself, such as synthetic, draws its
    test split and those that --split names.

    For example:
      alignbench figure attributes --dataset wflw --out attributes.svg
    """
    drawing = figure(read_runs(runs or ()), dataset=dataset, splits=split, data_root=data_root)
    put_figure(drawing, out, width)


def _splits(name: str, splits: Sequence[str] | None, root: Root) -> tuple[list[Dataset], list[str]]:
    """Splits of a data set, and the names of those whose files are not there.

    A split that was asked for must be there.
    """
    loaded: list[Dataset] = []
    missing: dict[str, InputError] = {}
    for split in splits or source(name).splits:
        try:
            if splits is None and root is None:
                _refuse_to_draw(name, split)
            loaded.append(load_dataset(name, root, split))
        except InputError as error:
            # Only files that are missing are left out, not those that are damaged.
            why = error if isinstance(error, DataNotFoundError) else error.__cause__
            if splits is not None or not isinstance(why, DataNotFoundError | FileNotFoundError):
                raise
            missing[split] = error
    if not loaded:
        raise missing.popitem()[1]
    return loaded, list(missing)


def _refuse_to_draw(name: str, split: str) -> None:
    """Raise DataNotFoundError for thousands of faces that were not asked for: they take minutes."""
    is_drawn = source(name).is_drawn
    if split != "test" and is_drawn is not None and not is_drawn(split):
        raise DataNotFoundError(f"{name} {split}", "not drawn yet")


def _label(faces: Dataset) -> str:
    """A split and its number of faces; also the official number where it differs."""
    here, official = len(faces), faces.official.get(FULL)
    of = "" if official in (None, here) else f" of {official:,}"
    return f"{faces.split}: {here:,}{of} faces"
