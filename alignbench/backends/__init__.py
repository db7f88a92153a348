"""Back ends: what computes a network.

A back end makes a function of a float32 batch (B, C, H, W), in NumPy, out of a torch module or an
ONNX file. ``eager`` is the reference; the others compute the same up to rounding, faster.
"""

from __future__ import annotations

from alignbench.backends.network import BACKENDS, PRECISIONS, Network

__all__ = ["BACKENDS", "PRECISIONS", "Network"]
