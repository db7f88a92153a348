"""What is fuzzed: every parser of what others wrote, its seeds and its mutation."""

from __future__ import annotations

import gzip
import io
import json
import random
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import mutate
import numpy as np
import onnx
import safetensors.numpy
import torch
from mutate import Mutation

sys.path.insert(0, str(Path(__file__).parents[1]))

import layouts
from doubles import Shifted, make_dataset

from alignbench import boxes, evaluate, load_run, parse_measure
from alignbench.backends import onnx_model
from alignbench.datasets import aflw19, aflw2000, cofw, cofw68, merl_rav, w300, wflw
from alignbench.datasets.description import read_described
from alignbench.datasets.files import Location, read_file
from alignbench.datasets.lapa import read_landmarks
from alignbench.formats import read_faces
from alignbench.io.images import read_image
from alignbench.io.pts import read_pts
from alignbench.predictors import onnx_settings
from alignbench.predictors.face_api_network import read_weights
from alignbench.predictors.fetch import read_members
from alignbench.predictors.settings import read_settings
from alignbench.runs.store import Folder
from alignbench.stats import Bootstrap
from alignbench.synthetic import source as synthetic
from baselines import checkpoints, linear, mean_shape, options
from baselines.propnet.network import PropNet
from baselines.training import folder as trainings
from baselines.training import recipe, study
from reports import labels
from reports.audit import reading
from reports.compare.gate import parse_gate
from reports.pages import leaderboard


@dataclass(frozen=True)
class Target:
    """A parser.

    Attributes
    ----------
    file
        Where, in a folder of its own, each input is written before it is read.
    read
        Reads the folder; may raise nothing but InputError.
    seeds
        Valid inputs to begin with; ``prepare`` puts what else belongs into the folder.
    mutation
        One that knows the format; of ten inputs, four are mutated as bytes all the same.
    runs
        Executions of a full run.
    """

    file: str
    read: Callable[[Path], object]
    seeds: Callable[[], Sequence[bytes]]
    mutation: Mutation
    runs: int
    prepare: Callable[[Path], object] = lambda folder: None


def file(
    name: str, reader: Callable[[Path], object], mutation: Mutation, runs: int, *seeds: bytes
) -> Target:
    """A parser of a single file."""
    return Target(name, lambda folder: reader(folder / name), lambda: seeds, mutation, runs)


def text(parser: Callable[[str], object], runs: int, *seeds: str) -> Target:
    """A parser of a text that is no file: an option of the command line, or a field."""

    def read(path: Path) -> object:
        return parser(path.read_bytes().decode("utf-8", "replace"))

    return file("text", read, mutate.fields, runs, *map(str.encode, seeds))


def layout(
    name: str,
    read: Callable[[Path], object],
    write: Callable[[Path], object],
    mutation: Mutation,
    runs: int,
) -> Target:
    """A parser of a folder, of which the input is one file; a writer makes the whole."""

    def seeds() -> list[bytes]:
        with tempfile.TemporaryDirectory() as folder:
            write(Path(folder))
            return [(Path(folder) / name).read_bytes()]

    return Target(name, read, seeds, mutation, runs, write)


def saved(write: Callable[[io.BytesIO], object]) -> bytes:
    """What a writer puts into a stream."""
    stream = io.BytesIO()
    write(stream)
    return stream.getvalue()


# --- data sets --------------------------------------------------------------------------------


def write_synthetic(folder: Path) -> None:
    layouts.write_wflw(folder, faces=2)
    (folder / synthetic.MANIFEST).write_text('{"faces": {"test": 2}}')
    flags = " ".join(["1"] * 98) + "\n"
    (folder / synthetic.VISIBLE.format(split="test")).write_text(2 * flags)


def write_cofw(folder: Path) -> None:
    pictures = [layouts.image(k, 9, 9) for k in range(2)]
    path = folder / "COFW_test_color.mat"
    layouts.write_cofw(path, layouts.points(2, 29), np.ones((2, 29), bool), pictures)


