"""ONNX files: every layout of input and output that people export, on both back ends."""

from __future__ import annotations

import tomllib

import numpy as np
import onnx
import pytest
from doubles import make_dataset
from layouts import image
from onnx import TensorProto, helper, numpy_helper

from alignbench import InputError, evaluate, load_predictor
from alignbench.backends.onnx_model import read_onnx
from alignbench.geometry import square_crops
from alignbench.heatmaps import decode
from alignbench.io.images import ArrayImages
from alignbench.io.models import toml_text
from alignbench.markups import IBUG68, load_markup
from alignbench.predictors.base import Batch
from alignbench.predictors.settings import read_settings

SIDE = 16
FRACTIONS = np.random.default_rng(0).uniform(0.1, 0.9, (68, 2)).astype(np.float32)
DEPTHS = np.column_stack([FRACTIONS, np.full(68, 7)]).astype(np.float32)
BOXES = np.array([[20.0, 20, 60, 60], [10, 30, 40, 50], [5, 5, 50, 70]])
CROPS = square_crops(BOXES, 1.2)
LANDMARKS = CROPS[:, None, :2] + FRACTIONS * CROPS[:, None, 2:]
BACKENDS = ["onnxruntime", "openvino"]


def write_toml(path, output="", colours="", markup="ibug68", size=SIDE):
    path.with_suffix(".toml").write_text(
        f'markup = "{markup}"\n[crop]\nscale = 1.2\nsize = {size}\n[input]\n{colours}\n'
        f"[output]\n{output}\n"
    )


def write_network(
    path,
    *outputs,
    sides=(3, SIDE, SIDE),
    batch="N",
    kind=TensorProto.FLOAT,
    pick=None,
    declare=True,
    **settings,
):
    """A network with constant outputs for every face, or with the means of its colours times pick.

    ``pick`` is (axes of the mean, matrix from channels to numbers).
    """
    values = [np.asarray(output, np.float32) for output in outputs]
    nodes = [helper.make_node("Cast", ["input"], ["pixels"], to=TensorProto.FLOAT)]
    constants = {}
    if pick is None:
        axes = [1, 2, 3]
        nodes += [
            helper.make_node("ReduceMean", ["pixels"], ["mean"], axes=axes, keepdims=1),
            helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
        ]
        constants["zero"] = np.zeros(1, np.float32)
        for k, value in enumerate(values):
            constants[f"value{k}"] = value[None]
            constants[f"rank{k}"] = np.array([-1] + [1] * value.ndim, np.int64)
            nodes += [
                helper.make_node("Reshape", ["nothing", f"rank{k}"], [f"flat{k}"]),
                helper.make_node("Add", [f"flat{k}", f"value{k}"], [f"sum{k}"]),
                helper.make_node("Cast", [f"sum{k}"], [f"out{k}"], to=_output_type(kind)),
            ]
    else:
        axes, constants["matrix"] = pick
        values = [constants["matrix"][0]]
        nodes += [
            helper.make_node("ReduceMean", ["pixels"], ["mean"], axes=axes, keepdims=0),
            helper.make_node("MatMul", ["mean", "matrix"], ["sum"]),
            helper.make_node("Cast", ["sum"], ["out0"], to=_output_type(kind)),
        ]
    shapes = [[batch, *value.shape] if declare else None for value in values]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("input", kind, [batch, *sides])],
        [
            helper.make_tensor_value_info(f"out{k}", _output_type(kind), shape)
            for k, shape in enumerate(shapes)
        ],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, path)
    write_toml(path, **settings)
    return path


def _output_type(kind):
    return TensorProto.FLOAT if kind == TensorProto.UINT8 else kind


def predict(path, backend="onnxruntime"):
    predictor = load_predictor(f"onnx:{path}", backend=backend)
    return predictor.predict(Batch("abc", [image()] * 3, BOXES))


