"""Hostile input: what fuzzing found, pickles, paths, bombs, names, and a run without a network.

Each input is a small one that once ended in another way than with one clear message. The fuzzing
itself is tests/fuzz/fuzz.py.
"""

from __future__ import annotations

import ast
import io
import json
import os
import pickle
import shutil
import struct
import subprocess
import sys
import time
import tracemalloc
import zipfile
import zlib
from contextlib import suppress
from html.parser import HTMLParser
from pathlib import Path

import cv2
import h5py
import layouts
import numpy as np
import pytest
import torch
from doubles import SAMPLE, Shifted, make_dataset
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from scipy.io import loadmat, savemat

import alignbench
from alignbench import InputError, evaluate, load_dataset, load_run, parse_measure
from alignbench.datasets.cofw import _Hdf5Images
from alignbench.formats import read_faces
from alignbench.io.files import sha256
from alignbench.io.images import ImageFiles, read_image
from alignbench.io.matlab import parse_v5, read_v5
from alignbench.io.notation import parse_json, parse_toml
from alignbench.io.pts import read_pts
from alignbench.predictors.settings import read_settings
from alignbench.runs import store
from alignbench.stats import Bootstrap
from baselines import checkpoints, linear, mean_shape, options
from baselines.awing.network import AWing
from baselines.training import folder as trainings
from baselines.training.recipe import read_recipe
from baselines.training.study import read_study
from reports import labels
from reports.audit.reading import read as read_published
from reports.compare.gate import parse_gate
from reports.pages import Link, Section, document, leaderboard, page, site
from reports.tables import Group, Table, Text, render, to_html

ROOT = Path(alignbench.__file__).parents[1]
DIGITS, DEEP = "9" * 5000, "[" * 2000
NASTY = "</td><script>a</script><img src=x onerror=b>\"'&|\\`${7*7}{{7*7}}\x1b]0;t\x07\u202e\x9b31m"
ORDINARY = "ordinary"


# --- nothing is unpickled -----------------------------------------------------------------------

_SAFE = {
    "np.load": ("allow_pickle", False),
    "npy.read_array": ("allow_pickle", False),
    "torch.load": ("weights_only", True),
}
_NEVER = {
    "eval", "exec", "compile", "read_pickle", "to_pickle", "loadmat", "Unpickler", "unsafe_load",
}  # fmt: skip


