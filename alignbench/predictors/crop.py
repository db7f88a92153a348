"""Networks that look at a square crop: the common part of every such predictor.

Crop the box, order and scale the colours, call the network, decode its output and take the
points back to the image. What differs between models stands in :class:`CropSettings`; the
network itself is a function of a float32 batch.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from alignbench import heatmaps
from alignbench.arrays import Bytes, Floats
from alignbench.errors import InputError, unknown
from alignbench.geometry import (
    BoxProtocol,
    Rounding,
    crop_transforms,
    invert,
    square_crops,
    transform,
    warp,
)
from alignbench.markups import MARKUPS
from alignbench.predictors.base import Batch, Predictor

Network = Callable[[NDArray[np.float32]], NDArray[np.floating]]


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Crop(_Settings):
    """How the network's window is laid over the image.

    ``boxes`` is the box protocol the model was made for, ``scale`` the window's side over the
    box's longer side, ``rounding`` as in :func:`alignbench.geometry.square_crops`, ``size`` the
    network's input side in pixels and ``border`` the grey value outside the image.
    """

    boxes: BoxProtocol = "rect"
    scale: float = Field(default=1.0, gt=0)
    rounding: Rounding = "none"
    size: int = Field(gt=0, le=4096)
    border: int = Field(default=0, ge=0, le=255)


class Input(_Settings):
    """Colours: order, then ``(value * scale - mean) / std`` by channel in that order."""

    colour: Literal["rgb", "bgr", "grey"] = "rgb"
    scale: float = 1 / 255
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)

    @field_validator("mean", "std")
    @classmethod
    def _one_or_one_a_channel(cls, values: tuple[float, ...], info: ValidationInfo) -> object:
        channels = 1 if info.data.get("colour") == "grey" else 3
        if len(values) not in (1, channels):
            raise PydanticCustomError(
                "channels", "Input should have 1 or {n} values", {"n": channels}
            )
        if info.field_name == "std" and 0 in values:
            raise PydanticCustomError("zero", "Input should not be 0")
        return values


class Output(_Settings):
    """What the network gives.

    ``kind`` is ``points`` (L x 2 a face, x before y, as fractions of the window's side) or
    ``heatmaps`` (L maps a face). Points are counted from the window's ``origin``: the centre of
    its first pixel, or its edge half a pixel before. Heatmaps are decoded by ``decoder``.
    ``name`` picks an output of an ONNX model that has several.
    """

    kind: Literal["points", "heatmaps"] = "points"
    origin: Literal["pixel-centre", "edge"] = "pixel-centre"
    decoder: Literal["argmax", "quarter", "soft-argmax"] = "quarter"
    name: str | None = None


class CropSettings(_Settings):
    """Everything between an image and a network, and back: one TOML file."""

    markup: Literal["wflw98", "ibug68", "cofw29"]
    crop: Crop
    input: Input = Input()
    output: Output = Output()
    notes: tuple[str, ...] = ()


def read_settings(path: Path) -> CropSettings:
    """Settings from a TOML file.

    Raises
    ------
    InputError
        If the file is not there, is no TOML, or a key is missing, unknown or has a wrong value.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(path, f"cannot be read ({error})") from error
    except tomllib.TOMLDecodeError as error:
        raise InputError(path, f"not TOML ({error})", "TOML as in docs/models.md") from error
    try:
        return CropSettings.model_validate(content)
    except ValidationError as error:
        raise _settings_error(path, error) from error


def window(
    settings: CropSettings, images: Sequence[Bytes], matrices: Floats
) -> NDArray[np.float32]:
    """What the network sees, (B, C, S, S), of images (H, W, 3) under crop maps (B, 2, 3)."""
    crop, colour = settings.crop, settings.input
    pixels = np.stack(
        [
            warp(image, matrix, crop.size, crop.border)
            for image, matrix in zip(images, matrices, strict=True)
        ]
    ).astype(np.float32)
    if colour.colour == "bgr":
        pixels = pixels[..., ::-1]
    elif colour.colour == "grey":
        # ITU-R BT.601, as OpenCV converts.
        pixels = pixels @ np.array([[0.299], [0.587], [0.114]], np.float32)
    mean, std = np.array(colour.mean, np.float32), np.array(colour.std, np.float32)
    scaled = (pixels * np.float32(colour.scale) - mean) / std
    return np.ascontiguousarray(scaled.transpose(0, 3, 1, 2))


def _settings_error(path: Path, error: ValidationError) -> InputError:
    """The first thing wrong with a settings file."""
    first = error.errors()[0]
    *table, key = [str(part) for part in first["loc"]]
    dotted = ".".join([*table, key])
    where = f"{path}, key {dotted}"
    if first["type"] == "missing":
        return InputError(where, "is missing", remedy="docs/models.md shows every key.")
    if first["type"] == "extra_forbidden":
        tables: dict[str, type[_Settings]] = {"crop": Crop, "input": Input, "output": Output}
        model = tables.get(".".join(table), CropSettings)
        known = [".".join([*table, field]) for field in model.model_fields]
        return unknown(f"{path}, key", dotted, known)
    return InputError(where, f"{first['msg']}, found {first['input']!r}")


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
    """

    def __init__(
        self, name: str, settings: CropSettings, network: Network, identity: dict[str, Any]
    ) -> None:
        self.name = name
        self.markup = MARKUPS[settings.markup]
        self.boxes = settings.crop.boxes
        output = settings.output
        self.decoding = output.decoder if output.kind == "heatmaps" else output.kind
        self._settings, self._network, self._identity = settings, network, identity

    def describe(self) -> dict[str, Any]:
        settings = self._settings.model_dump(mode="json")
        notes = settings.pop("notes")
        return {**self._identity, "preprocessing": settings, "notes": notes}

    def predict(self, batch: Batch) -> Floats:
        crop = self._settings.crop
        crops = square_crops(batch.boxes, crop.scale, crop.rounding)
        matrices = crop_transforms(crops, crop.size)
        raw = self._network(window(self._settings, batch.images, matrices))
        if self._settings.output.kind == "heatmaps":
            return transform(self._from_heatmaps(raw), invert(matrices))
        points = self._from_points(raw)
        shift = 0.0 if self._settings.output.origin == "pixel-centre" else 0.5
        return points * crops[:, None, 2:] + crops[:, None, :2] - shift

    @property
    def _landmarks(self) -> int:
        return MARKUPS[self._settings.markup].landmarks

    def _from_points(self, raw: NDArray[np.floating]) -> Floats:
        """Points (B, L, 2) of an output (B, L, 2) or (B, 2 L)."""
        wanted = (len(raw), self._landmarks, 2)
        if raw.shape not in (wanted, (len(raw), 2 * self._landmarks)):
            raise InputError(
                f"model {self.name!r}",
                f"the network gave shape {raw.shape}",
                f"{wanted} or {(len(raw), 2 * self._landmarks)} for {self._settings.markup}",
                "Check markup and output in the model's settings.",
            )
        return raw.reshape(wanted).astype(np.float64)

    def _from_heatmaps(self, raw: NDArray[np.floating]) -> Floats:
        if raw.ndim != 4 or raw.shape[1] < self._landmarks or raw.shape[2] != raw.shape[3]:
            raise InputError(
                f"model {self.name!r}",
                f"the network gave shape {raw.shape}",
                f"(B, {self._landmarks}, H, H) heatmaps for mark-up {self._settings.markup}",
                "Check markup and output in the model's settings.",
            )
        # Boundary maps, where a network gives them, follow the landmarks' maps.
        maps = raw[:, : self._landmarks]
        points = heatmaps.DECODERS[self._settings.output.decoder](maps)
        return heatmaps.to_crop(points, raw.shape[3], self._settings.crop.size)
