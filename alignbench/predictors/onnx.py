"""ONNX files: ``onnx:FILE`` with a TOML beside it that says crop, colours and output."""

from __future__ import annotations

import os
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from alignbench import threads
from alignbench.errors import InputError
from alignbench.predictors.base import sha256
from alignbench.predictors.crop import CropPredictor, CropSettings, Network, read_settings


def load(argument: str) -> CropPredictor:
    """An ONNX file: onnx:FILE, with its settings in a TOML file beside it.

    The settings of ``model.onnx`` stand in ``model.toml``. A few published files are known by
    their sha256 and need none.

    Raises
    ------
    InputError
        If file or settings are not there or wrong, or onnxruntime is not installed.
    """
    path = Path(argument)
    if not path.is_file():
        raise InputError(path, "no such ONNX file", remedy="Check the name behind 'onnx:'.")
    digest = sha256(path)
    settings = _settings(path, digest)
    identity = {"source": f"onnx:{path.name}", "weights_sha256": digest}
    return CropPredictor(path.stem, settings, _session(path, settings), identity)


def _settings(path: Path, digest: str) -> CropSettings:
    beside = path.with_suffix(".toml")
    if beside.is_file():
        return read_settings(beside)
    known = files("alignbench.predictors") / "known_onnx" / f"{digest}.toml"
    if known.is_file():
        with as_file(known) as file:
            return read_settings(file)
    raise InputError(
        path,
        f"no settings: {beside} is not there",
        "a TOML file that says markup, crop, input and output",
        "docs/models.md shows one to copy.",
    )


def _session(path: Path, settings: CropSettings) -> Network:
    """The network as a function of a batch of any size."""
    try:
        import onnxruntime
    except ImportError as error:
        raise InputError(
            "model 'onnx'", "onnxruntime is not installed", remedy="pip install onnxruntime"
        ) from error
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = threads.count()
    # Weights beside the model file would not be covered by its hash: they are not found here.
    options.add_session_config_entry(
        "session.model_external_initializers_file_folder_path", os.devnull
    )
    try:
        session = onnxruntime.InferenceSession(
            path.read_bytes(), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # onnxruntime raises kinds of its own for a damaged file
        raise InputError(
            path, f"not a usable ONNX model ({error})", "one file that holds all its weights"
        ) from error
    inputs, outputs = session.get_inputs(), [output.name for output in session.get_outputs()]
    if len(inputs) != 1:
        raise InputError(path, f"{len(inputs)} inputs", "one image input")
    wanted = settings.output.name or outputs[0]
    if wanted not in outputs or (len(outputs) > 1 and settings.output.name is None):
        raise InputError(
            path.with_suffix(".toml"),
            f"output.name is {settings.output.name!r}",
            ", ".join(outputs),
        )
    name, fixed = inputs[0].name, inputs[0].shape[0]

    def call(pixels: NDArray[np.float32]) -> NDArray[np.floating]:
        step = fixed if isinstance(fixed, int) and fixed > 0 else len(pixels)
        surplus = -len(pixels) % step
        # A fixed batch is filled up with the last face, and what comes of it is cut off.
        filled = np.concatenate([pixels, np.repeat(pixels[-1:], surplus, axis=0)])
        try:
            parts = [
                session.run([wanted], {name: filled[at : at + step]})[0]
                for at in range(0, len(filled), step)
            ]
        except Exception as error:
            raise InputError(
                path,
                f"the network refused a batch of shape {pixels.shape} ({error})",
                f"input {inputs[0].shape}",
                "Check crop.size and input.colour in its TOML.",
            ) from error
        return np.concatenate(parts)[: len(pixels)]

    return call
