"""Table 8: parameters and operations, published above those of networks that run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from alignbench import InputError, Run
from alignbench.predictors import predictor_names
from reports import complexity, published
from reports.paper.model import make_row, make_table, published_row
from reports.tables import MEASURED, Group, Number, Quantity, Row, Table

_NAMES = ("lab", "awing", "propnet")
_COUNTERS = {
    "conv": "FLOPs: multiply-adds of convolutions and fully connected layers, each counted once.",
    "thop": "FLOPs: as the package thop counts: multiply-adds once, biases of convolutions, two "
    "for each element of a batch normalisation.",
}


def belongs(run: Run) -> bool:
    """Whether the network of a run can be made again from its record."""
    return _model(run.record.model.identity) is not None


def networks(runs: Sequence[Run]) -> Table:
    """Table 8; if there are runs, their networks and the paper's three are made and counted."""
    of = {column: Quantity(column) for column in ("params_m", "flops_g")}
    printed = (published_row(row["method"], row, of) for row in published.rows("table8_complexity"))
    groups = [Group("Published", tuple(printed))]
    notes = [f"{published.NOTE.rstrip('.')}; it counts a multiply-add once."]
    if runs:
        groups.append(Group("Measured on networks that run", _measured(runs)))
    else:
        notes.append("`alignbench complexity` counts networks that run.")
    return make_table(8, "Complexity", ("Method", "Params M", "FLOPs G"), groups, notes)


def _measured(runs: Sequence[Run]) -> tuple[Row, ...]:
    """A row for each of the paper's networks and of the runs', each once."""
    known = complexity.published_sizes()
    counts = {name: complexity.count_named(name) for name in _NAMES}
    names = {name: known[name]["method"] for name in _NAMES}
    keys: dict[str, list[str]] = {name: [] for name in _NAMES}
    failed = []
    for run in runs:
        model, key = _model(run.record.model.identity), run.record.key
        if model is None:
            continue
        try:
            counted = complexity.count_named(model)
        except InputError as error:
            note = f"Its network cannot be made: {error}"
            failed.append(_row(run.record.model.name, None, key, note))
            continue
        counts[counted.name] = counted
        names.setdefault(counted.name, run.record.model.name)
        keys.setdefault(counted.name, []).append(key)
    rows = []
    for name, counted in counts.items():
        size = complexity.size(counted)
        rows.append(_row(names[name], size, " ".join(keys[name]), _COUNTERS[size.counter]))
    return (*rows, *failed)


def _row(name: str, size: complexity.Size | None, run: str, note: str) -> Row:
    values = {"params_m": size and size.params_m, "flops_g": size and size.flops_g}
    numbers = [
        Number(value, source=MEASURED, of=Quantity(metric, run=run))
        for metric, value in values.items()
    ]
    return make_row(name, numbers, [note])


def _model(identity: Mapping[str, Any]) -> str | None:
    """What makes a run's network again, with other weights; None if it is no such network."""
    source, options = identity.get("source"), identity.get("options")
    if source not in predictor_names() or not isinstance(options, Mapping):
        return None
    return f"{source}:" + ",".join(f"{name}={_spell(value)}" for name, value in options.items())


def _spell(value: object) -> str:
    if isinstance(value, list | tuple):
        return f"[{','.join(map(_spell, value))}]"
    return str(value).lower() if value is None or isinstance(value, bool) else str(value)
