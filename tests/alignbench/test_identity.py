"""What identifies a user's own model, what it may give, and what it may do to the process."""

from __future__ import annotations

import os
import sys
from functools import partial
from types import FunctionType, ModuleType

import numpy as np
import pytest
import torch
from doubles import QUICK, make_dataset

from alignbench import InputError, Predictor, evaluate, load_predictor
from alignbench.markups import WFLW98
from alignbench.predictors.function import FunctionPredictor
from alignbench.predictors.guard import guard_streams
from alignbench.predictors.identity import identify
from alignbench.predictors.output import check_landmarks

MODEL = '''
import numpy as np
from alignbench import Predictor
from helper import centre

def f(images, boxes):
    """In the middle."""
    return centre(boxes)

def weighted(images, boxes, weights="w.npy"):
    return centre(boxes) + np.load(weights)

class Base(Predictor):
    name = "mine"
    shift = 0.0
    def __init__(self, scale=1.0, weights=None):
        self.scale, self.weights = scale, weights
    def predict(self, batch):
        return self.scale * centre(batch.boxes) + self.shift
    def describe(self):
        return {"source": "mine"}

class Left(Base):
    shift = -5.0

class Right(Base):
    shift = 5.0
'''
HELPER = """
import deep

def centre(boxes):
    return deep.repeat((boxes[:, None, :2] + boxes[:, None, 2:]) / 2)
"""
DEEP = "import numpy as np\nrepeat = lambda points: np.repeat(points, 98, axis=1)\n"


@pytest.fixture
def users(tmp_path, monkeypatch):
    """A folder of a user's own modules; gives a function that loads from it as anew."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    sources = {"users_model": MODEL, "helper": HELPER, "deep": DEEP}

    def write(name, text):
        (tmp_path / f"{name}.py").write_text(text)

    def load(model, *arguments, **options):
        for name in sources:
            sys.modules.pop(name, None)
        return load_predictor(f"users_model:{model}", *arguments, **options)

    for name, text in sources.items():
        write(name, text)
    np.save("w.npy", np.zeros(2))
    load.write = write
    yield load
    for name in sources:
        sys.modules.pop(name, None)


def parts(predictor):
    identity = identify(predictor)
    assert identity.certain, identity.reason
    assert not identity.reason
    return identity.parts


EDITS = {
    "predict": ("users_model", MODEL.replace("+ self.shift", "- self.shift")),
    "class it inherits from": ("users_model", MODEL.replace("shift = 0.0", "shift = 9.0")),
    "helper": ("helper", HELPER.replace("/ 2", "/ 3")),
    "the helper's helper": ("deep", DEEP.replace("points, 98", "points + 1, 98")),
}


@pytest.mark.parametrize("model", ["f", "Base", "Left"])
@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_of_anything_it_runs_makes_another_model(users, model, edit):
    before = parts(users(model))
    assert parts(users(model)) == before
    users.write(*EDITS[edit])
    assert parts(users(model)) != before


def test_an_edited_model_is_run_again(users, tmp_path):
    dataset = make_dataset(4)

    def run():
        return evaluate(
            users("f"), dataset, bootstrap=QUICK, out=lambda record: tmp_path / record.key
        )

    first = run()
    assert run().read_back
    users.write("helper", HELPER.replace("/ 2", "/ 3"))
    second = run()
    assert not second.read_back
    assert (second.points != first.points).any()


def test_an_edit_of_what_it_does_not_import_changes_nothing(users):
    before = parts(users("f"))
    users.write("other", "x = 1")
    assert parts(users("f")) == before


def test_classes_and_values_are_told_apart_where_describe_is_inherited(users):
    made = [users("Base"), users("Left"), users("Right"), users("Base:scale=2")]
    assert len({str(parts(one)) for one in made}) == len(made)
    module = sys.modules["users_model"]
    held = [module.Left(), module.Left(2.0), module.Left(np.ones(2)), module.Left(np.zeros(2))]
    held.append(module.Left())
    held[-1].offset = 3
    assert len({str(parts(one)) for one in held}) == len(held)
    before = parts(held[0])
    assert parts(module.Left()) == before
    module.Left.shift = 2.0  # not in the source
    assert parts(module.Left()) != before


def test_what_no_landmark_depends_on_may_change(users):
    model = users("Left")
    model.transient = ("calls",)
    model.calls = 0
    before = identify(model).parts
    model.calls = 7
    assert identify(model).parts == before


@pytest.mark.parametrize("model", ["weighted", "Base:weights=other.bin", "Base"])
def test_weights_that_were_replaced_make_another_model(users, model, tmp_path):
    """Given, as an option, or named in the source."""
    (tmp_path / "other.bin").write_bytes(b"1")
    name = "other.bin" if ":" in model else "w.npy"
    before = parts(users(model, "w.npy" if model == "weighted" else None))
    assert name in before["files"]
    (tmp_path / name).write_bytes(b"2")
    assert parts(users(model, "w.npy" if model == "weighted" else None)) != before


def test_classes_with_generated_code_are_known(users):
    users.write(
        "users_model",
        f"""{MODEL}
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple
class Side(Enum):
    LEFT = -5