# --- points -------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("points", "settings"),
    [
        (FRACTIONS, ""),
        (FRACTIONS.ravel(), ""),
        (FRACTIONS.reshape(136, 1, 1), ""),
        (FRACTIONS.reshape(1, 68, 2), ""),
        (FRACTIONS.T, ""),
        (FRACTIONS.T.ravel(), 'order = "x-then-y"'),
        (FRACTIONS, 'order = "x-then-y"'),
        (2 * FRACTIONS - 1, 'unit = "signed"'),
        (SIDE * FRACTIONS, 'unit = "pixel"'),
        (DEPTHS, "coordinates = 3"),
        (DEPTHS.T, "coordinates = 3"),
        (DEPTHS.ravel(), "coordinates = 3"),
        (SIDE * DEPTHS.T.ravel(), 'coordinates = 3\norder = "x-then-y"\nunit = "pixel"'),
    ],
)
def test_points_of_every_shape_and_unit_are_read(tmp_path, points, settings, backend):
    path = write_network(tmp_path / "net.onnx", points, output=settings)
    np.testing.assert_allclose(predict(path, backend=backend), LANDMARKS, atol=1e-3)


def test_pixels_of_a_window_are_mirrored_as_fractions_are(tmp_path):
    """The network says the same for the mirrored window: its mean is symmetric."""
    (tmp_path / "a").mkdir()
    results = []
    for points, unit in ((FRACTIONS, "fraction"), (SIDE * FRACTIONS, "pixel")):
        path = write_network(tmp_path / "a" / "net.onnx", points, output=f'unit = "{unit}"')
        predictor = load_predictor(f"onnx:{path}", flip_test=True)
        results.append(predictor.predict(Batch(["a"], [image()], BOXES[:1])))
    np.testing.assert_allclose(results[0], results[1], atol=1e-3)
    assert not np.allclose(results[0], LANDMARKS[:1], atol=1)


@pytest.mark.parametrize(
    ("values", "settings", "message"),
    [
        (DEPTHS, "", r"gave shape \(3, 68, 3\); .*set output.coordinates = 3"),
        (np.zeros(14), "", r"It has 7 points, and no registered mark-up has as many landmarks"),
        (np.zeros(196), "", r'It has 98 points: set markup = "wflw98"'),
        (np.zeros((68, 4, 4)), "", r'set output.kind = "heatmaps"'),
        (np.zeros(136), 'kind = "heatmaps"', r'set output.kind = "points"'),
        (np.zeros((4, 4, 68)), 'kind = "heatmaps"', r'set output.layout = "nhwc"'),
        (np.zeros((29, 4, 4)), 'kind = "heatmaps"', r'It has 29 maps: set markup = "cofw29"'),
        (np.zeros((98, 4, 4)), 'kind = "heatmaps"', r'It has 98 maps: set markup = "wflw98"'),
        (np.zeros((68, 4, 6)), 'kind = "heatmaps"', r"accepted: \(B, 68, H, H\) heatmaps"),
    ],
)
def test_an_output_of_another_shape_is_refused_with_a_remedy(tmp_path, values, settings, message):
    path = write_network(tmp_path / "net.onnx", values, output=settings)
    with pytest.raises(InputError, match=message):
        predict(path)


# --- heatmaps -----------------------------------------------------------------------------------


