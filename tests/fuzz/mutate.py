"""Mutations that know a format, so that a parser's first check does not stop every input.

Each takes the bytes of an input and a source of chance and gives other bytes; what it cannot read
as its format it leaves to the caller's mutation of bytes (it raises ValueError then).
"""

from __future__ import annotations

import io
import json
import random
import re
import struct
import zipfile
import zlib
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import h5py
import numpy as np
from scipy import sparse
from scipy.io import savemat

Mutation = Callable[[bytes, random.Random], bytes]

NUMBERS = (
    "nan", "inf", "-inf", "1e999", "-1e308", "1e-400", "0", "-0.0", "1_000", "0x10", "１２", "٣",
    "9" * 400, "9" * 5000, "1e9999999999", "00", "+1", "1.", ".5", "1,5", "True", "1j",
)  # fmt: skip
NAMES = (
    "..", "../../etc/passwd", "/etc/passwd", "C:\\a.jpg", "..\\..\\a", "a\x00b.jpg", "x" * 5000,
    "\x1b[31m", "\u202e", "<script>", "~", ".", "", " ", "#", "a#b", '"', "'", "$(x)", "%00",
    "\ufeff", "a/../b", "CON", "\\\\host\\x", "file:///etc/passwd", "\u2028", "\x85",
)  # fmt: skip
STRUCTURE = (
    "[" * 3000,
    "{" * 3000,
    '{"a":' * 3000,
    "(" * 300,
    "a." * 3000,
    "}",
    "]",
    '"',
    ",,,",
    "\n\n",
)
VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 2**31, 2**63, 2**70, 1e308, float("nan"), float("inf"), "", "x" * 3000,
    "\x1b[31m\u202e", [], {}, [[]], [None], {"": {}}, [1, [2, [3]]], "nan", "../..", 10**60,
)  # fmt: skip
_FIELD = re.compile(r"[^\s,=\[\]\"']+")


def fields(data: bytes, chance: random.Random) -> bytes:
    """A text with one field replaced, or a line taken out, doubled or swapped."""
    text = data.decode()
    for _ in range(chance.randint(1, 3)):
        if chance.random() < 0.7 and (found := list(_FIELD.finditer(text))):
            one = chance.choice(found)
            pool = chance.choice((NUMBERS, NUMBERS, NAMES, STRUCTURE))
            text = text[: one.start()] + chance.choice(pool) + text[one.end() :]
            continue
        lines = text.split("\n")
        a, b = chance.randrange(len(lines)), chance.randrange(len(lines))
        match chance.randrange(3):
            case 0:
                del lines[a]
            case 1:
                lines.insert(b, lines[a])
            case _:
                lines[a], lines[b] = lines[b], lines[a]
        text = "\n".join(lines)
    return text.encode()


def as_json(data: bytes, chance: random.Random) -> bytes:
    """A JSON text with a value replaced, taken out, added or buried."""
    content = [json.loads(data)]
    for _ in range(chance.randint(1, 3)):
        places: list[tuple[Any, Any]] = []
        waiting: list[Any] = [content]
        while waiting:
            node = waiting.pop()
            keys = list(node) if isinstance(node, dict) else list(range(len(node)))
            for key in keys:
                places.append((node, key))
                if isinstance(node[key], dict | list):
                    waiting.append(node[key])
        node, key = chance.choice(places)
        match chance.randrange(5):
            case 0 if node is not content:
                del node[key]
            case 1 if isinstance(node, dict):
                node[chance.choice(NAMES)] = deepcopy(chance.choice(VALUES))
            case 2:
                for _ in range(chance.choice((1, 40, 300, 900))):
                    node[key] = [node[key]]
            case _:
                node[key] = deepcopy(chance.choice(VALUES))
    return json.dumps(content[0]).encode()


def npz(data: bytes, chance: random.Random) -> bytes:
    """An archive of arrays, one of them with another header or another payload."""
    return _archive(data, chance, lambda content, name: npy(content, chance))


def _archive(data: bytes, chance: random.Random, change: Callable[[bytes, str], bytes]) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as stored:
            members = [(one.filename, stored.read(one)) for one in stored.infolist()]
    except Exception as error:
        raise ValueError(str(error)) from error
    if not members:
        raise ValueError("empty")
    k = chance.randrange(len(members))
    name, content = members[k]
    match chance.randrange(8):
        case 0:
            del members[k]
        case 1:
            members[k] = (chance.choice(NAMES) or "a", content)
        case 2:
            members.append(members[chance.randrange(len(members))])
        case _:
            members[k] = (name, change(content, name))
    out = io.BytesIO()
    kind = chance.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
    with zipfile.ZipFile(out, "w", kind) as made:
        for name, content in members:
            made._didModify = True
            made.writestr(zipfile.ZipInfo(name), content, kind)
    result = bytearray(out.getvalue())
    if chance.random() < 0.3:  # a field of the directory, such as a size or a method
        at = result.rfind(b"PK\x01\x02")
        result[at + chance.randrange(4, 46)] = chance.randrange(256)
    return bytes(result)


