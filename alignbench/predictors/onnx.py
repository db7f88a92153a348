"""ONNX files: ``onnx:FILE``, with a TOML file beside it for crop, colours and output."""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path

from alignbench.backends import (
    AUTO,
    Network,
    onnx_runtime,
    open_vino,
    parse_backend,
    parse_precision,
)
from alignbench.backends.onnx_model import OnnxModel, adapt, choose_output, read_onnx
from alignbench.exceptions import InputError
from alignbench.io.files import require_regular
from alignbench.predictors.crop import CropPredictor
from alignbench.predictors.onnx_settings import check_input, example
from alignbench.predictors.settings import CropSettings, read_settings


def load(
    argument: str, backend: str = "onnxruntime", precision: str = "fp32", flip_test: bool = False
) -> CropPredictor:
    """An ONNX file: onnx:FILE, with its settings in a TOML file beside it.

    The settings of ``model.onnx`` are in ``model.toml``. A few published files are known by their
    sha256 and need none. Weights may lie in further files of its folder. The back end is
    onnxruntime or openvino.

    Raises
    ------
    InputError
        If file or settings are missing or wrong, or the back end is not installed.
    """
    path = Path(argument)
    require_regular(path)
    if not path.is_file():
        raise InputError(path, "no such ONNX file", remedy="Check the name behind 'onnx:'.")
    model = read_onnx(path)
    settings = _settings(path, model)
    output = choose_output(model, settings.output.name, path)
    check_input(model.inputs[0], settings, path)
    execution = {"backend": backend, "precision": precision}
    identity = {
        "source": f"onnx:{path.name}", "weights_sha256": model.sha256, "execution": execution
    }  # fmt: skip
    if model.weights:
        identity["more_weights_sha256"] = model.weights
    network = _network(path, model.content, output.name, backend, precision)
    adapted = adapt(network, model.inputs[0], settings.input.layout, path)
    return CropPredictor(path.stem, settings, adapted, identity, flip_test)


def _network(path: Path, model: bytes, output: str, backend: str, precision: str) -> Network:
    if backend == AUTO:
        raise InputError(
            f"model 'onnx:{path}'", "back end auto is for torch networks", "onnxruntime, openvino"
        )
    match parse_backend(backend), parse_precision(precision):
        case "onnxruntime", "fp32":
            return onnx_runtime.load(model, path, output)
        case "openvino", kind:
            return open_vino.load(model, path, output, kind)
    raise InputError(
        f"model 'onnx:{path}'",
        f"back end {backend!r} with precision {precision!r}",
        "onnxruntime with fp32, openvino with fp32 or bf16",
    )


def _settings(path: Path, model: OnnxModel) -> CropSettings:
    beside = path.with_suffix(".toml")
    if beside.is_file():
        return read_settings(beside)
    known = files("alignbench.predictors") / "known_onnx" / f"{model.sha256}.toml"
    if known.is_file():
        with as_file(known) as file:
            return read_settings(file)
    raise InputError(
        path,
        f"no settings: there is no {beside}",
        "a TOML file with markup, crop, input and output",
        f"Write {beside.name}, and correct what the model does not tell:\n\n{example(model)}",
    )
