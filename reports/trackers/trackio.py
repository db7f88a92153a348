"""Runs in trackio: settings, metrics with the ends of their intervals, and the run's files."""

from __future__ import annotations

import os
import sys
from contextlib import redirect_stdout, suppress
from typing import Annotated, Any

import typer

from alignbench import Run
from alignbench.cli.console import tell
from alignbench.exceptions import blame
from reports.cli.options import Runs, read_runs
from reports.trackers import (
    IDENTITY,
    files_of,
    folder_of,
    identity_of,
    import_package,
    log_once,
    metrics_of,
    params_of,
    title_of,
)

_ELSEWHERE = ("TRACKIO_SPACE_ID", "TRACKIO_SERVER_URL")
"""Variables by which trackio stores runs on another machine."""


def log(
    runs: Runs,
    project: Annotated[
        str, typer.Option(metavar="NAME", help="Project of trackio; it is made if there is none.")
    ] = "alignbench",
) -> None:
    """Log runs to trackio.

    Settings, metrics and files of each run become a run of trackio, in its folder on this machine
    or where $TRACKIO_SPACE_ID or $TRACKIO_SERVER_URL says. On this machine, a run that is in the
    project is not logged again: it is found by the setting alignbench_run.

    For example:
      alignbench log trackio runs/synthetic --project faces
    """
    chosen = read_runs(runs)
    if any(os.environ.get(name) for name in _ELSEWHERE):
        tell(
            "trackio does not report what is stored on another machine: a run that is stored there "
            "is logged again."
        )
    # What trackio prints is no result of the command.
    with redirect_stdout(sys.stderr), blame("trackio"):
        trackio = import_package("trackio")
        known: set[object] = set()
        with suppress(ValueError):  # no such project yet
            known = {run.config.get(IDENTITY) for run in trackio.Api().runs(project) if run.config}
        log_once(
            chosen,
            lambda run: identity_of(run) in known,
            lambda run: _store(trackio, project, run),
        )


def _store(trackio: Any, project: str, run: Run) -> None:
    settings = {**params_of(run), IDENTITY: identity_of(run)}
    # A run is read from files: how busy the machine is now says nothing about it.
    quiet = {"auto_log_gpu": False, "auto_log_cpu": False}
    trackio.init(project=project, name=title_of(run), config=settings, **quiet)
    try:
        trackio.log(metrics_of(run))
        files = trackio.Artifact(f"run-{run.record.key}", type="run")
        for path in files_of(run):
            files.add_file(str(folder_of(run) / path), name=path.as_posix())
        trackio.log_artifact(files)
    finally:
        trackio.finish()
