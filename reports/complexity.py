"""Table 8 of the PropNet paper: published complexity beside what running networks have."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from functools import cache

from alignbench import load_predictor
from alignbench.cost import Complexity, Timing, count_predictor, network_of
from alignbench.environment import processor
from alignbench.errors import visible
from alignbench.predictors import RANDOM_IF_TAKEN
from reports import published as printed
from reports.tables import Cell, Number, Table, render

_COUNTER = "thop"
"""The counter a model's operations are shown by where nothing was published."""


def table(counted: Sequence[Complexity], timed: Sequence[Timing], form: str) -> str:
    """Published and measured parameters and operations; time and memory where they were measured.

    Parameters
    ----------
    form
        ``terminal``, ``md``, ``latex``, ``html`` or ``csv``; as CSV one table of the
        counts, or of the times if there are any.

    Raises
    ------
    InputError
        If the format is unknown.
    """
    if form == "csv":
        return _csv(_timing_rows(timed) if timed else _count_rows(counted))
    return render([_counts(counted), *([_timings(timed)] if timed else [])], form)


def published() -> dict[str, Mapping[str, str]]:
    """Rows of the paper's Table 8 by method, in lower case.

    The column ``counter`` is ours: the counter by which our network gives the printed number.
    """
    return {row["method"].lower(): row for row in printed.rows("table8_complexity")}


def counter(name: str) -> str:
    """The counter that a model's operations are shown by: the one its published number is of."""
    known = published().get(name)
    return known["counter"] if known else _COUNTER


@cache
def count_named(name: str) -> Complexity:
    """Counts of a network by the name :func:`alignbench.load_predictor` makes it from.

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


def _counts(counted: Sequence[Complexity]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for model in counted:
        known = published().get(model.name)
        if known:
            numbers = (_number(float(known["params_m"])), _number(float(known["flops_g"])))
            rows.append((known["method"], "published", *numbers, "–", *[_number(None)] * 4))
        by = counter(model.name)
        network = model.network
        rows.append(
            (
                known["method"] if known else model.name,
                "measured",
                _number(network.parameters / 1e6),
                _number(getattr(network, by) / 1e9),
                by,
                *(_number(n / 1e9) for n in (network.conv, network.thop, network.flops)),
                _number(model.inference.conv / 1e9),
            )
        )
    operations = (
        "Operations of one image, in 10^9. FLOPs: as the paper prints them, measured rows by the "
        "counter named beside."
    )
    counters = (
        "conv: multiply-adds of convolutions and fully connected layers. thop: these, biases of "
        "convolutions, and two for each element of a batch normalisation. torch: PyTorch's own "
        "counter, two a multiply-add. inference: conv of what is computed to find landmarks."
    )
    columns = (
        "Model", "Source", "Params M", "FLOPs G", "by", "conv G", "thop G", "torch G", "inference G"
    )  # fmt: skip
    return Table(
        "Complexity (Table 8 of the PropNet paper)", columns, tuple(rows), (operations, counters)
    )


def _timings(timed: Sequence[Timing]) -> Table:
    rows = tuple(_timing_cells(one) for one in timed)
    columns = (
        "Model", "Back end", "Precision", "Batch", "Threads",
        "p50 ms", "p90 ms", "p99 ms", "faces/s", "peak MiB", "moved px",
    )  # fmt: skip
    note = (
        f"Measured on {processor()}. Time of a batch through the network, copies to and from a "
        "GPU included; faces/s at its median; peak: memory beyond what the loaded network takes; "
        "moved: mean distance of landmarks from those of the usual setting (eager, fp32), in "
        "pixels of the window, on demo faces; random weights give maps without a clear peak, "
        "whose highest pixel jumps."
    )
    devices = ", ".join(sorted({one.device for one in timed if one.device}))
    failures = dict.fromkeys(one.failure for one in timed if one.failure)
    return Table(f"Latency and memory ({devices})", columns, rows, (note, *failures))


def _timing_cells(one: Timing) -> tuple[Cell, ...]:
    latency, setting = one.latency, one.setting
    peak = latency.peak_bytes if latency else None
    return (
        one.name,
        setting.backend or "eager",
        setting.precision or "fp32",
        setting.batch_size,
        setting.threads or 0,
        _number(1e3 * latency.p50 if latency else None, 1),
        _number(1e3 * latency.p90 if latency else None, 1),
        _number(1e3 * latency.p99 if latency else None, 1),
        _number(latency.faces_per_second if latency else None, 1),
        _number(None if peak is None else peak / 2**20, 0),
        _number(one.moved, 3),
    )


def _number(value: float | None, digits: int = 2) -> Number:
    return Number(value, None, None, digits)


def _count_rows(counted: Sequence[Complexity]) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for model in counted:
        known = published().get(model.name)
        if known:
            rows.append({**known, "source": "published", "counter": ""})
        by = counter(model.name)
        network = model.network
        rows.append(
            {
                "method": known["method"] if known else model.name,
                "source": "measured",
                "params_m": network.parameters / 1e6,
                "flops_g": getattr(network, by) / 1e9,
                "counter": by,
                "parameters": network.parameters,
                "conv": network.conv,
                "thop": network.thop,
                "torch_flops": network.flops,
                "inference_conv": model.inference.conv,
            }
        )
    columns = (
        "method", "source", "params_m", "flops_g", "counter", "parameters", "conv", "thop",
        "torch_flops", "inference_conv",
    )  # fmt: skip
    return [{column: row.get(column, "") for column in columns} for row in rows]


def _timing_rows(timed: Sequence[Timing]) -> list[dict[str, object]]:
    return [
        {
            "method": one.name,
            "backend": one.setting.backend,
            "precision": one.setting.precision,
            "device": one.device,
            "batch_size": one.setting.batch_size,
            "threads": one.setting.threads,
            "p50_s": one.latency.p50 if one.latency else "",
            "p90_s": one.latency.p90 if one.latency else "",
            "p99_s": one.latency.p99 if one.latency else "",
            "faces_per_second": one.latency.faces_per_second if one.latency else "",
            "peak_bytes": one.latency.peak_bytes if one.latency else "",
            "moved_px": one.moved,
            "processor": processor(),
            "failure": one.failure,
        }
        for one in timed
    ]


def _csv(rows: Sequence[Mapping[str, object]]) -> str:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return visible(stream.getvalue(), lines=True)
