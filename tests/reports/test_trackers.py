"""Runs in MLflow and trackio: what is stored, once, in stores of a temporary folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from doubles import QUICK, Shifted, make_dataset

from alignbench import evaluate
from reports.trackers import files_of, identity_of, metrics_of, params_of


@pytest.fixture
def run(tmp_path):
    dataset = make_dataset(20)
    return evaluate(Shifted(dataset), dataset, bootstrap=QUICK, out=tmp_path / "run")


def test_metrics_are_the_rows_of_the_run_with_the_ends_of_their_intervals(run):
    metrics = metrics_of(run)
    rows = [row for row in run.metrics if row.norm == "inter_ocular"]
    assert len(metrics) == 3 * len(rows)
    for row in rows:
        at = "" if row.threshold is None else f"_{row.threshold:.2f}"
        name = f"{row.subset}/{row.metric}{at}"
        ends = [metrics[name + end] for end in ("", "_low", "_high")]
        assert ends == [row.value, row.ci_low, row.ci_high]


def test_each_threshold_has_a_name_of_its_own():
    dataset, names = make_dataset(20), ["fr@0.08", "fr@0.081", "fr@0.001", "fr@0.002"]
    metrics = metrics_of(evaluate(Shifted(dataset), dataset, measures=names, bootstrap=QUICK))
    values = {name for name in metrics if name.startswith("full/fr") and name[-1].isdigit()}
    assert values == {"full/fr_0.08", "full/fr_0.081", "full/fr_0.001", "full/fr_0.002"}


def test_a_run_with_other_results_is_another_one(run, tmp_path):
    dataset = make_dataset(20)
    other = evaluate(Shifted(dataset, 3.0), dataset, bootstrap=QUICK, out=tmp_path / "other")
    assert identity_of(run) != identity_of(other)
    assert identity_of(run).startswith(run.record.key)


@pytest.mark.parametrize("tool", ["mlflow", "trackio"])
def test_a_package_that_is_not_there_is_one_message(tool, run, cli, monkeypatch):
    monkeypatch.setitem(sys.modules, tool, None)
    result = cli("log", tool, "run")
    assert result.code == 2 and f"pip install {tool}" in result.err
    assert "Traceback" not in result.err


def test_mlflow_has_a_run_once_with_all_of_it(run, cli, tmp_path, monkeypatch):
    # MLflow without its database packages has a store of files alone.
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    mlflow = pytest.importorskip("mlflow", reason="mlflow-skinny is not installed")
    uri = (tmp_path / "store").as_uri()
    first = cli("log", "mlflow", "run", "--experiment", "faces", "--uri", uri)
    again = cli("log", "mlflow", "run", "--experiment", "faces", "--uri", uri)
    assert (first.code, again.code) == (0, 0), first.err + again.err
    assert "Logged: shifted on made test" in first.err and "Not logged again" in again.err
    client = mlflow.MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name("faces")
    (stored,) = client.search_runs([experiment.experiment_id])
    assert stored.info.status == "FINISHED"
    assert stored.data.metrics == metrics_of(run)
    assert stored.data.params == {name: str(value) for name, value in params_of(run).items()}
    artifacts = client.list_artifacts(stored.info.run_id)
    assert {item.path for item in artifacts} == {path.as_posix() for path in files_of(run)}


_TRACKIO = """
import json, sys
import trackio
from pathlib import Path
from reports.trackers.trackio import log
for _ in range(2):
    log([Path("run")], "faces")
(stored,) = trackio.Api().runs("faces")
logs = trackio.SQLiteStorage.get_logs("faces", stored.name)
trackio.init("faces", "reader")
folder = str(trackio.use_artifact(f"run-{sys.argv[1]}:latest").download())
trackio.finish()
print("RESULT", json.dumps([stored.name, stored.config, logs, folder]))
"""


def test_trackio_has_a_run_once_with_all_of_it(run, tmp_path):
    pytest.importorskip("trackio", reason="trackio is not installed")
    # Trackio reads the name of its folder when it is imported.
    environment = os.environ | {"TRACKIO_DIR": str(tmp_path / "store"), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", _TRACKIO, run.record.key],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Not logged again" in done.stderr
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("RESULT")]
    name, config, history, folder = json.loads(line.removeprefix("RESULT"))
    assert name == "shifted on made test"
    assert config.items() >= params_of(run).items()
    assert len(history) == 1 and history[0].items() >= metrics_of(run).items()
    for path in files_of(run):
        assert (Path(folder) / path).read_bytes() == (tmp_path / "run" / path).read_bytes()