@pytest.mark.parametrize("package", ["alignbench", "baselines", "reports"])
def test_no_call_can_unpickle(package):
    found = []
    for path in sorted((ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            called = ast.unparse(node.func)
            module, _, name = called.rpartition(".")
            where = f"{path.relative_to(ROOT)}:{node.lineno}: {called}"
            assert module not in ("pickle", "marshal", "shelve", "dill", "joblib", "yaml"), where
            assert called not in _NEVER, where
            assert not module or name not in _NEVER - {"eval", "compile"}, where
            if called in _SAFE:
                given = {k.arg: getattr(k.value, "value", None) for k in node.keywords}
                assert given.get(_SAFE[called][0]) is _SAFE[called][1], where
                found.append(called)
    expected = {
        "alignbench": {"torch.load"}, "baselines": {"torch.load"}, "reports": set(),
    }  # fmt: skip
    assert set(found) == expected[package]


class Bomb:
    """Unpickled, it opens a file."""

    def __init__(self, marker):
        self.marker = str(marker)

    def __reduce__(self):
        return open, (self.marker, "w")


@pytest.fixture
def marker(tmp_path):
    """A file that a pickle makes; the test fails where it is there."""
    path = tmp_path / "unpickled"
    pickle.loads(pickle.dumps(Bomb(path))).close()
    assert path.exists()
    path.unlink()
    yield path
    assert not path.exists()


def _objects(marker):
    found = np.empty(3, object)
    found[:] = [Bomb(marker)] * 3
    return found


def test_no_pickle_in_predictions(tmp_path, marker):
    points = layouts.points(3, 68)
    np.savez(tmp_path / "a.npz", ids=_objects(marker), points=points)
    np.savez(tmp_path / "b.npz", ids=np.array(["a", "b", "c"]), points=_objects(marker))
    (tmp_path / "c.npz").write_bytes(pickle.dumps(Bomb(marker)))
    with zipfile.ZipFile(tmp_path / "d.npz", "w") as archive:
        for name in ("ids", "points"):
            archive.writestr(f"{name}.npy", pickle.dumps(Bomb(marker)))
    messages = {
        "a": "ids: object .*dtype=str", "b": "holds Python objects, which are not read",
        "c": "not a usable .npz file", "d": "not a usable .npz file",
    }  # fmt: skip
    for name, message in messages.items():
        with pytest.raises(InputError, match=message):
            read_faces(tmp_path / f"{name}.npz")


def test_no_pickle_in_a_run(tmp_path, marker, stored):
    np.savez(stored / "predictions.npz", ids=_objects(marker), points=_objects(marker))
    _sign(stored, "predictions.npz")
    with pytest.raises(InputError, match=r"predictions\.npz: damaged"):
        load_run(stored)
    (stored / ".unfinished").mkdir()
    np.save(stored / ".unfinished" / "00000000.npy", _objects(marker))
    assert _restored(stored, np.empty((3, 5, 2))) == 0


@pytest.mark.parametrize("zipped", [True, False])
def test_no_pickle_in_weights(tmp_path, marker, zipped):
    content = {"a": torch.ones(2), "b": Bomb(marker)}
    for name in ("w.pth", trainings.CHECKPOINT):
        torch.save(content, tmp_path / name, _use_new_zipfile_serialization=zipped)
    with pytest.raises(InputError, match="holds more than tensors"):
        checkpoints.read(tmp_path / "w.pth")
    folder = trainings.TrainingFolder(tmp_path, {})
    data = folder.read_checkpoint()
    with pytest.raises(InputError, match="no whole checkpoint"):
        folder.unpack_checkpoint(data)


# --- numbers, JSON and TOML ---------------------------------------------------------------------


def test_json_and_toml_fail_in_one_way():
    for text in (DEEP, DIGITS + "x", "[" * 100 + "]" * 100):
        with pytest.raises(ValueError):
            parse_json(text)
    for text in (
        f"a = {DEEP}",
        f"a = {DIGITS}",
        "a = " + "[" * 100 + "]" * 100,
        "a." * 100 + "b = 1",
    ):
        with pytest.raises(ValueError):
            parse_toml(text)
    assert parse_json('{"a": [1, {"b": null}]}') == {"a": [1, {"b": None}]}
    assert parse_toml("a = [1]") == {"a": [1]}


@pytest.mark.parametrize("value", [DEEP, DIGITS, "{a=" * 900])
@pytest.mark.parametrize("read", [read_settings, read_recipe, read_study])
def test_hostile_toml_is_one_message(tmp_path, read, value):
    path = tmp_path / "a.toml"
    path.write_text(f"a = {value}")
    with pytest.raises(InputError, match=r"a\.toml: not TOML"):
        read(path)


@pytest.mark.parametrize("value", [DEEP, DIGITS])
def test_a_hostile_option_is_one_message(value):
    with pytest.raises(InputError, match="epochs"):
        read_recipe("propnet/wflw", [f"epochs={value}"])
    with pytest.raises(InputError, match="model"):
        options.parse(f"stacks={value}", AWing, "model")


@pytest.mark.parametrize(
    "given", ["stacks=1000000", "stacks=33", "width=1000000", "stacks=32,width=1024"]
)
def test_a_network_too_large_is_refused_before_it_is_made(given):
    with pytest.raises(InputError, match=r"accepted: 1 to|parameters, 1,000,000,000 is the most"):
        options.build(AWing, options.parse(given, AWing, "model"))


@pytest.mark.parametrize(
    "text", [f"[{DIGITS}]", DEEP, '[{"imgpath": 1, "landmarks": [[1, 2], 3]}]']
)
def test_hostile_json_is_one_message(tmp_path, text):
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"a\.json"):
        read_faces(path)


def test_rows_of_different_lengths_are_named(tmp_path):
    layouts.write_wflw(tmp_path, faces=2)
    (tmp_path / "synthetic.json").write_text('{"faces": {"test": 2}}')
    from alignbench.synthetic import source

    (tmp_path / source.MANIFEST).write_text('{"faces": {"test": 2}}')
    (tmp_path / source.VISIBLE.format(split="test")).write_text("1 1\n1 1 1\n")
    with pytest.raises(InputError, match="line 1: '1 1'; accepted: 98 zeros and ones"):
        source.read(tmp_path, "test")
    (tmp_path / source.MANIFEST).write_text('{"faces": {"test": 1e999}}')
    with pytest.raises(InputError, match="no record of drawn faces"):
        source.read(tmp_path, "test")


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "face.pts")
    with pytest.raises(InputError, match=r"face\.pts: is no regular file"):
        read_pts(tmp_path / "face.pts")
    os.mkfifo(tmp_path / "synthetic.json")
    with pytest.raises(InputError, match=r"synthetic\.json: is no regular file"):
        load_dataset("synthetic", tmp_path)
    images = ImageFiles(tmp_path, ["face.pts"])
    for call in (images.digest, lambda: images.read(0)):
        with pytest.raises(InputError, match=r"face\.pts: is no regular file"):
            call()
    os.mkfifo(tmp_path / "COFW_test_color.mat")
    with pytest.raises(InputError, match=r"color\.mat: is no regular file"):
        load_dataset("cofw", tmp_path)