def maps():
    """Maps (68, 8, 8), one pixel of which is 1, and the landmarks (3, 68, 2) they stand for."""
    peaks = np.random.default_rng(1).integers(1, 7, (68, 2))
    heat = np.zeros((68, 8, 8), np.float32)
    heat[np.arange(68), peaks[:, 1], peaks[:, 0]] = 1
    return heat, CROPS[:, None, :2] + (peaks + 0.5) / 8 * CROPS[:, None, 2:] - 0.5


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("arrange", "layout"),
    [
        (lambda heat: heat, "nchw"),
        (lambda heat: np.concatenate([heat, 5 * heat[:3]]), "nchw"),
        (lambda heat: heat.transpose(1, 2, 0), "nhwc"),
        (lambda heat: np.stack([heat[::-1], heat]), "nchw"),
        (lambda heat: np.stack([heat[::-1], heat]).transpose(0, 2, 3, 1), "nhwc"),
    ],
    ids=["maps", "more-maps", "last-axis", "stacks", "stacks-last-axis"],
)
def test_heatmaps_of_every_layout_are_read(tmp_path, arrange, layout, backend):
    heat, landmarks = maps()
    settings = f'kind = "heatmaps"\ndecoder = "argmax"\nlayout = "{layout}"'
    path = write_network(tmp_path / "net.onnx", arrange(heat), output=settings)
    np.testing.assert_allclose(predict(path, backend=backend), landmarks, atol=1e-4)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    "settings",
    [
        {"decoder": "dark", "sigma": 1.2},
        {"decoder": "local-soft-argmax", "window": 5, "temperature": 0.3},
        {"decoder": "centre-of-mass"},
    ],
    ids=lambda settings: settings["decoder"],
)
def test_a_decoder_and_its_parameters_are_read(tmp_path, settings, backend):
    heat = np.random.default_rng(2).random((68, 8, 8), dtype=np.float32)
    text = toml_text({"kind": "heatmaps", **settings})
    path = write_network(tmp_path / "net.onnx", heat, output=text)
    wanted = (decode(heat[None], **settings) + 0.5) / 8 * CROPS[:, None, 2:] + CROPS[:, None, :2]
    np.testing.assert_allclose(predict(path, backend=backend), wanted - 0.5, atol=1e-4)


# --- not finite ---------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("kind", ["points", "heatmaps"])
def test_a_face_whose_output_is_not_finite_is_missed(tmp_path, kind, value):
    output = FRACTIONS if kind == "points" else maps()[0]
    path = write_network(tmp_path / "net.onnx", output, output=f'kind = "{kind}"')
    predictor = load_predictor(f"onnx:{path}")
    network = predictor._network

    def broken(pixels):
        values = network(pixels)
        values[1, 3] = value
        return values

    predictor._network = broken
    points = predictor.predict(Batch("abc", [image()] * 3, BOXES))
    assert np.isnan(points).all(axis=(1, 2)).tolist() == [False, True, False]
    assert np.isfinite(points[[0, 2]]).all()


def test_a_network_that_says_nothing_of_any_face_is_refused(tmp_path):
    path = write_network(tmp_path / "net.onnx", np.full(136, np.nan))
    with pytest.raises(InputError, match=r"no landmarks for any of 4 faces.* is not finite"):
        evaluate(load_predictor(f"onnx:{path}"), make_dataset(4, IBUG68, images=_pictures(4)))


def _pictures(number):
    return ArrayImages([image(k) for k in range(number)])


# --- inputs -------------------------------------------------------------------------------------

PICK = np.zeros((3, 136), np.float32)
PICK[0, 0::2] = PICK[1, 1::2] = 1


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("kind", [TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.UINT8])
@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize("batch", ["N", 2])
def test_inputs_of_every_layout_and_type_are_fed(tmp_path, layout, kind, batch, backend):
    is_bytes = kind == TensorProto.UINT8
    path = write_network(
        tmp_path / "net.onnx",
        pick=([2, 3] if layout == "nchw" else [1, 2], PICK / 255 if is_bytes else PICK),
        sides=(3, SIDE, SIDE) if layout == "nchw" else (SIDE, SIDE, 3),
        kind=kind,
        batch=batch,
        colours=f'layout = "{layout}"\n' + "scale = 1" * is_bytes,
    )
    colours = np.array([(255, 0, 51), (0, 255, 51), (51, 102, 204)])
    pictures = [np.full((90, 90, 3), colour, np.uint8) for colour in colours]
    boxes = BOXES[[0, 0, 0]]  # whose windows lie inside of the pictures
    crops = square_crops(boxes, 1.2)
    points = load_predictor(f"onnx:{path}", backend=backend).predict(Batch("abc", pictures, boxes))
    landmarks = crops[:, :2] + colours[:, :2] / 255 * crops[:, 2:]
    np.testing.assert_allclose(points[:, 5], landmarks, atol=0.05)


