"""Predictors: stored predictions, crop networks, ONNX files, users' own, dlib."""

from __future__ import annotations

import json
import re
import sys
import tomllib
from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest
from doubles import make_dataset
from layouts import image, points, pts_text, write_300w

from alignbench import (
    Batch,
    InputError,
    Predictor,
    evaluate,
    heatmaps,
    load_dataset,
    load_predictor,
    parse_measure,
    plugins,
)
from alignbench.formats import Format, StoredFaces, read_faces
from alignbench.geometry import crop_transforms, square_crops, transform
from alignbench.io.images import ArrayImages
from alignbench.io.models import toml_text
from alignbench.markups import IBUG68, WFLW98, Markup
from alignbench.matching import match_ids
from alignbench.predictors.crop import CropPredictor, window
from alignbench.predictors.settings import Crop, CropSettings, Input, Output, read_settings, to_toml

ALL = Batch([], [], np.zeros((0, 4)))


# --- stored predictions -----------------------------------------------------------------------


def write_saved(folder: Path, form: str, ids: list[str], values: np.ndarray) -> Path:
    """The same predictions in each format."""
    path = folder / f"saved.{form}"
    if form == "npz":
        np.savez(path, ids=np.array(ids), points=values)
    elif form == "csv":
        header = ",".join(["id", *(f"{a}{k}" for k in range(values.shape[1]) for a in "xy")])
        rows = [
            ",".join([i, *(f"{x:.6f}" for x in p.ravel())])
            for i, p in zip(ids, values, strict=True)
        ]
        path.write_text("\n".join([header, *rows]) + "\n")
    elif form == "txt":
        blocks = []
        for name, p in zip(ids, values, strict=True):
            xs, ys = (" ".join(f"{x:.6f}" for x in p[:, axis] + 1) for axis in (0, 1))
            blocks += [name, xs, ys, " ".join(["0"] * len(p))]
        path.write_text(" \n".join(blocks) + "\n")
    elif form == "json":
        faces = [
            {"imgpath": f"images/{i}.jpg", "landmarks": p.tolist()}
            for i, p in zip(ids, values, strict=True)
        ]
        path.write_text(json.dumps(faces))
    else:
        path = folder / "saved"
        for name, p in zip(ids, values, strict=True):
            file = path / f"{name}.pts"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(pts_text(p))
    return path


@pytest.mark.parametrize("form", ["npz", "csv", "txt", "json", "pts"])
def test_every_format_gives_the_same_landmarks_in_any_order(tmp_path, form):
    truth = write_300w(tmp_path / "300w")
    dataset = load_dataset("300w", tmp_path)
    names = list(truth)[::-1]  # not the data set's order
    predictor = load_predictor(
        f"saved:{write_saved(tmp_path, form, names, np.stack([truth[n] for n in names]))}"
    )
    run = evaluate(predictor, dataset)
    np.testing.assert_allclose(run.points, dataset.points, atol=1e-5)
    assert run.ids == dataset.ids
    assert run.record.missed == 0
    assert run.record.protocol.boxes == "none"
    assert run.record.protocol.leak == "unknown"


def test_missing_faces_are_missed_and_surplus_ones_noted(tmp_path):
    dataset = make_dataset(10)
    ids = [*dataset.ids[2:], "stranger", "other"]
    values = np.concatenate([dataset.points[2:], dataset.points[:2]])
    predictor = load_predictor(f"saved:{write_saved(tmp_path, 'npz', ids, values)}")
    run = evaluate(predictor, dataset)
    assert run.record.missed == 2
    assert run.record.model.notes == (
        "2 stored faces, such as 'stranger', are not in the data set.",
    )
    assert run.record.model.identity["matched_by"] == "id"
    limited = evaluate(predictor, dataset, limit=4)
    assert limited.record.model.notes == run.record.model.notes
    assert run.ids == dataset.ids[2:]
    assert run.row(parse_measure("nme")).value == 0
    assert run.row(parse_measure("fr@0.10")).value == pytest.approx(20)
    assert run.row(parse_measure("auc@0.10")).value == pytest.approx(0.8)
    assert run.faces["inter_ocular"].isna().sum() == 2