@pytest.mark.parametrize("number", ["1_0", "١٢", "１", "1e1_0"])
def test_only_ascii_digits_are_numbers(tmp_path, number):
    (tmp_path / "p.csv").write_text(f"id,x0,y0\na,1,2\nb,3,{number}\n", encoding="utf-8")
    with pytest.raises(
        InputError, match=r"p\.csv, line 3 \(face b\), field 3: found '.*; accepted: a"
    ):
        read_faces(tmp_path / "p.csv")
    (tmp_path / "p.pts").write_text(f"version: 1\nn_points: 1\n{{\n{number} 2\n}}\n", "utf-8")
    with pytest.raises(InputError, match=r"p\.pts, line 4, field 1: found"):
        read_pts(tmp_path / "p.pts")
    line = layouts.wflw_line(layouts.points(1, 98)[0], "a.jpg").split()
    layouts.write_wflw(tmp_path / "wflw", lines=[" ".join([*line[:5], number, *line[6:]])])
    with pytest.raises(InputError, match=r"test\.txt, line 1, field 6: found"):
        load_dataset("wflw", tmp_path)


def test_a_key_that_stands_twice_is_named(tmp_path):
    face = '{"imgpath": "a.jpg", "landmarks": [[1, 2]], "imgpath": "b.jpg"}'
    (tmp_path / "p.json").write_text(f"[{face}]")
    with pytest.raises(InputError, match=r"p\.json: not JSON \(key 'imgpath' occurs 2 times\)"):
        read_faces(tmp_path / "p.json")


def test_half_of_a_surrogate_pair_is_refused(tmp_path):
    for text in ('["\\ud83d\\ude00"]', '["\\\\ud800"]'):
        assert parse_json(text)[0].encode()
    for text in ('{"a": ["\\uD800.jpg"]}', '{"\\udfff": 1}'):
        with pytest.raises(ValueError, match=r"^\\ud800 is half|^\\udfff is half"):
            parse_json(text)
    (tmp_path / "c.json").write_text(
        '{"images": [{"id": 1, "file_name": "\\ud800.jpg"}],'
        ' "annotations": [{"id": 1, "image_id": 1, "keypoints": [1, 2, 2]}]}'
    )
    with pytest.raises(InputError, match=r"c\.json: not JSON .\\ud800 is half of a surrogate pair"):
        load_dataset(f"coco:{tmp_path / 'c.json'}")


def test_a_header_is_read_in_linear_time(tmp_path):
    path = tmp_path / "table.csv"
    begun = time.process_time()
    for header in (
        "method,a" + " " * 100_000 + "b",
        "method," + ",".join(map(str, range(100_000))),
    ):
        path.write_text(f"{header}\nx,1\n")
        with suppress(InputError):
            read_published(path, "", "")
    assert time.process_time() - begun < 5


@pytest.mark.parametrize("parse", [parse_measure, parse_gate])
def test_a_grammar_takes_linear_time(parse):
    """Found by a header of many blanks: three places for each of them."""
    begun = time.process_time()
    for text in ("a" + " " * 20_000 + "b", "nme > " + "1" * 50_000 + "x", "a(" + " " * 20_000):
        with pytest.raises(InputError):
            parse(text)
    assert time.process_time() - begun < 2


# --- weights ------------------------------------------------------------------------------------


def _weights(path, **header):
    save_file({"a": torch.ones(2)}, path, header)
    return path


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ({"options": DEEP}, "nested deeper"),
        ({"options": "[1]"}, "options in its header"),
        ({"settings": "[]"}, "key .all.: Input should be an object"),
        ({"settings": DEEP}, "key .all."),
    ],
)
def test_a_hostile_header_of_weights_is_one_message(tmp_path, header, message):
    with pytest.raises(InputError, match=message):
        checkpoints.read(_weights(tmp_path / "w.safetensors", **header))


def test_a_pickle_that_claims_gigabytes_takes_none(tmp_path):
    """Found by fuzzing: a text of 0x7fffffff bytes in a file of twenty."""
    path = tmp_path / "w.pth"
    magic = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03."
    path.write_bytes(magic + b"\x80\x02}q\x00(X\xff\xff\xff\x7fproto")
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match="cannot be read as weights"):
            checkpoints.read(path)
        assert tracemalloc.get_traced_memory()[1] < 100e6
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("tensor", [torch.ones(2, device="meta"), torch.ones(2).to_sparse()])
def test_tensors_without_numbers_are_no_weights(tmp_path, tensor):
    torch.save({"a": tensor}, tmp_path / "w.pth")
    with pytest.raises(InputError, match=r"w\.pth"):
        checkpoints.read(tmp_path / "w.pth")


def test_fitted_weights_that_do_not_fit_are_refused(tmp_path):
    path = tmp_path / "m.safetensors"
    for fitted in ("[]", '{"boxes": "rect"}', '{"boxes": "x", "note": ""}', '"boxes"'):
        save_file({"shape": torch.ones(98, 2, dtype=torch.float64)}, path, {"fitted_on": fitted})
        with pytest.raises(InputError, match="no mean shape"):
            mean_shape.MeanShape(path)
    crop = '{"markup": "wflw98", "crop": {"size": 24}, "input": {"colour": "grey"}}'
    save_file({"weights": torch.ones(3, 4), "bias": torch.ones(4)}, path, {"settings": crop})
    with pytest.raises(InputError, match="no linear model"):
        linear.load(path)