def write_cofw_v5(folder: Path) -> None:
    pictures = [layouts.image(k, 9, 9) for k in range(2)]
    path = folder / "COFW_test.mat"
    layouts.write_cofw_v5(path, layouts.points(2, 29), np.ones((2, 29), bool), pictures)


def write_aflw2000(folder: Path) -> None:
    layouts.write_aflw2000(folder / "image00002.mat", layouts.points(1, 68)[0], 40)


def write_ibug_boxes(folder: Path) -> None:
    faces = {f"{name}.jpg": np.array([1.0, 2, 3, 4]) for name in FACES.ids}
    layouts.write_ibug_boxes(folder / "bounding_boxes_x.mat", faces)


def read_ibug_boxes(folder: Path) -> object:
    return boxes.read_detections(folder / "bounding_boxes_x.mat", FACES, FACES)


def tgz(data: bytes, chance: random.Random) -> bytes:
    """A gzipped tar archive whose content is damaged."""
    return gzip.compress(mutate.damage(gzip.decompress(data), chance, 8), 1)


def package_tar() -> bytes:
    return saved(lambda stream: layouts.write_tgz(stream, PACKAGED))


def package_zip() -> bytes:
    return saved(lambda stream: layouts.write_wheel(stream, PACKAGED))


def read_package(path: Path) -> object:
    return read_members(path, PACKAGED)


PACKAGED = {"model/a.bin": bytes(9), "model/a.json": b"{}"}
TFJS = json.dumps(
    [
        {
            "weights": [
                {
                    "name": f"a/{name}",
                    "shape": shape,
                    "quantization": {"dtype": "uint8", "scale": 0.5, "min": -1.0},
                }
                for name, shape in (("filters", [1, 1, 2, 1]), ("bias", [2]), ("weights", [1, 2]))
            ]
        }
    ]
).encode()


def points106() -> bytes:
    return ("106\n" + "1.5 2\n" * 106).encode()


def write_cofw68(folder: Path) -> None:
    layouts.write_cofw68(folder, layouts.points(2, 68), np.zeros((2, 68), bool))


def read_wflw(folder: Path) -> object:
    dataset = wflw.read(folder, "test")
    dataset.images.available()
    return dataset.fingerprint()


def read_cofw(folder: Path) -> object:
    dataset = cofw.read(folder, "test")
    if dataset.images.available()[0]:
        dataset.images.read(0)
    return dataset.fingerprint()


def read_w300(path: Path) -> object:
    """The input's first line names the file, the others are its content."""
    name, _, content = path.read_bytes().partition(b"\n")
    name = name[:200].replace(b"/", b"").replace(b"\0", b"").strip(b". ") or b"a"
    place = path.parent / "ibug"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    (place / (name.decode("utf-8", "replace")[:50] + ".pts")).write_bytes(content)
    dataset = w300.read(path.parent, "test")
    dataset.images.available()
    return dataset.fingerprint()


def pictures() -> list[bytes]:
    picture = layouts.image(0, 12, 10)
    progressive = [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]
    colour = [(".png", []), (".jpg", []), (".bmp", []), (".jpg", progressive), (".webp", []),
              (".gif", []), (".tiff", []), (".ppm", [])]  # fmt: skip
    images = [(ending, picture, how) for ending, how in colour]
    images += [(ending, picture[..., 0].copy(), []) for ending in (".tiff", ".pgm", ".pbm")]
    return [cv2.imencode(*image)[1].tobytes() for image in images]


def pts() -> list[bytes]:
    return [layouts.pts_text(points).encode() for points in (POINTS[0], POINTS[0][:3])]


# --- predictions ------------------------------------------------------------------------------

POINTS = layouts.points(3, 68)
IDS = ("a/1", "a/2", "b,3")
FACES = make_dataset(3)


def csv() -> list[bytes]:
    header = ",".join(["id", *(f"{axis}{k}" for k in range(68) for axis in "xy")])
    rows = [",".join([n, *map(str, p.ravel())]) for n, p in zip(IDS, POINTS, strict=True)]
    return ["\n".join([header, *rows]).encode(), b"id,x0,y0\na,1,2\n"]


