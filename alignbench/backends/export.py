"""A torch module as an ONNX file."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings

import torch
from torch import nn

from alignbench.errors import InputError


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
    parameter = next(module.parameters(), None)
    device = "cpu" if parameter is None else parameter.device
    example = torch.zeros(2, *shape, device=device)
    # The exporter logs every step, and packages that are missing.
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            torch.no_grad(),
        ):
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                module.eval(),
                (example,),
                dynamo=True,
                verbose=False,
                input_names=["images"],
                output_names=["output"],
                dynamic_shapes=({0: torch.export.Dim("batch")},),
            )
    except Exception as error:  # the exporter raises kinds of its own, pages long
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
