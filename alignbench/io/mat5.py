"""Arrays of numbers from MATLAB's version 5 files.

SciPy's reader trusts the sizes a file claims and ends the process on some that are wrong; this one
reads what the face alignment data sets have, numeric arrays, and believes nothing else. The format
is MathWorks' "MAT-File Format", chapter 1.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from math import prod

import numpy as np

from alignbench.io.npz import Array, room

_HEADER = 128
_MATRIX = 14
_COMPRESSED = 15
_STORED = {
    1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8",
}  # fmt: skip
"""Types of what is stored, by their number in a tag."""
_CLASSES = {
    6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8",
}  # fmt: skip
"""Types of arrays; a whole number of a larger type may be stored as a smaller one."""
_COMPLEX = 0x800


def parse_mat5(data: bytes, *names: str) -> dict[str, Array]:
    """Those of the named arrays that a file holds, in MATLAB's shapes.

    Raises
    ------
    ValueError
        If the file is damaged, or one of them is no plain array of numbers.
    """
    order = {b"IM": "<", b"MI": ">"}.get(data[_HEADER - 2 : _HEADER])
    if order is None:
        raise ValueError("its header is cut short")
    found: dict[str, Array] = {}
    for kind, content in _elements(data[_HEADER:], order):
        if kind == _COMPRESSED:
            kind, content = next(_elements(_expanded(content), order), (0, b""))
        if kind == _MATRIX and (one := _matrix(content, order, names)) is not None:
            found.setdefault(*one)
    return found


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


def _expanded(compressed: bytes) -> bytes:
    most = room(len(compressed))
    try:
        data = zlib.decompressobj().decompress(compressed, most + 1)
    except zlib.error as error:
        raise ValueError(str(error)) from error
    if len(data) > most:
        raise ValueError("what is compressed would take far more memory than the file")
    return data


def _matrix(data: bytes, order: str, names: tuple[str, ...]) -> tuple[str, Array] | None:
    """Name and array of an element, or None where it is not asked for."""
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