@pytest.mark.parametrize(
    ("network", "settings", "message"),
    [
        ({"sides": (SIDE, SIDE, 3)}, {}, 'Set input.layout = "nhwc"'),
        ({}, {"colours": 'layout = "nhwc"'}, 'Set input.layout = "nchw"'),
        ({}, {"colours": 'colour = "grey"'}, 'Set input.colour = "rgb", or "bgr"'),
        ({"sides": (1, SIDE, SIDE)}, {}, 'Set input.colour = "grey"'),
        ({}, {"size": 24}, r"takes input \(N, 3, 16, 16\), but .* Set crop.size = 16"),
        ({"sides": (3, 16, 12)}, {}, "Export the network for batches of square images"),
        ({"sides": (3, 256)}, {}, "Export the network for batches of square images"),
        ({"kind": TensorProto.UINT8}, {}, "takes bytes .*accepted: input.scale = 1"),
        ({"kind": TensorProto.INT64}, {}, "is of type INT64; accepted: FLOAT, FLOAT16"),
    ],
)
def test_an_input_that_does_not_fit_the_settings_is_refused(tmp_path, network, settings, message):
    path = write_network(tmp_path / "net.onnx", FRACTIONS, **network, **settings)
    with pytest.raises(InputError, match=message):
        load_predictor(f"onnx:{path}")


def test_an_input_of_free_sides_is_fed(tmp_path):
    path = write_network(tmp_path / "net.onnx", FRACTIONS, sides=(3, "H", "W"))
    np.testing.assert_allclose(predict(path), LANDMARKS, atol=1e-3)


def test_a_size_that_the_network_refuses_when_it_is_called_is_named(tmp_path):
    path = write_network(tmp_path / "net.onnx", FRACTIONS, sides=(3, "H", "W"), size=24)
    model = onnx.load(path)
    model.graph.initializer.append(numpy_helper.from_array(np.array([-1, 768]), "row"))
    model.graph.node.append(helper.make_node("Reshape", ["pixels", "row"], ["rows"]))
    model.graph.output.append(helper.make_tensor_value_info("rows", TensorProto.FLOAT, ["M", 768]))
    onnx.save(model, path)
    write_toml(path, 'name = "rows"', size=24)
    for backend in BACKENDS:
        with pytest.raises(InputError, match=r"refused a batch of shape .*Check crop.size"):
            predict(path, backend)


def test_several_inputs_are_listed(tmp_path):
    path = write_network(tmp_path / "net.onnx", FRACTIONS)
    model = onnx.load(path)
    model.graph.input.append(helper.make_tensor_value_info("size", TensorProto.FLOAT, [1]))
    onnx.save(model, path)
    with pytest.raises(InputError, match=r"2 inputs: input \(N, 3, 16, 16\), size \(1\)"):
        load_predictor(f"onnx:{path}")


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_output_is_picked_by_name_or_listed_with_the_others(tmp_path, backend):
    path = write_network(tmp_path / "net.onnx", np.zeros(68), FRACTIONS, output='name = "out1"')
    np.testing.assert_allclose(predict(path, backend=backend), LANDMARKS, atol=1e-3)
    write_toml(path)
    with pytest.raises(InputError, match=r"out0 \(N, 68\), out1 \(N, 68, 2\)\. Name the output"):
        predict(path)