def test_what_a_run_wrote_is_itself_stored_predictions(tmp_path):
    dataset = make_dataset(9)
    values = dataset.points + 1.25
    path = write_saved(tmp_path, "npz", list(dataset.ids), values)
    first = evaluate(load_predictor(f"saved:{path}"), dataset, out=tmp_path / "run")
    for name in (f"{first.folder}/predictions.npz", first.folder):
        assert evaluate(load_predictor(f"saved:{name}"), dataset).metrics == first.metrics


OURS = ["a/x.jpg#1,2,3,4", "a/x.jpg#5,6,7,8", "b/y.jpg#1,2,3,4"]


@pytest.mark.parametrize(
    ("theirs", "ours", "rows", "compared"),
    [
        (OURS[::-1], OURS, [2, 1, 0], "id"),
        ([OURS[2], "zzz"], OURS, [-1, -1, 0], "id"),
        (["b/y.jpg"], OURS, [-1, -1, 0], "image path"),
        (["b/y.jpg#1.0,2.00,3.0,4.0"], OURS, [-1, -1, 0], "image path"),
        (["b/y", "c/z"], OURS, [-1, -1, 0], "image path"),
        (["elsewhere\\y.png"], OURS, [-1, -1, 0], "bare name"),
        # A dot in a name is no ending.
        (["v1.25"], ["v1.25", "v1.75"], [0, -1], "id"),
    ],
)
def test_names_are_compared_strictly_before_loosely(theirs, ours, rows, compared):
    match = match_ids(theirs, ours, "f")
    assert match.rows.tolist() == rows
    assert match.compared == compared


def test_names_may_be_written_in_different_ways():
    """What is left over by the first comparison is compared by itself; the notes say so."""
    ours = ["a/1", "a/2", "b/3", "b/4", "b/Jos\u00e9"]
    theirs = ["a/1", "a/2", "b/3.jpg", "/data/set/b/4.png", "B/Jose\u0301"]
    match = match_ids(theirs, ours, "f")
    assert match.rows.tolist() == [0, 1, 2, 3, 4]
    assert match.compared == "image path"
    assert match.notes == (
        "1 names, such as '/data/set/b/4.png', agree by end of the image path.",
        "1 names, such as 'B/Jos\u00e9', agree by bare name.",
    )
    assert match_ids(["x/1"], ["y/1"], "f").notes == (
        "Faces were matched by the file names of their images, without folders.",
    )


@pytest.mark.parametrize(
    ("theirs", "message"),
    [
        (["a/x.jpg", "b/y.jpg"], "'a/x' names more than one face"),
        (["c/z.jpg"], "other faces: none of 1 ids"),
        # A box that differs is another face; a bare name that agrees may be one.
        (["b/y.jpg#9,9,9,9"], "other faces"),
        (["train/y.jpg", "train/w.jpg"], "1 of 2 names agree .* bare name .*'train/w.jpg'"),
    ],
)
def test_names_that_may_mean_other_faces_are_refused(theirs, message):
    with pytest.raises(InputError, match=message):
        match_ids(theirs, OURS, "f")


BAD_POINTS = points(3, 68)
NAN, INF, SHORT = BAD_POINTS.copy(), BAD_POINTS.copy(), points(3, 70)
NAN[1, 7, 0], INF[2, 0, 1] = np.nan, np.inf


@pytest.mark.parametrize("form", ["npz", "csv", "json"])
@pytest.mark.parametrize(("values", "what"), [(NAN, "nan"), (INF, "inf")])
def test_a_coordinate_that_is_not_finite_is_refused(tmp_path, form, values, what):
    with pytest.raises(InputError, match=f"(?i)found.*{what}"):
        load_predictor(f"saved:{write_saved(tmp_path, form, ['1', '2', '3'], values)}")


def test_a_number_of_landmarks_no_mark_up_has_is_refused(tmp_path):
    predictor = load_predictor(f"saved:{write_saved(tmp_path, 'npz', ['face0', '2', '3'], SHORT)}")
    with pytest.raises(InputError, match=r"70 landmarks a face; accepted: .*29 .cofw29"):
        evaluate(predictor, make_dataset(3))