# --- bombs --------------------------------------------------------------------------------------


def _png(width, height):
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks
    )


def _resized(ending, place, form, *sides):
    data = bytearray(cv2.imencode(ending, layouts.image(0, 9, 9))[1].tobytes())
    at = place(data)
    data[at : at + struct.calcsize(form)] = struct.pack(form, *sides)
    return bytes(data)


@pytest.mark.parametrize(
    "data",
    [
        _png(60_000, 60_000),
        _png(2**31 - 1, 1),
        _png(30_000, 30_000),
        _resized(".jpg", lambda d: d.find(b"\xff\xc0") + 5, ">HH", 65_000, 65_000),
        _resized(".bmp", lambda d: 18, "<ii", 30_000, -30_000),
    ],
)
def test_an_absurd_picture_is_refused_before_it_is_decoded(tmp_path, monkeypatch, data):
    monkeypatch.setattr(cv2, "imdecode", None)
    path = tmp_path / "face.png"
    path.write_bytes(data)
    with pytest.raises(
        InputError, match=r"image of [0-9,]+ x [0-9,]+ pixels; accepted: at most 100"
    ):
        read_image(path)


def test_what_is_no_usual_picture_is_not_decoded(tmp_path, monkeypatch):
    picture = layouts.image(0, 64, 64)
    how = [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]
    progressive = cv2.imencode(".jpg", picture, how)[1].tobytes()
    scan = progressive[progressive.rfind(b"\xff\xda") : -2]
    others = [cv2.imencode(ending, picture)[1].tobytes() for ending in (".jp2", ".hdr", ".avif")]
    path = tmp_path / "face.jpg"
    for data in (progressive, cv2.imencode(".bmp", picture)[1].tobytes()):
        path.write_bytes(data)
        assert read_image(path).shape == (64, 64, 3)
    monkeypatch.setattr(cv2, "imdecode", None)
    for data in (*others, progressive[:-2] + scan * 200 + b"\xff\xd9"):
        path.write_bytes(data)
        with pytest.raises(InputError, match=r"which cannot be read|JPEG of 210 scans"):
            read_image(path)


def _npz(path, shape, payload=b"", descr="'<f8'", kind=zipfile.ZIP_STORED):
    head = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    points = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + payload
    ids = io.BytesIO()
    np.save(ids, np.array(["a"]))
    with zipfile.ZipFile(path, "w", kind) as archive:
        archive.writestr("ids.npy", ids.getvalue())
        archive.writestr("points.npy", points)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ("(10000000000000,)", "points float64 .10000000000000,.; accepted: one array"),
        (f"({2**62}, 68, 2)", "claims"),
        ("(-1, 68, 2)", "claims"),
        ("(1, 68, 2.0)", "not a usable"),
        ("(" * 500, "not a usable"),
    ],
)
def test_an_array_that_claims_more_than_is_stored_is_refused(tmp_path, shape, message):
    _npz(tmp_path / "a.npz", shape)
    with pytest.raises(InputError, match=message) as error:
        read_faces(tmp_path / "a.npz")
    assert not isinstance(error.value.__cause__, MemoryError)


def test_a_tensor_that_repeats_itself_is_refused_before_it_takes_memory(tmp_path):
    torch.save(torch.zeros(1).expand(10**6, 68, 2), tmp_path / "p.pth")
    tracemalloc.start()
    with pytest.raises(InputError, match=r"544,000,000 bytes of which 4 are stored"):
        read_faces(tmp_path / "p.pth")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**26


def test_a_zip_bomb_is_refused(tmp_path):
    payload = bytes(80 * 2**20)
    _npz(tmp_path / "a.npz", f"({len(payload) // 1088}, 68, 2)", payload, kind=zipfile.ZIP_DEFLATED)
    with pytest.raises(InputError, match=r"points would take 83,886,.* too much for such a file"):
        read_faces(tmp_path / "a.npz")


def test_a_part_that_claims_more_than_it_has_is_predicted_again(tmp_path):
    place = tmp_path / ".unfinished"
    place.mkdir()
    np.save(place / "00000000.npy", np.ones((2, 5, 2)))
    into = np.zeros((4, 5, 2))
    assert _restored(tmp_path, into) == 2
    head = b"{'descr': '<f8', 'fortran_order': False, 'shape': (9000000000000, 5, 2), }\n"
    for content in (
        b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head,
        b"PK\x03\x04", b"", (place / "00000000.npy").read_bytes().replace(b"<f8", b"<c8"),
    ):  # fmt: skip
        (place / "00000000.npy").write_bytes(content)
        assert _restored(tmp_path, into) == 0


