"""Complexity of networks: Table 8, all their counts, and their time and memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from alignbench import InputError, Run, load_predictor
from alignbench.environment import processor
from alignbench.predictors import RANDOM_IF_TAKEN, predictor_names
from reports.paper.model import NOTE, make_row, make_table, published_row, published_rows
from reports.tables import MEASURED, Group, Number, Quantity, Record, Row, Table

if TYPE_CHECKING:  # it imports torch, which no published row needs
    from alignbench.cost import Complexity, Timing

_NAMES = ("lab", "awing", "propnet")
_COUNTERS = {
    "conv": "FLOPs: multiply-adds of convolutions and fully connected layers, each counted once.",
    "thop": "FLOPs: as the package thop counts: multiply-adds once, biases of convolutions, two "
    "for each element of a batch normalisation.",
}
_COUNT_COLUMNS = (
    "Model", "Source", "Params M", "FLOPs G", "by", "conv G", "thop G", "torch G", "inference G"
)  # fmt: skip
_COUNT_RECORD = (
    "method", "source", "params_m", "flops_g", "counter", "parameters", "conv", "thop",
    "torch_flops", "inference_conv",
)  # fmt: skip
_COUNT_NOTES = (
    "Operations of one image, in billions. FLOPs: as printed, or measured by the counter beside.",
    (
        "conv: multiply-adds of convolutions and fully connected layers. thop: these, biases of "
        "convolutions, and two for each element of a batch normalisation. torch: PyTorch's own "
        "counter, two a multiply-add. inference: conv of what is computed to find landmarks."
    ),
)
_TIMING_COLUMNS = (
    "Model", "Back end", "Precision", "Batch", "Threads",
    "p50 ms", "p90 ms", "p99 ms", "faces/s", "peak MiB", "moved px",
)  # fmt: skip


def published_sizes() -> dict[str, Mapping[str, str]]:
    """Rows of the paper's Table 8 by method, in lower case.

    The column ``counter`` is ours: the counter by which our network has the printed number.
    """
    return {row["method"].lower(): row for row in published_rows("table8_complexity")}


class _Size(NamedTuple):
    """A network's size in the paper's units, and the counter of its operations."""

    params_m: float
    flops_g: float
    counter: str


def _size(counted: Complexity) -> _Size:
    """The size by the counter that gives a network's published number, or else by thop."""
    counter = published_sizes().get(counted.name, {"counter": "thop"})["counter"]
    network = counted.network
    return _Size(network.parameters / 1e6, getattr(network, counter) / 1e9, counter)


@cache
def count_named(name: str) -> Complexity:
    """Counts of a network by the name that :func:`alignbench.load_predictor` makes it from.

    The network is made but not computed, so that counting takes no time.
    """
    import torch

    from alignbench.cost import count_predictor, network_of

    predictor = load_predictor(name, None, RANDOM_IF_TAKEN)
    network_of(name, predictor).network.to("meta")
    with torch.device("meta"):
        return count_predictor(name, predictor)


def has_network(run: Run) -> bool:
    """Whether the network of a run can be made again from its record."""
    return _model(run.record.model.identity) is not None


def sizes_table(runs: Sequence[Run]) -> Table:
    """Table 8; if there are runs, their networks and the paper's three are made and counted."""
    of = {column: Quantity(column) for column in ("params_m", "flops_g")}
    printed = (published_row(row["method"], row, of) for row in published_rows("table8_complexity"))
    groups = [Group("Published", tuple(printed))]
    notes = [f"{NOTE.rstrip('.')}; it counts a multiply-add once."]
    if runs:
        groups.append(Group("Measured on networks that run", _measured(runs)))
    else:
        notes.append("`alignbench complexity` counts networks that run.")
    return make_table(8, "Complexity", ("Method", "Params M", "FLOPs G"), groups, notes)


def _measured(runs: Sequence[Run]) -> tuple[Row, ...]:
    """A row for each of the paper's networks and of the runs', each once."""
    published = published_sizes()
    counts = {name: count_named(name) for name in _NAMES}
    names = {name: published[name]["method"] for name in _NAMES}
    keys: dict[str, list[str]] = {name: [] for name in _NAMES}
    failed = []
    for run in runs:
        model, key = _model(run.record.model.identity), run.record.key
        if model is None:
            continue
        try:
            counted = count_named(model)
        except InputError as error:
            note = f"Its network cannot be made: {error}"
            failed.append(_size_row(run.record.model.name, None, key, note))
            continue
        counts[counted.name] = counted
        names.setdefault(counted.name, run.record.model.name)
        keys.setdefault(counted.name, []).append(key)
    rows = []
    for name, counted in counts.items():
        size = _size(counted)
        rows.append(_size_row(names[name], size, " ".join(keys[name]), _COUNTERS[size.counter]))
    return (*rows, *failed)