def test_stored_predictions_take_the_data_sets_own_mark_up(tmp_path):
    """Also where nobody registered it, or another has as many landmarks."""
    dataset = make_dataset(3, Markup("five", 5, normalisers={"eyes": ((0,), (1,))}))
    dataset = replace(dataset, normalisers=("eyes",))
    path = write_saved(tmp_path, "npz", list(dataset.ids), dataset.points)
    run = evaluate(load_predictor(f"saved:{path}"), dataset)
    assert run.record.model.markup == "five"
    assert (run.points == dataset.points).all()


def test_a_format_of_another_package_takes_precedence(tmp_path, monkeypatch):
    theirs = Format(
        "theirs", "", lambda p: p.suffix == ".csv",
        lambda p: StoredFaces(["a"], np.ones((1, 68, 2))),
    )  # fmt: skip
    load = plugins.load
    entries = {
        **plugins.entry_points(plugins.FORMATS),
        "theirs": EntryPoint("theirs", "strangers:THEIRS", plugins.FORMATS),
    }
    monkeypatch.setattr(plugins, "entry_points", lambda group: entries)
    monkeypatch.setattr(plugins, "load", lambda g, n: theirs if n == "theirs" else load(g, n))
    (tmp_path / "a.csv").touch()
    form, faces = read_faces(tmp_path / "a.csv")
    assert (form, faces.names, faces.points.shape) == (theirs, ["a"], (1, 68, 2))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", "1\n1 2 3\n1 2 3\n", "line 3: ends after 3 lines of a face"),
        ("a.txt", "1\n1 2 3\n1 2\n0 0 0\n", "line 3: 2 values; accepted: 3"),
        ("a.txt", "1\n1 2\n1 x\n0 0\n", "line 3, field 2: found 'x'"),
        ("a.txt", "1 2 3 4\n", "line 1: numbers alone, from '1' to '4'; accepted: x y x y"),
        ("a.txt", "1 2 a.jpg\n1 2 3 4 a.jpg\n", "line 2: 5 fields; accepted: 3 as before"),
        ("a.txt", "\n \n", "file is empty"),
        ("a.csv", "id,x0,y0\na,1\n", "line 2: 2 fields; accepted: 3"),
        ("a.csv", "name,x,y\na,1,2\n", "line 1: no columns of landmarks among 'name', 'x', 'y'"),
        ("a.csv", "id,x0,y0\n", "no lines but the header"),
        ("a.csv", b"\xff\xfe\x00", "text in UTF-16; accepted: UTF-8"),
        ("a.csv", b"id,x0,y0\nM\xfcller,1,2\n", "not text in UTF-8"),
        ("a.csv", b"id\x00\xff", "not a text file"),
        ("a.json", "{", "not JSON"),
        ("a.json", "{}", "no faces; accepted: one face or more"),
        ("a.json", '[{"imgpath": "a"}]', "face 0: no 'imgpath' or no 'landmarks'"),
        (
            "a.json",
            '[{"imgpath": "a", "landmarks": [["x", 1]]}]',
            "landmarks: shape .1, 2. of <U",
        ),
        ("a.npz", "PK", "not a usable .npz file"),
        ("a.npz", b"\x93NUMPY\x01\x00", "not a usable .npz file"),
        (
            "a.yaml",
            "a: 1",
            "unknown format '.yaml'; accepted: array, coco, .*`alignbench list formats`",
        ),
    ],
)
def test_bad_files_are_named(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match=message) as error:
        read_faces(path)
    assert str(path) in str(error.value)


def test_arrays_of_other_names_are_refused(tmp_path):
    np.savez(tmp_path / "a.npz", who=np.array(["a"]), where=np.zeros((68, 2)))
    with pytest.raises(
        InputError, match=r"arrays who <U1 \(1,\), where .* \(68, 2\); accepted: one"
    ):
        read_faces(tmp_path / "a.npz")


# --- crop networks ----------------------------------------------------------------------------


def constant_network(output: np.ndarray):
    return lambda pixels: np.repeat(output[None], len(pixels), axis=0).astype(np.float32)


