"""A torch network as a predictor."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from alignbench.backends.build import Execution, build_network
from alignbench.backends.torch_module import to_onnx
from alignbench.exceptions import InputError
from alignbench.io.files import write_atomic
from alignbench.predictors.base import Predictor
from alignbench.predictors.crop import CropPredictor
from alignbench.predictors.settings import CropSettings, to_toml


class Inference(nn.Module):
    """The part of a network that finds landmarks: its ``infer``, if it has one."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        """Heatmaps (B, L, h, w) or points (B, L, 2) of images (B, C, S, S)."""
        landmarks: Tensor = getattr(self.network, "infer", self.network)(images)
        return landmarks


class NetworkPredictor(CropPredictor):
    """A torch module behind a square crop, computed by one of the back ends.

    Parameters
    ----------
    name, settings, identity, flip_test
        As :class:`CropPredictor` takes them.
    network
        Its ``infer(images)``, else its ``forward``, takes images (B, C, S, S) and gives heatmaps
        (B, L, h, w) or points (B, L, 2).
    execution
        Back end, precision and device.

    Attributes
    ----------
    network
        The module, in evaluation mode.
    compute
        The network of the back end: a function of a batch (B, C, S, S), float32.
    input_shape
        (C, S, S).
    execution
        Its back end, precision and device; never ``auto``.
    variant
        The options in which it differs from the model's default network; empty for that one.

    Raises
    ------
    InputError
        If the back end is unknown, not installed, or not for this device and precision.
    """

    def __init__(
        self,
        name: str,
        settings: CropSettings,
        network: nn.Module,
        identity: dict[str, Any],
        execution: Execution | None = None,
        flip_test: bool = False,
    ) -> None:
        self.network = network.eval()
        self.variant = ""
        channels = 1 if settings.input.colour == "grey" else 3
        self.input_shape = (channels, settings.crop.size, settings.crop.size)
        self.compute, self.execution, trial = build_network(
            Inference(network).eval(), self.input_shape, execution or Execution()
        )
        super().__init__(name, settings, self.compute, identity, flip_test)
        self.built_from = (self.network,)
        self.remarks: Sequence[str] = () if trial is None else (trial,)
        # On a CPU a larger batch is no faster, and a progress bar moves less often.
        self.batch_size = 8 if self.execution.device == "cpu" else 64

    def describe(self) -> dict[str, Any]:
        execution = self.execution
        # Which GPU of several is used does not change the model.
        device = execution.device.partition(":")[0]
        return {
            **super().describe(),
            "execution": {
                "backend": execution.backend, "precision": execution.precision, "device": device
            },
            # Of the network as it is now, because its weights can be changed after they were read.
            "parameters": hash_parameters(self.network),
        }  # fmt: skip


def hash_parameters(network: nn.Module) -> str:
    """The sha256 of names, shapes and values of all parameters and buffers."""
    digest = hashlib.sha256()
    for name, tensor in network.state_dict().items():
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        values = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
        digest.update(memoryview(values.numpy()))
    return digest.hexdigest()


def export_onnx(predictor: Predictor, path: Path) -> Path:
    """Write a network as the ONNX file ``path`` and its settings beside it; give the latter's path.

    ``onnx:path`` then runs it on onnxruntime or OpenVINO, without torch.

    Raises
    ------
    InputError
        If the predictor is no network, the path does not end in ``.onnx``, cannot be written, or
        the exporter is not installed.
    """
    if not isinstance(predictor, NetworkPredictor):
        raise InputError(f"model {predictor.name!r}", "is no torch network", "such as propnet")
    if path.suffix != ".onnx":
        raise InputError(path, f"ends in {path.suffix!r}", ".onnx")
    if type(predictor).preprocess is not CropPredictor.preprocess:
        raise InputError(
            f"model {predictor.name!r}", "makes its windows in a way that no settings describe",
            "a network whose windows are plain square crops",
        )  # fmt: skip
    settings, text = path.with_suffix(".toml"), to_toml(predictor.settings).encode()
    if settings.exists() and settings.read_bytes() != text:
        raise InputError(
            settings, "exists already, with other settings",
            remedy="Give another --out, or remove it.",
        )  # fmt: skip
    content = to_onnx(Inference(predictor.network).eval(), predictor.input_shape)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, content)
    write_atomic(settings, text)
    return settings
