"""OpenVINO, on the CPU."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alignbench import threads
from alignbench.backends import Network, Pixels, Precision, in_batches, not_installed
from alignbench.backends.onnx_runtime import batch_error
from alignbench.exceptions import InputError


@cache
def _core() -> Any:
    """The only OpenVINO core of the process, which is never freed.

    On Linux, OpenVINO's CPU plug-in gives the thread that makes it another stack for signals, one
    into which the registers of AVX-512 fit. It frees this stack together with the last network, in
    whatever thread that happens. The next signal with a handler, such as the end of a child, would
    then kill the process.
    """
    import openvino

    return openvino.Core()


def has_bfloat16() -> bool:
    """Whether OpenVINO computes in bfloat16 on this processor; on others it uses fp32."""
    return "BF16" in _core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def load(
    model: bytes | Path, where: object, output: str | None = None, precision: Precision = "fp32"
) -> Network:
    """An ONNX model as a network; parameters and errors as those of onnxruntime's ``load``.

    A path is that of a TensorFlow Lite model, which OpenVINO reads from a file only. Its axes stay
    as they are.
    """
    try:
        import openvino  # noqa: F401
    except ImportError as error:
        raise not_installed("openvino", "openvino") from error
    core = _core()
    if precision == "bf16" and not has_bfloat16():
        raise InputError(
            "back end 'openvino'", "has no bf16 on this processor: it would compute in fp32",
            "fp32, or bf16 with the back end eager",
        )  # fmt: skip
    options = {
        # Without it OpenVINO uses bfloat16 wherever the processor has it.
        "INFERENCE_PRECISION_HINT": {"fp32": "f32", "bf16": "bf16"}[precision],
        "INFERENCE_NUM_THREADS": threads.count(),
        "PERFORMANCE_HINT": "LATENCY",
    }
    try:
        compiled = core.compile_model(core.read_model(model), "CPU", options)
    except RuntimeError as error:
        kind = "ONNX" if isinstance(model, bytes) else "TensorFlow Lite"
        raise InputError(
            where, f"not a usable {kind} model ({error})", "one file that holds all its weights"
        ) from error
    names = [one.get_any_name() for one in compiled.outputs]
    index = names.index(output) if output else 0
    request = compiled.create_infer_request()
    shape = compiled.inputs[0].get_partial_shape()

    def call(pixels: Pixels) -> NDArray[np.floating]:
        try:
            request.infer({0: np.ascontiguousarray(pixels)})
        except RuntimeError as error:
            raise batch_error(where, pixels, shape, error) from error
        values: Any = request.get_output_tensor(index).data
        return np.array(values)  # the next call writes over it

    fixed = shape[0]
    return in_batches(call, fixed.get_length()) if fixed.is_static else call