def settings(**crop) -> CropSettings:
    return CropSettings(markup="wflw98", crop=Crop(**{"size": 64, **crop}))


@pytest.mark.parametrize("rounding", ["none", "integer"])
def test_points_come_back_where_the_crop_was(rounding):
    made = settings(rounding=rounding, scale=1.3)
    inside = np.random.default_rng(0).random((98, 2))
    predictor = CropPredictor("m", made, constant_network(inside.ravel()), {})
    boxes = np.array([[30.0, 40, 90, 80], [-10, 5, 20, 60]])
    got = predictor.predict(Batch(["a", "b"], [image()] * 2, boxes))
    crops = square_crops(boxes, 1.3, rounding)
    np.testing.assert_allclose(got, crops[:, None, :2] + inside * crops[:, None, 2:], atol=1e-5)
    edge = made.model_copy(update={"output": Output(origin="edge")})
    shifted = CropPredictor("m", edge, constant_network(inside), {}).predict(
        Batch(["a", "b"], [image()] * 2, boxes)
    )
    np.testing.assert_allclose(shifted, got - 0.5, atol=1e-5)


@pytest.mark.parametrize("decoder", heatmaps.DECODERS)
def test_heatmaps_come_back_where_the_peak_was(decoder):
    made = settings(scale=1.25).model_copy(
        update={"output": Output(kind="heatmaps", decoder=decoder)}
    )
    maps = np.zeros((99, 16, 16))  # a boundary map follows the landmarks'
    where = np.random.default_rng(1).integers(1, 15, (98, 2))
    maps[np.arange(98), where[:, 1], where[:, 0]] = 1
    boxes = np.array([[30.0, 40, 90, 80]])
    predictor = CropPredictor("m", made, constant_network(maps), {})
    got = predictor.predict(Batch(["a"], [image()], boxes))
    matrix = crop_transforms(square_crops(boxes, 1.25), 64)
    # Of a square that the border cuts off, the mean lies a little inwards.
    limit = 0.2 if decoder == "local-soft-argmax" else 1e-6
    np.testing.assert_allclose(transform(got, matrix)[0], (where + 0.5) * 4 - 0.5, atol=limit)


def test_colours_are_ordered_and_scaled_as_told():
    picture = np.zeros((40, 40, 3), np.uint8)
    picture[:] = (200, 100, 50)
    matrices = crop_transforms(np.array([[4.0, 4, 32]]), 32)

    def pixel(**colours):
        made = CropSettings(markup="wflw98", crop=Crop(size=32), input=Input(**colours))
        out = window(made, [picture], matrices)
        assert out.dtype == np.float32
        return out[0, :, 16, 16]

    np.testing.assert_allclose(pixel(colour="rgb", scale=1), [200, 100, 50])
    np.testing.assert_allclose(pixel(colour="bgr", scale=1), [50, 100, 200])
    np.testing.assert_allclose(pixel(colour="grey", scale=1), [0.299 * 200 + 58.7 + 0.114 * 50])
    np.testing.assert_allclose(
        pixel(colour="bgr", scale=1 / 255, mean=(0.1, 0.2, 0.3), std=(0.5, 1, 2)),
        (np.array([50, 100, 200]) / 255 - [0.1, 0.2, 0.3]) / [0.5, 1, 2],
        rtol=1e-5,
    )


@pytest.mark.parametrize(
    ("output", "network", "message"),
    [
        (Output(), np.zeros(136), r"gave shape \(1, 136\); accepted: \(1, 98, 2\)"),
        (Output(), np.zeros((2, 68)), r"gave shape \(1, 2, 68\)"),
        (Output(kind="heatmaps"), np.zeros((68, 8, 8)), r"gave shape \(1, 68, 8, 8\)"),
    ],
)
def test_a_network_of_another_mark_up_is_refused(output, network, message):
    made = settings().model_copy(update={"output": output})
    with pytest.raises(InputError, match=message):
        CropPredictor("m", made, constant_network(network), {}).predict(
            Batch(["a"], [image()], np.array([[1.0, 1, 50, 50]]))
        )


# --- ONNX -------------------------------------------------------------------------------------

TOML = """
markup = "wflw98"
[crop]
boxes = "rect"
scale = 1.2
size = 16
[input]
colour = "rgb"
"""