def cofw68_text() -> list[bytes]:
    rows = [
        f"{k}\n{' '.join(map(str, p[:, 0]))}\n{' '.join(map(str, p[:, 1]))}\n{'0 ' * 68}"
        for k, p in enumerate(POINTS)
    ]
    return ["\n".join(rows).encode(), b"1\n1 2\n3 4\n0 0\n"]


def spiga() -> bytes:
    pairs = zip(IDS, POINTS, strict=True)
    return json.dumps([{"imgpath": n, "landmarks": p[:5].tolist()} for n, p in pairs]).encode()


def read_own(form: str) -> Callable[[Path], object]:
    """A reader of a landmark file as the truth of a data set: what it refuses has a message."""

    def read(path: Path) -> object:
        location = Location(form, path)
        dataset = read_file(location, "own", "test")
        dataset.check()
        return dataset.fingerprint(), dataset.images.available()

    return read


COCO = json.dumps(
    {
        "images": [{"id": k, "file_name": f"a/{k}.jpg"} for k in range(2)],
        "annotations": [
            {"id": k, "image_id": k, "bbox": [1, 2, 30, 40], "keypoints": [5, 6, k, 7, 8, 2]}
            for k in range(2)
        ],
    }
).encode()
RESULTS = b'[{"image_id": 3, "keypoints": [1, 2, 0.5, 3, 4, 0.25], "score": 0.5}]'
LJSON = b'{"version": 2, "landmarks": {"points": [[1, 2], [3, 4], [null, null]]}}'
LJSON3 = b'{"version": 3, "groups": {"PTS": {"landmarks": {"points": [[1, 2], [3, 4]]}}}}'
MMPOSE = b'[{"keypoints": [[1, 2], [3, 4]], "keypoint_scores": [1, 1], "bbox_score": 0.5}]'
NAMED = (b'{"a/1.jpg": [[1, 2], [3, 4]], "2": [[5, 6], [7, 8]]}',
         b'{"predictions": {"1": [[1, 2, 3]]}, "model": "m"}')  # fmt: skip
IMGLAB = b"""<?xml version='1.0'?>
<dataset><images><image file='a.jpg'>
<box top='1' left='2' width='30' height='40'><part name='0' x='3' y='4'/>
<part name='1' x='5' y='6'/></box></image></images></dataset>
"""
TABLES = (
    b"image_name,scale,original_0_x,original_0_y,original_1_x,original_1_y\na.jpg,1,2,3,4,5\n",
    b"frame, face_id, confidence, x_0, x_1, y_0, y_1\n1, 0, 0.5, 2, 3, 4, 5\n",
    b"id;x0;y0;v0;x;y;w;h;old\na;1,5;2;1;1;2;3;4;0\nb;3;4;0;1;2;3;4;1\n",
)
LISTS = (
    b"1 2 3 4 a/b.jpg\n5 6 7 8 c.jpg\n",
    b"a.jpg 0.1 0.2 0.3 0.4\n",
    b"1 2 3 4 0 0 9 9 a.jpg\n",
)
DESCRIPTION = b"""name = "my"
format = "csv"
origin = 1.0
threshold = 0.1
[splits.test]
path = "t.csv"
[splits.test.faces]
full = 1
[splits.test.subsets.a]
pattern = "a*"
"""


def write_table(folder: Path) -> None:
    (folder / "t.csv").write_bytes(b"id,x0,y0,x1,y1\na,1,2,3,4\n")


def saved_npy() -> bytes:
    return saved(lambda stream: np.save(stream, POINTS))


# --- models -----------------------------------------------------------------------------------

SETTINGS = b"""markup = "wflw98"
notes = ["a"]
[crop]
size = 64
scale = 1.25
boxes = "tight"
of = "mean"
[input]
colour = "bgr"
mean = [0.1, 0.2, 0.3]
layout = "nhwc"
[output]
kind = "heatmaps"
decoder = "parabola"
unit = "pixel"
coordinates = 3
"""
RECIPE = b"""model = "propnet"
dataset = "wflw"
epochs = 3
[network]
stacks = 1
[crop]
size = 64
[optimiser]
milestones = [0.5, 0.9]
[initial]
weights = "a.safetensors"
anew = ["b"]
"""
STUDY = b"""recipe = "propnet/wflw"
seeds = 1
common = ["epochs=1"]
[variants]
plain = []
".." = ["network.stacks=1"]
"""
TRAINING = b'{"schema": 1, "recipe": {"a": 1, "b": {"c": [2]}}, "data": {}}'


