"""A face under every corruption of ``alignbench robustness``, in every strength."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np
import typer
from matplotlib.figure import Figure, FigureBase

from alignbench import Dataset
from alignbench.boxes import boxes_of, default_protocol
from alignbench.cli.options import DataRoot, SeedOfAll, Split
from alignbench.cli.options import Dataset as DatasetName
from alignbench.exceptions import unknown
from alignbench.geometry import crop_transforms, square_crops, warp
from reports.cli.options import FigureFile, put_figure, several
from reports.data import with_image
from reports.figures import style, tiles
from reports.robustness.conditions import Condition, Scene, change_scenes, cut_scenes
from reports.robustness.degradation import choose_corruptions

_MARGIN = 1.25
"""Side of a window in sides of the box, about that of many models."""


def figure(
    dataset: Dataset,
    face: str | None = None,
    *,
    corruptions: Sequence[str] | None = None,
    seed: int = 0,
    into: FigureBase | None = None,
) -> Figure:
    """A row for each corruption, from no corruption to the strongest, as a model sees the face.

    Parameters
    ----------
    face
        Its id; the first face that has an image where it is None.
    corruptions
        Names; all of them where it is None.

    Raises
    ------
    InputError
        If a name or the face is unknown, or there is no image.
    """
    chosen = choose_corruptions(corruptions)
    if face is not None and face not in dataset.ids:
        raise unknown(f"face of {dataset.name}", face, dataset.ids)
    requested = np.array([face in (None, name) for name in dataset.ids])
    row = int(np.flatnonzero(with_image(dataset, requested))[0])
    one = dataset.take(np.array([row]))
    box = boxes_of(one, default_protocol(one))
    scenes = cut_scenes(one, np.stack([box, box], axis=1))
    columns = 1 + max(len(corruption.strengths) for corruption in chosen)
    drawing, axes = tiles.grid(len(chosen), columns, 1, into)
    for line, corruption in zip(axes, chosen, strict=True):
        tiles.side(line[0], corruption.name)
        conditions = [Condition(corruption, k + 1) for k in range(len(corruption.strengths))]
        for tile, condition in zip(line, [Condition(), *conditions], strict=False):
            (scene,) = change_scenes(scenes, one.ids, condition, seed)
            tiles.show(tile, _window(scene))
            tiles.label(tile, f"{condition.strength:g}" if condition.level else "as it is")
    style.caption(
        drawing,
        f"{dataset.name} {dataset.split}, face {one.ids[0]}: corruptions",
        f"Windows of {_MARGIN:g} times the box that the model is shown. Below: the strength.",
    )
    return drawing


def _window(scene: Scene) -> np.ndarray:
    crop = square_crops(scene.boxes[:1], _MARGIN)
    return warp(scene.image, crop_transforms(crop, tiles.PIXELS)[0], tiles.PIXELS)


def draw(
    *,
    dataset: DatasetName,
    out: FigureFile,
    face: Annotated[
        str | None, typer.Option(metavar="ID", help="Id of the face. Default: the first one.")
    ] = None,
    corruption: Annotated[
        list[str] | None, several("C", "Corruption, such as noise or blur", "all fifteen")
    ] = None,
    split: Split = "test",
    data_root: DataRoot = None,
    seed: SeedOfAll = 0,
) -> None:
    """A face under every corruption of `alignbench robustness`.

    For example:
      alignbench figure corruptions --dataset wflw --out corruptions.png
    """
    from alignbench.cli.console import read_dataset

    faces = read_dataset(dataset, data_root, split)
    put_figure(figure(faces, face, corruptions=corruption, seed=seed), out)
