"""Checks of a model's output, and protection of standard output and error while the model runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from threading import Lock
from typing import Any

import numpy as np

from alignbench.arrays import Floats, plausible
from alignbench.exceptions import InputError
from alignbench.markups import markups_of

_lock = Lock()
_depth = 0
_streams: dict[str, Any] = {}
_descriptors: dict[int, int] = {}


class _Shield:
    """Standard error, which a model may write to and cannot close."""

    closed = False

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with suppress(ValueError, OSError, AttributeError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(ValueError, OSError, AttributeError):
            self._stream.flush()

    def close(self) -> None:
        self.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def guard_streams() -> Iterator[None]:
    """Send what is printed in the block to standard error; restore streams that the block closes.

    This holds for the whole process, its threads and libraries included. Blocks may be nested.
    """
    global _depth
    with _lock:
        if not _depth:
            _redirect()
        _depth += 1
    try:
        yield
    finally:
        with _lock:
            _depth -= 1
            if not _depth:
                _restore()


def _redirect() -> None:
    _streams.update(stdout=sys.stdout, stderr=sys.stderr)
    _flush()
    with suppress(OSError):  # closed from the start
        _descriptors.update({2: os.dup(2), 1: os.dup(1)})
        os.dup2(2, 1)
    shield: Any = _Shield(sys.stderr)
    sys.stdout = sys.stderr = shield


def _restore() -> None:
    _flush()
    for descriptor, copy in _descriptors.items():
        os.dup2(copy, descriptor)
        os.close(copy)
    for name, stream in _streams.items():
        if getattr(stream, "closed", False):
            number = {"stdout": 1, "stderr": 2}[name]
            stream = open(number, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        setattr(sys, name, stream)
    _descriptors.clear()
    _streams.clear()


def _flush() -> None:
    for stream in _streams.values():
        with suppress(ValueError, OSError, AttributeError):
            stream.flush()


def check_landmarks(output: object, ids: Sequence[str], landmarks: int, model: str) -> Floats:
    """A model's output as landmarks (B, L, 2): finite, or NaN in all of them for a missed face.

    A torch tensor of any device and precision is taken, and whatever NumPy makes an array of:
    (B, L, 2); (B, L, 3), of which the third number, a depth or a score, is left out; (B, 2 L), x
    and y by turns. In a list of faces, None is a face that was missed.

    Raises
    ------
    InputError
        If it is complex, masked, no array of numbers, or of another shape.
    """
    where, batch = f"model {model!r}", len(ids)
    shapes = (batch, landmarks, 2), (batch, landmarks, 3), (batch, 2 * landmarks)
    accepted = "landmarks of shape {}, {} or {}".format(*shapes)
    if isinstance(output, np.ma.MaskedArray):
        raise InputError(
            where,
            "gave a masked array",
            accepted,
            "Fill a missed face with NaN: .filled(numpy.nan).",
        )
    try:
        points = np.asarray(_without_none(_to_host(output)))
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(
            where, f"gave a {type(output).__name__} that is no array of numbers", accepted
        ) from error
    if points.ndim and points.dtype.kind not in "fiu":
        raise InputError(
            where, f"gave a {type(output).__name__} of {points.dtype} values", f"real {accepted}"
        )
    if points.shape not in shapes:
        what = f"landmarks of shape {points.shape}" if points.ndim else f"a {type(output).__name__}"
        raise InputError(where, f"gave {what}", accepted, _other_markup(points.shape, batch, model))
    points = points.reshape(batch, landmarks, -1)[:, :, :2]
    points = points.astype(np.float64)
    broken = ~plausible(points).all(axis=(1, 2)) & ~np.isnan(points).all(axis=(1, 2))
    for face in np.flatnonzero(broken).tolist():
        raise InputError(
            f"{where}, face {ids[face]}",
            "gave a landmark that is not finite, or far outside any image",
            "finite landmarks, or NaN in all of them for a face that was missed",
        )
    return points


def _without_none(output: Any) -> Any:
    """A list of faces with NaN in place of None."""
    if not isinstance(output, list) or all(face is not None for face in output):
        return output
    found = [np.asarray(face) for face in output if face is not None]
    missed = np.full(found[0].shape if found else (), np.nan)
    return [missed if face is None else face for face in output]


def _other_markup(shape: tuple[int, ...], batch: int, model: str) -> str:
    """What to do about landmarks of another mark-up."""
    names = markups_of(shape[1]) if len(shape) == 3 and shape[0] == batch else []
    if not names:
        return ""
    return (
        f"If the model has another mark-up, name it: {model}:markup={names[0]} for a function of "
        "images and boxes, the attribute markup for a Predictor."
    )


def _to_host(output: Any) -> Any:
    """Torch tensors, and lists of them, as something NumPy can take."""
    if isinstance(output, list | tuple):
        return [_to_host(part) for part in output]
    if not hasattr(output, "detach"):
        return output
    tensor = output.detach().cpu()
    # NumPy has no bfloat16 and no float of eight bits.
    return tensor.float() if tensor.is_floating_point() and tensor.element_size() < 4 else tensor
