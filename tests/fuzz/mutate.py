"""Mutations that know a format, so that a parser's first check does not stop every input.

Each takes the bytes of an input and a source of chance and gives other bytes; it raises an error
for what it cannot read as its format, which is then mutated as bytes.
"""

from __future__ import annotations

import io
import json
import random
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
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
    "[" * 3000, "{" * 3000, '{"a":' * 3000, "(" * 300, "a." * 3000, "}", "]", '"', ",,,", "\n\n"
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 2**31, 2**63, 2**70, 1e308, float("nan"), float("inf"), "", "x" * 3000,
    "\x1b[31m\u202e", [], {}, [[]], [None], {"": {}}, [1, [2, [3]]], "nan", "../..", 10**60,
)  # fmt: skip
TYPES = (
    "'<f8'", "'<f4'", "'<U5'", "'|O'", "'<i8'", "'|b1'", "'<c16'", "'<M8[ns]'", "'|V8'", "'|S9'",
    "'<U999999999'", "[('a', '<f8')]", "[('a', '|O')]", "'>f8'", "'<f16'", "'x'", "''", "None",
    "('<f8', (3,))", "'<U0'", "'|V0'", "b'<f8'", "{'a': 1}",
)  # fmt: skip
SHAPES = (
    "(3, 68, 2)", "()", "(0,)", "(3,)", "(-1,)", "(3, -68, 2)", f"({10**13},)", f"({2**62}, 4)",
    f"({10**30},)", "(3.0,)", "(True,)", "3", "(3, 0, 2)", "(0, 68, 2)", "(3, 2, 68)", "None",
    "(99999, 9999, 2)", "(1,) * 40", "(1, " * 40 + ")" * 40, "(" + "1, " * 70 + ")",
)  # fmt: skip
HEADS = ("{", "{}", "(" * 2000, "[]", "__import__('os')", "{'descr': '<f8'", "\x00")


def damage(data: bytes, chance: random.Random, most: int, first: int = 0) -> bytes:
    """Up to ``most`` bytes from ``first`` on replaced."""
    changed = bytearray(data)
    for _ in range(chance.randint(0, most) if len(data) > first else 0):
        changed[chance.randrange(first, len(changed))] = chance.randrange(256)
    return bytes(changed)


def fields(data: bytes, chance: random.Random) -> bytes:
    """A text with fields replaced, or lines taken out, doubled or written over others."""
    text = data.decode()
    for _ in range(chance.randint(1, 3)):
        words = list(re.finditer(r"[^\s,=\[\]\"']+", text))
        if words and chance.random() < 0.7:
            start, stop = chance.choice(words).span()
            pool = chance.choice((NUMBERS, NUMBERS, NAMES, STRUCTURE))
            text = text[:start] + chance.choice(pool) + text[stop:]
        else:
            lines = text.split("\n")
            at = chance.randrange(len(lines))
            lines[at : at + 1] = chance.choice(([], 2 * [lines[at]], [chance.choice(lines)]))
            text = "\n".join(lines)
    return text.encode()


def places(node: Any) -> Iterator[tuple[Any, Any]]:
    """Every container in a JSON value, with each of its keys."""
    for key in list(node) if isinstance(node, dict) else range(len(node)):
        yield node, key
        if isinstance(node[key], dict | list):
            yield from places(node[key])


def as_json(data: bytes, chance: random.Random) -> bytes:
    """A JSON text with values replaced, taken out, added or buried."""
    content = [json.loads(data)]
    for _ in range(chance.randint(1, 3)):
        node, key = chance.choice(list(places(content)))
        kind = chance.randrange(5)
        if kind == 0 and node is not content:
            del node[key]
        elif kind == 1 and isinstance(node, dict):
            node[chance.choice(NAMES)] = deepcopy(chance.choice(VALUES))
        elif kind == 2:
            for _ in range(chance.choice((1, 40, 300, 900))):
                node[key] = [node[key]]
        else:
            node[key] = deepcopy(chance.choice(VALUES))
    return json.dumps(content[0]).encode()


def archive(data: bytes, chance: random.Random, change: Mutation) -> bytes:
    """A zip archive with a member changed, taken out, doubled or of another name."""
    with zipfile.ZipFile(io.BytesIO(data)) as stored:
        members = [(member.filename, stored.read(member)) for member in stored.infolist()]
    at = chance.randrange(len(members))
    name, content = members[at]
    changed = (name, change(content, chance))
    renamed = (chance.choice(NAMES) or "a", content)
    members[at : at + 1] = chance.choice(([], [renamed], 2 * [members[at]], *5 * [[changed]]))
    out = io.BytesIO()
    kind = chance.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
    with zipfile.ZipFile(out, "w", kind) as file:
        for name, content in members:
            file.writestr(zipfile.ZipInfo(name), content, kind)
    result = bytearray(out.getvalue())
    if members and chance.random() < 0.3:  # a field of the directory, such as a size or a method
        result[result.rfind(b"PK\x01\x02") + chance.randrange(4, 46)] = chance.randrange(256)
    return bytes(result)