def write_onnx(path: Path, batch: int | str = "n", outputs: int = 1) -> Path:
    """A network that puts each landmark at the crop's mean red (x) and mean green (y)."""
    from onnx import TensorProto, helper, numpy_helper, save

    pick = np.zeros((3, 196), np.float32)
    pick[0, 0::2] = pick[1, 1::2] = 1
    nodes = [
        helper.make_node("ReduceMean", ["input"], ["mean"], axes=[2, 3], keepdims=0),
        helper.make_node("MatMul", ["mean", "pick"], ["points"]),
        helper.make_node("Identity", ["mean"], ["means"]),
    ]
    made = [helper.make_tensor_value_info("points", TensorProto.FLOAT, [batch, 196])]
    if outputs == 2:
        made.append(helper.make_tensor_value_info("means", TensorProto.FLOAT, [batch, 3]))
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [batch, 3, 16, 16])],
        made,
        [numpy_helper.from_array(pick, "pick")],
    )
    opset = helper.make_opsetid("", 13)
    save(helper.make_model(graph, opset_imports=[opset], ir_version=8), path)
    path.with_suffix(".toml").write_text(TOML)
    return path


@pytest.mark.parametrize("batch", ["n", 1, 2, 4])
def test_an_onnx_file_with_its_toml(tmp_path, batch):
    predictor = load_predictor(f"onnx:{write_onnx(tmp_path / 'net.onnx', batch)}")
    colours = [(255, 0, 0), (0, 255, 0), (51, 102, 0)]
    pictures = [np.full((90, 90, 3), c, np.uint8) for c in colours]
    boxes = np.array([[20.0, 20, 60, 60]] * 3)
    got = predictor.predict(Batch(["a", "b", "c"], pictures, boxes))
    left, top, side = square_crops(boxes[:1], 1.2)[0]
    inside = np.array([[1, 0], [0, 1], [0.2, 0.4]])
    np.testing.assert_allclose(got[:, 0], [left, top] + side * inside, atol=1e-4)
    assert predictor.name == "net"
    described = predictor.describe()
    assert described["source"] == "onnx:net.onnx"
    assert len(described["weights_sha256"]) == 64
    assert described["preprocessing"]["crop"]["scale"] == 1.2


def test_settings_written_are_settings_read(tmp_path):
    made = CropSettings(
        markup="ibug68", crop=Crop(size=64, of="mean"), notes=('A "note" \U0001f600 \x7f', "b")
    )
    path = tmp_path / "s.toml"
    path.write_text(to_toml(made), encoding="utf-8")
    assert read_settings(path) == made


def test_a_table_of_tables_alone_has_no_header():
    content = {"a": 1, "b": {"c": {"d": 2}, "e": {}}, "f": {"g": 3, "h": {"i": {}}}}
    text = toml_text(content)
    assert tomllib.loads(text) == content
    headers = [line for line in text.splitlines() if line.startswith("[")]
    assert headers == ["[b.c]", "[b.e]", "[f]", "[f.h.i]"]
    assert "\n\n\n" not in text


def test_heatmaps_of_another_mark_up_are_refused():
    made = CropSettings(markup="cofw29", crop=Crop(size=16), output=Output(kind="heatmaps"))
    for maps, fits in ((29, True), (30, True), (68, False), (98, False), (28, False)):
        predictor = CropPredictor("it", made, constant_network(np.zeros((maps, 4, 4))), {})
        batch = Batch(["a"], [image()], np.array([[20.0, 20, 60, 60]]))
        if fits:
            assert predictor.predict(batch).shape == (1, 29, 2)
        else:
            with pytest.raises(InputError, match="the network gave shape"):
                predictor.predict(batch)


