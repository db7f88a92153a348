"""Crop, colours and output of a network that looks at a square window: one TOML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    field_validator,
    model_serializer,
)
from pydantic_core import PydanticCustomError

from alignbench import plugins
from alignbench.geometry import BoxSide, Rounding
from alignbench.heatmaps import SIGMA, TEMPERATURE, WINDOW
from alignbench.io.models import Strict, read_model, toml_text

SHOWN = "docs/how-to/onnx-model.md"
"""The document that shows every key."""
Layout = Literal["nchw", "nhwc"]
"""Order of the axes of a batch of images or maps: batch, channels, height and width."""


class _Settings(Strict):
    """A table of settings.

    Those in ``_later`` came after the first release. They are written only where they differ from
    their default, so that the keys of runs and the files of models stay as they were.
    """

    _later: ClassVar[frozenset[str]] = frozenset()

    @model_serializer(mode="wrap")
    def _write(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields = type(self).model_fields
        return {
            name: value
            for name, value in write(self).items()
            if name not in self._later or getattr(self, name) != fields[name].default
        }


def _require_name_of(group: str) -> AfterValidator:
    """Accepts the names that are registered in a group."""

    def check(name: str) -> str:
        known = list(plugins.entry_points(group))
        if name not in known:
            context = {"known": known, "names": ", ".join(known)}
            raise PydanticCustomError("unknown", "Input should be one of {names}", context)
        return name

    return AfterValidator(check)


def _refuse_former_name(decoder: object) -> object:
    """Refuse the name under which the centre of mass was known."""
    if decoder == "soft-argmax":
        raise PydanticCustomError(
            "renamed",
            "Input should be centre-of-mass, the new name of this decoder (local-soft-argmax is "
            "another one)",
        )
    return decoder


Decoder = Annotated[
    Literal["argmax", "quarter", "parabola", "dark", "local-soft-argmax", "centre-of-mass"],
    BeforeValidator(_refuse_former_name),
]
"""A decoder of heatmaps, by its name in :data:`alignbench.heatmaps.DECODERS`."""


class Crop(_Settings):
    """How the network's window is laid over the image.

    ``boxes`` is the box protocol that the model is made for, ``scale`` the window's side over the
    box's longer side, or over the mean of its sides (``of``), ``rounding`` as in
    :func:`alignbench.geometry.square_crops`, ``size`` the network's input side in pixels and
    ``border`` the grey value outside the image.
    """

    boxes: Annotated[str, _require_name_of(plugins.BOX_PROTOCOLS)] = "rect"
    scale: float = Field(default=1.0, gt=0)
    of: BoxSide = "longer"
    rounding: Rounding = "none"
    size: int = Field(gt=0, le=4096)
    border: int = Field(default=0, ge=0, le=255)


class Input(_Settings):
    """Colours: order, then ``(value * scale - mean) / std`` by channel in that order.

    With ``standardise``, instead: each channel of each window minus its own mean, divided by its
    own standard deviation. ``layout`` is the order of the axes of an ONNX model's input: batch,
    channels, height, width, or batch, height, width, channels.
    """

    _later: ClassVar[frozenset[str]] = frozenset({"layout"})

    colour: Literal["rgb", "bgr", "grey"] = "rgb"
    standardise: bool = False
    scale: float = 1 / 255
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    layout: Layout = "nchw"

    @field_validator("mean", "std")
    @classmethod
    def _one_or_one_a_channel(cls, values: tuple[float, ...], info: ValidationInfo) -> object:
        scale = info.data.get("scale", 1)
        channels = 1 if info.data.get("colour") == "grey" else 3
        if len(values) not in (1, channels):
            raise PydanticCustomError(
                "channels", "Input should have 1 or {n} values", {"n": channels}
            )
        if info.field_name == "mean" and max(map(abs, values)) > 2 and abs(scale) < 0.1:
            raise PydanticCustomError(
                "mean", "Input should be of values * scale, about 0 to 1; or set scale = 1"
            )
        if info.field_name == "std" and 0 in values:
            raise PydanticCustomError("zero", "Input should not be 0")
        return values


class Output(_Settings):
    """What the network's output means.

    ``kind`` is ``points`` (L x 2 for each face) or ``heatmaps`` (L maps for each face), decoded by
    ``decoder``.
    The decoder ``dark`` needs the ``sigma`` of the Gaussians that the network learned, in pixels of
    its maps; ``local-soft-argmax`` has a ``window`` (an odd number of pixels) and a
    ``temperature``.

    Points are fractions of the window's side; by ``unit``, they may also be signed (-1 to 1, from
    side to side) or pixels of the window. They are counted from the window's ``origin``: the centre
    of its first pixel (the default for points), or its edge half a pixel before (the default for
    heatmaps, which cover the window's area). Code that draws and decodes pixel-centre coordinates
    on a map as if they were counted from the edge needs ``pixel-centre``. ``frame`` is for released
    weights whose code also counts them in another square than the window: the same as
    ``pixel-centre``, but in the square that the box protocol gives, where it gives one.

    ``order`` is that of the numbers of a face where they stand in one row: x and y by turns, or
    every x before every y. With ``coordinates`` = 3, each landmark has three numbers, and the third
    one (a depth or a score) is left out. ``layout`` is the order of the axes of heatmaps, as in
    :class:`Input`.
    ``name`` picks an output of an ONNX model that has several.
    """

    _later: ClassVar[frozenset[str]] = frozenset(
        {"unit", "order", "coordinates", "layout", "sigma", "window", "temperature"}
    )

    kind: Literal["points", "heatmaps"] = "points"
    origin: Literal["pixel-centre", "edge", "frame"] | None = None
    decoder: Decoder = "quarter"
    sigma: float = Field(default=SIGMA, gt=0, le=64)
    window: int = Field(default=WINDOW, ge=3, le=255)
    temperature: float = Field(default=TEMPERATURE, ge=1e-3)
    unit: Literal["fraction", "signed", "pixel"] = "fraction"
    order: Literal["xy-pairs", "x-then-y"] = "xy-pairs"
    coordinates: Literal[2, 3] = 2
    layout: Layout = "nchw"
    name: str | None = None

    @field_validator("window")
    @classmethod
    def _odd(cls, window: int) -> int:
        if window % 2 == 0:
            raise PydanticCustomError("even", "Input should be odd")
        return window

    @property
    def from_edge(self) -> bool:
        """Whether fractions are counted from the window's edge."""
        return (self.origin or ("edge" if self.kind == "heatmaps" else "pixel-centre")) == "edge"


class CropSettings(_Settings):
    """Everything between an image and a network, and back: one TOML file.

    ``markup`` is the name of a registered mark-up; ``notes`` are printed under every table.
    """

    markup: Annotated[str, _require_name_of(plugins.MARKUPS)]
    crop: Crop
    input: Input = Input()
    output: Output = Output()
    notes: tuple[str, ...] = ()


def to_toml(settings: CropSettings) -> str:
    """Settings as the text of a TOML file that :func:`read_settings` reads."""
    return toml_text(settings.model_dump(mode="json", exclude_none=True))


def read_settings(path: Path) -> CropSettings:
    """Settings from a TOML file.

    Raises
    ------
    InputError
        If the file does not exist, is not TOML, or a key is missing, unknown or has a wrong value.
    """
    return read_model(path, CropSettings, SHOWN)
