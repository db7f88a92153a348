"""propnet, lab and awing as predictors: weights, options, crops, flip test, export."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from doubles import QUICK, SAMPLE, ArrayImages, contents, make_dataset, torchrun
from safetensors.torch import save_file

from alignbench import Batch, InputError, evaluate, load_dataset, load_predictor, parse_measure
from alignbench.markups import IBUG68, WFLW98
from alignbench.predictors.crop import CropPredictor, Windows
from alignbench.predictors.settings import Crop, CropSettings, Output
from baselines import checkpoints, options
from baselines.awing.network import AWing
from baselines.lab.network import LAB
from baselines.model import save
from baselines.propnet.network import PropNet
from baselines.training.recipe import MODELS

SMALL = {
    "propnet": "stacks=1,width=16,depth=1,hidden=4,attention_depth=1",
    "awing": "stacks=2,width=16,depth=2",
    "lab": "stacks=1,width=16,regressor_width=8,message_passing=false",
}


def small(name, **given):
    return load_predictor(f"{name}:{SMALL[name]}", "random", **given)


def random_run(name, limit=3):
    """Command line that runs a small network of random weights on the drawn faces."""
    return (
        "run", "--model", f"{name}:{SMALL[name]}", "--weights", "random", "--limit", limit,
        "--dataset", *SAMPLE,
    )  # fmt: skip


def noise_images(count, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 256, (150, 150, 3)).astype(np.uint8) for _ in range(count)]


@pytest.mark.parametrize("name", MODELS)
def test_without_weights_there_is_no_accuracy(cli, name):
    result = cli("run", "--model", name, "--dataset", *SAMPLE)
    assert result.code == 2
    assert f"model {name!r}: has no weights" in result.err
    assert "--weights FILE" in result.err
    assert "Train it" in result.err
    assert not Path("runs").exists()


@pytest.mark.parametrize("name", MODELS)
def test_random_weights_run_and_say_what_they_are(cli, name):
    result = cli(*random_run(name, 4), "--out", "one")
    assert result.code == 0, result.err
    assert "Random weights: only speed counts, accuracy means nothing." in result.out
    assert cli(*random_run(name, 4), "--out", "two").code == 0
    first, second = (
        [Path(run, f).read_bytes() for f in ("metrics.json", "predictions.npz")]
        for run in ("one", "two")
    )
    assert first == second
    record = json.loads(Path("one/run.json").read_text())
    identity = record["model"]["identity"]
    assert identity["execution"] == {"backend": "eager", "precision": "fp32", "device": "cpu"}
    assert identity["options"]["stacks"] == int(re.search(r"stacks=(\d)", SMALL[name])[1])
    assert record["timings"]["threads"] >= 1


def test_back_end_precision_and_flip_test_make_another_run(cli):
    for more in ([], ["--backend", "channels-last"], ["--precision", "bf16"], ["--flip-test"]):
        assert cli(*random_run("propnet"), *more).code == 0
    assert len(list(Path("runs/synthetic/propnet").iterdir())) == 4


def test_auto_says_what_it_picked(cli):
    result = cli(*random_run("propnet"), "--backend", "auto", "--out", "run")
    assert result.code == 0, result.err
    said = re.search(r"back end auto: ([\w-]+)\. Faces per second: eager [\d.e+]+", result.err)
    record = json.loads(Path("run/run.json").read_text())
    assert record["model"]["identity"]["execution"]["backend"] == said[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("linear --backend eager", r"'linear': takes no backend.*--backend"),
        ("linear --flip-test", r"takes no flip test.*--flip-test"),
        ("linear --weights random", r"takes no random weights"),
        ("propnet --weights no.pth", r"no.pth: no such file of weights"),
        ("propnet:stakcs=2 --weights random", r"option 'stakcs': unknown.*Did you mean 'stacks'"),
        (
            "propnet:anti_aliasing=4 --weights random",
            r"option anti_aliasing: Input should be 2, 3 or 5.*The default is 3",
        ),
        ("propnet:stacks=0 --weights random", r"option stacks: 0; .*1 to "),
        ("propnet:stacks --weights random", r"option 'stacks'; .*name=value"),
        ("propnet:markup=wflw --weights random", r"markup 'wflw': unknown.*Did you mean 'wflw98'"),
        ("lab --weights random --backend x", r"--backend 'x': unknown"),
        ("propnet:hidden=[0] --weights random", r"hidden: \[0\]; .*1 to "),
        ("propnet:stacks=true --weights random", r"stacks: Input should be"),
        ("awing:stacks=2,stacks=3 --weights random", r"stacks is given twice"),
        ("awing:markup=[1] --weights random", r"markup '\[1\]': unknown"),
        ("propnet:anti_aliasing=5,depth=6 --weights random", r"depth is 6; accepted: 1 to 5"),
        (
            "propnet:pooling=max,anti_aliasing=2,depth=6 --weights random",
            r"depth is 6; accepted: 1 to 5",
        ),
        (
            "propnet:anti_aliased_stem=true,anti_aliasing=none --weights random",
            r"anti_aliased_stem needs a kernel; accepted: anti_aliasing of 2, 3, 5",
        ),
        ("propnet:attention_depth=7 --weights random", r"attention_depth is 7; accepted: 1 to 6"),
        ("lab --weights random --device cpu:5", r"--device: 'cpu:5'"),
        (
            "lab --weights random --boxes awing-official",
            r"'awing-official': lab does not make the crop .*1.344 times a box's mean side",
        ),
        ("linear --boxes lab-official", r"'lab-official': linear does not make the crop that"),
        ("lab:side=100 --weights random", r"side.* 100.*multiple of 64"),
        ("awing:stacks=1,depth=7 --weights random", r"depth.*7.*1 to 6"),
    ],
)
def test_wrong_use_is_one_message(cli, arguments, message):
    result = cli("run", "--model", *arguments.split(), "--dataset", *SAMPLE)
    assert result.code == 2, result
    assert re.search(message, result.err), result.err
    assert "Traceback" not in result.err


def test_options_are_parsed_by_their_kind():
    parsed = options.parse(
        "stacks=2, hidden=[16,16],block=bottleneck,anti_aliasing=none,residual=false,markup=ibug68",
        PropNet,
        "it",
    )
    assert parsed == {
        "stacks": 2, "hidden": [16, 16], "block": "bottleneck", "anti_aliasing": None,
        "residual": False, "markup": "ibug68",
    }  # fmt: skip
    network = options.build(PropNet, {**parsed, "width": 16, "depth": 2})
    assert network.stages[0].head.out_channels == IBUG68.landmarks
    assert options.parse("hidden=16", PropNet, "it") == {"hidden": [16]}
    assert options.parse("", PropNet, "it") == {}


def test_the_program_s_own_random_numbers_are_left_alone():
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    small("awing")
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize("name", MODELS)
def test_a_file_of_weights_is_all_that_is_needed(tmp_path, name):
    made = options.parse(SMALL[name] + ",markup=ibug68", MODELS[name].network, "it")
    torch.manual_seed(7)
    network = options.build(MODELS[name].network, made)
    path = tmp_path / "w.safetensors"
    settings = MODELS[name].settings(made).model_copy(update={"notes": ("A note.",)})
    checkpoints.save(path, network, name, made, settings)
    predictor = load_predictor(name, path)
    assert predictor.markup is IBUG68
    described = predictor.describe()
    assert described["notes"] == ["A note."]
    assert described["options"].items() >= made.items()
    for ours, theirs in zip(
        network.state_dict().values(), predictor.network.state_dict().values(), strict=True
    ):
        assert torch.equal(ours, theirs)
    batch = Batch(["a"], noise_images(1), np.array([[20.0, 20, 120, 130]]))
    found = predictor.predict(batch)
    assert found.shape == (1, IBUG68.landmarks, 2)
    assert np.isfinite(found).all()
    other = next(one for one in MODELS if one != name)
    with pytest.raises(InputError, match=rf"holds weights of {name!r}.*--model {name}"):
        load_predictor(other, path)
    with pytest.raises(InputError, match=r"differ from those of the weights, .*markup=ibug68"):
        load_predictor(f"{name}:stacks=3", path)
    assert load_predictor(f"{name}:markup=ibug68", path).describe() == described


def test_saving_refuses_what_would_not_run(tmp_path):
    network = small("awing").network
    path = tmp_path / "new" / "w.safetensors"
    right = {"stacks": 2, "width": 16, "depth": 2}
    for given, message in (
        ({**right, "foo": 1}, "option 'foo': unknown"),
        ({**right, "width": 32}, "the network does not have these options"),
    ):
        with pytest.raises(InputError, match=message):
            save(path, network, MODELS["awing"], **given)
        assert not path.exists()
    save(path, network, MODELS["awing"], **right)
    assert load_predictor("awing", path).variant == "stacks=2,width=16,depth=2"


def test_options_spelt_out_are_the_same_run():
    plain, spelt = (
        load_predictor(f"awing:{SMALL['awing']}{more}", "random").describe()
        for more in ("", ",boundary=true,markup=wflw98")
    )
    assert plain == spelt


def test_weights_changed_in_memory_are_another_run(tmp_path):
    predictor, sample = small("propnet"), load_dataset("synthetic", split="sample")
    before = evaluate(predictor, sample, limit=2, out=tmp_path / "run")
    with torch.no_grad():
        next(predictor.network.parameters()).add_(0.1)
    with pytest.raises(InputError, match="another run"):
        evaluate(predictor, sample, limit=2, out=tmp_path / "run")
    after = evaluate(predictor, sample, limit=2, out=tmp_path / "run", fresh=True)
    assert before.record.key != after.record.key


def test_runs_are_told_apart_by_what_computed_them(cli):
    asked = random_run("propnet")
    assert "Computed with" not in cli(*asked, "--out", "a").out
    assert "Computed with: bf16." in cli(*asked, "--precision", "bf16", "--out", "b").out
    shown = cli(*asked, "--backend", "channels-last", "--flip-test", "--out", "c").out
    assert "Computed with: channels-last, flip test." in shown
    table = cli("report", "a", "b", "c", "--format", "md").out
    for label in ("propnet (rect)", "propnet (rect, bf16)", "(rect, channels-last, flip test)"):
        assert label in table


def test_weights_that_do_not_fit_are_refused(tmp_path):
    model = f"awing:{SMALL['awing']}"
    state = small("awing").network.state_dict()
    path = tmp_path / "w.safetensors"

    def refused(changed, message):
        save_file(changed, path)
        with pytest.raises(InputError, match=message):
            load_predictor(model, path)

    save_file(state, path)
    assert load_predictor(model, path).name == "awing"
    less = dict(state)
    less.pop("stem.conv.conv.bias")
    refused(less, r"1 of [\d,]+ tensors of AWing are missing, stem.conv.conv.bias first")
    refused({**state, "odd": torch.zeros(1)}, "1 tensors are none of AWing's, odd first")
    wide = {**state, "stem.conv.conv.bias": torch.zeros(9)}
    refused(wide, r"stem.conv.conv.bias: shape \(9,\); accepted: \(4,\)")
    broken = {**state, "stem.conv.conv.bias": torch.full((4,), torch.nan)}
    refused(broken, "values that are not finite")
    for header, message in (
        ({"options": "[1]"}, r"options in its header: \[1\]"),
        ({"options": '{"stakcs": 1}'}, "option 'stakcs': unknown"),
        ({"settings": '{"markup": "wflw98"}'}, r"key crop: is missing"),
        ({"settings": '{"markup": "cofw29", "crop": {"size": 256}}'}, "its crop is for cofw29"),
    ):
        save_file(state, path, header)
        with pytest.raises(InputError, match=message) as error:
            load_predictor("awing", path)
        assert "pydantic" not in str(error.value)
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(InputError, match="is not a file of weights"):
        load_predictor(model, path)


def test_a_checkpoint_that_would_run_code_is_refused(tmp_path):
    path = tmp_path / "WFLW_4HG.pth"
    touched = tmp_path / "touched"

    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(touched),)

    torch.save({"state_dict": Evil()}, path)
    with pytest.raises(InputError, match=r"holds more than tensors.*a file of tensors alone") as e:
        load_predictor("awing", path)
    assert "weights_only" not in str(e.value)
    assert not touched.exists()
    torch.save([1, 2], path)
    with pytest.raises(InputError, match="holds no state dict"):
        load_predictor("awing", path)
    path.write_bytes(b"")
    with pytest.raises(InputError, match="cannot be read as weights"):
        load_predictor("awing", path)


@pytest.mark.parametrize("kind", ["heatmaps", "points", "points from the edge"])
def test_flip_test_of_a_mirror_proof_network_changes_nothing(kind):
    """A network that finds bright pixels by itself finds the mirrored ones in a mirrored face."""
    size, markup = 32, WFLW98
    output = (
        Output(kind="heatmaps", decoder="argmax")
        if kind == "heatmaps"
        else Output(origin="edge" if "edge" in kind else "pixel-centre")
    )
    settings = CropSettings(markup=markup.name, crop=Crop(size=size), output=output)

    def network(pixels):
        # Each landmark's colour is its number.
        code = np.round(255 * pixels[:, 0])
        maps = np.stack([(code == 1 + k) for k in range(markup.landmarks)], axis=1)
        if pixels[0, 1].max() > 0 and np.argwhere(pixels[0, 1])[0][1] >= size // 2:
            maps = maps[:, markup.flip_order]  # the marker lies right: the face is mirrored
        maps = maps.astype(np.float32)
        if kind == "heatmaps":
            return maps
        y, x = np.divmod(maps.reshape(*maps.shape[:2], -1).argmax(axis=2), size)
        shift = 0.5 if "edge" in kind else 0
        return np.stack([x + shift, y + shift], axis=2).astype(np.float32) / size

    image = np.zeros((size, size, 3), np.uint8)
    rng = np.random.default_rng(0)
    places = rng.choice(size * size - size, markup.landmarks, replace=False) + size
    for landmark, place in enumerate(places):
        image[place // size, place % size, 0] = 1 + landmark
    image[0, 2, 1] = 255
    batch = Batch(["a"], [image], np.array([[-0.5, -0.5, size - 0.5, size - 0.5]]))
    made = [
        CropPredictor("it", settings, network, {}, flip_test=flip).predict(batch)
        for flip in (False, True)
    ]
    np.testing.assert_allclose(made[0][0], np.stack([places % size, places // size], 1), atol=1e-6)
    np.testing.assert_allclose(made[0], made[1], atol=1e-5)


def test_flip_test_makes_a_network_mirror_proof():
    predictor = small("propnet", flip_test=True)
    shown = predictor.preprocess(Batch(["a"], noise_images(1), np.array([[20.0, 30, 120, 125]])))
    mirrored = Windows(np.ascontiguousarray(shown.pixels[..., ::-1]), shown.crops)
    seen, other = predictor.forward(shown)[0], predictor.forward(mirrored)[0]
    np.testing.assert_allclose(seen, other[:, WFLW98.flip_order, :, ::-1], atol=1e-5)
    assert predictor.describe()["flip_test"] is True


def test_a_window_is_standardised_for_lab():
    predictor = small("lab")
    images = [*noise_images(1), np.full((150, 150, 3), 90, np.uint8)]
    seen = predictor.preprocess(Batch(["a", "b"], images, np.array([[40.0, 40, 90, 95]] * 2)))
    assert seen.pixels.shape == (2, 1, 256, 256)
    assert seen.pixels[0].mean() == pytest.approx(0, abs=1e-4)
    assert seen.pixels[0].std() == pytest.approx(1, abs=1e-4)
    assert np.abs(seen.pixels[1]).max() < 1e-3


def test_an_official_box_is_named_with_its_leak(cli):
    asked = random_run("awing")
    result = cli(*asked, "--boxes", "awing-official", "--out", "run")
    assert result.code == 0, result.err
    assert "Boxes: awing-official; leak: ground-truth landmarks." in result.out
    protocol = json.loads(Path("run/run.json").read_text())["protocol"]
    assert (protocol["boxes"], protocol["leak"]) == ("awing-official", "ground-truth landmarks")
    assert "lab-official" in cli("list", "boxes").out
    wrong = cli(*asked, "--boxes", "awing")
    assert wrong.code == 2
    assert "alignbench list boxes" in wrong.err


def test_export_writes_what_onnx_reads(cli):
    model = f"propnet:{SMALL['propnet']}"
    result = cli("export", "--model", model, "--weights", "random", "--out", "nets/prop.onnx")
    assert result.code == 0, result.err
    dataset = load_dataset("synthetic", split="sample")
    want = evaluate(small("propnet"), dataset, limit=6, bootstrap=QUICK)
    for backend in ("onnxruntime", "openvino"):
        predictor = load_predictor("onnx:nets/prop.onnx", backend=backend)
        assert predictor.describe()["execution"]["backend"] == backend
        run = evaluate(predictor, dataset, limit=6, bootstrap=QUICK)
        assert run.record.model.notes == want.record.model.notes
        nme = parse_measure("nme")
        assert run.row(nme).value == pytest.approx(want.row(nme).value, rel=0.01)
    with pytest.raises(InputError, match=r"'eager' with precision 'fp32'; accepted: onnxruntime"):
        load_predictor("onnx:nets/prop.onnx", backend="eager")
    Path("nets/prop.toml").write_text("markup = 'cofw29'")
    for arguments, message in (
        ("linear --out x.onnx", "is no torch network"),
        ("mean-shape --out x.onnx", "is no torch network"),
        ("linear --weights random --out x.onnx", "takes no random weights"),
        (f"{model} --weights random --out nets/prop.onnx", "prop.toml: exists already, with other"),
        ("lab --weights random --out x.pt", "ends in '.pt'; accepted: .onnx"),
    ):
        wrong = cli("export", "--model", *arguments.split())
        assert wrong.code == 2
        assert message in wrong.err
    assert Path("nets/prop.toml").read_text() == "markup = 'cofw29'"


def test_steps_of_a_predictor_make_its_predict():
    predictor = small("lab")
    assert predictor.has_steps
    images = ArrayImages(noise_images(10))
    dataset = make_dataset(10, images=images)
    run = evaluate(predictor, dataset, batch_size=4, bootstrap=QUICK)
    boxes = dataset.boxes
    alone = np.concatenate(
        [
            predictor.predict(
                Batch(dataset.ids[a : a + 4], [images.read(k) for k in range(a, min(a + 4, 10))],
                      boxes[a : a + 4])
            )
            for a in (0, 4, 8)
        ]
    )  # fmt: skip
    np.testing.assert_allclose(run.points, alone, atol=1e-9)


class OwnPredict(CropPredictor):
    """A user's subclass that overrides predict alone."""

    def predict(self, batch):
        return super().predict(batch) + 1.0


