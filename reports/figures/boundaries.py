"""Boundary maps of networks that predict them, over the images they were shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import cv2
import numpy as np
import typer
from matplotlib.figure import Figure, FigureBase
from numpy.typing import NDArray

from alignbench import Batch, Dataset, InputError, Predictor, load_dataset, load_predictor
from alignbench.arrays import Bytes
from alignbench.boxes import choose_boxes
from alignbench.cli import options
from alignbench.exceptions import unknown
from alignbench.geometry import crop_transforms, warp
from reports.cli.options import FacesInRow, FigureFile, Subset, put_figure
from reports.data import Root, spread, with_image
from reports.figures import style, tiles

_DIM = 0.55
"""Share of an image's lightness that is left under the boundaries."""
_COLOUR = np.array([255.0, 255.0, 160.0])
"""Colour of a boundary of value 1, RGB: light in colour and in grey, on the dimmed image."""
_OPAQUE = 0.8
"""Opacity of a boundary of value 1: the image is still seen through it."""

Maps = NDArray[np.float32]
Networks = Annotated[
    list[str],
    typer.Option(metavar="M", help="A network, as for `alignbench run`; repeat for a row each."),
]


def figure(
    models: Sequence[str],
    dataset: str,
    split: str = "test",
    subset: str = "full",
    *,
    faces: int = 6,
    weights: str | None = None,
    data_root: Root = None,
    into: FigureBase | None = None,
) -> Figure:
    """Boundary maps that networks predict, over the images; a row for each model.

    It shows the largest value of the maps of a network's last stage, in the crop that the network
    is given. The faces are evenly spread over the subset.

    Parameters
    ----------
    models
        Networks by their names, as :func:`alignbench.load_predictor` takes them.
    dataset, split, subset, faces
        Whose faces are shown, and how many.
    weights
        File of weights, for a single model.

    Raises
    ------
    InputError
        If a model has no boundary maps, no image is there, or several models have weights.
    """
    if weights is not None and len(models) > 1:
        raise InputError("--model with --weights", f"{len(models)} models", "one")
    predictors = [load_predictor(model, weights, {"device": "cpu"}) for model in models]
    for predictor in predictors:
        if not hasattr(predictor, "network"):
            raise _no_maps(predictor, "is no torch network")
    data = load_dataset(dataset, data_root, split)
    if subset not in data.subsets:
        raise unknown(f"subset of {data.name}", subset, data.subsets)
    if not data.subsets[subset].any():
        raise InputError(f"subset {subset!r}", f"has no faces in {data.name}")
    chosen = with_image(data, data.subsets[subset])
    shown = data.take(spread(np.flatnonzero(chosen), faces))
    images = [shown.images.read(k) for k in range(len(shown))]
    drawing, axes = tiles.grid(len(predictors), len(shown), 0, into)
    for row, predictor in zip(axes, predictors, strict=True):
        tiles.side(row[0], predictor.name)
        for one, picture in zip(row, _pictures(predictor, data, shown, images), strict=True):
            tiles.show(one, picture)
    style.caption(
        drawing,
        f"Predicted boundaries, {dataset} {split}, {subset}",
        f"{len(shown)} faces evenly spread over the {chosen.sum():,} with image, as each "
        "network is shown them. Light: where any of its boundary maps is high.",
    )
    return drawing


def draw(
    *,
    out: FigureFile,
    model: Networks,
    dataset: options.Dataset,
    split: options.Split = "test",
    subset: Subset = "full",
    faces: FacesInRow = 6,
    weights: options.Weights = None,
    data_root: options.DataRoot = None,
    threads: options.Threads = None,
) -> None:
    """Boundary maps that networks predict, over the images.

    Each network has a row. A run stores no maps, so the networks run on these few faces, on the
    CPU.

    For example:
      alignbench figure boundaries --model lab-mini --dataset wflw --out b.png
    """
    drawing = figure(
        model, dataset, split, subset, faces=faces, weights=weights, data_root=data_root
    )
    put_figure(drawing, out)


def _no_maps(predictor: Predictor, why: str) -> InputError:
    accepted = "a network that predicts them, such as propnet, awing, lab and their minis"
    return InputError(f"model {predictor.name!r}", f"has no boundary maps: it {why}", accepted)


def boundary_maps(predictor: Any, pixels: NDArray[np.float32]) -> Maps:
    """The largest value (B, h, w) of a network's last boundary maps for an input of pixels.

    Raises
    ------
    InputError
        If the network gives no maps.
    """
    import torch

    network = predictor.network
    device = next(network.parameters()).device
    with torch.inference_mode():
        output = network(torch.from_numpy(pixels).to(device))
    maps = getattr(output, "boundaries", None)
    if not maps:
        raise _no_maps(predictor, "gives none")
    largest: Maps = maps[-1].amax(dim=1).float().cpu().numpy()
    return largest


def _pictures(
    predictor: Any, dataset: Dataset, shown: Dataset, images: Sequence[Bytes]
) -> list[Bytes]:
    """Each face as the network is shown it, with its boundaries over it."""
    predictor.prepare(dataset)
    boxes = choose_boxes(dataset, shown, predictor, None, 1.0).boxes
    inputs = predictor.preprocess(Batch(shown.ids, images, boxes))
    matrices = crop_transforms(inputs.crops, tiles.PIXELS)
    maps = boundary_maps(predictor, inputs.pixels)
    return [
        overlay(warp(image, matrix, tiles.PIXELS, predictor.settings.crop.border), boundary)
        for image, matrix, boundary in zip(images, matrices, maps, strict=True)
    ]


def overlay(image: Bytes, boundary: Maps) -> Bytes:
    """A square image (S, S, 3), dimmed, with a boundary map (h, w) of values 0 to 1 over it."""
    size = image.shape[:2]
    # Pixel centres to pixel centres, as the map lies on the crop.
    value = np.clip(cv2.resize(boundary, size, interpolation=cv2.INTER_LINEAR), 0, 1)[..., None]
    share = _OPAQUE * value
    mixed = (1 - share) * _DIM * image + share * _COLOUR
    return mixed.round().astype(np.uint8)