def _restored(folder, points):
    return store.Folder(folder, record=None).restore(points)


def _cofw(path, change):
    pictures = [layouts.image(k, 9, 9) for k in range(2)]
    layouts.write_cofw(path, layouts.points(2, 29), np.ones((2, 29), bool), pictures)
    with h5py.File(path, "r+") as file:
        change(file)
    return path.parent


def _replace(name, **how):
    def change(file):
        del file[name]
        file.create_dataset(name, **how)

    return change


def _bomb_chunk(file):
    """A chunk of 6 kB that expands to 6 MB: HDF5 would take all of it."""
    del file["phisT"]
    made = file.create_dataset("phisT", (87, 2), "f8", chunks=(87, 2), compression="gzip")
    made.id.write_direct_chunk((0, 0), zlib.compress(bytes(6_000_000)))


def _elsewhere(file):
    del file["phisT"]
    file["phisT"] = h5py.ExternalLink("/etc/hostname", "/phisT")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_replace("phisT", shape=(87, 2**36), dtype="f8", chunks=(87, 1)), "array that claims"),
        (_replace("phisT", shape=(87, 2), dtype="f8", external="/etc/passwd"), "in another file"),
        (_replace("phisT", shape=(10**6, 2), dtype="f8", chunks=(8, 2)), "not every chunk is"),
        (_replace("phisT", shape=(87, 2), dtype="c16"), "phisT: values of complex128"),
        (_elsewhere, "phisT is a link"),
        (_bomb_chunk, "a chunk with more than the 1,392 bytes it claims"),
        (
            _replace("phisT", shape=(87, 2), dtype="f8", chunks=(87, 2), compression="lzf"),
            "compressed otherwise than by gzip",
        ),
    ],
)
def test_a_hostile_cofw_file_is_refused(tmp_path, change, message):
    root = _cofw(tmp_path / "COFW_test_color.mat", change)
    with pytest.raises(InputError, match=message):
        load_dataset("cofw", root)


def test_a_hostile_cofw_image_is_refused(tmp_path):
    huge = _replace("#refs#/i0", shape=(3, 60_000, 60_000), dtype="u1", chunks=(1, 60, 60))

    def change(file):
        huge(file)
        file["IsT"][0, 0] = file["#refs#/i0"].ref
        file["IsT"][0, 1] = file["#refs#"].ref

    dataset = load_dataset("cofw", _cofw(tmp_path / "COFW_test_color.mat", change))
    with pytest.raises(InputError, match=r"image 1: damaged HDF5 file .an array that claims"):
        dataset.images.read(0)
    with pytest.raises(InputError, match=r"image 2: damaged HDF5 file .no array"):
        dataset.images.read(1)
    missing = _Hdf5Images(tmp_path / "COFW_test_color.mat", "nowhere", np.arange(2))
    assert not missing.available().any()


# --- MATLAB's version 5 -------------------------------------------------------------------------


