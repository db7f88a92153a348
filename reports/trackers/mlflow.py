"""Runs in MLflow: parameters, metrics with the ends of their intervals, and the run's files."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer

from alignbench import Run
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

_MOST = 1000
"""Most metrics that MLflow takes at once."""


def log(
    runs: Runs,
    experiment: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            envvar="MLFLOW_EXPERIMENT_NAME",
            show_envvar=False,
            help="Experiment of MLflow; it is made if there is none. Also $MLFLOW_EXPERIMENT_NAME.",
        ),
    ] = "alignbench",
    uri: Annotated[
        str | None,
        typer.Option(
            metavar="URI",
            help="Where MLflow stores runs, such as http://localhost:5000 or sqlite:///mlflow.db. "
            "Default: $MLFLOW_TRACKING_URI, otherwise MLflow's own.",
        ),
    ] = None,
) -> None:
    """Log runs to MLflow.

    Parameters, metrics and files of each run become a run of MLflow. A run that is in the
    experiment is not logged again: it is found by the tag alignbench_run.

    For example:
      alignbench log mlflow runs/synthetic
      alignbench log mlflow run --experiment faces --uri http://localhost:5000
    """
    chosen = read_runs(runs)
    mlflow = import_package("mlflow")
    with blame("MLflow"):
        client = mlflow.MlflowClient(tracking_uri=uri)
        known = client.get_experiment_by_name(experiment)
        number = known.experiment_id if known else client.create_experiment(experiment)

        def stored(run: Run) -> bool:
            which = f"tags.{IDENTITY} = '{identity_of(run)}'"
            return bool(client.search_runs([number], filter_string=which, max_results=1))

        log_once(chosen, stored, lambda run: _store(mlflow, client, number, run))


def _store(mlflow: Any, client: Any, experiment: str, run: Run) -> None:
    run_id = client.create_run(experiment, run_name=title_of(run)).info.run_id
    status = "FAILED"
    try:
        now = int(time.time() * 1000)
        entities = mlflow.entities
        params = [entities.Param(name, str(value)) for name, value in params_of(run).items()]
        client.log_batch(run_id, params=params)
        metrics = [entities.Metric(name, value, now, 0) for name, value in metrics_of(run).items()]
        for start in range(0, len(metrics), _MOST):
            client.log_batch(run_id, metrics=metrics[start : start + _MOST])
        for path in files_of(run):
            parent = path.parent.as_posix()
            client.log_artifact(
                run_id, str(folder_of(run) / path), None if parent == "." else parent
            )
        # Last, so that a run that was logged in part is not taken for a whole one.
        client.set_tag(run_id, IDENTITY, identity_of(run))
        status = "FINISHED"
    finally:
        client.set_terminated(run_id, status)
