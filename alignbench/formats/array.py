"""Arrays without names of faces: NumPy's .npy, MATLAB's .mat and torch's .pth.

Nothing in them says whose landmarks a row holds: the user has to say that rows are in the order of
the data set (``--order dataset``). A dictionary that torch saved may have a list of names beside
its tensor.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from alignbench.exceptions import InputError
from alignbench.formats import Format, StoredFaces
from alignbench.formats.layout import (
    ACCEPTED,
    IDS,
    POINTS,
    choose_points,
    layout_note,
    require_as_many,
    to_landmarks,
)
from alignbench.io.files import reading
from alignbench.io.matlab import parse_v5, require_version
from alignbench.io.npz import Array, read_npy

if TYPE_CHECKING:
    import torch


def _read_npy(path: Path) -> StoredFaces:
    remedy = "Write it with numpy.save."
    try:
        array = read_npy(path)
    except ValueError as error:
        if "objects" in str(error):
            remedy = (
                "Leave out a face that was missed (None), and write "
                "numpy.save(FILE, numpy.stack(landmarks))."
            )
        raise InputError(path, f"not a usable .npy file ({error})", ACCEPTED, remedy) from error
    return _faces(path, {"": array}, remedy)


def _read_mat(path: Path) -> StoredFaces:
    require_version(path, "5")
    try:
        content = parse_v5(path.read_bytes(), *POINTS)
    except ValueError as error:
        reason = f"damaged MATLAB file ({error})"
        raise InputError(path, reason, remedy="Copy the file again.") from error
    arrays = {name: one for name, one in content.items() if isinstance(one, np.ndarray)}
    return _faces(path, arrays, f"Name the variable {', '.join(POINTS[:-1])} or {POINTS[-1]}.")


def _faces(path: Path, arrays: Mapping[str, Array], remedy: str) -> StoredFaces:
    claims = {name: (one.shape, one.dtype) for name, one in arrays.items()}
    points = arrays[choose_points(path, claims, remedy)]
    return StoredFaces(None, to_landmarks(points), notes=layout_note(points.shape))


def _read_torch(path: Path) -> StoredFaces:
    import torch

    remedy = "Write it with torch.save, or as .npz with numpy.savez."
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a damaged or hostile file
        raise InputError(
            path, f"not a file of tensors ({str(error)[:200]})", "a tensor (N, L, 2)", remedy
        ) from error
    content = content if isinstance(content, dict) else {"": content}
    tensors = {str(name): one for name, one in content.items() if isinstance(one, torch.Tensor)}
    claims = {name: (tuple(one.shape), _dtype(one)) for name, one in tensors.items()}
    points = _to_numpy(path, tensors[choose_points(path, claims, remedy)])
    names = _names(content)
    if names is not None:
        require_as_many(path, len(names), len(points))
    return StoredFaces(names, to_landmarks(points), notes=layout_note(points.shape))


def _dtype(tensor: torch.Tensor) -> np.dtype[Any]:
    """A NumPy type that stands for a tensor's: it tells whether the tensor holds real numbers."""
    if tensor.is_complex():
        return np.dtype(np.complex128)
    if tensor.is_floating_point():
        return np.dtype(np.float64)
    return np.dtype(np.bool_ if str(tensor.dtype) == "torch.bool" else np.int64)


def _to_numpy(path: Path, tensor: torch.Tensor) -> Array:
    """The tensor as an array; InputError if it would take more memory than its file."""
    if str(tensor.layout) != "torch.strided" or tensor.is_quantized or tensor.is_meta:
        raise InputError(path, "a sparse or quantized tensor", "a plain tensor (N, L, 2)")
    claim, stored = tensor.numel() * tensor.element_size(), tensor.untyped_storage().nbytes()
    if claim > stored:
        raise InputError(
            path, f"a tensor of {claim:,} bytes of which {stored:,} are stored",
            "a tensor that is stored as a whole", "Write torch.save(points.contiguous(), FILE).",
        )  # fmt: skip
    array: Array = tensor.detach().double().numpy()
    return array


def _names(content: Mapping[Any, Any]) -> list[str] | None:
    """Names of faces that stand beside the tensor in a dictionary."""
    for name in IDS:
        names = content.get(name)
        if isinstance(names, list | tuple) and all(isinstance(one, str | int) for one in names):
            return [str(one) for one in names]
    return None


_READERS: Mapping[str, Callable[[Path], StoredFaces]] = {
    ".npy": _read_npy,
    ".mat": _read_mat,
    ".pth": _read_torch,
    ".pt": _read_torch,
}


def _read(path: Path) -> StoredFaces:
    with reading(path):
        return _READERS[path.suffix.lower()](path)


ARRAY = Format(
    "array",
    ".npy, .mat (variable points, landmarks, ...) or .pth: an array (N, L, 2) in the data set's "
    "order; give --order dataset",
    lambda path: path.suffix.lower() in _READERS and path.is_file(),
    _read,
    origin=None,
)