def weights() -> bytes:
    settings = '{"markup": "wflw98", "crop": {"size": 64}}'
    header = {"model": "propnet", "options": '{"stacks": 1}', "settings": settings}
    tensors = {"a": np.ones((2, 3), np.float32), "b": np.ones(2, np.int64)}
    return safetensors.numpy.save(tensors, header)


def onnx_models() -> list[bytes]:
    """A network with its weights, and one that keeps them in a second file."""
    nodes = [
        onnx.helper.make_node("ReduceMean", ["in"], ["mean"], axes=[1, 2], keepdims=0),
        onnx.helper.make_node("MatMul", ["mean", "w"], ["out"]),
    ]
    ports = {"in": ["N", 64, 64, 3], "out": ["N", 136]}
    inputs, outputs = (
        [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)]
        for name, shape in ports.items()
    )
    tensor = onnx.numpy_helper.from_array(np.ones((3, 136), np.float32), "w")
    model = onnx.helper.make_model(onnx.helper.make_graph(nodes, "g", inputs, outputs, [tensor]))
    whole = model.SerializeToString()
    tensor = model.graph.initializer[0]
    onnx.external_data_helper.set_external_data(tensor, "net.data", 0, len(tensor.raw_data))
    tensor.ClearField("raw_data")
    return [whole, model.SerializeToString()]


def read_onnx(path: Path) -> object:
    (path.parent / "net.data").write_bytes(bytes(1632))
    (path.parent / "m.toml").write_bytes(SETTINGS)
    model = onnx_model.read_onnx(path)
    text = onnx_settings.example(model)
    onnx_model.choose_output(model, None, path)
    onnx_settings.check_input(model.inputs[0], read_settings(path.parent / "m.toml"), path)
    return text


def linear_weights() -> bytes:
    settings = '{"markup": "wflw98", "crop": {"size": 24}, "input": {"colour": "grey"}}'
    arrays = {"weights": np.ones((576, 196), np.float16), "bias": np.ones(196, np.float32)}
    return safetensors.numpy.save(arrays, {"settings": settings, "fitted_on": '"a"'})


def pth() -> list[bytes]:
    return [
        saved(lambda out: torch.save(content, out, _use_new_zipfile_serialization=zipped))  # noqa: B023
        for content in ({"a": torch.ones(2)}, {"state_dict": {"module.a": torch.ones(2)}, "e": 3})
        for zipped in (True, False)
    ]


def checkpoint() -> bytes:
    state = {"schema": 1, "what": '{"recipe": {"a": 1}}', "step": 3, "t": torch.ones(2)}
    return saved(lambda out: torch.save(state, out))


def unpack(path: Path) -> object:
    folder = trainings.TrainingFolder(path.parent, {"recipe": {"a": 1}})
    return folder.unpack_checkpoint(path.read_bytes())


def compare_training(path: Path) -> object:
    (path.parent / trainings.WEIGHTS).touch()
    what = {"recipe": {"a": 1, "b": {"c": [2]}}, "data": {}}
    return trainings.TrainingFolder(path.parent, what).prepare(fresh=False)


# --- runs and reports -------------------------------------------------------------------------


def write_run(folder: Path) -> None:
    """A finished run of twelve faces."""
    dataset = make_dataset(12)
    evaluate(Shifted(dataset, 2.0), dataset, bootstrap=Bootstrap(100), out=folder / "run")


def read_run(folder: Path) -> object:
    """What tables ask of a run that is read back."""
    run = load_run(folder / "run")
    for norm in ("inter_ocular", "box"):
        run.errors(norm)
    return labels.labels([run, run])


