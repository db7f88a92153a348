"""What is fuzzed: every parser of what others wrote, its seeds and its mutation."""

from __future__ import annotations

import io
import json
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import mutate
import numpy as np
import torch
from mutate import Mutation

sys.path.insert(0, str(Path(__file__).parents[1]))

import layouts
from doubles import make_dataset

from alignbench import boxes, evaluate, load_run, parse_measure
from alignbench.datasets import cofw, cofw68, w300, wflw
from alignbench.io.images import read_image
from alignbench.io.pts import read_pts
from alignbench.predictors import formats
from alignbench.predictors.settings import read_settings
from alignbench.runs import store
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

Read = Callable[[Path], object]


@dataclass(frozen=True)
class Target:
    """A parser.

    Attributes
    ----------
    name
        What the command line calls it.
    file
        Where, in a folder of its own, each input is written before it is read.
    read
        Reads the folder; may raise nothing but InputError.
    seeds
        Valid inputs to begin with; ``prepare`` puts what else belongs into the folder.
    mutation
        One that knows the format; every second input is mutated as bytes all the same.
    runs
        Executions of a full run.
    """

    name: str
    file: str
    read: Read
    seeds: Callable[[], Sequence[bytes]]
    mutation: Mutation
    runs: int
    prepare: Callable[[Path], None] = lambda folder: None


def _file(reader: Callable[[Path], object], name: str) -> Read:
    return lambda folder: reader(folder / name)


def _text(parser: Callable[[str], object]) -> Read:
    """A parser of a text that is no file: an option of the command line, or a field."""

    def read(folder: Path) -> object:
        return parser((folder / "text").read_bytes().decode("utf-8", "replace"))

    return read


def _lines(*texts: str) -> Callable[[], list[bytes]]:
    return lambda: [text.encode() for text in texts]


def _written(write: Callable[[Path], object], name: str) -> Callable[[], list[bytes]]:
    """The bytes that a writer puts into a file."""

    def seeds() -> list[bytes]:
        import tempfile

        with tempfile.TemporaryDirectory() as folder:
            write(Path(folder))
            return [(Path(folder) / name).read_bytes()]

    return seeds


# --- data sets --------------------------------------------------------------------------------

_LIST = layouts.WFLW_LIST.format("test")


def _wflw(folder: Path) -> object:
    dataset = wflw.read(folder, "test")
    dataset.images.available()
    return dataset.fingerprint()


def _cofw(folder: Path) -> object:
    dataset = cofw.read(folder, "test")
    if dataset.images.available()[0]:
        dataset.images.read(0)
    return dataset.fingerprint()


def _w300(folder: Path) -> object:
    """The input's first line names the file, the others are its content."""
    name, _, text = (folder / "input").read_bytes().partition(b"\n")
    name = name[:200].replace(b"/", b"").replace(b"\0", b"").strip(b". ") or b"a"
    place = folder / "ibug"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    file = place / (name.decode("utf-8", "replace")[:50] + ".pts")
    file.write_bytes(text)
    dataset = w300.read(folder, "test")
    dataset.images.available()
    return dataset.fingerprint()


def _write_cofw(folder: Path) -> None:
    pictures = [layouts.image(k, 9, 9) for k in range(2)]
    layouts.write_cofw(
        folder / "COFW_test_color.mat", layouts.points(2, 29), np.ones((2, 29), bool), pictures
    )


def _write_cofw68(folder: Path) -> None:
    layouts.write_cofw68(folder, layouts.points(2, 68), np.zeros((2, 68), bool))


def _write_synthetic(folder: Path) -> None:
    layouts.write_wflw(folder, faces=2)
    (folder / synthetic.MANIFEST).write_text('{"faces": {"test": 2}}')
    (folder / synthetic.VISIBLE.format(split="test")).write_text(
        "\n".join(" ".join(["1"] * 98) for _ in range(2)) + "\n"
    )


def _pictures() -> list[bytes]:
    picture = layouts.image(0, 12, 10)
    kinds = [(".png", []), (".jpg", []), (".bmp", []), (".jpg", [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])]
    return [cv2.imencode(ending, picture, how)[1].tobytes() for ending, how in kinds]