def test_an_onnx_output_is_picked_by_name(tmp_path):
    path = write_onnx(tmp_path / "net.onnx", outputs=2)
    path.with_suffix(".toml").write_text(TOML + '[output]\nname = "points"\n')
    assert load_predictor(f"onnx:{path}").predict(
        Batch(["a"], [image()], np.array([[20.0, 20, 60, 60]]))
    ).shape == (1, 98, 2)
    path.with_suffix(".toml").write_text(TOML + '[output]\nname = "pionts"\n')
    with pytest.raises(
        InputError, match=r"is 'pionts'; accepted: points \(n, 196\), means \(n, 3\)"
    ):
        load_predictor(f"onnx:{path}")


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        (None, "no settings: there is no .*net.toml"),
        ("markup = ", "not TOML"),
        (TOML.replace("size = 16", ""), "key crop.size: is missing"),
        (
            TOML.replace("scale = 1.2", "sclae = 1.2"),
            "key 'crop.sclae': unknown.*Did you mean 'crop.scale'",
        ),
        (TOML.replace('"wflw98"', '"wflw"'), "key markup 'wflw': unknown.*Did you mean 'wflw98'"),
        (
            TOML.replace('"rgb"', '"gbr"'),
            "key input.colour: Input should be 'rgb', 'bgr' or 'grey'",
        ),
        (TOML + "mean = [0.1, 0.2]", "key input.mean: Input should have 1 or 3 values"),
        (TOML.replace("rgb", "grey") + "std = [1.0, 1.0, 1.0]", "key input.std: .* 1 or 1 values"),
        (TOML + "std = [0.0]", "key input.std: Input should not be 0"),
        (TOML + "mean = [123.7, 117, 104]", r"mean: Input should be of values \* scale"),
        (TOML + "scale = inf", "key input.scale: Input should be a finite number"),
        (TOML.replace("size = 16", "size = 24"), r"takes input .* Set crop.size = 16"),
        (
            TOML + '[output]\ndecoder = "soft-argmax"',
            "key output.decoder: Input should be centre-of-mass, .*local-soft-argmax is another",
        ),
        (TOML + "[output]\nwindow = 4", "key output.window: Input should be odd, found 4"),
        (TOML + "[output]\nsigma = 0", "key output.sigma: Input should be greater than 0"),
    ],
)
def test_bad_onnx_settings_are_named(tmp_path, toml, message):
    path = write_onnx(tmp_path / "net.onnx")
    if toml is None:
        path.with_suffix(".toml").unlink()
    else:
        path.with_suffix(".toml").write_text(toml)
    with pytest.raises(InputError, match=message):
        load_predictor(f"onnx:{path}").predict(
            Batch(["a"], [image()], np.array([[20.0, 20, 60, 60]]))
        )


def test_a_file_that_is_no_onnx_model_is_refused(tmp_path):
    path = tmp_path / "net.onnx"
    path.write_bytes(b"nothing")
    path.with_suffix(".toml").write_text(TOML)
    with pytest.raises(InputError, match="not a usable ONNX model"):
        load_predictor(f"onnx:{path}")
    with pytest.raises(InputError, match="no such ONNX file"):
        load_predictor("onnx:nowhere.onnx")


# --- users' own -------------------------------------------------------------------------------

MODULE = '''
import numpy as np
import torch
from alignbench import Predictor

def centre(images, boxes):
    """Every landmark in the middle of the box."""
    return np.repeat((boxes[:, None, :2] + boxes[:, None, 2:]) / 2, 98, axis=1)

def factory():
    return centre

class Network(torch.nn.Module):
    def forward(self, boxes):
        return (boxes[:, None, :2] + boxes[:, None, 2:]).expand(-1, 98, -1) / 2

class Mine(Predictor):
    name = "mine"
    def __init__(self, weights):
        self.network = Network().double()
        self.weights = weights
    def predict(self, batch):
        with torch.inference_mode():
            return self.network(torch.from_numpy(batch.boxes)).numpy()
    def describe(self):
        return {"source": "mine", "weights": self.weights.name}

def broken():
    return 7

def failing():
    raise OSError("no GPU")

def other_names(pictures, rectangles):
    return None
'''


@pytest.fixture
def own_module(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path.copy())
    (tmp_path / "own_model.py").write_text(MODULE)
    yield tmp_path
    sys.modules.pop("own_model", None)


