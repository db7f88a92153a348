"""Table 8: parameters and operations, published above those of networks that run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from alignbench import InputError, Run
from alignbench.cost import Complexity
from alignbench.predictors import predictor_names
from reports import complexity, published
from reports.paper.model import Entry, Group, PaperTable, Row
from reports.tables import MEASURED, PUBLISHED, Number

_NAMES = ("lab", "awing", "propnet")
_COLUMNS = ("params_m", "flops_g")
_COUNTERS = {
    "conv": "FLOPs: multiply-adds of convolutions and fully connected layers, each counted once.",
    "thop": "FLOPs: as the package thop counts: multiply-adds once, biases of convolutions, two "
    "for each element of a batch normalisation.",
}


def belongs(run: Run) -> bool:
    """Whether a run's network can be made from its record."""
    return _model(run.record.model.identity) is not None


def networks(runs: Sequence[Run]) -> PaperTable:
    """Table 8; with runs the paper's three networks and theirs are made and counted."""
    printed = [
        Row(
            row["method"],
            PUBLISHED,
            tuple(Entry(published.number(row[column]), column) for column in _COLUMNS),
        )
        for row in published.rows("table8_complexity")
    ]
    groups = [Group("Published", tuple(printed))]
    notes = [f"Published: as {published.PAPER} prints it; it counts a multiply-add once."]
    if runs:
        groups.append(Group("Measured on networks that run", _measured(runs)))
    else:
        notes.append("`alignbench complexity` counts networks that run.")
    columns = ("Method", "Params M", "FLOPs G")
    return PaperTable(8, "Complexity", columns, tuple(groups), tuple(notes))


def _measured(runs: Sequence[Run]) -> tuple[Row, ...]:
    """A row for each of the paper's networks and of the runs', each once."""
    known = complexity.published()
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
            failed.append(_uncounted(run, error))
            continue
        counts[counted.name] = counted
        names.setdefault(counted.name, run.record.model.name)
        keys.setdefault(counted.name, []).append(key)
    rows = [_row(names[name], counted, keys[name]) for name, counted in counts.items()]
    return (*rows, *failed)


def _uncounted(run: Run, error: InputError) -> Row:
    none = tuple(Entry(Number(None, None, None, 2, MEASURED), metric) for metric in _COLUMNS)
    why = f"Its network cannot be made: {error}"
    return Row(run.record.model.name, MEASURED, none, run.record.key, (why,), MEASURED)


def _model(identity: Mapping[str, Any]) -> str | None:
    """What makes a run's network again, with other weights; None if it is no such network."""
    source, options = identity.get("source"), identity.get("options")
    if source not in predictor_names() or not isinstance(options, Mapping):
        return None
    return f"{source}:" + ",".join(f"{name}={_typed(value)}" for name, value in options.items())


def _typed(value: object) -> str:
    if isinstance(value, list | tuple):
        return f"[{','.join(map(_typed, value))}]"
    return str(value).lower() if value is None or isinstance(value, bool) else str(value)


def _row(name: str, counted: Complexity, keys: Sequence[str]) -> Row:
    counter = complexity.counter(counted.name)
    values = {
        "params_m": counted.network.parameters / 1e6,
        "flops_g": getattr(counted.network, counter) / 1e9,
    }
    return Row(
        name,
        MEASURED,
        tuple(
            Entry(Number(value, None, None, 2, MEASURED), metric)
            for metric, value in values.items()
        ),
        " ".join(keys),
        (_COUNTERS[counter],),
        MEASURED,
    )
