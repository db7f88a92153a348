"""The complexity table: published and measured rows, counters, time and memory."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import documents
import pytest
import torch
from torch import nn

from alignbench import InputError, load_predictor
from alignbench.cost import Setting, count, count_predictor, measure, measure_settings
from alignbench.predictors import RANDOM_IF_TAKEN
from reports.paper.complexity import count_table, published_sizes
from reports.tables import render


@pytest.mark.parametrize(
    ("layer", "example", "parameters", "conv", "thop"),
    [
        (nn.Conv2d(3, 8, 3, padding=1, bias=False), (1, 3, 4, 5), 216, 20 * 216, 20 * 216),
        (nn.Conv2d(3, 8, 3, padding=1), (1, 3, 4, 5), 224, 20 * 216, 20 * 216 + 160),
        (nn.Conv2d(8, 8, 3, padding=1, groups=4), (1, 8, 4, 5), 152, 20 * 144, 20 * 144 + 160),
        (nn.ConvTranspose2d(4, 8, 2, 2), (1, 4, 8, 8), 136, 8192, 8192 + 2048),
        (nn.Linear(7, 5), (1, 7), 40, 35, 35),
        (nn.BatchNorm2d(6), (1, 6, 2, 2), 12, 0, 48),
        (nn.Upsample(scale_factor=2), (1, 6, 2, 2), 0, 0, 0),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else "",
)
def test_counters_of_one_layer(layer, example, parameters, conv, thop):
    layer.train()
    found = count(layer, torch.zeros(example))
    assert (found.parameters, found.conv, found.thop) == (parameters, conv, thop)
    assert found.flops == 2 * conv
    assert layer.training


def test_counting_leaves_no_hooks_behind():
    layer = nn.Conv2d(3, 4, 1)
    first = count(layer, torch.zeros(1, 3, 4, 4))
    assert count(layer, torch.zeros(1, 3, 4, 4)) == first
    assert not layer._forward_hooks


def test_table_8_from_running_networks():
    networks = ((name, load_predictor(name, None, RANDOM_IF_TAKEN)) for name in PAPERS)
    table = count_table([count_predictor(name, network) for name, network in networks])
    rows = list(csv.DictReader(io.StringIO(render([table], "csv"))))
    assert [(r["method"], r["source"]) for r in rows] == [
        (method, source)
        for method in ("PropNet", "AWing", "LAB")
        for source in ("published", "measured")
    ]
    for printed, found in zip(rows[::2], rows[1::2], strict=True):
        for column in ("params_m", "flops_g"):
            assert f"{float(found[column]):.2f}" == f"{float(printed[column]):.2f}"
    exact = {row["method"]: int(row["parameters"]) for row in rows[1::2]}
    assert exact == {"PropNet": 36_298_756, "AWing": 24_153_036, "LAB": 12_290_502}
    shown = [line for line in render([table], "md").splitlines() if line.startswith("|")]
    assert len(shown) == 8
    assert "\n".join(shown) in documents.DOCUMENTS["docs/reference/networks.md"]


def test_published_complexity_is_the_papers(shared):
    with (shared.parent / "paper" / "table8_complexity.csv").open() as stream:
        for row in csv.DictReader(stream):
            ours = published_sizes()[row["method"].lower()]
            assert {key: ours[key] for key in row} == row


class _Convolving(nn.ReLU):
    """A layer that is a ReLU by its class and does more."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 3, padding=1)

    def forward(self, values):
        return super().forward(self.conv(values))


def test_what_is_counted_on_the_meta_device_is_what_runs():
    layers = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), _Convolving()
    network, example = nn.Sequential(*layers), torch.rand(1, 3, 8, 8)
    real = count(network, example)
    assert real.conv == 36 * (4 * 27 + 4 * 36)
    assert count(network.to("meta"), example.to("meta")) == real
    with torch.no_grad():
        assert (nn.Sequential(*layers[2:3])(torch.tensor([-1.0])) == 0).all()  # put back


def test_a_network_that_asks_for_values_is_counted_by_computing(monkeypatch):
    predictor = load_predictor(SMALL, None, RANDOM_IF_TAKEN)
    expected = count_predictor(SMALL, predictor)
    forward = type(predictor.network).forward

    def ask(self, pixels):
        assert pixels.sum().item() == 0
        return forward(self, pixels)

    monkeypatch.setattr(type(predictor.network), "forward", ask)
    assert count_predictor(SMALL, predictor) == expected