def read_part(path: Path) -> object:
    return Folder(path.parents[1], record=None).restore(np.empty((4, 5, 2)))


def read_board(folder: Path) -> object:
    return leaderboard.tables(leaderboard.read_board(folder))


def read_trials(path: Path) -> object:
    return [trial.folder for trial in study.trials(study.read_study(path))]


def read_synthetic(folder: Path) -> object:
    return synthetic.read(folder, "test")


def read_cofw68(folder: Path) -> object:
    return cofw68.read(folder, "test")


LIST, VISIBLE = layouts.WFLW_LIST.format("test"), synthetic.VISIBLE.format(split="test")
MEAN_SHAPE = Path(mean_shape.__file__).parent / "weights" / mean_shape.WEIGHTS
NPZ = saved(lambda out: np.savez(out, ids=np.array(IDS), points=POINTS))
NPY = saved(lambda out: np.save(out, np.ones((3, 5, 2))))
BOXES = b"id,x_min,y_min,x_max,y_max\nface0,1,2,3,4\nface2,1,2,3.5,4e1\n"
OVERRIDES = "network.stacks=1", "optimiser.milestones=[0.5, 0.9]", 'dataset="wflw"'
OPTIONS = "stacks=2,block=bottleneck", "dilations=[16,16],markup=wflw98"
fields, as_json, npz = mutate.fields, mutate.as_json, mutate.npz