def test_a_function_a_factory_and_a_class_are_all_models(own_module):
    dataset = make_dataset(5)
    centre = (dataset.boxes[:, None, :2] + dataset.boxes[:, None, 2:]) / 2
    (own_module / "w.bin").write_bytes(b"1")
    for name, weights in (("centre", None), ("factory", None), ("Mine", own_module / "w.bin")):
        run = evaluate(load_predictor(f"own_model:{name}", weights), dataset)
        np.testing.assert_allclose(run.points, np.repeat(centre, 98, axis=1))
        assert run.record.protocol.boxes == "rect"
        assert run.record.protocol.leak == "ground-truth box"


def test_what_is_no_model_says_what_is(own_module):
    with pytest.raises(
        InputError, match=r"gave a int; accepted: an alignbench.Predictor, or a function"
    ):
        load_predictor("own_model:broken")
    with pytest.raises(
        InputError, match=r"has no callable 'center': unknown.*Did you mean 'centre'"
    ):
        load_predictor("own_model:center")
    with pytest.raises(InputError, match="takes pictures, rectangles; accepted: a function of"):
        load_predictor("own_model:other_names")
    with pytest.raises(InputError, match="there is no module 'own_modle'"):
        load_predictor("own_modle:centre")
    with pytest.raises(InputError, match="needs its weights; accepted: --weights FILE"):
        load_predictor("own_model:Mine")
    with pytest.raises(InputError, match="no such file of weights"):
        load_predictor("own_model:Mine", "nowhere.bin")
    (own_module / "w.bin").write_bytes(b"1")
    with pytest.raises(InputError, match=r"takes no weights. Leave out --weights"):
        load_predictor("own_model:centre", own_module / "w.bin")
    with pytest.raises(InputError, match=r"raised OSError: no GPU .*own_model.py, line \d+"):
        load_predictor("own_model:failing")


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("def f(:\n", "raised SyntaxError"),
        ("import no_such_package", "raised ModuleNotFoundError: No module named 'no_such_package'"),
        ("1 / 0", r"raised ZeroDivisionError: division by zero .*faulty_model.py, line 1"),
    ],
)
def test_a_module_that_fails_says_where(own_module, code, message):
    (own_module / "faulty_model.py").write_text(code)
    sys.modules.pop("faulty_model", None)
    with pytest.raises(InputError, match=message):
        load_predictor("faulty_model:f")


def test_things_that_are_no_models(own_module):
    with pytest.raises(InputError, match="model 'math:hypot'"):
        load_predictor("math:hypot")
    with pytest.raises(InputError, match="model 'sys:intern'"):
        load_predictor("sys:intern")


def test_a_users_folder_does_not_hide_a_package(own_module):
    (own_module / "reports").mkdir()
    (own_module / "reports" / "__init__.py").write_text("raise RuntimeError")
    run = evaluate(load_predictor("own_model:centre"), make_dataset(2), out=own_module / "run")
    assert (run.folder / "ced.svg").exists()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("dilb", "model 'dilb': unknown.*Did you mean 'dlib'"),
        ("lineer", "Did you mean 'linear'"),
        ("saved", "needs its argument; accepted: saved:FILE"),
        ("saved:nowhere.npz", "no such file or folder"),
        ("linear:x", "takes no argument"),
        ("", "model '': unknown"),
    ],
)
def test_unknown_models_offer_what_there_is(name, message):
    with pytest.raises(InputError, match=message):
        load_predictor(name)


def test_a_shadowed_plug_in_says_what_shadows_it(monkeypatch):
    entry = EntryPoint("mine", "json.nothing:load", plugins.PREDICTORS)
    monkeypatch.setattr(plugins, "entry_points", lambda group: {"mine": entry})
    with pytest.raises(InputError, match=r"import name 'json' is taken by .*json.*hides it"):
        load_predictor("mine")


# --- detectors and dlib -----------------------------------------------------------------------


class Detecting(Predictor):
    """Finds a fixed list of boxes in every image, and puts all landmarks at the chosen one."""

    name = "detecting"
    markup = WFLW98
    boxes = "detector"

    def __init__(self, found):
        self.found = np.array(found, dtype=np.float64).reshape(-1, 4)

    def detect(self, image):
        return self.found

    def predict(self, batch):
        return np.repeat(batch.boxes[:, None, :2], 98, axis=1)

    def describe(self):
        return {"source": "detecting", "found": self.found.tolist()}


