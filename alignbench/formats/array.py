"""Arrays without names of faces: NumPy's .npy, MATLAB's .mat and torch's .pth.

Nothing in them says whose landmarks a row holds: the user has to say that rows are in the order of
the data set (``--order dataset``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from alignbench.arrays import Floats
from alignbench.errors import InputError
from alignbench.formats import Format, StoredFaces
from alignbench.formats.npz import POINTS
from alignbench.io.files import reading
from alignbench.io.matlab import parse_v5, require_version
from alignbench.io.npz import Array, read_npy


def _read(path: Path) -> StoredFaces:
    with reading(path):
        arrays = _READERS[path.suffix.lower()](path)
    fitting = {name: one for name, one in arrays.items() if one.ndim == 3}
    if len(fitting) != 1:
        shapes = ", ".join(f"{name} {one.shape}".strip() for name, one in arrays.items())
        raise InputError(path, f"arrays of shapes {shapes or 'none'}", "one array (N, L, 2)")
    (points,) = fitting.values()
    if points.dtype.kind not in "fiu":
        raise InputError(path, f"values of {points.dtype}", "numbers")
    return StoredFaces(None, points.astype(np.float64))


def _read_npy(path: Path) -> dict[str, Array]:
    try:
        return {"": read_npy(path)}
    except ValueError as error:
        raise InputError(
            path, f"not a usable .npy file ({error})", "an array (N, L, 2)",
            "Write it with numpy.save.",
        ) from error  # fmt: skip


def _read_mat(path: Path) -> dict[str, Array]:
    require_version(path, "5")
    try:
        return parse_v5(path.read_bytes(), *POINTS)
    except ValueError as error:
        reason = f"damaged MATLAB file ({error})"
        raise InputError(path, reason, remedy="Copy the file again.") from error


def _read_torch(path: Path) -> dict[str, Array]:
    import torch

    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a damaged or hostile file
        raise InputError(
            path, f"not a file of tensors ({str(error)[:200]})", "a tensor (N, L, 2)",
            "Write it with torch.save, or as .npz with numpy.savez.",
        ) from error  # fmt: skip
    tensors = content if isinstance(content, dict) else {"": content}
    return {
        str(name): _to_numpy(one) for name, one in tensors.items() if isinstance(one, torch.Tensor)
    }


def _to_numpy(tensor: object) -> Floats:
    array: Floats = tensor.detach().double().numpy()  # type: ignore[attr-defined]
    return array


_READERS: Mapping[str, Callable[[Path], dict[str, Array]]] = {
    ".npy": _read_npy,
    ".mat": _read_mat,
    ".pth": _read_torch,
    ".pt": _read_torch,
}

ARRAY = Format(
    "array",
    ".npy, .mat (variable points, landmarks, ...) or .pth: an array (N, L, 2) in the data set's "
    "order; give --order dataset",
    lambda path: path.suffix.lower() in _READERS and path.is_file(),
    _read,
    origin=None,
)