# --- no settings --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "sides", "settings"),
    [
        ([FRACTIONS], (3, SIDE, SIDE), {}),
        ([np.zeros(196)], (3, SIDE, SIDE), {"markup": "wflw98"}),
        (
            [np.zeros(68), FRACTIONS],
            (SIDE, SIDE, 3),
            {"output.name": "out1", "input.layout": "nhwc"},
        ),
        ([np.zeros((29, 4, 4))], (1, 64, 64), {"markup": "cofw29", "output.kind": "heatmaps"}),
        ([np.zeros((4, 4, 68))], (3, "H", "W"), {"crop.size": 112, "output.layout": "nhwc"}),
        ([DEPTHS], (3, SIDE, SIDE), {"output.coordinates": 3}),
    ],
)
def test_a_model_without_settings_gets_some_that_fit(tmp_path, values, sides, settings):
    path = write_network(tmp_path / "net.onnx", *values, sides=sides)
    path.with_suffix(".toml").unlink()
    with pytest.raises(
        InputError, match=r"no settings: there is no .*net.toml.* Write net.toml"
    ) as e:
        load_predictor(f"onnx:{path}")
    path.with_suffix(".toml").write_text(str(e.value).partition("\n\n")[2])
    written = read_settings(path.with_suffix(".toml"))
    for key, value in settings.items():
        table, _, name = key.rpartition(".")
        assert getattr(getattr(written, table) if table else written, name) == value
    assert predict(path).shape == (3, load_markup(written.markup).landmarks, 2)


def test_what_a_model_does_not_tell_is_marked(tmp_path):
    path = write_network(tmp_path / "net.onnx", np.zeros(10), declare=False)
    path.with_suffix(".toml").unlink()
    with pytest.raises(InputError, match="the model does not tell") as e:
        load_predictor(f"onnx:{path}")
    assert tomllib.loads(str(e.value).partition("\n\n")[2])["crop"]["size"] == SIDE


# --- weights in a second file -------------------------------------------------------------------


def split(path, location="weights/net.data"):
    """Move the weights of a model into a second file."""
    (path.parent / location).parent.mkdir(exist_ok=True)
    onnx.save(
        onnx.load(path), path, save_as_external_data=True, location=location, size_threshold=0
    )
    return path.parent / location


def describe_entries(path, **entries):
    """Let every weight of a split model say other things of its place."""
    model = onnx.load(path, load_external_data=False)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            entry.value = str(entries.get(entry.key, entry.value))
    path.write_bytes(model.SerializeToString())


@pytest.mark.parametrize("backend", BACKENDS)
def test_weights_in_a_second_file_are_read_and_identify_the_model(tmp_path, monkeypatch, backend):
    path = write_network(tmp_path / "net.onnx", FRACTIONS)
    assert "more_weights_sha256" not in load_predictor(f"onnx:{path}").describe()
    weights = split(path)
    monkeypatch.chdir(tmp_path.parent)
    np.testing.assert_allclose(predict(path, backend=backend), LANDMARKS, atol=1e-3)
    described = load_predictor(f"onnx:{path}", backend=backend).describe()
    assert list(described["more_weights_sha256"]) == ["weights/net.data"]
    content = bytearray(weights.read_bytes())
    content[content.index(FRACTIONS.tobytes())] ^= 1
    weights.write_bytes(content)
    changed = load_predictor(f"onnx:{path}", backend=backend).describe()
    assert changed["weights_sha256"] == described["weights_sha256"]
    assert changed["more_weights_sha256"] != described["more_weights_sha256"]
    weights.unlink()
    with pytest.raises(
        InputError, match=r"keeps weights in 'weights/net.data', which is not there"
    ):
        load_predictor(f"onnx:{path}")


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"location": "../net.data"}, r"lie in '../net.data'; accepted: a file in the folder"),
        ({"location": "/etc/passwd"}, r"lie in '/etc/passwd'"),
        ({"location": "a\\b"}, r"lie in 'a\\\\b'"),
        ({"location": ""}, r"lie in ''"),
        ({"location": "."}, r"cannot be read"),
        ({"location": "pipe"}, r"is no regular file"),
        ({"offset": 10**6}, r"end at byte 1,000,[0-9]+ of a file of [0-9,]+ bytes"),
        ({"offset": -4}, r"have offset '-4'"),
        ({"length": "9" * 50}, r"accepted: whole numbers"),
        ({"length": 10**12}, r"end at byte 1,000,000,000,[0-9]+ of a file"),
    ],
)
def test_a_hostile_place_of_weights_is_refused(tmp_path, entries, message):
    import os

    path = write_network(tmp_path / "net.onnx", FRACTIONS)
    split(path)
    os.mkfifo(tmp_path / "pipe")
    describe_entries(path, **entries)
    with pytest.raises(InputError, match=message):
        read_onnx(path)