def test_of_several_detections_the_one_on_the_face_is_taken():
    dataset = make_dataset(3)
    found = [[400, 400, 500, 500], [25, 25, 110, 110], [0, 0, 30, 30]]
    run = evaluate(Detecting(found), dataset)
    assert (run.points == 25).all()
    assert run.record.protocol.leak == "none"
    assert run.record.missed == 0
    scaled = evaluate(Detecting([[20, 20, 120, 120]]), dataset, box_scale=1.2)
    assert np.allclose(scaled.points, 10)


def test_a_detection_elsewhere_is_a_missed_face():
    dataset = make_dataset(4)
    dataset = replace(dataset, boxes=dataset.boxes + np.array([[0, 0, 0, 0]] * 3 + [[500] * 4]))
    run = evaluate(Detecting([[20, 20, 120, 120]]), dataset)
    assert run.record.missed == 1
    assert run.ids == dataset.ids[:3]
    for boxes in ([], [[0, 0, 45, 60]]):  # the second barely touches the faces
        with pytest.raises(InputError, match="gave no landmarks for any of 4 faces"):
            evaluate(Detecting(boxes), dataset)


@pytest.mark.parametrize(
    ("boxes", "message"),
    [
        (np.zeros((2, 3)), "gave shape"),
        (np.zeros(4), "gave shape"),
        ([[np.nan] * 4, [0, 0, 150, 150]], "gave a box that is not finite"),
        ([[0, 0, np.inf, 9], [0, 0, 150, 150]], "gave a box that is not finite"),
    ],
)
def test_a_detector_that_gives_no_boxes_is_refused(boxes, message):
    model = Detecting([])
    model.detect = lambda image: boxes
    with pytest.raises(InputError, match=f"its detector: {message}"):
        evaluate(model, make_dataset(2))


def test_dlib_takes_a_given_box():
    dataset = replace(make_dataset(2, IBUG68), images=ArrayImages([image(), image(1)]))
    predictor = load_predictor("dlib")
    assert predictor.has_detector
    assert predictor.detect(image()).shape == (0, 4)
    run = evaluate(predictor, dataset, boxes="rect")
    assert run.points.shape == (2, 68, 2)
    (note,) = run.record.model.notes
    assert note.startswith("Weights: non-commercial; trained on iBUG's")
    seen = evaluate(predictor, replace(dataset, name="300w", split="test"), boxes="rect")
    assert "training error" in seen.record.model.notes[-1]


@pytest.mark.parametrize(
    ("model", "remedy"),
    [
        ("mymodel.py:centre", "Give mymodel:centre"),
        ("./mymodel.py:centre", "Give mymodel:centre"),
        ("nets\\mymodel.py", "Give nets.mymodel:FUNCTION"),
        ("nets/mymodel:centre", "Give nets.mymodel:centre"),
        ("mymodel", "Give mymodel:FUNCTION"),
        ("a.onnx", "Give onnx:a.onnx."),
        ("a.csv", "Give saved:a.csv."),
        ("DLIB", "Did you mean 'dlib'"),
    ],
)
def test_a_model_that_is_nearly_named_gets_a_suggestion(tmp_path, monkeypatch, model, remedy):
    monkeypatch.chdir(tmp_path)
    for name in ("mymodel.py", "a.onnx", "a.csv"):
        (tmp_path / name).write_text("")
    with pytest.raises(InputError, match=re.escape(remedy)):
        load_predictor(model)


@pytest.mark.parametrize(
    ("name", "remedy"),
    [("WFLW", "Did you mean 'wflw'?"), ("faces", "Give pts:faces."), ("t.csv", "Give csv:t.csv.")],
)
def test_a_data_set_that_is_nearly_named_gets_a_suggestion(tmp_path, monkeypatch, name, remedy):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "faces").mkdir()
    (tmp_path / "faces" / "1.pts").write_text(pts_text(points(1, 68)[0]))
    (tmp_path / "t.csv").write_text("id,x0,y0\n")
    with pytest.raises(InputError, match=re.escape(remedy)):
        load_dataset(name)
