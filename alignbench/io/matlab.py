"""MATLAB's two file formats: told apart, so that a wrong one gets a clear message, and read.

What a file claims is not believed: an array that would take far more memory than its file, or lies
in another file, is refused before it is read.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path

import h5py
import numpy as np

from alignbench.errors import InputError
from alignbench.io.files import require_regular
from alignbench.io.mat5 import parse_mat5
from alignbench.io.npz import Array, room

_V5, _V73 = b"MATLAB 5.0", b"MATLAB 7.3"
_HDF5 = b"\x89HDF"
_NUMBERS = 2**22
"""Numbers in an array of a version 7.3 file that is no image: 48,000 faces of COFW."""
_CHUNK = 2**28
"""Bytes of a chunk of an array."""
_GZIP, _SHUFFLE = h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE


def mat_version(path: Path) -> str:
    """``"7.3"`` (HDF5), ``"5"`` or ``"unknown"``.

    Raises
    ------
    InputError
        If the file cannot be read or is empty.
    """
    require_regular(path)
    try:
        with path.open("rb") as stream:
            head = stream.read(128)
    except OSError as error:
        raise InputError(
            path, f"cannot be read ({error.strerror or error})", remedy="Put the file there."
        ) from error
    if not head:
        raise InputError(path, "file is empty", remedy="Copy the file again.")
    if head.startswith((_V73, _HDF5)):
        return "7.3"
    return "5" if head.startswith(_V5) else "unknown"


def require_version(path: Path, version: str) -> None:
    """Raise InputError unless the file has this version."""
    found = mat_version(path)
    if found != version:
        raise InputError(
            path,
            f"MATLAB file of version {found}",
            f"version {version}{' (HDF5)' if version == '7.3' else ''}",
            "Use the file as it is officially published, not one saved again.",
        )


def read_v5(path: Path, *names: str) -> tuple[Array, ...]:
    """Arrays of a version 5 file.

    Raises
    ------
    InputError
        If version or content is wrong, or a variable is no array of numbers.
    """
    require_version(path, "5")
    try:
        content = parse_mat5(path.read_bytes(), *names)
    except (OSError, ValueError) as error:
        raise InputError(
            path, f"damaged MATLAB file ({error})", remedy="Copy the file again."
        ) from error
    for name in names:
        if name not in content:
            raise InputError(path, f"no variable {name!r}", ", ".join(names))
    return tuple(content[name] for name in names)


@contextmanager
def open_v73(path: Path, where: object) -> Iterator[h5py.File]:
    """A version 7.3 file, open; whatever is wrong with it becomes an InputError about ``where``."""
    try:
        with h5py.File(path, "r") as file:
            yield file
    except InputError:
        raise
    except Exception as error:  # h5py raises many kinds for a damaged file
        raise InputError(
            where, f"damaged HDF5 file ({error})", remedy="Copy the file again."
        ) from error


def read_v73(file: h5py.File, name: str | h5py.Reference, largest: int = _NUMBERS) -> Array:
    """An array of a version 7.3 file, in HDF5's order, by its name or a reference.

    Parameters
    ----------
    largest
        Numbers it may have.

    Raises
    ------
    KeyError, ValueError
        If it is not there, lies in another file, or would take far more memory than the file.
    """
    if isinstance(name, str) and not isinstance(file.get(name, getlink=True), h5py.HardLink):
        raise ValueError(f"{name} is a link")
    found = file[name]
    if not isinstance(found, h5py.Dataset) or found.shape is None:
        raise ValueError("no array")
    if found.external or found.is_virtual:
        raise ValueError("an array that lies in another file")
    size = found.size * found.dtype.itemsize
    stored = min(found.id.get_storage_size(), file.id.get_filesize())
    if size > room(stored) or found.size > largest:
        raise ValueError(f"an array that claims {size:,} bytes, of which {stored:,} are stored")
    if found.chunks is not None:
        _require_honest_chunks(found)
    return np.asarray(found)


def _require_honest_chunks(found: h5py.Dataset) -> None:
    """Raise ValueError for a chunk that expands to more than it says: HDF5 expands all of it."""
    settings = found.id.get_create_plist()
    filters = [settings.get_filter(k)[0] for k in range(settings.get_nfilters())]
    if filters not in ([], [_SHUFFLE], [_GZIP], [_SHUFFLE, _GZIP]):
        raise ValueError("an array that is compressed otherwise than by gzip")
    size = prod(found.chunks) * found.dtype.itemsize
    if size > _CHUNK:
        raise ValueError(f"an array with chunks of {size:,} bytes")
    stored = found.id.get_num_chunks()
    if stored != prod(
        -(-side // step) for side, step in zip(found.shape, found.chunks, strict=True)
    ):
        raise ValueError("an array of which not every chunk is stored")
    if _GZIP not in filters:
        return
    for k in range(stored):
        chunk = found.id.get_chunk_info(k)
        if chunk.size > found.file.id.get_filesize():
            raise ValueError(f"a chunk that claims {chunk.size:,} bytes of the file")
        expanding = zlib.decompressobj()
        raw = found.id.read_direct_chunk(chunk.chunk_offset)[1]
        if not chunk.filter_mask and len(expanding.decompress(raw, size + 1)) > size:
            raise ValueError(f"a chunk with more than the {size:,} bytes it claims")