def test_a_subclass_s_own_predict_is_called():
    settings = CropSettings(markup="wflw98", crop=Crop(size=8))

    def network(pixels):
        return np.zeros((len(pixels), WFLW98.landmarks, 2), np.float32)

    dataset = make_dataset(5)
    runs = [
        evaluate(kind("it", settings, network, {}), dataset, bootstrap=QUICK)
        for kind in (CropPredictor, OwnPredict)
    ]
    np.testing.assert_allclose(runs[1].points, runs[0].points + 1)


def test_two_processes_give_the_bytes_of_one(cli, tmp_path):
    asked = (*random_run("propnet", 31), "--threads", 1, "--batch-size", 7)
    assert cli(*asked, "--out", "one").code == 0
    done = torchrun(tmp_path, *asked, "--out", "two")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Run kept in two") == 1
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    records = [json.loads((tmp_path / run / "run.json").read_text()) for run in ("one", "two")]
    timings = [record.pop("timings") for record in records]
    assert records[0] == records[1]
    assert [timing["processes"] for timing in timings] == [1, 2]
    again = torchrun(tmp_path, *asked, "--out", "two")
    assert again.returncode == 0, again.stderr
    assert again.stdout.count("finished before") == 1


def test_two_processes_go_on_with_a_run_that_one_began(cli, tmp_path, monkeypatch):
    asked = (*random_run("awing", 22), "--threads", 1, "--batch-size", 4)
    assert cli(*asked, "--out", "one").code == 0
    calls = []

    def interrupt(done, total):
        calls.append(done)
        if done >= 12:
            raise KeyboardInterrupt

    monkeypatch.setattr("alignbench.runs.predict._PART_SECONDS", 0)
    with pytest.raises(KeyboardInterrupt):
        evaluate(
            small("awing"), load_dataset("synthetic", split="sample"), batch_size=4, limit=22,
            out=tmp_path / "two", progress=interrupt,
        )  # fmt: skip
    done = torchrun(tmp_path, *asked, "--out", "two")
    assert done.returncode == 0, done.stderr
    assert re.search(r"\((8|12) faces were stored already\)", done.stdout), done.stdout
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_a_mistake_under_torchrun_ends_all_processes_with_a_message(tmp_path):
    done = torchrun(tmp_path, "run", "--model", "propnet", "--dataset", *SAMPLE)
    assert done.returncode != 0
    assert "alignbench: model 'propnet': has no weights" in done.stderr.replace(" (process 1)", "")
    assert not (tmp_path / "runs").exists()