_DESCR = (
    "'<f8'", "'<f4'", "'<U5'", "'|O'", "'<i8'", "'|b1'", "'<c16'", "'<M8[ns]'", "'|V8'", "'|S9'",
    "'<U999999999'", "[('a', '<f8')]", "[('a', '|O')]", "'>f8'", "'<f16'", "'x'", "''", "None",
    "('<f8', (3,))", "'<U0'", "'|V0'", "b'<f8'", "{'a': 1}",
)  # fmt: skip
_SHAPES = (
    "(3, 68, 2)", "()", "(0,)", "(3,)", "(-1,)", "(3, -68, 2)", f"({10**13},)", f"({2**62}, 4)",
    f"({10**30},)", "(3.0,)", "(True,)", "3", "(3, 0, 2)", "(0, 68, 2)", "(3, 2, 68)", "None",
    "(99999, 9999, 2)", "(1,) * 40", "(1, " * 40 + ")" * 40, "(" + "1, " * 70 + ")",
)  # fmt: skip


def npy(content: bytes, chance: random.Random) -> bytes:
    """An array with another header; its payload stays."""
    size = int.from_bytes(content[8:10], "little")
    head, rest = content[10 : 10 + size].decode("latin1"), content[10 + size :]
    match chance.randrange(5):
        case 0:
            head = re.sub(r"'descr': [^,]*", f"'descr': {chance.choice(_DESCR)}", head, count=1)
        case 1 | 2:
            head = re.sub(r"'shape': \([^)]*\)", f"'shape': {chance.choice(_SHAPES)}", head)
        case 3:
            head = chance.choice(
                ("{", "{}", "(" * 2000, "[]", "__import__('os')", head[:20], "\x00")
            )
        case _:
            rest = rest[: chance.randrange(len(rest) + 1)]
    made = head.rstrip().encode("latin1", "replace") + b"\n"
    version = chance.choice((b"\x01\x00", b"\x01\x00", b"\x02\x00", b"\x03\x00", b"\x09\x00"))
    length = struct.pack("<H" if version[0] == 1 else "<I", min(len(made), 65535))
    return b"\x93NUMPY" + version + length + made + rest


def pth(data: bytes, chance: random.Random) -> bytes:
    """A file of torch.save with another pickle, or another payload."""

    def change(content: bytes, name: str) -> bytes:
        changed = bytearray(content)
        for _ in range(chance.randint(1, 6)):
            if changed:
                changed[chance.randrange(len(changed))] = chance.randrange(256)
        return bytes(changed)

    return _archive(data, chance, change)


def safetensors(data: bytes, chance: random.Random) -> bytes:
    """A file of weights with another header of the right length."""
    size = int.from_bytes(data[:8], "little")
    if size > len(data):
        raise ValueError("cut")
    header = as_json(data[8 : 8 + size], chance)
    if chance.random() < 0.4:  # inside of the metadata, which is JSON in JSON
        content = json.loads(data[8 : 8 + size])
        meta = content.get("__metadata__")
        if isinstance(meta, dict) and meta:
            key = chance.choice(list(meta))
            inner = str(meta[key]).encode()
            try:
                meta[key] = as_json(inner, chance).decode()
            except ValueError:
                meta[key] = chance.choice((*NAMES, *STRUCTURE))
            header = json.dumps(content).encode()
    return len(header).to_bytes(8, "little") + header + data[8 + size :]


def hdf5(data: bytes, chance: random.Random) -> bytes:
    """A COFW file made anew, with datasets of odd shapes, types, storage and references."""
    out = io.BytesIO()
    with h5py.File(out, "w", userblock_size=512) as file:
        for name, rows in (("phisT", 87), ("bboxesT", 4)):
            _dataset(file, name, (rows, 2), chance)
        refs = file.create_dataset("IsT", (1, 2), dtype=h5py.ref_dtype)
        for k in range(2):
            _dataset(file, f"#refs#/i{k}", (3, 9, 9), chance, np.uint8)
            if chance.random() < 0.8:
                refs[0, k] = file[f"#refs#/i{k}"].ref
        if chance.random() < 0.1:
            refs[0, 0] = chance.choice((file["#refs#"].ref, file.ref, refs.ref))
        if chance.random() < 0.1:
            del file["IsT"]
            file["IsT"] = chance.choice((3, "text", np.zeros((1, 2)), np.zeros(0)))
    made = bytearray(out.getvalue())
    made[:128] = b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM"
    for _ in range(chance.choice((0, 0, 1, 4))):
        made[chance.randrange(512, len(made))] = chance.randrange(256)
    return bytes(made)


