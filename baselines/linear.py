"""Ridge regression from a small grey crop to the landmarks: the simplest model that looks."""

from __future__ import annotations

import json
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from alignbench import Dataset, InputError
from alignbench.arrays import Floats
from alignbench.boxes import boxes_of, default_protocol
from alignbench.geometry import crop_transforms, square_crops
from alignbench.io.files import sha256
from alignbench.markups import load_markup
from alignbench.predictors.crop import CropPredictor, window
from alignbench.predictors.settings import Crop, CropSettings, Input
from baselines.mean_shape import DRAWN, describe_fit

WEIGHTS = "linear.safetensors"
_SIZE = 24
_RIDGE = 30.0


def fit(dataset: Dataset, settings: CropSettings) -> tuple[Floats, Floats]:
    """Weights (D, 2 L) and bias (2 L) that take a crop's D pixels to points in crop units.

    Minimises ``|X W + b - Y|^2 + ridge |W|^2`` over the data set's faces, by the dual of the
    normal equations, because there are fewer faces than pixels. Raises InputError if a landmark is
    not annotated.
    """
    if lacking := dataset.unannotated():
        raise InputError(
            dataset.name, f"{lacking:,} landmarks are not annotated", "every landmark of every face"
        )
    crop = settings.crop
    crops = square_crops(boxes_of(dataset, crop.boxes), crop.scale, crop.rounding)
    images = [dataset.images.read(face) for face in range(len(dataset))]
    x = _features(window(settings, images, crop_transforms(crops, crop.size)))
    y = ((dataset.points - crops[:, None, :2]) / crops[:, None, 2:]).reshape(len(dataset), -1)
    centre_x, centre_y = x.mean(axis=0), y.mean(axis=0)
    x, y = x - centre_x, y - centre_y
    weights = x.T @ np.linalg.solve(x @ x.T + _RIDGE * np.eye(len(x)), y)
    return weights, centre_y - centre_x @ weights


def save(path: Path, dataset: Dataset) -> None:
    """Fit on a data set and write the weights with their settings and where they come from."""
    settings = CropSettings(
        markup=dataset.markup.name,
        crop=Crop(boxes=default_protocol(dataset), scale=1.1, size=_SIZE),
        input=Input(colour="grey"),
        notes=(f"Ridge regression {describe_fit(dataset)}.",),
    )
    weights, bias = fit(dataset, settings)
    save_file(
        {"weights": weights.astype(np.float16), "bias": bias.astype(np.float32)},
        path,
        {"settings": settings.model_dump_json(), "fitted_on": json.dumps(dataset.fingerprint())},
    )


def load(weights: Path | None = None) -> CropPredictor:
    """Ridge regression from a 24 x 24 grey crop to the landmarks, of drawn faces."""
    if weights is None:
        with as_file(files("baselines") / "weights" / WEIGHTS) as path:
            return load(path)
    try:
        with safe_open(weights, framework="numpy") as stored:
            matrix = stored.get_tensor("weights").astype(np.float32)
            bias = stored.get_tensor("bias")
            settings = CropSettings.model_validate_json(stored.metadata()["settings"])
        shape = settings.crop.size**2, 2 * load_markup(settings.markup).landmarks
        if settings.input.colour != "grey":
            raise ValueError(f"colour {settings.input.colour!r}, not 'grey'")
        if matrix.shape != shape or bias.shape != shape[1:]:
            raise ValueError(f"weights {matrix.shape}, bias {bias.shape}, for {shape}")
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            weights, f"no linear model ({error})", "a file that baselines.linear.save wrote"
        ) from error

    def network(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        # einsum, because a matrix product's last bits depend on the size of the batch.
        return np.asarray(np.einsum("bd,dk->bk", _features(pixels), matrix) + bias)

    return CropPredictor(
        "linear", settings, network, {"source": "linear", "weights_sha256": sha256(weights)}
    )


load.facts = DRAWN  # type: ignore[attr-defined]


def _features(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Crops (B, 1, S, S) as rows (B, S * S), each of mean 0 and standard deviation 1."""
    flat = pixels.reshape(len(pixels), -1)
    flat = flat - flat.mean(axis=1, keepdims=True)
    return np.asarray(flat / np.maximum(flat.std(axis=1, keepdims=True), 1e-3))