def npy(content: bytes, chance: random.Random) -> bytes:
    """An array with another header, or with a part of its payload."""
    size = int.from_bytes(content[8:10], "little")
    head, rest = content[10 : 10 + size].decode("latin1"), content[10 + size :]
    kind = chance.randrange(5)
    if kind == 0:
        head = re.sub(r"'descr': [^,]*", f"'descr': {chance.choice(TYPES)}", head, count=1)
    elif kind < 3:
        head = re.sub(r"'shape': \([^)]*\)", f"'shape': {chance.choice(SHAPES)}", head)
    elif kind == 3:
        head = chance.choice(HEADS)
    else:
        rest = rest[: chance.randrange(len(rest) + 1)]
    line = head.rstrip().encode("latin1", "replace") + b"\n"
    version = chance.choice((b"\x01\x00", b"\x01\x00", b"\x02\x00", b"\x03\x00", b"\x09\x00"))
    length = struct.pack("<H" if version[0] == 1 else "<I", min(len(line), 65535))
    return b"\x93NUMPY" + version + length + line + rest


def npz(data: bytes, chance: random.Random) -> bytes:
    """An archive of arrays, one of them with another header or another payload."""
    return archive(data, chance, npy)


def pth(data: bytes, chance: random.Random) -> bytes:
    """A file of torch.save with another pickle, or another payload."""
    return archive(data, chance, lambda content, chance: damage(content, chance, 6))


def safetensors(data: bytes, chance: random.Random) -> bytes:
    """A file of weights with another header of the right length."""
    end = 8 + int.from_bytes(data[:8], "little")
    content = json.loads(data[8:end])
    if chance.random() < 0.4:  # inside of the metadata, which is JSON in JSON
        meta = content["__metadata__"]
        key = chance.choice(list(meta))
        meta[key] = chance.choice((as_json, fields))(str(meta[key]).encode(), chance).decode()
        header = json.dumps(content).encode()
    else:
        header = as_json(data[8:end], chance)
    return len(header).to_bytes(8, "little") + header + data[end:]


def hdf5(data: bytes, chance: random.Random) -> bytes:
    """A COFW file made anew, with datasets of odd shapes, types, storage and references."""
    out = io.BytesIO()
    with h5py.File(out, "w", userblock_size=512) as file:
        for name, rows in (("phisT", 87), ("bboxesT", 4)):
            write_dataset(file, name, np.ones((rows, 2)), chance)
        refs = file.create_dataset("IsT", (1, 2), dtype=h5py.ref_dtype)
        for k in range(2):
            write_dataset(file, f"#refs#/i{k}", np.ones((3, 9, 9), np.uint8), chance)
            if chance.random() < 0.8:
                refs[0, k] = file[f"#refs#/i{k}"].ref
        if chance.random() < 0.1:
            refs[0, 0] = chance.choice((file["#refs#"].ref, file.ref, refs.ref))
        if chance.random() < 0.1:
            del file["IsT"]
            file["IsT"] = chance.choice((3, "text", np.zeros((1, 2)), np.zeros(0)))
    head = b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM"
    return damage(head + out.getvalue()[128:], chance, chance.choice((0, 0, 1, 4)), 512)


def write_dataset(file: h5py.File, name: str, good: np.ndarray, chance: random.Random) -> None:
    """A dataset as it should be, an object of another kind, or odd storage."""
    shape, kind = good.shape, good.dtype
    huge = tuple(chance.choice((n, 10**6, 2**40)) for n in shape)
    objects = (
        h5py.ExternalLink("/etc/passwd", "/a"), h5py.SoftLink(f"/{name}"), h5py.SoftLink("/"),
        h5py.SoftLink("/nowhere"), "text", 3, np.bytes_(b"x"), h5py.Empty("f"), good[..., :0],
        good * np.nan, good * np.inf, good * 1e300,
    )  # fmt: skip
    storage: tuple[dict[str, Any], ...] = (
        {"shape": huge, "dtype": kind, "chunks": tuple(min(n, 8) for n in huge)},
        {"shape": (40, 9000, 9000), "dtype": kind, "chunks": (1, 900, 900), "compression": "gzip"},
        {"shape": shape, "dtype": kind, "external": [("/etc/passwd", 0, h5py.h5f.UNLIMITED)]},
        *({"shape": shape, "dtype": t} for t in (np.float32, np.int64, np.bool_, "c16", "S5")),
        {"shape": shape, "dtype": h5py.string_dtype()},
        {"shape": shape, "dtype": h5py.vlen_dtype(np.float64)},
    )
    where = chance.random()
    if where < 0.25:
        file[name] = chance.choice(objects)
    elif where < 0.5:
        file.create_dataset(name, **chance.choice(storage))
    else:
        file[name] = good


