"""What an ONNX model itself tells of its settings: to check a TOML file, or to begin one."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod

from alignbench.backends.onnx_model import OnnxModel, Port
from alignbench.errors import InputError
from alignbench.predictors.outputs import markups_of
from alignbench.predictors.settings import CropSettings, Input

_BYTES = Input(scale=1.0)
"""The colours of a network that takes bytes, but for their order."""


def check_input(port: Port, settings: CropSettings, where: object) -> None:
    """Raise InputError if a model's input is not of the size, colours or layout of its settings."""
    size, channels = settings.crop.size, 1 if settings.input.colour == "grey" else 3
    colours = settings.input
    if port.type == "UINT8" and colours.model_copy(update={"colour": "rgb"}) not in (
        _BYTES.model_copy(update={"layout": colours.layout}),
    ):
        raise InputError(
            f"{where}, its settings", f"the input {port} is of bytes, but they scale colours",
            "input.scale = 1, without mean, std and standardise",
        )  # fmt: skip
    if not port.shape:  # the model does not say
        return
    sides = (channels, size, size) if colours.layout == "nchw" else (size, size, channels)
    if len(port.shape) == 4 and all(
        side == expected or not isinstance(side, int)
        for side, expected in zip(port.shape[1:], sides, strict=True)
    ):
        return
    raise InputError(
        f"{where}, its settings", f"the network's input is {port}",
        f"(B, {', '.join(map(str, sides))}) by the settings", _remedy(port, settings),
    )  # fmt: skip


def _remedy(port: Port, settings: CropSettings) -> str:
    window = _window(port)
    if window is None:
        return "Export the network for batches of square images."
    if window.layout != settings.input.layout:
        return f'Set input.layout = "{window.layout}".'
    if window.channels == 1 and settings.input.colour != "grey":
        return 'Set input.colour = "grey".'
    if window.channels == 3 and settings.input.colour == "grey":
        return 'Set input.colour = "rgb" or "bgr".'
    return f"Set crop.size = {window.size}."


@dataclass(frozen=True)
class _Window:
    """The images that a model takes; ``size`` is None where it takes any."""

    layout: str
    channels: int
    size: int | None


def _window(port: Port) -> _Window | None:
    """The images that an input takes; None if they are not square or have no colours."""
    if len(port.shape) != 4:
        return None
    _, first, middle, last = port.shape
    layout = "nhwc" if last in (1, 3) and first not in (1, 3) else "nchw"
    channels, height, width = (last, first, middle) if layout == "nhwc" else (first, middle, last)
    if channels not in (1, 3) or (isinstance(height, int) and height != width):
        return None
    return _Window(layout, int(channels), height if isinstance(height, int) else None)


@dataclass(frozen=True)
class _Guess:
    """What an output may be: the mark-up, and lines of the table ``output``."""

    markup: str
    lines: list[str] = field(default_factory=list)


def _guess(port: Port) -> _Guess | None:
    """What an output with as many numbers as a registered mark-up has landmarks may be."""
    sides = [side for side in port.shape[1:] if side != 1]
    if not sides or not all(isinstance(side, int) for side in sides):
        return None
    shape = [int(side) for side in sides]
    if len(shape) >= 3:
        for layout, number, same in (
            ("nchw", shape[-3], shape[-2] == shape[-1]), ("nhwc", shape[-1], shape[-3] == shape[-2])
        ):  # fmt: skip
            for name in markups_of(number) if same else ():
                lines = ['kind = "heatmaps"', 'decoder = "quarter"']
                return _Guess(name, lines + ['layout = "nhwc"'] * (layout == "nhwc"))
        return None
    for numbers in (2, 3):
        if len(shape) == 1 or numbers in shape:
            for name in markups_of(prod(shape) // numbers) if prod(shape) % numbers == 0 else ():
                more = ["coordinates = 3    # the third one is left out"] * (numbers == 3)
                return _Guess(name, ['kind = "points"', 'unit = "fraction"', *more])
    return None


def example(model: OnnxModel) -> str:
    """The text of a TOML file for a model, as far as its inputs and outputs tell."""
    window = (_window(model.inputs[0]) if model.inputs else None) or _Window("nchw", 3, None)
    guesses = [(port, guess) for port in model.outputs if (guess := _guess(port))]
    port, guess = (
        guesses[0] if guesses else (model.outputs[0], _Guess("wflw98", ['kind = "points"']))
    )
    outputs = ", ".join(map(str, model.outputs))
    size = f"{window.size}" if window.size else "112    # the model does not tell"
    lines = [
        f"# The model's input: {', '.join(map(str, model.inputs))}; its outputs: {outputs}.",
        f'markup = "{guess.markup}"' + ("" if guesses else "    # the model does not tell"),
        "",
        "[crop]",
        'boxes = "rect"    # as in training: see `alignbench list boxes`',
        "scale = 1.2    # as in training: side of the window, divided by the box's longer side",
        f"size = {size}",
        "",
        "[input]    # as in training: (value * scale - mean) / std",
        'colour = "grey"' if window.channels == 1 else 'colour = "rgb"    # or "bgr"',
        *['layout = "nhwc"'] * (window.layout == "nhwc"),
        "scale = 0.00392156862745098    # 1 / 255",
        "mean = [0.0]",
        "std = [1.0]",
        "",
        "[output]",
        *guess.lines,
        *[f'name = "{port.name}"'] * (len(model.outputs) > 1),
    ]
    return "\n".join(lines)