TARGETS = {
    "pts": file("f.pts", read_pts, fields, 60_000, *pts()),
    "wflw": layout(LIST, read_wflw, lambda folder: layouts.write_wflw(folder, 2), fields, 15_000),
    "synthetic-manifest": layout(
        synthetic.MANIFEST, read_synthetic, write_synthetic, as_json, 60_000
    ),
    "synthetic-visible": layout(VISIBLE, read_synthetic, write_synthetic, fields, 15_000),
    "300w": file("input", read_w300, fields, 15_000, b"face_1\n" + pts()[0]),
    "cofw": layout("COFW_test_color.mat", read_cofw, write_cofw, mutate.hdf5, 6_000),
    "cofw68": layout(
        "test_annotations/1_points.mat", read_cofw68, write_cofw68, mutate.mat5, 60_000
    ),
    "cofw68-boxes": layout(
        "cofw68_test_bboxes.mat", read_cofw68, write_cofw68, mutate.mat5, 60_000
    ),
    "cofw-v5": layout("COFW_test.mat", read_cofw, write_cofw_v5, mutate.mat5_nested, 40_000),
    "ibug-boxes": layout(
        "bounding_boxes_x.mat", read_ibug_boxes, write_ibug_boxes, mutate.mat5_nested, 60_000
    ),
    "aflw2000": layout(
        "image00002.mat",
        lambda folder: aflw2000.read(folder, "test"),
        write_aflw2000,
        mutate.mat5_nested,
        60_000,
    ),
    "merl-rav": layout(
        "merl_rav_labels/left/testset/labels/image00001_1.pts",
        lambda folder: merl_rav.read(folder, "test").check(),
        lambda folder: layouts.write_merl_rav(folder, 1),
        fields,
        20_000,
    ),
    "aflw19-list": layout(
        "test.GTB",
        lambda folder: aflw19.read(folder, "test").check(),
        layouts.write_aflw19,
        fields,
        20_000,
    ),
    "aflw19": layout(
        "annotations/0/image00000-0.pts",
        lambda folder: aflw19.read(folder, "test").check(),
        layouts.write_aflw19,
        fields,
        20_000,
    ),
    "106": file("p.txt", lambda path: read_landmarks(path, 106), fields, 40_000, points106()),
    "package-tar": file("p.tgz", read_package, tgz, 20_000, package_tar()),
    "package-zip": file("p.whl", read_package, mutate.npz, 20_000, package_zip()),
    "tfjs": Target(
        "m.json",
        lambda folder: read_weights(folder / "m.json", folder / "w.bin"),
        lambda: [TFJS],
        as_json,
        20_000,
        lambda folder: (folder / "w.bin").write_bytes(bytes(6)),
    ),
    "image": file("image", read_image, mutate.image, 100_000, *pictures()),
    "own-csv": file("p.csv", read_own("csv"), fields, 200_000, *TABLES),
    "own-list": file("p.txt", read_own("list"), fields, 200_000, *LISTS),
    "own-coco": file("p.json", read_own("coco"), as_json, 200_000, COCO, RESULTS),
    "own-json": file("p.json", read_own("json"), as_json, 200_000, *NAMED),
    "own-imglab": file("p.xml", read_own("imglab"), fields, 200_000, IMGLAB),
    "own-ljson": file("p.ljson", read_own("ljson"), as_json, 200_000, LJSON, LJSON3),
    "own-mmpose": file(
        "p/a.json", lambda path: read_own("mmpose")(path.parent), as_json, 200_000, MMPOSE
    ),
    "own-array": file("p.npy", read_own("array"), mutate.npy, 200_000, saved_npy()),
    "description": Target(
        "my.toml",
        lambda folder: read_described(folder / "my.toml", "test").check(),
        lambda: [DESCRIPTION],
        fields,
        200_000,
        write_table,
    ),
    "csv": file("p.csv", read_faces, fields, 20_000, *csv()),
    "cofw68-text": file("p.txt", read_faces, fields, 40_000, *cofw68_text()),
    "spiga": file("p.json", read_faces, as_json, 60_000, spiga()),
    "npz": file("p.npz", read_faces, npz, 60_000, NPZ),
    "boxes": file(
        "boxes.csv", lambda path: boxes.read_detections(path, FACES, FACES), fields, 50_000, BOXES
    ),
    "settings": file("m.toml", read_settings, fields, 40_000, SETTINGS),
    "onnx": file("net.onnx", read_onnx, mutate.onnx, 20_000, *onnx_models()),
    "recipe": file("r.toml", recipe.read_recipe, fields, 10_000, RECIPE),
    "override": text(lambda x: recipe.read_recipe("propnet/wflw", [x]), 6_000, *OVERRIDES),
    "study": file("s.toml", read_trials, fields, 10_000, STUDY),
    "options": text(lambda x: options.parse(x, PropNet, "model"), 15_000, *OPTIONS),
    "safetensors": file("w.safetensors", checkpoints.read, mutate.safetensors, 50_000, weights()),
    "mean-shape": file(
        "m.safetensors", mean_shape.MeanShape, mutate.safetensors, 30_000, MEAN_SHAPE.read_bytes()
    ),
    "linear": file("m.safetensors", linear.load, mutate.safetensors, 20_000, linear_weights()),
    "pth": file("w.pth", checkpoints.read, mutate.pth, 30_000, *pth()),
    "checkpoint": file("checkpoint.pt", unpack, mutate.pth, 10_000, checkpoint()),
    "training": file("training.json", compare_training, as_json, 20_000, TRAINING),
    "run-record": layout("run/run.json", read_run, write_run, as_json, 6_000),
    "run-metrics": layout("run/metrics.json", read_run, write_run, as_json, 6_000),
    "run-faces": layout("run/faces.csv", read_run, write_run, fields, 4_000),
    "run-breakdown": layout("run/breakdown.csv", read_run, write_run, fields, 4_000),
    "run-predictions": layout("run/predictions.npz", read_run, write_run, npz, 6_000),
    "run-part": file(".unfinished/00000000.npy", read_part, mutate.npy, 80_000, NPY),
    "board-record": layout("run/run.json", read_board, write_run, as_json, 30_000),
    "board-metrics": layout("run/metrics.json", read_board, write_run, as_json, 20_000),
    "audit": file(
        "table.csv",
        lambda path: reading.read(path, "", ""),
        fields,
        20_000,
        *(table.read_bytes()[:2000] for table in reading.paper_files()),
    ),
    "measure": text(parse_measure, 150_000, "nme(inter_pupil)", "fr@0.10", "auc( box )@0.08"),
    "gate": text(
        parse_gate, 100_000, "nme > +0.05 @95%", "auc(inter_pupil)@0.08 [pose] < -0.01 @99%"
    ),
}
