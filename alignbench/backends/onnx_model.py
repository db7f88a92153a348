"""An ONNX file: its inputs and outputs, and its weights, which may lie in a second file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from alignbench.backends import Network, Pixels, not_installed
from alignbench.exceptions import InputError
from alignbench.io.files import reading
from alignbench.io.image_headers import unreadable_kind
from alignbench.io.text import is_inside

if TYPE_CHECKING:
    import onnx

_MOST_BYTES = 2**31 - 1
"""Most bytes of a model with all its weights: the limit of a protobuf message."""
_MOST_PORTS = 20
"""Most inputs or outputs that an error message lists."""
_TYPES = {"FLOAT": np.float32, "FLOAT16": np.float16, "DOUBLE": np.float64, "UINT8": np.uint8}


@dataclass(frozen=True)
class Port:
    """An input or output of a network.

    Attributes
    ----------
    name
        Its name.
    type
        ONNX's name of its type, such as ``FLOAT16``.
    shape
        Length of each axis: a number, or the name of an axis whose length is free.
    """

    name: str
    type: str
    shape: tuple[int | str, ...]

    def __str__(self) -> str:
        return f"{self.name} ({', '.join(map(str, self.shape))})"


@dataclass(frozen=True)
class OnnxModel:
    """An ONNX model.

    Attributes
    ----------
    content
        The model as one file, with all its weights.
    sha256
        The sha256 of the file itself.
    weights
        The sha256 of each further file that holds weights, by its name beside the model.
    inputs, outputs
        The network's inputs and outputs.
    """

    content: bytes
    sha256: str
    weights: dict[str, str]
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]


def read_onnx(path: Path) -> OnnxModel:
    """An ONNX file, with the weights that it keeps in other files of its folder.

    Raises
    ------
    InputError
        If the package onnx is not installed, the file is no ONNX model, or is too large; or if
        weights lie outside of its folder, are missing, or are shorter than the model says.
    """
    try:
        import onnx
    except ImportError as error:
        raise not_installed("onnx", "onnx") from error
    content = _read(path)
    try:
        model = onnx.load_model_from_string(content)
    except Exception as error:  # protobuf raises exceptions of its own
        raise _unusable(path, unreadable_kind(content) or str(error)) from error
    if not (model.graph.node and model.graph.output):
        raise _unusable(path, "it has no operator or no output")
    digest, weights = hashlib.sha256(content).hexdigest(), _take_in(model, path)
    if weights:
        try:
            content = model.SerializeToString()
        except Exception as error:  # from protobuf, if the model is too large
            raise _unusable(path, str(error)) from error
    constants = {tensor.name for tensor in model.graph.initializer}
    return OnnxModel(
        content=content,
        sha256=digest,
        weights=weights,
        inputs=tuple(_port(one) for one in model.graph.input if one.name not in constants),
        outputs=tuple(map(_port, model.graph.output)),
    )


def _unusable(path: Path, reason: str) -> InputError:
    return InputError(path, f"not a usable ONNX model ({reason})", remedy="Copy the file again.")


def _read(path: Path) -> bytes:
    with reading(path):
        size = path.stat().st_size
        if size > _MOST_BYTES:
            raise InputError(path, f"{size:,} bytes", f"at most {_MOST_BYTES:,}")
        return path.read_bytes()


def _text(value: str | bytes) -> str:
    """A text of a protobuf message, which gives bytes for a text that is not valid UTF-8."""
    return value if isinstance(value, str) else value.decode(errors="replace")


def _port(value: onnx.ValueInfoProto) -> Port:
    from onnx import TensorProto

    tensor = value.type.tensor_type
    sides = (
        side.dim_value if side.dim_value > 0 else _text(side.dim_param) or "?"
        for side in tensor.shape.dim
    )
    types = {number: name for name, number in TensorProto.DataType.items()}
    return Port(_text(value.name), types.get(tensor.elem_type, "unknown"), tuple(sides))


def _tensors(message: Any) -> Iterator[onnx.TensorProto]:
    """All tensors of a protobuf message, those of functions and inner graphs included."""
    from onnx import TensorProto

    for _, value in message.ListFields():
        # A message, a list of messages, or something else.
        one, several = hasattr(value, "ListFields"), hasattr(value, "add")
        for part in [value] if one else value if several else []:
            if isinstance(part, TensorProto):
                yield part
            else:
                yield from _tensors(part)


def _take_in(model: onnx.ModelProto, path: Path) -> dict[str, str]:
    """Put weights of other files into a model; gives the hashes of these files by name."""
    from onnx import TensorProto

    tensors = [t for t in _tensors(model) if t.data_location == TensorProto.EXTERNAL]
    files: dict[str, bytes] = {}
    total = 0
    for tensor in tensors:
        where = f"{path}, weights {tensor.name!r}"
        entries = {_text(entry.key): _text(entry.value) for entry in tensor.external_data}
        name = entries.get("location", "").removeprefix("./")
        if not name or not is_inside(name):
            raise InputError(
                where, f"lie in {name!r}", "a file in the folder of the model, or below it",
                "Save the model again, with its weights beside it.",
            )  # fmt: skip
        if name not in files:
            if not (path.parent / name).exists():
                found = f"keeps weights in {name!r}, which is not there"
                raise InputError(path, found, remedy="Put the file beside the model.")
            files[name] = _read(path.parent / name)
        start, length = _extent(where, entries, len(files[name]))
        total += length
        if total > _MOST_BYTES:
            raise InputError(path, f"more than {_MOST_BYTES:,} bytes of weights")
        tensor.raw_data = files[name][start : start + length]
        tensor.data_location = TensorProto.DEFAULT
        del tensor.external_data[:]
    return {name: hashlib.sha256(data).hexdigest() for name, data in sorted(files.items())}


def _extent(where: str, entries: dict[str, str], size: int) -> tuple[int, int]:
    """Start and length of a tensor's bytes in a file of ``size`` bytes."""
    start, length = entries.get("offset", "0"), entries.get("length", "")
    if not (start.isdecimal() and (length.isdecimal() or not length) and len(start + length) < 40):
        raise InputError(where, f"have offset {start!r} and length {length!r}", "whole numbers")
    first = int(start)
    count = int(length) if length else size - first
    if count < 0 or first + count > size:
        raise InputError(
            where, f"end at byte {first + count:,} of a file of {size:,} bytes",
            remedy="The file of weights is cut short or of another model: copy it again.",
        )  # fmt: skip
    return first, count