def test_weights_that_share_bytes_take_no_more_memory_than_a_model_may(tmp_path, monkeypatch):
    from alignbench.backends import onnx_model

    path = write_network(tmp_path / "net.onnx", np.zeros((100, 100)))
    split(path)
    describe_entries(path, offset=0, length=40_000)
    monkeypatch.setattr(onnx_model, "_MOST_BYTES", 50_000)
    with pytest.raises(InputError, match="more than 50,000 bytes of weights"):
        read_onnx(path)
    monkeypatch.setattr(onnx_model, "_MOST_BYTES", 30_000)
    with pytest.raises(InputError, match="bytes; accepted: at most 30,000"):
        read_onnx(path)


@pytest.mark.parametrize("content", [b"", b"nothing", b"\x08\x08"])
def test_what_is_no_onnx_model_is_refused(tmp_path, content):
    path = tmp_path / "net.onnx"
    path.write_bytes(content)
    with pytest.raises(InputError, match="not a usable ONNX model"):
        read_onnx(path)


def test_a_file_that_is_something_else_is_named(tmp_path):
    path = tmp_path / "net.onnx"
    path.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    with pytest.raises(InputError, match="a Git LFS pointer"):
        read_onnx(path)


def test_a_model_of_a_later_version_is_named_without_places_in_foreign_sources(tmp_path):
    import onnx

    path = write_network(tmp_path / "net.onnx", FRACTIONS)
    model = onnx.load(path)
    model.ir_version = 99
    onnx.save(model, path)
    with pytest.raises(InputError, match=r"model \(Unsupported model IR version: 99.*can run"):
        load_predictor(f"onnx:{path}")


def test_onnx_is_named_where_it_is_not_installed(tmp_path, monkeypatch):
    import sys

    path = write_network(tmp_path / "net.onnx", FRACTIONS)
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(InputError, match=r"'onnx': is not installed.*alignbench\[onnx\]"):
        load_predictor(f"onnx:{path}")


# --- identity -----------------------------------------------------------------------------------


def test_later_settings_leave_the_identity_of_earlier_models_as_it_was(tmp_path):
    path = write_network(tmp_path / "net.onnx", FRACTIONS)
    described = load_predictor(f"onnx:{path}").describe()
    assert described["preprocessing"] == {
        "markup": "ibug68",
        "crop": {
            "boxes": "rect", "scale": 1.2, "of": "longer", "rounding": "none", "size": 16,
            "border": 0,
        },
        "input": {
            "colour": "rgb", "standardise": False, "scale": 1 / 255, "mean": [0.0], "std": [1.0]
        },
        "output": {"kind": "points", "origin": None, "decoder": "quarter", "name": None},
    }  # fmt: skip
    assert described["notes"] == []
    write_toml(path, 'unit = "pixel"\ncoordinates = 3', 'layout = "nchw"')
    described = load_predictor(f"onnx:{path}").describe()
    output = described["preprocessing"]["output"]
    assert output.keys() == {"kind", "origin", "decoder", "name", "unit", "coordinates"}
    assert described["notes"] == ["The network's third number of each landmark is left out."]
