"""PyTorch itself: eager, with channels last, compiled, on the CPU or a GPU; and its ONNX export."""

from __future__ import annotations

import contextlib
import copy
import io
import logging
import os
import warnings
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from alignbench import threads
from alignbench.backends import Network, Pixels, Precision, in_batches
from alignbench.exceptions import InputError

_TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


def device_of(name: str) -> torch.device:
    """The device that ``auto``, ``cpu``, ``cuda`` or ``cuda:N`` stands for.

    ``auto`` is a GPU where there is one. Each of several processes on a machine has its own.

    Raises
    ------
    InputError
        If it is none of them, or is not available.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        device = torch.device("meta")
    if device.type not in ("cpu", "cuda") or (device.type == "cpu" and device.index):
        raise InputError("--device", f"{name!r}", "auto, cpu, cuda, cuda:N")
    if device.type == "cpu":
        return torch.device("cpu")
    if device.type == "cuda":
        if device.index is None:
            device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if device.index is None or device.index >= count:
            accepted = ", ".join(["auto", "cpu", *(f"cuda:{k}" for k in range(count))])
            found = f"{device} is not there: PyTorch sees {count} GPUs"
            raise InputError("--device", found, accepted)
    return device


def load(
    module: nn.Module,
    kind: Literal["eager", "channels-last", "compile"],
    precision: Precision,
    device: torch.device,
) -> Network:
    """A module as a network; the module itself is not changed.

    ``compile`` uses channels last too. On a GPU, fp32 means fp32: TF32 is switched off.

    Raises
    ------
    InputError
        When the network is first called, if it cannot be compiled here.
    """
    torch.set_num_threads(threads.count())
    moved = precision != "fp32" or device.type != "cpu" or kind != "eager"
    module = (copy.deepcopy(module) if moved else module).eval().to(device, _TYPES[precision])
    order = torch.contiguous_format if kind == "eager" else torch.channels_last
    module = module.to(memory_format=order)  # type: ignore[call-overload]
    if device.type == "cuda":
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
        # Algorithms chosen by their time would differ from run to run, and so would the last bits.
        torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic = False, True

    def call(pixels: Pixels) -> NDArray[np.floating]:
        images = torch.from_numpy(pixels).to(device, _TYPES[precision]).to(memory_format=order)
        with torch.inference_mode():
            values: Tensor = module(images)
        return values.float().cpu().numpy()

    if kind != "compile":
        return call
    module.compile()
    return _compile(call)


def _compile(call: Network) -> Network:
    """A compiled module, always called with the first batch's size; another would recompile it."""
    compiled: list[Network] = []

    def network(pixels: Pixels) -> NDArray[np.floating]:
        if compiled:
            return compiled[0](pixels)
        try:
            values = call(pixels)
        except Exception as error:
            reason = f"torch.compile failed ({str(error).strip().splitlines()[0]})"
            accepted = "a C++ compiler, or a GPU"
            remedy = "Choose another --backend."
            raise InputError("back end 'compile'", reason, accepted, remedy) from error
        compiled.append(in_batches(call, len(pixels)))
        return values

    return network


def to_onnx(module: nn.Module, shape: tuple[int, int, int]) -> bytes:
    """The content of an ONNX file for a module that takes images (B, *shape), with any B.

    PyTorch's exporter needs 10 to 40 seconds for a network of the paper's size.

    Raises
    ------
    InputError
        If the exporter is not installed.
    """
    try:
        import onnxscript  # noqa: F401 (the exporter needs it)
    except ImportError as error:
        raise InputError(
            "export to ONNX",
            "onnxscript is not installed",
            remedy="pip install 'alignbench[onnx]', or [openvino] for that back end",
        ) from error
    parameter = next(module.parameters(), torch.zeros(0))
    example = torch.zeros(2, *shape, device=parameter.device)
    # The exporter logs every step, and packages that are missing.
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), torch.no_grad():
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                module.eval(), (example,), dynamo=True, verbose=False, input_names=["images"],
                output_names=["output"], dynamic_shapes=({0: torch.export.Dim("batch")},),
            )  # fmt: skip
    except Exception as error:  # the exporter raises exceptions of its own, with long messages
        cause: BaseException = error
        while cause.__cause__ is not None:
            cause = cause.__cause__
        first = str(cause).strip().partition("\n")[0]
        raise InputError(
            "export to ONNX",
            f"{type(cause).__name__}: {first}",
            remedy="Choose another --backend, or change the network for torch.export.",
        ) from error
    finally:
        logger.setLevel(level)
    assert program is not None
    content: bytes = program.model_proto.SerializeToString()
    return content
