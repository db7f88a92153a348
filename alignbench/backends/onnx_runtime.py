"""onnxruntime."""

from __future__ import annotations

import os
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alignbench import threads
from alignbench.backends import Network, Pixels, in_batches, not_installed
from alignbench.exceptions import InputError

_SIGNATURE = re.compile(r"^\[ONNXRuntimeError\][^/]*(/\S+\.(cc|h):\d+ .*?\)(?= [A-Z]))?")
"""The place in onnxruntime's source code with which its messages begin."""


def load(model: bytes, where: object, output: str | None = None) -> Network:
    """An ONNX model as a network.

    Parameters
    ----------
    model
        The file's content, with all its weights.
    where
        Its name in messages.
    output
        Name of the output; by default the first one.

    Raises
    ------
    InputError
        If onnxruntime is not installed or cannot use the model. The network raises it too, if it
        refuses a batch.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise not_installed("onnxruntime", "onnx") from error
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = threads.count()
    # Weights in a second file would not be covered by the hash: this makes them unavailable.
    options.add_session_config_entry(
        "session.model_external_initializers_file_folder_path", os.devnull
    )
    try:
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises exceptions of its own for a damaged file
        reason = _SIGNATURE.sub("", str(error)).strip()
        raise InputError(
            where, f"not a usable ONNX model ({reason})",
            f"a model that onnxruntime {onnxruntime.__version__} can run",
            "Export it for an earlier opset, or install a newer onnxruntime.",
        ) from error  # fmt: skip
    inputs = session.get_inputs()
    name = output or session.get_outputs()[0].name

    def call(pixels: Pixels) -> NDArray[np.floating]:
        try:
            values: Any = session.run([name], {inputs[0].name: pixels})[0]
        except Exception as error:
            raise batch_error(where, pixels, inputs[0].shape, error) from error
        return np.asarray(values)

    fixed = inputs[0].shape[0]
    return in_batches(call, fixed) if isinstance(fixed, int) and fixed > 0 else call


def batch_error(where: object, pixels: Pixels, shape: object, error: Exception) -> InputError:
    """The error of a network that does not take a batch of this shape."""
    found = f"the network refused a batch of shape {pixels.shape} ({error})"
    remedy = "Check crop.size and input.colour in its TOML."
    return InputError(where, found, f"input {shape}", remedy)
