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
from alignbench.errors import InputError
from alignbench.geometry import (
    crop_transforms,
    square_crops,
    warp,
)
from alignbench.markups import load_markup, markup_names
from alignbench.predictors.base import Batch, Predictor
from alignbench.predictors.settings import CropSettings, Input


def window(
    settings: CropSettings, images: Sequence[Bytes], matrices: Floats
) -> NDArray[np.float32]:
    """What the network sees, (B, C, S, S), of images (H, W, 3) under crop maps (B, 2, 3)."""
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
        # Of a window of one colour nothing is left; it is not blown up.
        scaled /= np.maximum(scaled.std(axis=(1, 2), keepdims=True), 1e-3)
    else:
        mean, std = np.array(colour.mean, np.float32), np.array(colour.std, np.float32)
        scaled = (pixels * np.float32(colour.scale) - mean) / std
    return np.ascontiguousarray(scaled.transpose(0, 3, 1, 2))


@dataclass(frozen=True)
class Windows:
    """What a network is shown: pixels (B, C, S, S), float32, of crops (B, 3)."""

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
        Function of a batch (B, C, S, S), float32, that gives (B, 2 L), (B, L, 2) or, for
        heatmaps, (B, L, H, W).
    identity
        What tells this network from another: source, hash of weights.
    flip_test
        Whether the mirrored window is shown to the network too and the two outputs are averaged.
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
        self.markup = load_markup(settings.markup)
        self.boxes = settings.crop.boxes
        output = settings.output
        self.decoding = output.decoder if output.kind == "heatmaps" else output.kind
        self.settings, self._network, self._identity = settings, network, identity
        self._flip_test = flip_test
        self.built_from: Sequence[Any] = (network,)

    def describe(self) -> dict[str, Any]:
        settings = self.settings.model_dump(mode="json")
        notes = settings.pop("notes")
        return {
            **self._identity,
            "preprocessing": settings,
            "flip_test": self._flip_test,
            "notes": notes,
        }

    def preprocess(self, batch: Batch) -> Windows:
        crop = self.settings.crop
        crops = square_crops(batch.boxes, crop.scale, crop.rounding, crop.of)
        matrices = crop_transforms(crops, crop.size)
        return Windows(window(self.settings, batch.images, matrices), crops)

    def forward(self, inputs: Windows) -> tuple[NDArray[np.floating], Floats]:
        found = self._checked(self._network(inputs.pixels))
        if self._flip_test:
            mirrored = np.ascontiguousarray(inputs.pixels[..., ::-1])
            found = (found + self._mirrored(self._checked(self._network(mirrored)))) / 2
        return found, inputs.crops

    def postprocess(self, outputs: tuple[NDArray[np.floating], Floats]) -> Floats:
        found, crops = outputs
        output = self.settings.output
        if output.kind == "heatmaps":
            fractions = (heatmaps.DECODERS[output.decoder](found) + 0.5) / found.shape[3]
        else:
            fractions = found.astype(np.float64)
        shift = 0.5 if output.from_edge else 0.0
        return np.asarray(fractions * crops[:, None, 2:] + crops[:, None, :2] - shift)

    def _checked(self, raw: NDArray[np.floating]) -> NDArray[np.floating]:
        """Heatmaps (B, L, H, H) or points (B, L, 2) of what the network gave.

        Boundary maps, where a network gives them, follow the landmarks' maps and are left out.
        """
        landmarks, settings = load_markup(self.settings.markup).landmarks, self.settings
        if settings.output.kind == "heatmaps":
            others = {load_markup(name).landmarks for name in markup_names()} - {landmarks}
            square = raw.ndim == 4 and raw.shape[2] == raw.shape[3]
            if square and raw.shape[1] >= landmarks and raw.shape[1] not in others:
                return raw[:, :landmarks]
            accepted = f"(B, {landmarks}, H, H) heatmaps for mark-up {settings.markup}"
        else:
            wanted, flat = (len(raw), landmarks, 2), (len(raw), 2 * landmarks)
            if raw.shape in (wanted, flat):
                return raw.reshape(wanted)
            accepted = f"{wanted} or {flat} for {settings.markup}"
        raise InputError(
            f"model {self.name!r}",
            f"the network gave shape {raw.shape}",
            accepted,
            "Check markup and output in the model's settings.",
        )

    def _mirrored(self, found: NDArray[np.floating]) -> NDArray[np.floating]:
        """What the network gave for a mirrored window, as it is for the window."""
        order = load_markup(self.settings.markup).flip_order
        if self.settings.output.kind == "heatmaps":
            return found[:, order, :, ::-1]
        swapped = found[:, order]
        # Points counted from the first pixel's centre are a pixel short of the far edge.
        short = 0 if self.settings.output.from_edge else 1 / self.settings.crop.size
        return np.stack([1 - short - swapped[..., 0], swapped[..., 1]], axis=2)
