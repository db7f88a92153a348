"""OpenVINO, on the CPU."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alignbench import threads
from alignbench.backends.network import Network, Pixels, Precision, in_batches, not_installed
from alignbench.backends.onnx_runtime import choose_output, refused
from alignbench.errors import InputError


@cache
def _core() -> Any:
    """The process's one OpenVINO.

    It never goes: on Linux its CPU part gives the thread that makes it another stack for signals
    (where AVX-512's registers fit), and frees that stack with the last network, from whatever
    thread that is. The next signal that has a handler, such as a child's end, would then kill the
    process.
    """
    import openvino

    return openvino.Core()


def load(
    model: bytes, where: object, output: str | None = None, precision: Precision = "fp32"
) -> Network:
    """An ONNX model as a network; parameters and errors as those of onnxruntime's ``load``."""
    try:
        import openvino  # noqa: F401
    except ImportError as error:
        raise not_installed("openvino", "openvino") from error
    core = _core()
    try:
        network = core.read_model(model)
        compiled = core.compile_model(
            network,
            "CPU",
            {
                # Without it OpenVINO takes bfloat16 wherever the processor has it.
                "INFERENCE_PRECISION_HINT": {"fp32": "f32", "bf16": "bf16"}[precision],
                "INFERENCE_NUM_THREADS": threads.count(),
                "PERFORMANCE_HINT": "LATENCY",
            },
        )
    except RuntimeError as error:
        raise InputError(
            where, f"not a usable ONNX model ({error})", "one file that holds all its weights"
        ) from error
    names = [one.get_any_name() for one in compiled.outputs]
    index = names.index(choose_output(names, len(compiled.inputs), output, where))
    request = compiled.create_infer_request()
    shape = compiled.inputs[0].get_partial_shape()

    def call(pixels: Pixels) -> NDArray[np.floating]:
        try:
            request.infer({0: np.ascontiguousarray(pixels)})
        except RuntimeError as error:
            raise refused(where, pixels, shape, error) from error
        found: Any = request.get_output_tensor(index).data
        return np.array(found)  # the next call writes over it

    fixed = shape[0]
    return in_batches(call, fixed.get_length()) if fixed.is_static else call
