"""Settings that an ONNX model itself tells: to check a TOML file, or to begin one."""

from __future__ import annotations

import json
from dataclasses import dataclass
from math import prod

from alignbench.backends.onnx_model import OnnxModel, Port, list_ports
from alignbench.exceptions import InputError, visible
from alignbench.markups import markups_of
from alignbench.predictors.settings import CropSettings, Input, Layout

_BYTES = Input(scale=1.0)
"""Settings for a network that takes bytes."""


def check_input(port: Port, settings: CropSettings, where: object) -> None:
    """Raise InputError if a model's input is not of the size, colours or layout of its settings."""
    colours, size = settings.input, settings.crop.size
    order = {"colour": colours.colour, "layout": colours.layout}
    if port.type == "UINT8" and colours != _BYTES.model_copy(update=order):
        raise InputError(
            f"{where}, its settings",
            f"the network takes bytes ({port}), but the settings scale them",
            "input.scale = 1, without mean, std and standardise",
        )  # fmt: skip
    if not port.shape:  # the model does not say
        return
    channels = 1 if colours.colour == "grey" else 3
    sides = (channels, size, size) if colours.layout == "nchw" else (size, size, channels)
    if len(port.shape) == 4 and all(
        side == expected or not isinstance(side, int)
        for side, expected in zip(port.shape[1:], sides, strict=True)
    ):
        return
    raise InputError(
        f"{where}, its settings",
        f"the network takes {port}, but the settings say (B, {', '.join(map(str, sides))})",
        remedy=_remedy(port, settings),
    )


def _remedy(port: Port, settings: CropSettings) -> str:
    window = _window(port)
    if window is None:
        return "Export the network for batches of square images in grey or colour."
    if window.layout != settings.input.layout:
        return f'Set input.layout = "{window.layout}".'
    if window.size not in (None, settings.crop.size):
        return f"Set crop.size = {window.size}."
    return f"Set input.colour = {_colour(window)}."


@dataclass(frozen=True)
class _Window:
    """The images that a model takes; ``size`` is None where it takes any."""

    layout: Layout
    channels: int
    size: int | None


def _window(port: Port) -> _Window | None:
    """The images that an input takes; None if they are not square, or not of 1 or 3 channels."""
    if len(port.shape) != 4:
        return None
    _, first, middle, last = port.shape
    layout: Layout = "nhwc" if last in (1, 3) and first not in (1, 3) else "nchw"
    channels, height, width = (last, first, middle) if layout == "nhwc" else (first, middle, last)
    sides = {side for side in (height, width) if isinstance(side, int)}
    if channels not in (1, 3) or len(sides) > 1:
        return None
    return _Window(layout, int(channels), next(iter(sides), None))


def _colour(window: _Window) -> str:
    return '"grey"' if window.channels == 1 else '"rgb", or "bgr"'


def _guess(port: Port) -> tuple[str, list[str]] | None:
    """The mark-up of an output by its number of landmarks, and lines of settings; None if unknown.

    An output has heatmaps if two adjacent axes have the same length, else points.
    """
    shape = [side for side in port.shape[1:] if isinstance(side, int) and side != 1]
    if not shape or any(not isinstance(side, int) for side in port.shape[1:]):
        return None
    if len(shape) >= 3:
        last = shape[-2] != shape[-1]  # the maps are the last axis
        number = shape[-1] if last else shape[-3]
        lines = ['kind = "heatmaps"', 'decoder = "quarter"', *['layout = "nhwc"'] * last]
        return next(((name, lines) for name in markups_of(number)), None)
    for numbers in (2, 3):
        landmarks, rest = divmod(prod(shape), numbers)
        if rest == 0 and (len(shape) == 1 or numbers in shape):
            for name in markups_of(landmarks):
                unit = 'unit = "fraction"    # of the window; or "signed" (-1 to 1) or "pixel"'
                third = ["coordinates = 3    # the third one is left out"] * (numbers == 3)
                return name, ['kind = "points"', unit, *third]
    return None


def example(model: OnnxModel) -> str:
    """The text of a TOML file for a model, as far as its inputs and outputs tell."""
    windows = [window for window in map(_window, model.inputs) if window]
    window = windows[0] if windows else _Window("nchw", 3, None)
    guesses = [(port, *guess) for port in model.outputs if (guess := _guess(port))]
    unknown = "    # correct this: the model does not tell"
    port, markup, output = (
        guesses[0] if guesses else (model.outputs[0], "wflw98", ['kind = "points"' + unknown])
    )
    inputs, outputs = visible(list_ports(model.inputs)), visible(list_ports(model.outputs))
    lines = [
        f"# The model takes {inputs} and gives {outputs}.",
        f'markup = "{markup}"' + ("" if guesses else unknown),
        "",
        "[crop]",
        'boxes = "rect"    # as in training: rect, tight or another of `alignbench list boxes`',
        "scale = 1.2    # as in training: side of the window, divided by the box's longer side",
        f"size = {window.size}" if window.size else "size = 112" + unknown,
        "",
        "[input]    # as in training: (value * scale - mean) / std",
        'colour = "grey"' if window.channels == 1 else 'colour = "rgb"    # or "bgr"',
        *['layout = "nhwc"'] * (window.layout == "nhwc"),
        "scale = 0.00392156862745098    # 1 / 255",
        "mean = [0.0]",
        "std = [1.0]",
        "",
        "[output]",
        *output,
        *[f"name = {json.dumps(port.name)}"] * (len(model.outputs) > 1),
    ]
    return "\n".join(lines)
