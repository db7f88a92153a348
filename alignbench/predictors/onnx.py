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
from alignbench.errors import InputError
from alignbench.io.files import require_regular, sha256
from alignbench.predictors.crop import CropPredictor
from alignbench.predictors.settings import CropSettings, read_settings


def load(
    argument: str, backend: str = "onnxruntime", precision: str = "fp32", flip_test: bool = False
) -> CropPredictor:
    """An ONNX file: onnx:FILE, with its settings in a TOML file beside it.

    The settings of ``model.onnx`` are in ``model.toml``. A few published files are known by their
    sha256 and need none. The back end is onnxruntime or openvino.

    Raises
    ------
    InputError
        If file or settings are missing or wrong, or the back end is not installed.
    """
    path = Path(argument)
    require_regular(path)
    if not path.is_file():
        raise InputError(path, "no such ONNX file", remedy="Check the name behind 'onnx:'.")
    digest = sha256(path)
    settings = _settings(path, digest)
    execution = {"backend": backend, "precision": precision}
    identity = {
        "source": f"onnx:{path.name}", "weights_sha256": digest, "execution": execution
    }  # fmt: skip
    network = _network(path, settings.output.name, backend, precision)
    return CropPredictor(path.stem, settings, network, identity, flip_test)


def _network(path: Path, output: str | None, backend: str, precision: str) -> Network:
    if backend == AUTO:
        raise InputError(
            f"model 'onnx:{path}'", "back end auto is for torch networks", "onnxruntime, openvino"
        )
    model = path.read_bytes()
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
        f"no settings: there is no {beside}",
        "a TOML file with markup, crop, input and output",
        "docs/models.md shows one to copy.",
    )
