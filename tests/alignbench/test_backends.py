"""Back ends: all compute what eager PyTorch does; what is not there says so."""

from __future__ import annotations

import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from layouts import image
from torch import nn

from alignbench import Batch, InputError, heatmaps
from alignbench.backends import in_batches, onnx_runtime, open_vino
from alignbench.backends.build import Execution, build_network
from alignbench.backends.torch_module import to_onnx
from alignbench.markups.eyes_mouth5 import EYES_MOUTH5
from alignbench.predictors.crop import locate
from alignbench.predictors.network import Inference, NetworkPredictor
from alignbench.predictors.settings import Crop, CropSettings, Output
from baselines.awing.network import AWing
from baselines.lab import message_passing
from baselines.lab.message_passing import MessagePassing
from baselines.lab.network import LAB
from baselines.propnet.network import PropNet

SIDE = 128
SHAPE = (3, 16, 16)


def tiny():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 2, 1)).eval()


def random_pixels(batch, shape, seed=0):
    return np.random.default_rng(seed).random((batch, *shape), dtype=np.float32)


def compute(network, pixels):
    """What eager PyTorch computes."""
    with torch.no_grad():
        return network(torch.from_numpy(pixels)).numpy()


def settle(network, channels):
    """A network whose batch normalisations have seen something, as in one that was trained."""
    network.train()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for _ in range(3):
            network(torch.rand(4, channels, SIDE, SIDE, generator=generator))
    return network.eval()


@pytest.fixture(scope="module", params=["propnet", "awing", "lab"])
def exported(request):
    """A small network of each kind, its ONNX file and its input's shape."""
    torch.manual_seed(0)
    network = {
        "propnet": lambda: PropNet(stacks=2, width=32, depth=1, hidden=(4,), attention_depth=1),
        "awing": lambda: AWing(stacks=2, width=32, depth=1),
        "lab": lambda: LAB(stacks=1, width=32, regressor_width=8, side=SIDE, message_passing=False),
    }[request.param]()
    channels = 1 if request.param == "lab" else 3
    network = Inference(settle(network, channels)).eval()
    return network, to_onnx(network, (channels, SIDE, SIDE)), (channels, SIDE, SIDE)


@pytest.mark.parametrize("load", [onnx_runtime.load, open_vino.load])
def test_onnxruntime_and_openvino_agree_with_eager_for_any_batch(exported, load):
    network, model, shape = exported
    call = load(model, "it")
    for batch in (3, 1):
        pixels = random_pixels(batch, shape, seed=batch)
        np.testing.assert_allclose(call(pixels), compute(network, pixels), atol=1e-4)


class Talk(nn.Module):
    """Two stages of message passing."""

    def __init__(self):
        super().__init__()
        self.first = MessagePassing(3, last=False, bias=True)
        self.second = MessagePassing(3, last=True, bias=True)

    def forward(self, pixels):
        maps, onward = self.first(pixels, [{}, {}])
        return maps + self.second(pixels, onward)[0]


def test_message_passing_survives_export(monkeypatch):
    # Of LAB's tree, a node that speaks to two and one that hears two: its export takes a minute.
    tree = {
        "contour": ("left_brow", "lower_lip_lower"),
        "lower_lip_lower": ("left_brow",),
        "left_brow": (),
    }
    monkeypatch.setattr(message_passing, "FORWARD", tree)
    monkeypatch.setattr(message_passing, "BOUNDARIES", tree)
    torch.manual_seed(0)
    network = Talk().eval()
    pixels = random_pixels(2, SHAPE)
    output = open_vino.load(to_onnx(network, SHAPE), "it")(pixels)
    np.testing.assert_allclose(output, compute(network, pixels), atol=1e-4)


def test_bfloat16_moves_landmarks_by_little(exported):
    network, model, shape = exported
    pixels = random_pixels(4, shape)

    def points(backend, precision):
        if backend == "openvino":
            call = open_vino.load(model, "it", precision=precision)
        else:
            call = build_network(network, shape, Execution(backend, precision, "cpu")).network
        output = call(pixels)
        assert output.dtype == np.float32
        return SIDE * output if output.ndim == 3 else heatmaps.centre_of_mass(output)

    backends = ["eager", "channels-last"]
    if open_vino.has_bfloat16():
        backends.append("openvino")
    else:
        with pytest.raises(InputError, match="has no bf16 on this processor"):
            points("openvino", "bf16")
    for backend in backends:
        distance = np.abs(points(backend, "bf16") - points(backend, "fp32"))
        assert 0 < distance.mean() < 1


