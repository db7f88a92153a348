"""What identifies a user's own model, what it may give, and what it may do to the process."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import time
from functools import partial
from importlib.machinery import ModuleSpec
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from doubles import QUICK, SAMPLE, make_dataset

from alignbench import InputError, Predictor, evaluate, load_predictor
from alignbench.markups import IBUG68, WFLW98
from alignbench.predictors import identity
from alignbench.predictors.guard import check_landmarks, guard_streams
from alignbench.predictors.identity import identify
from alignbench.predictors.network import NetworkPredictor
from alignbench.predictors.registry import FunctionPredictor
from alignbench.predictors.settings import Crop, CropSettings

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
    """A folder of a user's own modules; gives a function that loads from it as a new command."""
    monkeypatch.setattr(identity, "_is_command_line", lambda: True)
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
    known = identify(predictor)
    assert known.certain, known.reason
    assert not known.reason
    return known.parts


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


def test_options_and_packages_identify_it(users, monkeypatch):
    texts = [str(parts(users(model))) for model in ("Base", "Left", "Base:scale=2", "Base:scale=3")]
    assert len(set(texts)) == len(texts) - 1  # two classes of one module: the name is the model's
    before = parts(users("f"))
    assert before["packages"]["numpy"] == np.__version__
    monkeypatch.setattr("alignbench.predictors.identity.version", lambda owner: "next")
    assert parts(users("f")) != before


def test_what_is_imported_later_identifies_it(users, tmp_path):
    """Inside a function, from a package that nothing has imported yet, or that is not there."""
    (tmp_path / "late").mkdir()
    for name in ("__init__", "inner"):
        (tmp_path / "late" / f"{name}.py").write_text("x = 1")
    users.write(
        "users_model", MODEL + "\ndef g(images, boxes):\n    import late.inner, nowhere_1\n"
    )
    before = parts(users("f"))
    assert "late.inner" in before["modules"]
    assert before["packages"]["nowhere_1"] == "not installed"
    (tmp_path / "late" / "inner.py").write_text("x = 2")
    assert parts(users("f")) != before


@pytest.mark.parametrize(
    "model", ["weighted", "Base:weights=other.bin", "Base:scale=other.bin", "Base"]
)
def test_weights_that_were_replaced_make_another_model(users, model, tmp_path):
    """Given, as an option, as a text that names them, or named in the source."""
    (tmp_path / "other.bin").write_bytes(b"1")
    name = "other.bin" if ":" in model else "w.npy"
    weights = "w.npy" if model == "weighted" else None
    before = parts(users(model, weights))
    (tmp_path / name).write_bytes(b"2")
    assert parts(users(model, weights)) != before


def test_files_of_one_name_are_told_apart(users, tmp_path):
    users.write("users_model", MODEL + "\nFILES = 'a/mean.npy', 'b/mean.npy'\n")
    for folder in "ab":
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "mean.npy").write_text(folder)
    before = parts(users("f"))
    for folder, text in ("ab", "ba"):
        (tmp_path / folder / "mean.npy").write_text(text)
    assert parts(users("f")) != before


@pytest.mark.parametrize("name", ["users_model.py", "deep.py", "w.npy"])
def test_what_has_changed_since_it_was_loaded_is_not_known(users, tmp_path, name):
    model = users("f")
    assert identify(model).certain
    os.utime(tmp_path / name)
    time.sleep(0.05)  # longer than a tick of the clock of files
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes())
    assert "has changed since the model was loaded" in identify(model).reason


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("exec('1')", "exec in .* may run any code"),
        ("__import__('helper')", "__import__ in .* may run any code"),
        ("import importlib\nimportlib.import_module(x)", "import_module in .* may run any code"),
        ("WEIGHTS = 'weights'", "it names the folder .*weights, whose files may change"),
        ("import sourceless", "module 'sourceless' has no source file"),
        ("import broken", "its code cannot be read .SyntaxError"),
    ],
)
def test_what_cannot_be_seen_is_said(users, tmp_path, monkeypatch, code, reason):
    for name in ("weights/w1", "mine/model.py"):  # a folder of code is no matter
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    users.write("broken", "def f(:")
    monkeypatch.setitem(sys.modules, "sourceless", ModuleType("sourceless"))
    users.write(
        "users_model", f"x = 'helper'\n{MODEL}\ndef later():\n    " + code.replace("\n", "\n    ")
    )
    known = identify(users("f"))
    assert not known.certain
    assert re.search(reason, known.reason)


def closure():
    mean = np.zeros((98, 2))
    return lambda images, boxes: np.tile(mean, (len(boxes), 1, 1))


class Held(Predictor):
    """Its landmarks are an attribute."""

    name = "held"
    markup = WFLW98
    points = np.zeros((98, 2))

    def predict(self, batch):
        return np.tile(self.points, (len(batch.ids), 1, 1))

    def describe(self):
        return {"source": "held"}


def network():
    settings = CropSettings(markup="wflw98", crop=Crop(size=8))
    layers = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 64, 196))
    return NetworkPredictor("net", settings, layers, {"source": "net"})


OTHERS_CODE = "other code of this Python process may have changed the model"


@pytest.mark.parametrize("make", [closure, Held, network, lambda: partial(closure())])
def test_a_model_that_is_made_in_python_is_run_again_and_says_so(tmp_path, make):
    """Also where its values come from an installed package: nothing says that they are the same."""
    made = make()
    model = made if isinstance(made, Predictor) else FunctionPredictor("it", made)
    dataset = make_dataset(4)
    evaluate(model, dataset, bootstrap=QUICK, out=tmp_path / "run")
    with pytest.warns(UserWarning, match=f"not read back, because {OTHERS_CODE}"):
        run = evaluate(model, dataset, bootstrap=QUICK, out=tmp_path / "run")
    assert not run.read_back
    assert not evaluate(model, dataset, bootstrap=QUICK, out=tmp_path / "run", fresh=True).read_back