class Size(NamedTuple):
    width: int = 3
@dataclass
class Data(Base):
    side: Side = Side.LEFT
    size: Size = Size()
    def __post_init__(self):
        self.scale = 1.0
""",
    )
    model = users("Data")
    alike, other = type(model)(), type(model)(size=(4,))
    assert parts(alike) == parts(type(model)()) != parts(other)
    assert parts(model) == parts(users("Data"))


def test_a_changed_global_makes_another_function(users):
    users.write("users_model", MODEL + "\nSTEP = 1\ndef g(images, boxes):\n    return STEP\n")
    users("g")
    module = sys.modules["users_model"]
    before = parts(FunctionPredictor("g", module.g))
    module.STEP = 2
    assert parts(FunctionPredictor("g", module.g)) != before


def test_a_source_that_changed_after_its_import_is_not_known(users):
    model = users("f")
    assert identify(model).certain
    users.write("users_model", MODEL + "\n# more\n")
    assert "has changed since it was imported" in identify(model).reason
    users.write("users_model", MODEL.replace("centre(boxes)", "0 * centre(boxes)"))
    for name in ("users_model", "helper"):
        assert name in sys.modules
    assert not identify(FunctionPredictor("f", sys.modules["users_model"].f)).certain


def closure():
    mean = np.zeros((98, 2))
    return lambda images, boxes: mean


def around():
    mean = np.zeros((98, 2))

    def model(images, boxes):
        return mean

    return model


class Instance:
    def __call__(self, images, boxes):
        return np.zeros((len(boxes), 98, 2))


def typed_in():
    """A function as a notebook defines it."""
    notebook = ModuleType("notebook")
    sys.modules["notebook"] = notebook
    code = compile("def model(images, boxes): return boxes", "<ipython-input-1>", "exec")
    return FunctionType(code.co_consts[0], vars(notebook))


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (closure(), "a lambda"),
        (around(), "uses an array of the function around it"),
        (Instance(), "an object of Instance, which may change"),
        (typed_in(), "module 'notebook' has no source file"),
        (partial(around(), sys.stdin.__class__), "around it"),
    ],
)
def test_what_cannot_be_known_is_said(function, reason):
    identity = identify(FunctionPredictor("it", function))
    assert not identity.certain
    assert reason in identity.reason


def test_an_object_of_a_library_cannot_be_compared():
    class Session(Predictor):
        name = "session"
        session = memoryview(b"")

        def describe(self):
            return {}

    assert "builtins.memoryview, which it uses, cannot be compared" in identify(Session()).reason


@pytest.mark.parametrize(
    "code", ["exec('1')", "__import__('helper')", "importlib.import_module(x)"]
)
def test_code_from_elsewhere_is_not_known(users, code):
    users.write("users_model", f"import importlib\nx = 'helper'\n{code}\n{MODEL}")
    assert "may run any code" in identify(users("f")).reason


def test_a_model_that_is_uncertain_is_run_again_and_says_so(tmp_path):
    dataset = make_dataset(4)
    model = FunctionPredictor("it", lambda images, boxes: np.repeat(boxes[:, None, :2], 98, axis=1))
    evaluate(model, dataset, bootstrap=QUICK, out=tmp_path / "run")
    with pytest.warns(UserWarning, match=r"not read back, because the model uses a lambda\."):
        run = evaluate(model, dataset, bootstrap=QUICK, out=tmp_path / "run")
    assert not run.read_back


def test_a_network_in_memory_is_its_code_and_weights():
    from alignbench.predictors.network import NetworkPredictor
    from alignbench.predictors.settings import Crop, CropSettings

    def predictor(seed):
        torch.manual_seed(seed)
        network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 64, 196))
        settings = CropSettings(markup="wflw98", crop=Crop(size=8))
        return NetworkPredictor("net", settings, network, {"source": "net"})

    assert parts(predictor(0)) == parts(predictor(0)) != parts(predictor(1))


def test_our_own_models_are_known_by_their_version():
    for name in ("mean-shape", "dlib"):
        assert parts(load_predictor(name)) == {}


# --- options ----------------------------------------------------------------------------------


def test_options_stand_behind_the_name(users):
    model = users("Base:scale=2.5,weights=w.npy")
    assert model.scale == 2.5
    assert model.weights.is_absolute()
    assert users("weighted:weights=w.npy").predict is not None


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("Base:sacle=2", "option 'sacle': unknown; accepted: scale, weights. Did you mean 'scale'"),
        ("Base:scale", "option 'scale'; accepted: name=value"),
        ("Base:scale=1,scale=2", "option scale is given twice"),
        ("f:sigma=2", "option 'sigma': unknown; accepted: none"),
        ("Base:weights=nowhere", "no such file of weights"),
    ],
)
def test_options_that_are_not_taken_are_named(users, model, message):
    with pytest.raises(InputError, match=message):
        users(model)


def test_weights_may_not_be_a_pipe(users, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="is no regular file"):
        users("Base", tmp_path / "pipe")
    for model in ("saved:pipe", "onnx:pipe"):
        with pytest.raises(InputError, match="is no regular file"):
            load_predictor(model)


# --- what a model gives and does -------------------------------------------------------------

GOOD = np.random.default_rng(0).uniform(0, 99, (2, 98, 2))
BROKEN = GOOD.copy()
BROKEN[1, 3, 0] = np.inf


@pytest.mark.parametrize(
    ("output", "exact"),
    [
        (torch.from_numpy(GOOD), 0),
        (torch.from_numpy(GOOD).requires_grad_(), 0),
        (torch.from_numpy(GOOD).bfloat16(), 0.5),
        (torch.from_numpy(GOOD).half(), 0.05),
        ([torch.from_numpy(face) for face in GOOD], 0),
        (GOOD.tolist(), 0),
        (GOOD.astype(np.int32), 1),
    ],
    ids=["tensor", "gradient", "bfloat16", "half", "tensors", "lists", "integers"],
)
def test_landmarks_of_any_kind_are_taken(output, exact):
    points = check_landmarks(output, ["a", "b"], 98, "it")
    assert points.dtype == np.float64
    np.testing.assert_allclose(points, GOOD, atol=exact)


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (GOOD + 1j, "gave a ndarray of complex128 values; accepted: real landmarks"),
        (torch.from_numpy(GOOD + 1j), "of complex128 values"),
        (np.ma.masked_array(GOOD, GOOD > 50), "gave a masked array.*Fill a missed face with NaN"),
        (GOOD.astype(object), "of object values"),
        (GOOD.astype(str), "of <U32 values"),
        (GOOD > 50, "of bool values"),
        (None, "gave a NoneType"),
        ({"landmarks": GOOD}, "gave a dict"),
        ([None, GOOD[1]], "gave a list that is no array of numbers"),
        (torch.from_numpy(GOOD).to_sparse(), "gave a Tensor that is no array of numbers"),
        (GOOD[:1], r"gave landmarks of shape \(1, 98, 2\)"),
        (BROKEN, "face b: gave a landmark that is not finite"),
    ],
)
def test_what_are_no_landmarks_is_refused(output, message):
    with pytest.raises(InputError, match=message):
        check_landmarks(output, ["a", "b"], 98, "it")


class Rude(Predictor):
    """Prints, closes, writes to its input and goes elsewhere."""

    name = "rude"
    markup = WFLW98

    def predict(self, batch):
        assert all((image == 90).all() for image in batch.images)
        for image in batch.images:
            image[:] = 0
        points = np.repeat(batch.boxes[:, None, :2], 98, axis=1)
        batch.boxes[:] = 0
        sys.stdout.write("from Python\n")
        os.write(1, b"from C\n")
        sys.stdout.close()
        sys.stderr.close()
        os.chdir("/")
        return points

    def describe(self):
        return {"source": "rude"}


def test_a_rude_model_does_no_harm(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    dataset = make_dataset(6)  # of one image in memory
    run = evaluate(Rude(), dataset, batch_size=2, bootstrap=QUICK, out="run")
    np.testing.assert_allclose(run.points[:, 0], dataset.boxes[:, :2])
    assert (tmp_path / "run" / "run.json").is_file()
    sys.stdout.write("after\n")
    out, error = capfd.readouterr()
    assert out == "after\n"
    assert error.count("from Python") == error.count("from C") == 3


def test_streams_that_were_closed_come_back(monkeypatch, tmp_path):
    with (tmp_path / "out").open("w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        with guard_streams(), guard_streams():
            stream.close()
        assert not sys.stdout.closed
        assert sys.stdout is not stream


def test_what_a_decorator_holds_identifies_a_function():
    import functools

    def make(offset):
        def base(images, boxes):
            return boxes

        @functools.wraps(base)
        def moved(images, boxes):
            return base(images, boxes) + offset

        return FunctionPredictor("moved", moved)

    same, other = identify(make(1.0)), identify(make(50.0))
    assert identify(make(1.0)).parts == same.parts != other.parts