def _size_row(name: str, size: _Size | None, run: str, note: str) -> Row:
    values = {"params_m": size and size.params_m, "flops_g": size and size.flops_g}
    numbers = [
        Number(value, source=MEASURED, of=Quantity(metric, run=run))
        for metric, value in values.items()
    ]
    return make_row(name, numbers, [note])


def _model(identity: Mapping[str, Any]) -> str | None:
    """The name by which a run's network is made again, with other weights; None if it has none."""
    source, options = identity.get("source"), identity.get("options")
    if source not in predictor_names() or not isinstance(options, Mapping):
        return None
    return f"{source}:" + ",".join(f"{name}={_spell(value)}" for name, value in options.items())


def _spell(value: object) -> str:
    if isinstance(value, list | tuple):
        return f"[{','.join(map(_spell, value))}]"
    return str(value).lower() if value is None or isinstance(value, bool) else str(value)


def count_table(counted: Sequence[Complexity]) -> Table:
    """Parameters and operations of networks, below the published ones of their methods."""
    rows: list[Row] = []
    records: list[Record] = []
    for model in counted:
        published = published_sizes().get(model.name)
        if published:
            numbers = [Number(float(published[column])) for column in ("params_m", "flops_g")]
            rows.append((published["method"], "published", *numbers, "–", *[Number(None)] * 4))
            values = {**published, "source": "published", "counter": ""}
            records.append({column: values.get(column, "") for column in _COUNT_RECORD})
        name = published["method"] if published else model.name
        size, network = _size(model), model.network
        operations = (network.conv, network.thop, network.flops, model.inference.conv)
        numbers = [Number(number / 1e9) for number in operations]
        sizes = (Number(size.params_m), Number(size.flops_g), size.counter)
        rows.append((name, "measured", *sizes, *numbers))
        measured = (name, "measured", *size, network.parameters, *operations)
        records.append(dict(zip(_COUNT_RECORD, measured, strict=True)))
    title = "Complexity (Table 8 of the PropNet paper)"
    return Table.of_rows(title, _COUNT_COLUMNS, rows, _COUNT_NOTES, records=records)


def timing_table(timed: Sequence[Timing]) -> Table:
    """Time and memory of networks, a row for each setting."""
    note = (
        f"Measured on {processor()}. Time of a batch through the network, copies to and from a "
        "GPU included; faces/s at its median; peak: memory beyond what the loaded network takes; "
        "moved: mean distance of landmarks from those of the usual setting (eager, fp32), in "
        "pixels of the window, on drawn faces; random weights give maps without a clear peak, "
        "whose highest pixel jumps."
    )
    rows: list[Row] = []
    records: list[Record] = []
    for one in timed:
        setting, latency = one.setting, one.latency
        times = (latency.p50, latency.p90, latency.p99) if latency else (None, None, None)
        speed, peak = (latency.faces_per_second, latency.peak_bytes) if latency else (None, None)
        rows.append(
            (
                one.name, setting.backend or "eager", setting.precision or "fp32",
                setting.batch_size, setting.threads or 0,
                *(Number(None if t is None else 1e3 * t, 1) for t in times), Number(speed, 1),
                Number(None if peak is None else peak / 2**20, 0), Number(one.moved, 3),
            )
        )  # fmt: skip
        records.append(
            {
                "method": one.name,
                "backend": setting.backend,
                "precision": setting.precision,
                "device": one.device,
                "batch_size": setting.batch_size,
                "threads": setting.threads,
                **dict(zip(("p50_s", "p90_s", "p99_s"), times, strict=True)),
                "faces_per_second": speed,
                "peak_bytes": peak,
                "moved_px": one.moved,
                "processor": processor(),
                "failure": one.failure,
            }
        )
    devices = ", ".join(sorted({one.device for one in timed if one.device}))
    notes = (note, *dict.fromkeys(one.failure for one in timed if one.failure))
    return Table.of_rows(
        f"Latency and memory ({devices})", _TIMING_COLUMNS, rows, notes, records=records
    )
