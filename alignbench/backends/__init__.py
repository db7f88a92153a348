"""Back ends: what computes a network.

A back end makes a function of a float32 batch (B, C, H, W), in NumPy, from a torch module or an
ONNX file. ``eager`` is the reference; the others compute the same up to rounding, faster.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from alignbench.exceptions import InputError, unknown

Pixels = NDArray[np.float32]
Network = Callable[[Pixels], NDArray[np.floating]]
"""Takes a batch (B, C, H, W), float32, of any size; gives heatmaps or points, float32."""

Backend = Literal["eager", "channels-last", "compile", "onnxruntime", "openvino"]
BACKENDS: tuple[Backend, ...] = get_args(Backend)
Precision = Literal["fp32", "bf16"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
AUTO = "auto"
"""The name that asks for the fastest back end in a short trial."""


def parse_backend(name: str) -> Backend:
    """A back end by its name; InputError if there is none."""
    for backend in BACKENDS:
        if backend == name:
            return backend
    raise unknown("--backend", name, [AUTO, *BACKENDS])


def parse_precision(name: str) -> Precision:
    """A precision by its name; InputError if there is none."""
    for precision in PRECISIONS:
        if precision == name:
            return precision
    raise unknown("--precision", name, PRECISIONS)


def not_installed(package: str, extra: str) -> InputError:
    """The back end's package is missing."""
    return InputError(
        f"back end {package!r}", "is not installed", remedy=f"pip install 'alignbench[{extra}]'"
    )


def in_batches(call: Network, size: int) -> Network:
    """A network that takes batches of any size, from one that takes a single size.

    The last batch is filled up with its last face, and the surplus output is cut off.
    """

    def network(pixels: Pixels) -> NDArray[np.floating]:
        surplus = -len(pixels) % size
        filled = np.concatenate([pixels, np.repeat(pixels[-1:], surplus, axis=0)])
        parts = [call(filled[at : at + size]) for at in range(0, len(filled), size)]
        return np.concatenate(parts)[: len(pixels)]

    return network