def choose_output(model: OnnxModel, name: str | None, where: object) -> Port:
    """The output to use.

    Raises
    ------
    InputError
        If that is not clear, or the network has several inputs.
    """
    if len(model.inputs) != 1:
        raise InputError(
            where, f"{len(model.inputs)} inputs: {list_ports(model.inputs)}", "one image input",
            "Export the network again, with the other inputs as constants.",
        )  # fmt: skip
    for port in model.outputs:
        if port.name == name or (name is None and len(model.outputs) == 1):
            return port
    raise InputError(
        f"{where}, its settings", f"output.name is {name!r}", list_ports(model.outputs),
        "Name the output that has the landmarks.",
    )  # fmt: skip


def list_ports(ports: tuple[Port, ...]) -> str:
    """The first inputs or outputs with their shapes."""
    more = ["..."] if len(ports) > _MOST_PORTS else []
    return ", ".join([*map(str, ports[:_MOST_PORTS]), *more])


def adapt(network: Network, port: Port, layout: Literal["nchw", "nhwc"], where: object) -> Network:
    """Adapt a network whose input has another type or layout to float32 batches (B, C, H, W).

    Raises
    ------
    InputError
        If the type of its input is neither a floating-point type nor uint8.
    """
    dtype = _TYPES.get(port.type)
    if dtype is None:
        raise InputError(where, f"its input {port} is of type {port.type}", ", ".join(_TYPES))

    def call(pixels: Pixels) -> NDArray[np.floating]:
        if layout == "nhwc":
            pixels = pixels.transpose(0, 2, 3, 1)
        if dtype is np.uint8:
            pixels = np.clip(np.rint(pixels), 0, 255)
        output = network(np.ascontiguousarray(pixels, dtype))
        return np.asarray(output, np.float32)

    return call
