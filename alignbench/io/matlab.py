"""MATLAB's two file formats: told apart, so that a wrong one gets a clear message, and read.

What a file claims is not believed: an array that would take far more memory than its file, or lies
in another file, is refused before it is read. SciPy's reader of version 5 files trusts the sizes
they claim, and some wrong sizes end the process. The reader here knows only numeric arrays, which
is what the data sets have. The format is MathWorks' "MAT-File Format", chapter 1.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path

import h5py
import numpy as np

from alignbench.errors import InputError
from alignbench.io.files import reading
from alignbench.io.npz import Array, room

_V5, _V73 = b"MATLAB 5.0", b"MATLAB 7.3"
_HDF5 = b"\x89HDF"
_HEADER = 128
_MATRIX = 14
_COMPRESSED = 15
_COMPLEX = 0x800
_STORED = {
    1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8",
}  # fmt: skip
"""Types of what is stored, by their number in a tag."""
_CLASSES = {
    6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8",
}  # fmt: skip
"""Types of arrays; a whole number of a larger type may be stored as a smaller one."""
_NUMBERS = 2**22
"""Numbers in an array of a version 7.3 file that is no image: 48,000 faces of COFW."""
_CHUNK = 2**28
"""Bytes of a chunk of an array."""
_GZIP, _SHUFFLE = h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE


def require_version(path: Path, version: str) -> None:
    """Raise InputError unless a file has this version: ``"5"``, or ``"7.3"``, which is HDF5."""
    with reading(path), path.open("rb") as stream:
        head = stream.read(_HEADER)
    if not head:
        raise InputError(path, "file is empty", remedy="Copy the file again.")
    actual = "unknown"
    if head.startswith((_V73, _HDF5)):
        actual = "7.3"
    elif head.startswith(_V5):
        actual = "5"
    if actual != version:
        raise InputError(
            path, f"MATLAB file of version {actual}",
            f"version {version}{' (HDF5)' if version == '7.3' else ''}",
            "Use the file as it is officially published, not one saved again.",
        )  # fmt: skip


def read_v5(path: Path, *names: str) -> tuple[Array, ...]:
    """Arrays of a version 5 file; raises InputError if one is missing or the file is wrong."""
    require_version(path, "5")
    try:
        content = parse_v5(path.read_bytes(), *names)
    except (OSError, ValueError) as error:
        reason = f"damaged MATLAB file ({error})"
        raise InputError(path, reason, remedy="Copy the file again.") from error
    if missing := [name for name in names if name not in content]:
        raise InputError(path, f"no variable {missing[0]!r}", ", ".join(names))
    return tuple(content[name] for name in names)


def parse_v5(data: bytes, *names: str) -> dict[str, Array]:
    """Those of the named arrays that a version 5 file holds, in MATLAB's shapes.

    Raises ValueError if the file is damaged, or one of them is no plain array of numbers.
    """
    order = {b"IM": "<", b"MI": ">"}.get(data[_HEADER - 2 : _HEADER])
    if order is None:
        raise ValueError("its header is cut short")
    arrays: dict[str, Array] = {}
    for kind, content in _elements(data[_HEADER:], order):
        if kind == _COMPRESSED:
            kind, content = next(_elements(_expand(content), order), (0, b""))
        if kind == _MATRIX and (entry := _matrix(content, order, names)) is not None:
            arrays.setdefault(*entry)
    return arrays


def _elements(data: bytes, order: str) -> Iterator[tuple[int, bytes]]:
    """Type and content of each element; small ones lie within their tag."""
    at = 0
    while at < len(data):
        if at + 8 > len(data):
            raise ValueError("an element is cut short")
        kind, size = struct.unpack_from(f"{order}II", data, at)
        start = at + 8
        if kind >> 16:
            kind, size, start = kind & 0xFFFF, kind >> 16, at + 4
            if size > 4:
                raise ValueError(f"a small element of {size} bytes")
        end = start + size
        if end > len(data):
            raise ValueError(f"an element claims {size:,} bytes, {len(data) - start:,} are there")
        yield kind, data[start:end]
        at = end if kind == _COMPRESSED else at + 8 if start == at + 4 else end + -end % 8


def _expand(compressed: bytes) -> bytes:
    limit = room(len(compressed))
    try:
        data = zlib.decompressobj().decompress(compressed, limit + 1)
    except zlib.error as error:
        raise ValueError(str(error)) from error
    if len(data) > limit:
        raise ValueError("what is compressed would take far more memory than the file")
    return data


def _matrix(data: bytes, order: str, names: tuple[str, ...]) -> tuple[str, Array] | None:
    """Name and array of an element, or None if nobody asked for it."""
    parts = _elements(data, order)
    flags, shape, title = (next(parts, (0, b""))[1] for _ in range(3))
    name = title.decode("latin1")
    if name not in names:
        return None
    sides = [*struct.unpack(f"{order}{len(shape) // 4}i", shape[: len(shape) // 4 * 4])]
    word = struct.unpack_from(f"{order}I", flags.ljust(4, b"\0"))[0]
    stored, content = next(parts, (0, b""))
    if word & 0xFF not in _CLASSES or word & _COMPLEX or stored not in _STORED:
        raise ValueError(f"{name} is no plain array of numbers")
    kind = np.dtype(order + _STORED[stored])
    if min(sides, default=-1) < 0 or prod(sides) * kind.itemsize != len(content):
        raise ValueError(f"{name} claims shape {sides}, {len(content):,} bytes are there")
    flat = np.frombuffer(content, kind).astype(_CLASSES[word & 0xFF])
    return name, flat.reshape(sides, order="F")


@contextmanager
def open_v73(path: Path, where: object) -> Iterator[h5py.File]:
    """A version 7.3 file, open; whatever is wrong with it becomes an InputError about ``where``."""
    try:
        with h5py.File(path, "r") as file:
            yield file
    except InputError:
        raise
    except Exception as error:  # h5py raises many kinds for a damaged file
        reason = f"damaged HDF5 file ({error})"
        raise InputError(where, reason, remedy="Copy the file again.") from error


def read_v73(file: h5py.File, name: str | h5py.Reference, largest: int = _NUMBERS) -> Array:
    """An array of a version 7.3 file, in HDF5's order, by its name or a reference.

    ``largest`` is the most numbers it may have. Raises KeyError or ValueError if it is not there,
    lies in another file, or would take far more memory than the file.
    """
    if isinstance(name, str) and not isinstance(file.get(name, getlink=True), h5py.HardLink):
        raise ValueError(f"{name} is a link")
    array = file[name]
    if not isinstance(array, h5py.Dataset) or array.shape is None:
        raise ValueError("no array")
    if array.external or array.is_virtual:
        raise ValueError("an array that lies in another file")
    size = array.size * array.dtype.itemsize
    stored = min(array.id.get_storage_size(), file.id.get_filesize())
    if size > room(stored) or array.size > largest:
        raise ValueError(f"an array that claims {size:,} bytes, of which {stored:,} are stored")
    if array.chunks is not None:
        _require_honest_chunks(array)
    return np.asarray(array)


def _require_honest_chunks(array: h5py.Dataset) -> None:
    """Raise ValueError for a chunk that expands to more than it says: HDF5 expands all of it."""
    settings = array.id.get_create_plist()
    filters = [settings.get_filter(k)[0] for k in range(settings.get_nfilters())]
    if filters not in ([], [_SHUFFLE], [_GZIP], [_SHUFFLE, _GZIP]):
        raise ValueError("an array that is compressed otherwise than by gzip")
    size = prod(array.chunks) * array.dtype.itemsize
    if size > _CHUNK:
        raise ValueError(f"an array with chunks of {size:,} bytes")
    stored = array.id.get_num_chunks()
    counts = [-(-side // step) for side, step in zip(array.shape, array.chunks, strict=True)]
    if stored != prod(counts):
        raise ValueError("an array of which not every chunk is stored")
    for k in range(stored if _GZIP in filters else 0):
        chunk = array.id.get_chunk_info(k)
        if chunk.size > array.file.id.get_filesize():
            raise ValueError(f"a chunk that claims {chunk.size:,} bytes of the file")
        raw = array.id.read_direct_chunk(chunk.chunk_offset)[1]
        expanded = b"" if chunk.filter_mask else zlib.decompressobj().decompress(raw, size + 1)
        if len(expanded) > size:
            raise ValueError(f"a chunk with more than the {size:,} bytes it claims")
