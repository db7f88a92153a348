"""MATLAB's two file formats: tell them apart, so that a wrong one gets a clear message, and read.

What a file claims is not believed: an array that would take far more memory than its file, or lies
in another file, is refused before it is read. SciPy's reader of version 5 files trusts the sizes
they claim, and some wrong sizes end the process. The reader here knows numeric arrays, texts, cells
and structs, which is what the data sets have. The format is MathWorks' "MAT-File Format",
chapter 1.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from alignbench.exceptions import InputError
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
_CELL, _STRUCT, _CHAR = 1, 2, 4
"""Classes of arrays that hold other arrays, or text."""
_TEXTS = {1: "latin1", 2: "latin1", 4: "utf-16", 16: "utf-8", 17: "utf-16"}
"""How characters are stored, by the number in a tag."""
_DEEPEST = 6
"""Most levels of cells and structs within each other."""
_NUMBERS = 2**22
"""Most numbers in an array of a version 7.3 file that is no image: 48,000 faces of COFW."""
_CHUNK = 2**28
"""Most bytes of a chunk of an array."""
_GZIP, _SHUFFLE = h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE


def version_of(path: Path) -> str:
    """The version of a MATLAB file: ``"5"``, ``"7.3"``, which is HDF5, or ``"unknown"``.

    Raises InputError if the file cannot be read, or is empty.
    """
    with reading(path), path.open("rb") as stream:
        head = stream.read(_HEADER)
    if not head:
        raise InputError(path, "file is empty", remedy="Copy the file again.")
    if head.startswith((_V73, _HDF5)):
        return "7.3"
    return "5" if head.startswith(_V5) else "unknown"


def require_version(path: Path, *versions: str) -> str:
    """The version of a file; raises InputError unless it is one of these."""
    actual = version_of(path)
    if actual not in versions:
        names = (f"{one}{' (HDF5)' if one == '7.3' else ''}" for one in versions)
        raise InputError(
            path, f"MATLAB file of version {actual}", f"version {' or '.join(names)}",
            "Use the file as it is officially published, not one saved again.",
        )  # fmt: skip
    return actual


def read_v5(path: Path, *names: str) -> tuple[Array, ...]:
    """Arrays of a version 5 file; raises InputError if one is missing or the file is wrong."""
    values = read_v5_values(path, *names)
    for name, value in zip(names, values, strict=True):
        if not isinstance(value, np.ndarray):
            raise InputError(f"{path}, {name}", "is no plain array of numbers", "numbers")
    return values


def read_v5_values(path: Path, *names: str) -> tuple[Any, ...]:
    """Variables of a version 5 file, as :func:`parse_v5` gives them.

    Raises InputError if one is missing or the file is wrong.
    """
    require_version(path, "5")
    try:
        content = parse_v5(path.read_bytes(), *names)
    except (OSError, ValueError) as error:
        reason = f"damaged MATLAB file ({error})"
        raise InputError(path, reason, remedy="Copy the file again.") from error
    if missing := [name for name in names if name not in content]:
        raise InputError(path, f"no variable {missing[0]!r}", ", ".join(names))
    return tuple(content[name] for name in names)


def parse_v5(data: bytes, *names: str) -> dict[str, Any]:
    """Those of the named variables that a version 5 file holds.

    Numbers are arrays in MATLAB's shapes, a row of characters is a text, a cell the list of its
    items and an array of structs a list of dictionaries, both by columns.

    Raises ValueError if the file is damaged, or one of them is of another kind.
    """
    order = {b"IM": "<", b"MI": ">"}.get(data[_HEADER - 2 : _HEADER])
    if order is None:
        raise ValueError("its header is cut short")
    variables: dict[str, Any] = {}
    for kind, content in _elements(data[_HEADER:], order):
        if kind == _COMPRESSED:
            kind, content = next(_elements(_expand(content), order), (0, b""))
        if kind == _MATRIX:
            parts = _elements(content, order)
            head = [next(parts, (0, b""))[1] for _ in range(3)]
            if (name := head[2].decode("latin1")) in names:
                variables.setdefault(name, _value(name, head, parts, order, 0))
    return variables


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


def _value(
    name: str, head: Sequence[bytes], parts: Iterator[tuple[int, bytes]], order: str, depth: int
) -> Any:
    """The value of a matrix element, whose first two parts are ``head``: flags and shape."""
    flags, shape = head[:2]
    sides = [*struct.unpack(f"{order}{len(shape) // 4}i", shape[: len(shape) // 4 * 4])]
    word = struct.unpack_from(f"{order}I", flags.ljust(4, b"\0"))[0]
    kind = word & 0xFF
    if min(sides, default=-1) < 0 or word & _COMPLEX:
        raise ValueError(f"{name} is no plain array")
    if kind == _CELL:
        return _items(name, parts, prod(sides), order, depth)
    if kind == _STRUCT:
        (_, length), (_, fields) = (next(parts, (0, b"")) for _ in range(2))
        width = struct.unpack_from(f"{order}i", length.ljust(4, b"\0"))[0]
        if width < 1 or len(fields) % width:
            raise ValueError(f"{name} has no names of fields")
        texts = (fields[at : at + width] for at in range(0, len(fields), width))
        keys = [text.split(b"\0")[0].decode("latin1") for text in texts]
        items = _items(name, parts, prod(sides) * len(keys), order, depth)
        rows = (items[at : at + len(keys)] for at in range(0, len(items), max(1, len(keys))))
        return [dict(zip(keys, row, strict=True)) for row in rows]
    stored, content = next(parts, (0, b""))
    if kind == _CHAR:
        if stored not in _TEXTS or (len(sides) > 1 and sides[0] > 1):
            raise ValueError(f"{name} is no row of characters")
        ending = "" if _TEXTS[stored] != "utf-16" else {"<": "-le", ">": "-be"}[order]
        return content.decode(_TEXTS[stored] + ending)  # an UnicodeDecodeError is a ValueError
    if kind not in _CLASSES or stored not in _STORED:
        raise ValueError(f"{name} is no plain array of numbers")
    dtype = np.dtype(order + _STORED[stored])
    if prod(sides) * dtype.itemsize != len(content):
        raise ValueError(f"{name} claims shape {sides}, {len(content):,} bytes are there")
    flat = np.frombuffer(content, dtype).astype(_CLASSES[kind])
    return flat.reshape(sides, order="F")


def _items(
    name: str, parts: Iterator[tuple[int, bytes]], count: int, order: str, depth: int
) -> list[Any]:
    """The values of the matrix elements that follow; their number must be ``count``."""
    if depth == _DEEPEST:
        raise ValueError(f"{name} has more than {_DEEPEST} levels of cells")
    items: list[Any] = []
    for kind, content in parts:
        inner = _elements(content, order)
        head = [next(inner, (0, b""))[1] for _ in range(3)]
        if kind != _MATRIX or len(items) == count:
            raise ValueError(f"{name} holds something else than its {count:,} items")
        # An item without content is MATLAB's empty array.
        empty = np.empty((0, 0))
        items.append(_value(name, head, inner, order, depth + 1) if content else empty)
    if len(items) != count:
        raise ValueError(f"{name} claims {count:,} items, {len(items):,} are there")
    return items


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
