"""PyTorch itself: eager, with channels last, compiled; on the CPU or a GPU."""

from __future__ import annotations

import copy
import os
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from alignbench import threads
from alignbench.backends import Network, Pixels, Precision, in_batches
from alignbench.errors import InputError

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
            raise InputError(
                "--device",
                f"{device} is not there: PyTorch sees {count} GPUs",
                "auto, cpu" + "".join(f", cuda:{k}" for k in range(count)),
            )
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
    return _compiled(call)


def _compiled(call: Network) -> Network:
    """A compiled module, always called with the first batch's size: another compiles it again."""
    compiled: list[Network] = []

    def network(pixels: Pixels) -> NDArray[np.floating]:
        if compiled:
            return compiled[0](pixels)
        try:
            values = call(pixels)
        except Exception as error:
            raise InputError(
                "back end 'compile'",
                f"torch.compile failed ({str(error).strip().splitlines()[0]})",
                "a C++ compiler, or a GPU",
                "Choose another --backend.",
            ) from error
        compiled.append(in_batches(call, len(pixels)))
        return values

    return network
