"""Networks that look at a square crop: the common part of every such predictor.

Crop the box, order and scale the colours, call the network, decode its output and take the
points back to the image. What differs between models stands in :class:`CropSettings`; the
network itself is a function of a float32 batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alignbench import heatmaps
from alignbench.arrays import Bytes, Floats
from alignbench.backends import Network
from alignbench.geometry import crop_transforms, square_crops, warp
from alignbench.markups import Markup, load_markup
from alignbench.predictors.base import Batch, Predictor
from alignbench.predictors.outputs import missed_faces, read_heatmaps, read_points
from alignbench.predictors.settings import CropSettings, Input, Output


def window(
    settings: CropSettings, images: Sequence[Bytes], matrices: Floats
) -> NDArray[np.float32]:
    """The network's input (B, C, S, S) from images (H, W, 3) under crop maps (B, 2, 3)."""
    crop = settings.crop
    pixels = np.empty((len(images), crop.size, crop.size, 3), np.uint8)
    for row, image, matrix in zip(pixels, images, matrices, strict=True):
        warp(image, matrix, crop.size, crop.border, out=row)
    return network_input(settings.input, pixels)


def network_input(colour: Input, windows: Bytes) -> NDArray[np.float32]:
    """Windows (B, S, S, 3), RGB, ordered and scaled for the network: (B, C, S, S)."""
    pixels = windows.astype(np.float32)
    if colour.colour == "bgr":
        pixels = pixels[..., ::-1]
    elif colour.colour == "grey":
        # ITU-R BT.601, as OpenCV converts.
        pixels = pixels @ np.array([[0.299], [0.587], [0.114]], np.float32)
    if colour.standardise:
        scaled = pixels - pixels.mean(axis=(1, 2), keepdims=True)
        # A window of one colour becomes zeros; its noise is not amplified.
        scaled /= np.maximum(scaled.std(axis=(1, 2), keepdims=True), 1e-3)
    else:
        mean, std = np.array(colour.mean, np.float32), np.array(colour.std, np.float32)
        scaled = (pixels * np.float32(colour.scale) - mean) / std
    return np.ascontiguousarray(scaled.transpose(0, 3, 1, 2))


def locate(values: NDArray[np.floating], crops: Floats, output: Output) -> Floats:
    """Landmarks (B, L, 2) in image pixels; NaN for a face whose values are not finite.

    Parameters
    ----------
    values
        Heatmaps (B, L, H, H), or points (B, L, 2) as fractions, of windows.
    crops
        Left, top and side (B, 3) of the windows.
    """
    if output.kind == "heatmaps":
        missed = missed_faces(values)
        if missed.any():
            values = np.where(missed[:, None, None, None], 0, values)
        points = heatmaps.decode(
            values, output.decoder,
            sigma=output.sigma, window=output.window, temperature=output.temperature,
        )  # fmt: skip
        fractions = (points + 0.5) / values.shape[3]
    else:
        missed = ~np.isfinite(values).all(axis=(1, 2))
        fractions = values.astype(np.float64)
    shift = 0.5 if output.from_edge else 0.0
    points = fractions * crops[:, None, 2:] + crops[:, None, :2] - shift
    points[missed] = np.nan
    return np.asarray(points)


@dataclass(frozen=True)
class Windows:
    """A network's input: pixels (B, C, S, S), float32; its output is counted in crops (B, 3)."""

    pixels: NDArray[np.float32]
    crops: Floats


class CropPredictor(Predictor):
    """A network behind a square crop.

    Parameters
    ----------
    name
        What tables and legends call it.
    settings
        Crop, colours and decoding.
    network
        Function of a batch (B, C, S, S), float32, that gives points or heatmaps, in a shape that
        :mod:`alignbench.predictors.outputs` reads.
    identity
        What identifies the network: source, hash of weights.
    flip_test
        Whether the network sees the mirrored window too and the two outputs are averaged.
    """

    def __init__(
        self,
        name: str,
        settings: CropSettings,
        network: Network,
        identity: dict[str, Any],
        flip_test: bool = False,
    ) -> None:
        self.name = name
        self.markup: Markup = load_markup(settings.markup)
        self.boxes = settings.crop.boxes
        output = settings.output
        self.decoding = output.decoder if output.kind == "heatmaps" else output.kind
        self.settings, self._network, self._identity = settings, network, identity
        self._flip_test = flip_test
        self.built_from: Sequence[Any] = (network,)

    def describe(self) -> dict[str, Any]:
        settings = self.settings.model_dump(mode="json")
        notes = settings.pop("notes")
        if self.settings.output.coordinates == 3:
            notes.append("The network's third number of each landmark is left out.")
        return {
            **self._identity,
            "preprocessing": settings,
            "flip_test": self._flip_test,
            "notes": notes,
        }

    def preprocess(self, batch: Batch) -> Windows:
        crops = self._crops(batch.boxes)
        matrices = crop_transforms(crops, self.settings.crop.size)
        pixels = window(self.settings, batch.images, matrices)
        if self.settings.output.origin == "frame" and batch.frames is not None:
            crops = self._crops(batch.frames)
        return Windows(pixels, crops)

    def _crops(self, boxes: Floats) -> Floats:
        """Square crops (B, 3) of boxes (B, 4)."""
        crop = self.settings.crop
        return square_crops(boxes, crop.scale, crop.rounding, crop.of)

    def forward(self, inputs: Windows) -> tuple[NDArray[np.floating], Floats]:
        output = self._compute(inputs.pixels)
        if self._flip_test:
            mirrored = np.ascontiguousarray(inputs.pixels[..., ::-1])
            output = (output + self._mirror(self._compute(mirrored))) / 2
        return output, inputs.crops

    def postprocess(self, outputs: tuple[NDArray[np.floating], Floats]) -> Floats:
        return locate(*outputs, self.settings.output)

    def _compute(self, pixels: NDArray[np.float32]) -> NDArray[np.floating]:
        """The heatmaps (B, L, H, H), or points (B, L, 2) as fractions, of windows (B, C, S, S)."""
        values, output, where = self._network(pixels), self.settings.output, f"model {self.name!r}"
        if output.kind == "heatmaps":
            return read_heatmaps(values, output, self.markup, where)
        return read_points(values, output, self.markup, self.settings.crop.size, where)

    def _mirror(self, output: NDArray[np.floating]) -> NDArray[np.floating]:
        """The output for a mirrored window, mirrored back."""
        order = self.markup.flip_order
        if self.settings.output.kind == "heatmaps":
            return output[:, order, :, ::-1]
        swapped = output[:, order]
        # Points counted from the first pixel's centre are a pixel short of the far edge.
        short = 0 if self.settings.output.from_edge else 1 / self.settings.crop.size
        return np.stack([1 - short - swapped[..., 0], swapped[..., 1]], axis=2)