@pytest.mark.parametrize("backend", ["eager", "channels-last", "onnxruntime", "openvino"])
def test_every_back_end_leaves_the_module_as_it_is(backend):
    network = tiny()
    before = {name: t.clone() for name, t in network.state_dict().items()}
    pixels = random_pixels(5, SHAPE)
    call, used, trial = build_network(network, SHAPE, Execution(backend))
    np.testing.assert_allclose(call(pixels), compute(network, pixels), atol=1e-5)
    assert used == Execution(backend, "fp32", "cpu") or used.device.startswith("cuda")
    assert trial is None
    assert all(torch.equal(t, before[name]) for name, t in network.state_dict().items())
    assert network[0].weight.dtype is torch.float32


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")  # PyTorch's own modules
@pytest.mark.skipif(not shutil.which("g++"), reason="compiling needs a C++ compiler")
def test_a_compiled_network_takes_any_batch():
    network = tiny()
    call, _, _ = build_network(network, SHAPE, Execution("compile", device="cpu"))
    for batch in (4, 3, 5):
        pixels = random_pixels(batch, SHAPE, seed=batch)
        np.testing.assert_allclose(call(pixels), compute(network, pixels), atol=1e-5)


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")  # PyTorch's own modules
@pytest.mark.parametrize(
    "backend",
    ["channels-last", "onnxruntime", "openvino", *["compile"] * bool(shutil.which("g++"))],
)
def test_every_decoder_works_behind_every_back_end(backend):
    torch.manual_seed(1)
    network = nn.Conv2d(3, EYES_MOUTH5.landmarks, 9, padding=4)
    settings = CropSettings(
        markup=EYES_MOUTH5.name, crop=Crop(size=24), output=Output(kind="heatmaps")
    )
    batch = Batch(["a", "b"], [image()] * 2, np.array([[10.0, 10, 50, 50], [0, 5, 30, 35]]))
    predictors = [
        NetworkPredictor("it", settings, network, {}, Execution(name, device="cpu"))
        for name in ("eager", backend)
    ]
    maps = [one.forward(one.preprocess(batch)) for one in predictors]
    for decoder in heatmaps.DECODERS:
        output = settings.output.model_copy(update={"decoder": decoder})
        eager, other = (locate(*values, output) for values in maps)
        np.testing.assert_allclose(other, eager, atol=1e-3)


def test_auto_takes_the_fastest_and_says_so(monkeypatch):
    from alignbench.backends import build

    seconds = {"eager": 1.0, "channels-last": 0.97, "onnxruntime": 0.5, "openvino": 0.49}
    calls = []

    def make(backend, **_):
        calls.append(backend)

        def network(pixels):
            return pixels

        network.backend = backend
        return network

    monkeypatch.setattr(build, "_make", make)
    monkeypatch.setattr(build, "_seconds", lambda network, pixels: seconds[network.backend])
    _, used, trial = build_network(tiny(), SHAPE, Execution("auto", device="cpu"))
    assert calls == list(seconds)  # compiling is no trial on a CPU
    # openvino's two per cent are chance
    assert used.backend == "onnxruntime"
    assert trial.startswith("back end auto: onnxruntime. Faces per second: eager 4, ")
    assert "openvino 8.16" in trial


def test_several_processes_do_not_choose_each_for_itself(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(InputError, match="cannot be used with several processes"):
        build_network(tiny(), SHAPE, Execution("auto", device="cpu"))


def test_auto_gets_by_without_the_optional_packages(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    _, used, trial = build_network(tiny(), SHAPE, Execution("auto", device="cpu"))
    assert used.backend in ("eager", "channels-last")
    assert "openvino" not in trial


@pytest.mark.parametrize(
    ("execution", "message"),
    [
        (Execution("egaer"), r"--backend 'egaer': unknown; .*Did you mean 'eager'"),
        (Execution(precision="fp16"), r"--precision 'fp16': unknown; accepted: bf16, fp32"),
        (Execution(device="tpu"), r"--device: 'tpu'; accepted: auto, cpu, cuda"),
        (Execution(device="meta"), r"--device: 'meta'"),
        (Execution(device="cuda:99"), r"--device: cuda:99 is not there: PyTorch sees \d+ GPU"),
        (
            Execution("onnxruntime", "bf16"),
            r"'onnxruntime': has no bf16 on the CPU; accepted: fp32",
        ),
    ],
    ids=str,
)
def test_what_cannot_be_run_is_refused(execution, message):
    with pytest.raises(InputError, match=message):
        build_network(tiny(), SHAPE, execution)


@pytest.mark.parametrize(("package", "extra"), [("onnxruntime", "onnx"), ("openvino", "openvino")])
def test_a_package_that_is_not_installed_is_named_with_its_extra(monkeypatch, package, extra):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(InputError, match=rf"'{package}': is not installed.*alignbench\[{extra}\]"):
        build_network(tiny(), SHAPE, Execution(package))


def test_export_says_what_it_needs(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(InputError, match=r"onnxscript is not installed.*alignbench\[onnx\]"):
        to_onnx(tiny(), SHAPE)


@given(st.integers(1, 9), st.integers(1, 5))
def test_batches_of_one_size_serve_any(count, size):
    sizes = []

    def call(pixels):
        sizes.append(len(pixels))
        return pixels[:, 0, 0]

    pixels = np.arange(count, dtype=np.float32)[:, None, None, None] * np.ones((1, 1, 1, 2))
    output = in_batches(call, size)(pixels.astype(np.float32))
    assert output[:, 0].tolist() == list(range(count))
    assert set(sizes) == {size}


_AFTER_A_NETWORK = """
import faulthandler, gc, signal, subprocess, sys, threading
import torch
from torch import nn
from alignbench.backends.build import Execution, build_network

if sys.argv[1] == "faulthandler":
    faulthandler.enable()
wanted = Execution("openvino", "fp32", "cpu")
made = [build_network(nn.Conv2d(3, 2, 1).eval(), (3, 8, 8), wanted)[0]]
end = threading.Thread(target=lambda: (made.clear(), gc.collect()))
end.start()
end.join()
signal.signal(signal.SIGCHLD, lambda *received: print("a child ended"))
subprocess.run([sys.executable, "-c", ""])
"""


@pytest.mark.parametrize("handler", ["faulthandler", "none"])
def test_a_signal_after_an_openvino_network_is_gone(handler):
    """OpenVINO left the main thread a stack for signals that was no longer there."""
    done = subprocess.run(
        [sys.executable, "-c", _AFTER_A_NETWORK, handler],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "a child ended\n"), done.stderr
