"""Runs in the tools with which people track experiments; one module for each tool.

A tracker is a typed Typer function under the entry-point group ``alignbench.trackers``. What it
stores of a run is the same everywhere: :func:`params_of`, :func:`metrics_of` and :func:`files_of`.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import typer

from alignbench import InputError, Run
from alignbench.cli.console import tell
from alignbench.exceptions import visible
from alignbench.metrics.measure import threshold_suffix
from alignbench.runs.run import METRICS, RECORD

IDENTITY = "alignbench_run"
"""Name of the tag, or of the setting, by which a stored run is found again."""


def log_once(
    runs: Sequence[Run], stored: Callable[[Run], bool], store: Callable[[Run], None]
) -> None:
    """Store each run that is not stored yet, and say on the error stream what happens to each."""
    for run in runs:
        title = f"{title_of(run)} ({run.record.key})"
        if stored(run):
            tell(f"Not logged again: {title} is there.")
        else:
            store(run)
            typer.echo(f"Logged: {visible(title)}", err=True)


def identity_of(run: Run) -> str:
    """What a run is found by: its key, and the beginning of the hash of its metrics.

    A run that was made again with other results is another one.
    """
    return f"{run.record.key}-{run.record.files[METRICS][:8]}"


def title_of(run: Run) -> str:
    """What trackers call a run."""
    return f"{run.record.model.name} on {run.record.dataset.title}"


def params_of(run: Run) -> dict[str, str | int | float | bool]:
    """What was run on what, and how."""
    record = run.record
    return {
        "model": record.model.name,
        "source": str(record.model.identity.get("source", "")),
        "dataset": record.dataset.name,
        "split": record.dataset.split,
        "markup": record.dataset.markup.name,
        "faces": record.dataset.faces,
        "complete": record.dataset.complete,
        "missed": record.missed,
        "boxes": record.protocol.boxes,
        "box_scale": record.protocol.box_scale,
        "leak": record.protocol.leak,
        "key": record.key,
        "alignbench": record.alignbench,
    }


def metrics_of(run: Run) -> dict[str, float]:
    """Each measure on each subset, such as ``full/nme``, ``full/nme_low`` and ``full/nme_high``.

    Only the data set's usual normalisers are in it; a further one stands between subset and
    measure, as in ``full/inter_pupil/nme``. Units are those of ``metrics.json``.
    """
    usual, *further = run.record.dataset.normalisers
    result: dict[str, float] = {}
    for row in run.metrics:
        if row.norm != usual and row.norm not in further:
            continue
        measure = row.metric + threshold_suffix(row.threshold)
        parts = [row.subset, *([row.norm] if row.norm != usual else []), measure]
        # Trackers take no other characters in names: fr@0.10 is fr_0.10.
        name = re.sub(r"[^\w./ -]", "_", "/".join(parts))
        values = {"": row.value, "_low": row.ci_low, "_high": row.ci_high}
        result |= {name + end: value for end, value in values.items() if value is not None}
    return result


def files_of(run: Run) -> list[Path]:
    """The files of a run, relative to its folder: the record and all that it names."""
    return [Path(RECORD), *map(Path, sorted(run.record.files))]


def folder_of(run: Run) -> Path:
    """The folder of a run; InputError if it is in memory alone."""
    if run.folder is None:
        raise InputError(f"run {run.record.key}", "is in memory alone", "a run in a folder")
    return run.folder


def import_package(name: str) -> Any:
    """The module of a tracker; InputError with the command that installs its package."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise InputError(
            f"package {name!r}", f"cannot be imported ({error})", remedy=f"pip install {name}"
        ) from error