def _mat(compressed=False, **arrays):
    out = io.BytesIO()
    savemat(out, arrays, do_compression=compressed)
    return out.getvalue()


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("kind", ["f8", "f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "?"])
def test_arrays_of_version_5_are_those_scipy_reads(kind, compressed):
    for shape in ((3, 4), (1, 1), (0, 0), (2, 3, 4), (1, 3)):
        array = (np.random.default_rng(0).random(shape) * 100).astype(kind)
        data = _mat(compressed, first="text", A=array, other={"a": 1}, B=array)
        found, theirs = parse_v5(data, "A", "B"), loadmat(io.BytesIO(data))
        assert list(found) == ["A", "B"]
        for name in found:
            np.testing.assert_array_equal(found[name], theirs[name], strict=False)
            assert found[name].shape == theirs[name].shape


def test_a_double_may_be_stored_as_bytes_and_in_the_other_order():
    parts = struct.pack(">IIII", 6, 8, 6, 0) + struct.pack(">IIii", 5, 8, 1, 2)
    parts += struct.pack(">HH4s", 1, 1, b"A") + struct.pack(">HH4s", 2, 2, bytes([7, 200]))
    head = b"MATLAB 5.0".ljust(124) + b"\x01\x00MI"
    found = parse_v5(head + struct.pack(">II", 14, len(parts)) + parts, "A")["A"]
    assert found.dtype == np.float64
    assert found.tolist() == [[7.0, 200.0]]


@pytest.mark.parametrize(
    "value",
    ["text", np.ones((2, 2), complex), np.array([[1, "a"]], object), {"b": 1}],
    ids=["text", "complex", "cell", "struct"],
)
def test_what_is_no_array_of_numbers_is_refused(tmp_path, value):
    path = tmp_path / "a.mat"
    path.write_bytes(_mat(A=value))
    with pytest.raises(InputError, match=r"A:? is no plain array"):
        read_v5(path, "A")


def test_cells_structs_and_texts_of_version_5():
    item = {"name": "größer", "box": np.arange(4.0)[None]}
    cell = np.empty((1, 3), object)
    cell[0] = [item, np.zeros((0, 0)), "x"]
    found = parse_v5(_mat(A=cell, B=[item, item]), "A", "B")["A"]
    assert found[0][0]["name"] == "größer"
    assert found[0][0]["box"].tolist() == [[0, 1, 2, 3]]
    assert found[1].shape == (0, 0)
    assert found[2] == "x"


def test_cells_deeper_than_any_data_set_has_are_refused():
    value = np.ones((1, 1))
    for _ in range(8):
        outer = np.empty((1, 1), object)
        outer[0, 0] = value
        value = outer
    with pytest.raises(ValueError, match="more than 6 levels"):
        parse_v5(_mat(A=value), "A")


def test_a_file_that_ends_scipys_process_is_one_message(tmp_path):
    """Found by fuzzing: SciPy's reader dies of a segmentation fault on a file cut like this."""
    layouts.write_cofw68(tmp_path, layouts.points(1, 68), np.zeros((1, 68), bool))
    path = tmp_path / "test_annotations" / "1_points.mat"
    data = path.read_bytes()
    for cut in (130, 140, 500, len(data) - 9):
        path.write_bytes(data[:cut])
        with pytest.raises(InputError, match=r"1_points\.mat"):
            load_dataset("cofw68", tmp_path)
    bomb = zlib.compress(bytes(80 * 2**20))
    path.write_bytes(data[:128] + struct.pack("<II", 15, len(bomb)) + bomb)
    with pytest.raises(InputError, match="far more memory than the file"):
        load_dataset("cofw68", tmp_path)


@given(st.data())
@settings(max_examples=40)
def test_any_damage_to_version_5_is_a_value_error(data):
    cell = np.array([[{"imgName": "1.jpg", "bb_detector": np.ones((1, 4))}]], object)
    content = {"Points": np.ones((3, 2)), "Occ": np.zeros((1, 3)), "bounding_boxes": cell}
    made = bytearray(_mat(data.draw(st.booleans()), **content))
    for _ in range(data.draw(st.integers(1, 4))):
        made[data.draw(st.integers(120, len(made) - 1))] = data.draw(st.integers(0, 255))
    with suppress(ValueError):
        parse_v5(bytes(made[: data.draw(st.integers(0, len(made)))]), *content)


# --- stored runs --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def once(tmp_path_factory):
    """A finished run's folder."""
    folder, dataset = tmp_path_factory.mktemp("stored") / "run", make_dataset(12)
    evaluate(Shifted(dataset), dataset, bootstrap=Bootstrap(100), out=folder)
    return folder


@pytest.fixture
def stored(once, tmp_path):
    """A copy of it."""
    return shutil.copytree(once, tmp_path / "run")


def _buried(depth):
    found = []
    for _ in range(depth):
        found = [found]
    return found


def _changed(folder, *keys, value):
    path = folder / "run.json"
    record = json.loads(path.read_text())
    place = record
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    path.write_text(json.dumps(record))


def _sign(folder, name):
    """Make the record of a run say that a changed file is its own."""
    _changed(folder, "files", name, value=sha256(folder / name))


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        (("model", "identity", "deep"), _buried(300)),
        (("statistics", "replicates"), 10**12),
        (("statistics", "seed"), -1),
        (("dataset", "markup"), "nowhere"),
        (("dataset", "faces"), 10**60),
    ],
)
def test_a_hostile_record_is_refused(stored, keys, value):
    _changed(stored, *keys, value=value)
    with pytest.raises(InputError):
        load_run(stored)


def test_a_record_may_say_anything_of_its_execution(stored):
    for value in ("text", {"backend": [1], "device": None}, None, 3):
        _changed(stored, "model", "identity", "execution", value=value)
        run = load_run(stored)
        labels.labels([run, run])
        leaderboard.tables(leaderboard.read_board(stored))


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("faces.csv", "face3,3,1,", "face3,3,inf,"),
        ("faces.csv", "face3,3,1,", f"face3,3,{DIGITS},"),
        ("breakdown.csv", "nme", "other"),
        ("breakdown.csv", "landmark,7,", "landmarks,7,"),
        ("metrics.json", "[", DEEP),
        ("metrics.json", "null", DIGITS),
    ],
)
def test_a_hostile_file_of_a_run_is_named(stored, name, old, new):
    text = (stored / name).read_text()
    assert old in text
    (stored / name).write_text(text.replace(old, new, 1))
    with pytest.raises(InputError, match=f"{name}: is not the file that the run wrote"):
        load_run(stored)
    _sign(stored, name)
    with pytest.raises(InputError, match=f"{name}: damaged"):
        load_run(stored)