def _dataset(
    file: h5py.File,
    name: str,
    shape: tuple[int, ...],
    chance: random.Random,
    kind: Any = np.float64,
) -> None:
    good = np.ones(shape, kind)
    match chance.randrange(14):
        case 0:
            huge = tuple(chance.choice((n, 10**6, 2**40)) for n in shape)
            file.create_dataset(name, huge, kind, chunks=tuple(min(n, 8) for n in huge))
        case 1:
            file.create_dataset(
                name, (40, 9000, 9000), kind, chunks=(1, 900, 900), compression="gzip"
            )
        case 2:
            file.create_dataset(
                name, shape, kind, external=[("/etc/passwd", 0, h5py.h5f.UNLIMITED)]
            )
        case 3:
            file[name] = h5py.ExternalLink("/etc/passwd", "/a")
        case 4:
            file[name] = h5py.SoftLink(chance.choice((f"/{name}", "/nowhere", "/")))
        case 5:
            file.create_group(name)
        case 6:
            file[name] = chance.choice(("text", 3, np.bytes_(b"x"), h5py.Empty("f")))
        case 7:
            file.create_dataset(
                name, shape, chance.choice((np.float32, np.int64, np.bool_, "c16", "S5"))
            )
        case 8:
            file.create_dataset(name, shape, h5py.string_dtype())
        case 9:
            file.create_dataset(name, shape, h5py.vlen_dtype(np.float64))
        case 10:
            file.create_dataset(name, data=good[..., :0])
        case 11:
            file.create_dataset(name, data=good * chance.choice((np.nan, np.inf, 1e300)))
        case _:
            file[name] = good


def mat5(data: bytes, chance: random.Random) -> bytes:
    """A version 5 file made anew, with variables of odd kinds."""
    kinds: tuple[Callable[[], Any], ...] = (
        lambda: np.ones((68, 2)), lambda: np.zeros((1, 68), np.uint8), lambda: "text",
        lambda: {"a": 1, "b": {"c": [1, 2]}}, lambda: np.array([[1, "a"]], object),
        lambda: sparse.csc_matrix(np.eye(68, 2)), lambda: np.ones((68, 2), np.complex128),
        lambda: np.zeros((0, 0)), lambda: np.ones((2, 3, 4)), lambda: np.full((68, 2), np.nan),
        lambda: np.ones((68, 2), np.float32), lambda: np.ones((68, 2), np.int8), lambda: 3,
        lambda: np.array([["ab", "cd"]] * 68),
    )  # fmt: skip
    out = io.BytesIO()
    good = chance.random() < 0.5
    content = {
        "Points": kinds[0]() if good else chance.choice(kinds)(),
        "Occ": kinds[1]() if good else chance.choice(kinds)(),
        "bboxes": np.ones((3, 4)) if good else chance.choice(kinds)(),
    }
    savemat(out, content, do_compression=chance.random() < 0.3)
    made = bytearray(out.getvalue())
    for _ in range(chance.choice((0, 1, 2, 6))):
        made[chance.randrange(124, len(made))] = chance.randrange(256)
    return bytes(made)


def image(data: bytes, chance: random.Random) -> bytes:
    """A picture with other sides in its header, or chunks and segments doubled or cut."""
    changed = bytearray(data)
    sides = [chance.choice((0, 1, 9, 100, 40_000, 65_535, 2**31 - 1, 2**32 - 1)) for _ in range(2)]
    if data.startswith(b"\x89PNG"):
        changed[16:24] = struct.pack(">II", *sides)
        if chance.random() < 0.3:
            changed[24 + chance.randrange(5)] = chance.randrange(20)
        changed[29:33] = struct.pack(">I", zlib.crc32(changed[12:29]))
    elif data.startswith(b"\xff\xd8") and (at := data.find(b"\xff\xc0")) >= 0:
        changed[at + 5 : at + 9] = struct.pack(">HH", *(min(side, 65_535) for side in sides))
    elif data.startswith(b"BM") and len(data) > 54:
        changed[18:26] = struct.pack("<ii", *(min(side, 2**31 - 1) for side in sides))
    else:
        raise ValueError("no picture")
    return bytes(changed)