BREAKING = """
import numpy as np
import os
from alignbench import Predictor
from alignbench.markups import WFLW98

class Breaking(Predictor):
    name = "breaking"
    markup = WFLW98
    needs_images = False

    def predict(self, batch):
        if os.environ["RANK"] == "1" and batch.ids[0] != "never":
            HOW
        return np.repeat(batch.boxes[:, None, :2], 98, axis=1)

    def describe(self):
        return {"source": "breaking"}
"""


@pytest.mark.parametrize(
    "how", ['raise RuntimeError("the second one breaks")', "os.kill(os.getpid(), 9)"]
)
def test_a_process_that_breaks_ends_the_others_without_a_traceback(tmp_path, how):
    (tmp_path / "breaking.py").write_text(BREAKING.replace("HOW", how))
    asked = ("run", "--model", "breaking:Breaking", "--dataset", *SAMPLE, "--batch-size", 9)
    done = torchrun(tmp_path, *asked)
    assert done.returncode != 0
    if "raise" in how:
        assert "alignbench (process 1): model 'breaking'" in done.stderr
        assert "the second one breaks" in done.stderr
    else:
        said = "alignbench: (torch.distributed: another process stopped|interrupted; the same)"
        assert re.search(said, done.stderr)
    ours = done.stderr.partition("torch.distributed.elastic")[0].partition("ChildFailed")[0]
    assert "Traceback" not in ours.partition("torch/distributed/elastic")[0]


def test_a_folder_that_is_refused_ends_all_processes(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "foo").write_text("mine")
    done = torchrun(tmp_path, "run", "--model", "linear", "--dataset", *SAMPLE, "--out", "out")
    assert done.returncode != 0
    assert "holds foo but no run" in done.stderr
    assert "GLHF" not in done.stderr


def test_a_stray_rank_does_not_silence_a_run(cli, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    result = cli("run", "--model", "mean-shape", "--dataset", *SAMPLE)
    assert "Run kept in" in result.out


def test_networks_keep_their_module():
    for name, kind in (("propnet", PropNet), ("awing", AWing), ("lab", LAB)):
        predictor = small(name)
        assert isinstance(predictor.network, kind)
        assert not predictor.network.training