def test_a_value_that_is_set_at_run_time_is_not_overlooked(users, tmp_path, monkeypatch):
    """An attribute of a module of the user's own, also where the model is loaded by its name."""
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    users.write("helper", "SCALE = 1\n" + HELPER.replace("return", "return SCALE *"))
    model, dataset = users("f"), make_dataset(4)
    first = evaluate(model, dataset, bootstrap=QUICK, out=tmp_path / "run")
    sys.modules["helper"].SCALE = 50
    with pytest.warns(UserWarning, match=OTHERS_CODE):
        second = evaluate(model, dataset, bootstrap=QUICK, out=tmp_path / "run")
    np.testing.assert_allclose(second.points, 50 * first.points)


def test_an_unfinished_run_of_a_model_that_is_not_known_begins_again_and_says_so(tmp_path):
    class Stopping(Held):
        calls = 0

        def predict(self, batch):
            self.calls += 1
            if self.calls == 2:
                raise KeyboardInterrupt
            return super().predict(batch)

    options = {"batch_size": 2, "bootstrap": QUICK, "out": tmp_path / "run"}
    model, dataset = Stopping(), make_dataset(6)
    with pytest.raises(KeyboardInterrupt):
        evaluate(model, dataset, **options)
    with pytest.warns(UserWarning, match=f"the run there is not resumed, because {OTHERS_CODE}"):
        evaluate(model, dataset, **options)
    assert model.calls == 5


@pytest.mark.parametrize(
    ("main", "certain"),
    [
        ({"__spec__": ModuleSpec("alignbench.__main__", None)}, True),
        ({"__file__": sysconfig.get_path("scripts") + "/alignbench", "__spec__": None}, True),
        ({"__file__": "/home/me/alignbench", "__spec__": None}, False),
        ({"__file__": sysconfig.get_path("scripts") + "/ipython", "__spec__": None}, False),
        ({"__spec__": ModuleSpec("pytest.__main__", None)}, False),
        ({"__spec__": None}, False),
    ],
)
def test_only_the_command_line_runs_no_other_code(users, monkeypatch, main, certain):
    monkeypatch.undo()
    monkeypatch.setitem(sys.modules, "__main__", SimpleNamespace(**main))
    assert identity._is_command_line() == certain


def test_the_command_line_reads_a_users_model_back(tmp_path):
    write = {"users_model": MODEL, "helper": HELPER, "deep": DEEP}
    for name, text in write.items():
        (tmp_path / f"{name}.py").write_text(text)
    command = [sys.executable, "-m", "alignbench", "run", "--model", "users_model:Left"]
    options = ["--dataset", *SAMPLE, "--limit", "4", "--bootstrap", "100"]
    outputs = [
        subprocess.run(
            [*command, *options], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        for _ in range(2)
    ]
    assert "finished before" not in outputs[0].stdout + outputs[0].stderr
    assert "finished before" in outputs[1].stdout + outputs[1].stderr


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
        ("f:sigma=2", "option 'sigma': unknown; accepted: markup"),
        ("Base:weights=nowhere", "no such file of weights"),
    ],
)
def test_options_that_are_not_taken_are_named(users, model, message):
    with pytest.raises(InputError, match=message):
        users(model)


def test_a_function_may_be_of_another_markup(users, tmp_path):
    """Its option is not the function's; the landmarks are converted, and the record says so."""
    assert users("f").markup is None
    predictor = users("f:markup=wflw98")
    assert predictor.markup is WFLW98
    run = evaluate(predictor, make_dataset(2, IBUG68))
    assert run.points.shape == (2, 68, 2)
    assert run.record.model.markup == "wflw98"
    with pytest.raises(InputError, match=r"markup 'wflw97': unknown.*Did you mean 'wflw98'"):
        users("f:markup=wflw97")


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
        (GOOD.reshape(2, -1), 0),
        (np.concatenate([GOOD, GOOD[:, :, :1]], axis=2), 0),
        (GOOD.astype(np.int32), 1),
        (np.asfortranarray(GOOD.astype(np.float32)), 1e-5),
    ],
    ids=[
        "tensor",
        "gradient",
        "bfloat16",
        "half",
        "tensors",
        "lists",
        "flat",
        "depth",
        "integers",
        "fortran",
    ],
)
def test_landmarks_of_any_kind_are_taken(output, exact):
    points = check_landmarks(output, ["a", "b"], 98, "it")
    assert points.dtype == np.float64
    np.testing.assert_allclose(points, GOOD, atol=exact)


@pytest.mark.parametrize("kind", [list, np.asarray, torch.from_numpy])
def test_none_is_a_missed_face(kind):
    points = check_landmarks([None, kind(GOOD[1])], ["a", "b"], 98, "it")
    assert np.isnan(points[0]).all()
    np.testing.assert_array_equal(points[1], GOOD[1])


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
        ([None, GOOD[1, :4]], r"gave landmarks of shape \(2, 4, 2\)"),
        ([None, None], r"gave landmarks of shape \(2,\)"),
        (GOOD[:, :68], r"of shape \(2, 68, 2\); .* name it: it:markup=ibug68 for a function"),
        (torch.from_numpy(GOOD).to_sparse(), "gave a Tensor that is no array of numbers"),
        (GOOD[:1], r"gave landmarks of shape \(1, 98, 2\)"),
        (BROKEN, "face b: gave a landmark that is not finite"),
        (np.where(np.arange(98)[:, None] == 4, np.nan, GOOD), "face a: gave a landmark that is"),
        ([[1, 2], [3]], "gave a list that is no array of numbers"),
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