# --- predictions ------------------------------------------------------------------------------

_POINTS = layouts.points(3, 68)
_IDS = ("a/1", "a/2", "b,3")


def _npz(**arrays: object) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def _csv() -> list[bytes]:
    header = ",".join(["id", *(f"{axis}{k}" for k in range(68) for axis in "xy")])
    rows = [",".join([n, *map(str, p.ravel())]) for n, p in zip(_IDS, _POINTS, strict=True)]
    return ["\n".join([header, *rows]).encode(), b"id,x0,y0\na,1,2\n"]


def _cofw68_text() -> list[bytes]:
    rows = [
        f"{k}\n{' '.join(map(str, p[:, 0]))}\n{' '.join(map(str, p[:, 1]))}\n{'0 ' * 68}"
        for k, p in enumerate(_POINTS)
    ]
    return ["\n".join(rows).encode(), b"1\n1 2\n3 4\n0 0\n"]


def _spiga() -> list[bytes]:
    faces = [
        {"imgpath": n, "landmarks": p[:5].tolist()} for n, p in zip(_IDS, _POINTS, strict=True)
    ]
    return [json.dumps(faces).encode()]


_FACES = make_dataset(3)


def _boxes(folder: Path) -> object:
    return boxes.read_detections(folder / "boxes.csv", _FACES, _FACES)


# --- models -----------------------------------------------------------------------------------

_SETTINGS = """markup = "wflw98"
notes = ["a"]
[crop]
size = 64
scale = 1.25
boxes = "tight"
of = "mean"
[input]
colour = "bgr"
mean = [0.1, 0.2, 0.3]
[output]
kind = "heatmaps"
decoder = "parabola"
"""


def _weights(folder: Path) -> None:
    from safetensors.torch import save_file

    settings = '{"markup": "wflw98", "crop": {"size": 64}}'
    header = {"model": "propnet", "options": '{"stacks": 1}', "settings": settings}
    tensors = {"a": torch.ones(2, 3), "b": torch.ones(2, dtype=torch.int64)}
    save_file(tensors, folder / "w.safetensors", header)


def _pth() -> list[bytes]:
    seeds = []
    for content in ({"a": torch.ones(2)}, {"state_dict": {"module.a": torch.ones(2)}, "epoch": 3}):
        for zipped in (True, False):
            buffer = io.BytesIO()
            torch.save(content, buffer, _use_new_zipfile_serialization=zipped)
            seeds.append(buffer.getvalue())
    return seeds


def _checkpoint() -> list[bytes]:
    buffer = io.BytesIO()
    torch.save({"schema": 1, "what": '{"recipe": {"a": 1}}', "step": 3, "t": torch.ones(2)}, buffer)
    return [buffer.getvalue()]


def _unpack(folder: Path) -> object:
    data = (folder / "checkpoint.pt").read_bytes()
    return trainings.TrainingFolder(folder, {"recipe": {"a": 1}}).unpack_checkpoint(data)


def _trained(folder: Path) -> object:
    (folder / trainings.WEIGHTS).touch()
    what = {"recipe": {"a": 1, "b": {"c": [2]}}, "data": {}}
    return trainings.TrainingFolder(folder, what).prepare(fresh=False)


def _options(text: str) -> object:
    return options.parse(text, PropNet, "model")


def _override(text: str) -> object:
    return recipe.read_recipe("propnet/wflw", [text])


# --- runs and reports -------------------------------------------------------------------------


def _run_folder(folder: Path) -> None:
    """A finished run of twelve faces."""
    from doubles import Shifted

    dataset = make_dataset(12)
    evaluate(Shifted(dataset, 2.0), dataset, bootstrap=Bootstrap(100), out=folder / "run")


def _of_run(name: str) -> Callable[[], list[bytes]]:
    return _written(_run_folder, f"run/{name}")


def _run(folder: Path) -> object:
    """What tables ask of a run that is read back."""
    run = load_run(folder / "run")
    for norm in ("inter_ocular", "box"):
        run.errors(norm)
    return labels.labels([run, run])