PAPERS = ("propnet", "awing", "lab")
SMALL = "propnet:stacks=1,width=16,depth=2,hidden=4,attention_depth=1"
TINY = "awing:stacks=1,width=16,depth=1"
"""Of which only speed is asked: bf16 is slow where a processor has none."""


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("terminal", "Complexity (Table 8 of the PropNet paper)"),
        ("md", "| propnet:stacks=1"),
        ("latex", r"\toprule"),
    ],
)
def test_forms_of_the_table(cli, form, expected):
    result = cli("complexity", "--model", SMALL, "--format", form)
    assert result.code == 0, result.err
    assert expected in result.out


def test_latency_of_every_combination(cli):
    result = cli(
        "complexity", "--model", TINY, "--latency", "--backend", "eager", "--backend",
        "channels-last", "--batch-size", 1, "--batch-size", 2, "--threads", 1, "--seconds", 0,
        "--out", "times.csv",
    )  # fmt: skip
    assert result.code == 0, result.err
    rows = list(csv.DictReader(Path("times.csv").read_text().splitlines()))
    assert [(r["backend"], r["batch_size"]) for r in rows] == [
        (backend, size) for backend in ("eager", "channels-last") for size in "12"
    ]
    for row in rows:
        assert row["precision"] == "fp32"
        assert row["threads"] == "1"
        assert 0 < float(row["p50_s"]) <= float(row["p90_s"]) <= float(row["p99_s"])
        assert float(row["faces_per_second"]) == pytest.approx(
            int(row["batch_size"]) / float(row["p50_s"])
        )
    shown = cli("complexity", "--model", TINY, "--latency", "--seconds", 0, "--device", "cpu")
    assert "Latency and memory" in shown.out
    assert "faces/s" in shown.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "linear"], "model 'linear': is no torch network"),
        (["--model", "linear", "--weights", "random"], "takes no random weights"),
        (["--model", SMALL, "--backend", "eager"], "are for --latency"),
        (["--model", SMALL, "--latency", "--threads", "0"], "--threads: 0; accepted: 1 or more"),
        (["--model", SMALL, "--latency", "--batch-size", "0"], "1 or more"),
        (["--model", SMALL, "--latency", "--backend", "fast"], "--backend 'fast': unknown"),
        (["--model", SMALL, "--seconds", "-1"], "--seconds: -1"),
    ],
)
def test_wrong_use(cli, arguments, message):
    result = cli("complexity", *arguments)
    assert result.code == 2
    assert message in result.err


def test_only_networks_are_counted():
    with pytest.raises(InputError, match="is no torch network"):
        count_predictor("linear", load_predictor("linear"))


def test_peak_memory_sees_what_a_call_takes():
    def call():
        return torch.ones(30_000_000).sum()

    found = measure(call, 1, seconds=0)
    assert found.peak_bytes is None or found.peak_bytes > 100_000_000
    assert found.p50 <= found.p90 <= found.p99


def test_threads_are_put_back():
    from alignbench import threads

    before = threads.count(), torch.get_num_threads(), threads._limit
    (timing,) = measure_settings(SMALL, None, [Setting(threads=1)], device="cpu", seconds=0)
    assert timing.setting.threads == 1
    assert (threads.count(), torch.get_num_threads(), threads._limit) == before


def test_a_setting_that_is_not_to_be_had_is_a_row_with_its_reason(cli):
    result = cli(
        "complexity", "--model", TINY, "--latency", "--backend", "eager", "--backend",
        "onnxruntime", "--precision", "bf16", "--seconds", 0, "--device", "cpu", "--out",
        "new/times.md",
    )  # fmt: skip
    assert result.code == 0, result.err
    shown = Path("new/times.md").read_text()
    assert "'onnxruntime': has no bf16 on the CPU" in shown
    assert shown.count("| bf16 ") == 2


def test_a_users_own_network_is_counted(cli):
    (code,) = documents.files("docs/tutorials/your-model.md", "mynet.py")
    Path("own_net.py").write_text(code)
    result = cli("complexity", "--model", "own_net:load", "--format", "csv")
    assert result.code == 0, result.err
    (row,) = csv.DictReader(io.StringIO(result.out))
    assert (row["method"], int(row["parameters"])) == ("own_net:load", 4 * 196)