def mat5(data: bytes, chance: random.Random) -> bytes:
    """A version 5 file made anew, with variables of odd kinds."""
    good: tuple[Any, ...] = (np.ones((68, 2)), np.zeros((1, 68), np.uint8), np.ones((3, 4)))
    kinds: tuple[Any, ...] = (
        *good, "text", {"a": 1, "b": {"c": [1, 2]}}, np.array([[1, "a"]], object),
        sparse.csc_matrix(np.eye(68, 2)), np.ones((68, 2), np.complex128), np.zeros((0, 0)), 3,
        np.ones((2, 3, 4)), np.full((68, 2), np.nan), np.ones((68, 2), np.float32),
        np.ones((68, 2), np.int8), np.array([["ab", "cd"]] * 68),
    )  # fmt: skip
    sound = chance.random() < 0.5
    content = {
        name: value if sound else chance.choice(kinds)
        for name, value in zip(("Points", "Occ", "bboxes"), good, strict=True)
    }
    out = io.BytesIO()
    savemat(out, content, do_compression=chance.random() < 0.3)
    return damage(out.getvalue(), chance, chance.choice((0, 1, 2, 6)), 124)


def onnx(data: bytes, chance: random.Random) -> bytes:
    """A model whose weights lie elsewhere, or at another place of their file."""
    names = (b"../w.dat", b"/etc/pas", b"w.dat\0\0\0", b"a/b/w.da", b"model.on", b"weights\xff")
    changed = data.replace(b"net.data", chance.choice(names)) if chance.random() < 0.5 else data
    for key in (b"offset", b"length"):
        at = changed.find(key) + len(key) + 2  # behind the tag and the length of its value
        if chance.random() < 0.5 and at > len(key):
            digit = chance.choice((b"9", b"-", b" ", b"e", b"\xb2", b"0"))
            changed = changed[:at] + digit + changed[at + 1 :]
    return damage(changed, chance, chance.choice((0, 1, 3)))


def _tiff_fields(data: bytearray, chance: random.Random) -> None:
    """Give some fields of a TIFF's directory another value, type or count."""
    at = struct.unpack_from("<I", data, 4)[0]
    for _ in range(chance.randrange(1, 3)):
        entry = at + 2 + 12 * chance.randrange(struct.unpack_from("<H", data, at)[0])
        place, form = chance.choice(((0, "<H"), (2, "<H"), (4, "<I"), (8, "<I"), (8, "<I")))
        values = {"<H": (1, 3, 4, 12, 256, 258, 277, 322, 338), "<I": (0, 1, 2, 9, 16, 300, 2**31)}
        struct.pack_into(form, data, entry + place, chance.choice(values[form]))


def mat5_nested(data: bytes, chance: random.Random) -> bytes:
    """A version 5 file made anew, with cells and structs, some of odd kinds."""
    odd: tuple[Any, ...] = ("x", 3, np.zeros((0, 0)), {"a": 1}, np.array([[1, "a"]], object), "ü")

    def some(value: Any) -> Any:
        return chance.choice(odd) if chance.random() < 0.1 else value

    def cell(items: list[Any]) -> Any:
        made = np.empty((1, len(items)), object)
        made[0, :] = items
        return made

    faces = [
        {"imgName": some(f"face{k}.jpg"), "bb_detector": some(np.arange(1.0, 5)[None])}
        for k in range(3)
    ]
    content = {
        "bounding_boxes": some(cell([some(face) for face in faces])),
        "IsT": some(cell([some(np.zeros((9, 9), np.uint8)) for _ in range(2)])),
        "phisT": some(np.ones((2, 87))), "bboxesT": some(np.ones((2, 4))),
        "pt3d_68": some(np.ones((3, 68))), "Pose_Para": some(np.ones((1, 7))),
    }  # fmt: skip
    out = io.BytesIO()
    savemat(out, content, do_compression=chance.random() < 0.3)
    return damage(out.getvalue(), chance, chance.choice((0, 1, 2, 6)), 124)


def image(data: bytes, chance: random.Random) -> bytes:
    """A picture with other sides in its header."""
    changed = bytearray(data)
    sides = [chance.choice((0, 1, 9, 100, 40_000, 65_535, 2**31 - 1, 2**32 - 1)) for _ in range(2)]
    if data.startswith(b"\x89PNG"):
        changed[16:24] = struct.pack(">II", *sides)
        if chance.random() < 0.3:
            changed[24 + chance.randrange(5)] = chance.randrange(20)
        changed[29:33] = struct.pack(">I", zlib.crc32(changed[12:29]))
    elif data.startswith(b"BM"):
        changed[18:26] = struct.pack("<ii", *(min(side, 2**31 - 1) for side in sides))
    elif data.startswith((b"II", b"MM")):
        _tiff_fields(changed, chance)
    elif data.startswith(b"GIF"):
        at = chance.choice((6, data.index(b",", 13) + 5))
        changed[at : at + 4] = struct.pack("<HH", *(min(side, 65_535) for side in sides))
    elif data.startswith(b"RIFF"):
        changed[chance.randrange(12, 40)] = chance.randrange(256)
    elif data.startswith(b"P"):
        return data[:3] + b"%d %d\n%d\n" % (*sides, chance.choice((0, 1, 255, 256, 65_535, 65_536)))
    else:
        at = max(data.find(b"\xff\xc0"), data.find(b"\xff\xc2"))
        changed[at + 5 : at + 9] = struct.pack(">HH", *(min(side, 65_535) for side in sides))
    return bytes(changed)