def test_points_of_another_shape_are_no_runs(stored):
    with np.load(stored / "predictions.npz", allow_pickle=False) as found:
        ids, points = found["ids"], found["points"]
    for other in (points[:, :5], points[..., 0], points.astype("S9"), points.astype(np.float32)):
        np.savez(stored / "predictions.npz", ids=ids, points=other)
        _sign(stored, "predictions.npz")
        with pytest.raises(InputError, match=r"predictions\.npz: damaged"):
            load_run(stored)


# --- paths --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "/etc/passwd", "../a.jpg", "a/../../b.jpg", "a/..", "C:\\a.jpg", "C:a.jpg", "..\\..\\a.jpg",
        "\\\\host\\share\\a.jpg", "//host/share/a.jpg", "a\x00.jpg", "x" * 256, "a/" * 600 + "a",
    ],
)  # fmt: skip
def test_an_image_of_a_list_is_below_its_folder(tmp_path, name):
    layouts.write_wflw(tmp_path, lines=[layouts.wflw_line(layouts.points(1, 98)[0], name)])
    with pytest.raises(InputError, match=r"line 1: image path .* leaves the image folder"):
        load_dataset("wflw", tmp_path)


def test_a_name_that_is_not_utf_8_is_one_message(tmp_path):
    faces = tmp_path / "faces"
    faces.mkdir()
    try:
        (faces / os.fsdecode(b"\xff.pts")).write_text(layouts.pts_text(layouts.points(1, 68)[0]))
    except OSError:
        pytest.skip("this file system takes UTF-8 alone")
    with pytest.raises(InputError, match="is not valid on every system"):
        load_dataset(f"pts:{faces}")
    np.savez(tmp_path / "a.npz", ids=["\ud800"], points=layouts.points(1, 68))
    with pytest.raises(InputError, match="is not valid on every system"):
        load_dataset(f"npz:{tmp_path / 'a.npz'}")


def test_a_users_own_link_is_followed(tmp_path):
    """Data on another disk: the folder is a link, and so is an image."""
    layouts.write_wflw(tmp_path / "disk" / "wflw", faces=2)
    image = tmp_path / "disk" / "wflw" / "WFLW_images" / "0--Parade" / "1.jpg"
    image.rename(tmp_path / "elsewhere.jpg")
    image.symlink_to(tmp_path / "elsewhere.jpg")
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "wflw").symlink_to(tmp_path / "disk" / "wflw")
    dataset = load_dataset("wflw", tmp_path / "root")
    assert dataset.images.available().all()
    assert dataset.images.read(0).shape == (120, 100, 3)


def test_an_image_that_is_no_file_is_missing(tmp_path):
    layouts.write_wflw(tmp_path, faces=2)
    image = tmp_path / "WFLW_images" / "0--Parade" / "1.jpg"
    image.unlink()
    image.symlink_to("/dev/zero")
    assert not load_dataset("wflw", tmp_path).images.available().any()


def test_what_is_behind_a_link_is_not_removed(tmp_path, stored):
    """An unfinished run's folder is removed with all in it, but not where it is a link."""
    precious = tmp_path / "home" / "thesis.tex"
    precious.parent.mkdir()
    precious.write_text("mine")
    (stored / ".unfinished").symlink_to(precious.parent)
    record = json.loads((stored / "run.json").read_text())
    store._prepare(stored, record["key"], fresh=True)
    assert precious.read_text() == "mine"
    assert not (stored / ".unfinished").exists()


def test_a_site_of_hostile_names_stays_in_its_folder():
    taken = []
    for name in ("../../etc/passwd", "/", "..", "C:\\x", "a\x00b", "x" * 5000, NASTY, "", "."):
        stem = site._stem(name, taken)
        assert stem not in taken
        assert len(stem) < 120 and set(stem) <= set("abcdefghijklmnopqrstuvwxyz0123456789_-")
        taken.append(stem)


# --- names --------------------------------------------------------------------------------------


class Elements(HTMLParser):
    """Tags with the names of their attributes, addresses and text."""

    def __init__(self, text):
        super().__init__()
        self.found, self.addresses, self.text = [], [], ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, *(name for name, _ in attributes)))
        self.addresses += [v for n, v in attributes if n in ("href", "src", "xlink:href", "action")]

    def handle_comment(self, data):
        self.found.append("comment")

    def handle_data(self, data):
        self.text += data


_NAMES = st.one_of(
    st.text(max_size=30),
    st.text("<>&\"'|\\`*_[]()#-+=.$%{}~^!@/ \n\r\t\x1b\u202e\x00:1a", max_size=30),
    st.sampled_from(
        [NASTY, "javascript:alert(1)", "<!--", "]]>", "--", "#x", "- a", "1. a", "\u2028"]
    ),
)


def _table(name):
    rows = ((Text(name, (name,)), 1, name), (name, 2, ""))
    return Table(name, (name, "N", name), (Group(f"{name}.", rows),), (name,), ({"a": name},))