def _board(folder: Path) -> object:
    board = leaderboard.read_board(folder)
    return leaderboard.tables(board)


def _part(folder: Path) -> object:
    return store.resume(folder, np.empty((4, 5, 2)))


def _npy() -> list[bytes]:
    buffer = io.BytesIO()
    np.save(buffer, np.ones((3, 5, 2)))
    return [buffer.getvalue()]


def _table(folder: Path) -> object:
    return reading.read(folder / "table.csv", "", "")


def _published() -> list[bytes]:
    return [file.read_bytes()[:2000] for file in reading.published()]


_RECIPE = b"""model = "propnet"
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
_STUDY = b"""recipe = "propnet/wflw"
seeds = 1
common = ["epochs=1"]
[variants]
plain = []
".." = ["network.stacks=1"]
"""


def _study(folder: Path) -> object:
    return [trial.folder for trial in study.trials(study.read_study(folder / "s.toml"))]


def _linear() -> list[bytes]:
    from safetensors.numpy import save

    settings = '{"markup": "wflw98", "crop": {"size": 24}, "input": {"colour": "grey"}}'
    arrays = {"weights": np.ones((576, 196), np.float16), "bias": np.ones(196, np.float32)}
    return [save(arrays, {"settings": settings, "fitted_on": '"a"'})]


TARGETS = {
    target.name: target
    for target in [
        Target(
            "pts",
            "f.pts",
            _file(read_pts, "f.pts"),
            lambda: [layouts.pts_text(p).encode() for p in (_POINTS[0], _POINTS[0][:3])],
            mutate.fields,
            60_000,
        ),
        Target(
            "wflw",
            _LIST,
            _wflw,
            _written(lambda f: layouts.write_wflw(f, 2), _LIST),
            mutate.fields,
            15_000,
        ),
        Target(
            "synthetic-manifest",
            synthetic.MANIFEST,
            lambda f: synthetic.read(f, "test"),
            _written(_write_synthetic, synthetic.MANIFEST),
            mutate.as_json,
            60_000,
            _write_synthetic,
        ),
        Target(
            "synthetic-visible",
            synthetic.VISIBLE.format(split="test"),
            lambda f: synthetic.read(f, "test"),
            _written(_write_synthetic, synthetic.VISIBLE.format(split="test")),
            mutate.fields,
            15_000,
            _write_synthetic,
        ),
        Target(
            "300w",
            "input",
            _w300,
            lambda: [b"face_1\n" + layouts.pts_text(_POINTS[0]).encode()],
            mutate.fields,
            15_000,
        ),
        Target(
            "cofw",
            "COFW_test_color.mat",
            _cofw,
            _written(_write_cofw, "COFW_test_color.mat"),
            mutate.hdf5,
            6_000,
        ),
        Target(
            "cofw68",
            "test_annotations/1_points.mat",
            lambda f: cofw68.read(f, "test"),
            _written(_write_cofw68, "test_annotations/1_points.mat"),
            mutate.mat5,
            60_000,
            _write_cofw68,
        ),
        Target(
            "cofw68-boxes",
            "cofw68_test_bboxes.mat",
            lambda f: cofw68.read(f, "test"),
            _written(_write_cofw68, "cofw68_test_bboxes.mat"),
            mutate.mat5,
            60_000,
            _write_cofw68,
        ),
        Target("image", "image", _file(read_image, "image"), _pictures, mutate.image, 100_000),
        Target("csv", "p.csv", _file(formats.read_saved, "p.csv"), _csv, mutate.fields, 20_000),
        Target(
            "cofw68-text",
            "p.txt",
            _file(formats.read_saved, "p.txt"),
            _cofw68_text,
            mutate.fields,
            40_000,
        ),
        Target(
            "spiga",
            "p.json",
            _file(formats.read_saved, "p.json"),
            _spiga,
            mutate.as_json,
            60_000,
        ),
        Target(
            "npz",
            "p.npz",
            _file(formats.read_saved, "p.npz"),
            lambda: [_npz(ids=np.array(_IDS), points=_POINTS)],
            mutate.npz,
            60_000,
        ),
        Target(
            "boxes",
            "boxes.csv",
            _boxes,
            _lines("id,x_min,y_min,x_max,y_max\nface0,1,2,3,4\nface2,1,2,3.5,4e1\n"),
            mutate.fields,
            50_000,
        ),
        Target(
            "settings",
            "m.toml",
            _file(read_settings, "m.toml"),
            _lines(_SETTINGS),
            mutate.fields,
            40_000,
        ),
        Target(
            "recipe",
            "r.toml",
            _file(recipe.read_recipe, "r.toml"),
            lambda: [_RECIPE],
            mutate.fields,
            10_000,
        ),
        Target(
            "override",
            "text",
            _text(_override),
            _lines("network.stacks=1", "optimiser.milestones=[0.5, 0.9]", 'dataset="wflw"'),
            mutate.fields,
            6_000,
        ),
        Target("study", "s.toml", _study, lambda: [_STUDY], mutate.fields, 10_000),
        Target(
            "options",
            "text",
            _text(_options),
            _lines("stacks=2,block=bottleneck", "dilations=[16,16],markup=wflw98"),
            mutate.fields,
            15_000,
        ),
        Target(
            "safetensors",
            "w.safetensors",
            _file(checkpoints.read, "w.safetensors"),
            _written(_weights, "w.safetensors"),
            mutate.safetensors,
            50_000,
        ),
        Target(
            "mean-shape",
            "m.safetensors",
            _file(mean_shape.MeanShape, "m.safetensors"),
            lambda: [
                (Path(mean_shape.__file__).parent / "weights" / mean_shape.WEIGHTS).read_bytes()
            ],
            mutate.safetensors,
            30_000,
        ),
        Target(
            "linear",
            "m.safetensors",
            _file(linear.load, "m.safetensors"),
            _linear,
            mutate.safetensors,
            20_000,
        ),
        Target("pth", "w.pth", _file(checkpoints.read, "w.pth"), _pth, mutate.pth, 30_000),
        Target("checkpoint", "checkpoint.pt", _unpack, _checkpoint, mutate.pth, 10_000),
        Target(
            "training",
            "training.json",
            _trained,
            _lines('{"schema": 1, "recipe": {"a": 1, "b": {"c": [2]}}, "data": {}}'),
            mutate.as_json,
            20_000,
        ),
        Target(
            "run-record",
            "run/run.json",
            _run,
            _of_run("run.json"),
            mutate.as_json,
            6_000,
            _run_folder,
        ),
        Target(
            "run-metrics",
            "run/metrics.json",
            _run,
            _of_run("metrics.json"),
            mutate.as_json,
            6_000,
            _run_folder,
        ),
        Target(
            "run-faces",
            "run/faces.csv",
            _run,
            _of_run("faces.csv"),
            mutate.fields,
            4_000,
            _run_folder,
        ),
        Target(
            "run-breakdown",
            "run/breakdown.csv",
            _run,
            _of_run("breakdown.csv"),
            mutate.fields,
            4_000,
            _run_folder,
        ),
        Target(
            "run-predictions",
            "run/predictions.npz",
            _run,
            _of_run("predictions.npz"),
            mutate.npz,
            6_000,
            _run_folder,
        ),
        Target("run-part", ".unfinished/00000000.npy", _part, _npy, mutate.npy, 80_000),
        Target(
            "board-record",
            "run/run.json",
            _board,
            _of_run("run.json"),
            mutate.as_json,
            30_000,
            _run_folder,
        ),
        Target(
            "board-metrics",
            "run/metrics.json",
            _board,
            _of_run("metrics.json"),
            mutate.as_json,
            20_000,
            _run_folder,
        ),
        Target("audit", "table.csv", _table, _published, mutate.fields, 20_000),
        Target(
            "measure",
            "text",
            _text(parse_measure),
            _lines("nme(inter_pupil)", "fr@0.10", "auc( box )@0.08"),
            mutate.fields,
            150_000,
        ),
        Target(
            "gate",
            "text",
            _text(parse_gate),
            _lines("nme > +0.05 @95%", "auc(inter_pupil)@0.08 [pose] < -0.01 @99%"),
            mutate.fields,
            100_000,
        ),
    ]
}
