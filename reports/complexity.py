"""Complexity of networks: parameters and operations beside the published ones; time and memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import NamedTuple

from alignbench import load_predictor
from alignbench.cost import Complexity, Timing, count_predictor, network_of
from alignbench.environment import processor
from alignbench.predictors import RANDOM_IF_TAKEN
from reports import published
from reports.tables import Number, Record, Row, Table

_COUNTER = "thop"
"""The counter of a model's operations where nothing was published."""


def published_sizes() -> dict[str, Mapping[str, str]]:
    """Rows of the paper's Table 8 by method, in lower case.

    The column ``counter`` is ours: the counter by which our network has the printed number.
    """
    return {row["method"].lower(): row for row in published.rows("table8_complexity")}


class Size(NamedTuple):
    """A network's size in the paper's units, and the counter of its operations."""

    params_m: float
    flops_g: float
    counter: str


def size(counted: Complexity) -> Size:
    """The size of a network, by the counter that gives its published number if there is one."""
    known = published_sizes().get(counted.name)
    counter = known["counter"] if known else _COUNTER
    network = counted.network
    return Size(network.parameters / 1e6, getattr(network, counter) / 1e9, counter)


@cache
def count_named(name: str) -> Complexity:
    """Counts of a network by the name that :func:`alignbench.load_predictor` makes it from.

    The network is made but not computed, so that counting takes no time.

    Raises
    ------
    InputError
        If there is no such network.
    """
    import torch

    predictor = load_predictor(name, None, RANDOM_IF_TAKEN)
    network_of(name, predictor).network.to("meta")
    with torch.device("meta"):
        return count_predictor(name, predictor)


_COUNT_COLUMNS = (
    "Model", "Source", "Params M", "FLOPs G", "by", "conv G", "thop G", "torch G", "inference G"
)  # fmt: skip
_COUNT_RECORD = (
    "method", "source", "params_m", "flops_g", "counter", "parameters", "conv", "thop",
    "torch_flops", "inference_conv",
)  # fmt: skip
_COUNT_NOTES = (
    "Operations of one image, in 10^9. FLOPs: as printed, or measured by the counter beside them.",
    (
        "conv: multiply-adds of convolutions and fully connected layers. thop: these, biases of "
        "convolutions, and two for each element of a batch normalisation. torch: PyTorch's own "
        "counter, two a multiply-add. inference: conv of what is computed to find landmarks."
    ),
)


def count_table(counted: Sequence[Complexity]) -> Table:
    """Parameters and operations of networks, below the published ones of their methods."""
    rows: list[Row] = []
    records: list[Record] = []
    for model in counted:
        known = published_sizes().get(model.name)
        if known:
            numbers = (Number(float(known["params_m"])), Number(float(known["flops_g"])))
            rows.append((known["method"], "published", *numbers, "–", *[Number(None)] * 4))
            values = {**known, "source": "published", "counter": ""}
            records.append({column: values.get(column, "") for column in _COUNT_RECORD})
        name = known["method"] if known else model.name
        ours, network, inference = size(model), model.network, model.inference.conv
        operations = (network.conv, network.thop, network.flops, inference)
        rows.append(
            (
                name, "measured", Number(ours.params_m), Number(ours.flops_g), ours.counter,
                *(Number(number / 1e9) for number in operations),
            )
        )  # fmt: skip
        measured = (name, "measured", *ours, network.parameters, *operations)
        records.append(dict(zip(_COUNT_RECORD, measured, strict=True)))
    title = "Complexity (Table 8 of the PropNet paper)"
    return Table.of_rows(title, _COUNT_COLUMNS, rows, _COUNT_NOTES, records=records)


_TIMING_COLUMNS = (
    "Model", "Back end", "Precision", "Batch", "Threads",
    "p50 ms", "p90 ms", "p99 ms", "faces/s", "peak MiB", "moved px",
)  # fmt: skip


def timing_table(timed: Sequence[Timing]) -> Table:
    """Time and memory of networks, a row a setting."""
    note = (
        f"Measured on {processor()}. Time of a batch through the network, copies to and from a "
        "GPU included; faces/s at its median; peak: memory beyond what the loaded network takes; "
        "moved: mean distance of landmarks from those of the usual setting (eager, fp32), in "
        "pixels of the window, on drawn faces; random weights give maps without a clear peak, "
        "whose highest pixel jumps."
    )
    devices = ", ".join(sorted({one.device for one in timed if one.device}))
    failures = dict.fromkeys(one.failure for one in timed if one.failure)
    return Table.of_rows(
        f"Latency and memory ({devices})",
        _TIMING_COLUMNS,
        map(_timing_row, timed),
        (note, *failures),
        records=[_timing_record(one) for one in timed],
    )


def _timing_row(one: Timing) -> Row:
    latency, setting = one.latency, one.setting
    times = (latency.p50, latency.p90, latency.p99) if latency else (None, None, None)
    peak = latency.peak_bytes if latency else None
    return (
        one.name,
        setting.backend or "eager",
        setting.precision or "fp32",
        setting.batch_size,
        setting.threads or 0,
        *(Number(None if t is None else 1e3 * t, 1) for t in times),
        Number(latency.faces_per_second if latency else None, 1),
        Number(None if peak is None else peak / 2**20, 0),
        Number(one.moved, 3),
    )


def _timing_record(one: Timing) -> Record:
    latency, setting = one.latency, one.setting
    return {
        "method": one.name,
        "backend": setting.backend,
        "precision": setting.precision,
        "device": one.device,
        "batch_size": setting.batch_size,
        "threads": setting.threads,
        "p50_s": latency and latency.p50,
        "p90_s": latency and latency.p90,
        "p99_s": latency and latency.p99,
        "faces_per_second": latency and latency.faces_per_second,
        "peak_bytes": latency and latency.peak_bytes,
        "moved_px": one.moved,
        "processor": processor(),
        "failure": one.failure,
    }