@given(_NAMES)
@settings(max_examples=50)
def test_any_name_is_text_in_every_form(name):
    made, plain = _table(name), _table(ORDINARY)
    assert Elements(to_html([made])).found == Elements(to_html([plain])).found
    markdown, expected = render([made], "md"), render([plain], "md")
    assert len(markdown.splitlines()) == len(expected.splitlines())
    bare = [line.replace("\\\\", "x").replace("\\|", "x") for line in markdown.splitlines()]
    assert [line.count("|") for line in bare if line.startswith("|")] == [4] * 5
    assert not any(line.startswith(("- #", "- -", "- +", "- =", "- 1.")) for line in bare)
    for text in (markdown, render([made], "terminal"), render([made], "csv")):
        assert all(c.isprintable() or c == "\n" for c in text)


def test_a_page_of_hostile_names_has_no_element_but_ours(stored):
    _changed(stored, "model", "name", value=NASTY)
    _changed(stored, "model", "notes", value=[NASTY])
    _changed(stored, "model", "identity", value={NASTY: NASTY, "execution": {"backend": NASTY}})
    _changed(stored, "dataset", "name", value=NASTY)
    _changed(stored, "dataset", "split", value=NASTY)
    _changed(stored, "dataset", "complete", value=False)
    _changed(stored, "dataset", "incomplete", value=[NASTY])
    _changed(stored, "protocol", "boxes", value=NASTY)
    _changed(stored, "protocol", "leak", value=NASTY)
    subset = "<img src=x onerror=b>"
    _changed(stored, "dataset", "subsets", value=["full", subset, "few"])
    for name in ("faces.csv", "metrics.json"):
        (stored / name).write_text((stored / name).read_text().replace("even", subset))
        _changed(stored, "files", name, value=sha256(stored / name))
    read = Elements(page([load_run(stored)]))
    tags = {one[0] for one in read.found}
    assert not tags & {"iframe", "object", "embed", "form", "base", "link", "foreignobject", "a "}
    assert sum(one[0] == "script" for one in read.found) == 1
    assert not [one for one in read.found if any(n.startswith("on") for n in one[1:])]
    assert all(address.startswith(("#", "data:image/")) for address in read.addresses)
    assert subset in read.text


@given(_NAMES)
@settings(max_examples=40)
def test_any_name_is_text_in_a_document(name):
    def made(text):
        links = site._links([(text, [Link(text, "a.html")])])
        return Elements(document(text, text, [Section("a", text, "a" + text, links)])).found

    assert made(name) == made(ORDINARY)


@given(_NAMES)
@settings(max_examples=40)
def test_any_name_in_a_message_can_be_seen(name):
    text = str(InputError(name, name, name, name))
    assert all(c.isprintable() or c == "\n" for c in text)
    assert len(str(InputError("x" * 10**6, "y" * 10**6))) < 5000


def test_nothing_hostile_reaches_the_terminal(cli, tmp_path, stored):
    nasty = "a\x1b]0;owned\x07\u202e\x9b31m"
    layouts.write_wflw(tmp_path / "wflw", faces=2)
    path = tmp_path / "wflw" / layouts.WFLW_LIST.format("test")
    path.write_text(path.read_text().replace("0--Parade/1.jpg", f"{nasty}.jpg"))
    _changed(stored, "model", "name", value=nasty)
    (tmp_path / f"{nasty}.csv").write_text("x")
    commands = [
        ["data", "verify", "wflw", "--data-root", tmp_path],
        ["data", "list", "--data-root", tmp_path],
        ["run", "--model", f"saved:{nasty}.csv", "--dataset", *SAMPLE],
        ["run", "--model", "saved:nowhere", "--dataset", nasty],
        ["report", stored, "--format", "csv"],
        ["report", stored],
        ["compare", stored, stored, "--format", "csv"],
        ["report", tmp_path / nasty],
    ]
    for command in commands:
        result = cli(*command)
        shown = result.out + result.err
        assert shown
        assert all(c.isprintable() or c == "\n" for c in shown), (command, shown)


# --- no network ---------------------------------------------------------------------------------

_OFFLINE = """
import sys
def deny(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto", "socket.bind"):
        raise SystemExit(f"network: {event} {arguments}")
sys.addaudithook(deny)
from alignbench.cli import main
for command in sys.argv[1:]:
    sys.argv = ["alignbench", *command.split()]
    try:
        main()
    except SystemExit as stop:
        assert not stop.code, stop.code
"""


def test_a_run_and_its_page_need_no_network(tmp_path):
    alone = ["unshare", "-rn"]
    try:
        allowed = subprocess.run([*alone, "true"], capture_output=True).returncode == 0
    except OSError:
        allowed = False
    done = subprocess.run(
        [
            *(alone if allowed else []), sys.executable, "-c", _OFFLINE,
            "run --model mean-shape --dataset synthetic --split sample --limit 4 --out run",
            "report run --table page --out page.html", "train --help",
        ],
        cwd=tmp_path, capture_output=True, text=True, timeout=300,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "page.html").stat().st_size > 10_000
