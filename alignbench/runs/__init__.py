"""Runs: evaluating a predictor on a data set, and the folder that keeps the result."""

from __future__ import annotations

from alignbench.runs.evaluation import evaluate
from alignbench.runs.folders import load_runs
from alignbench.runs.record import MetricRow, RunRecord
from alignbench.runs.run import Run, load_run

__all__ = ["MetricRow", "Run", "RunRecord", "evaluate", "load_run", "load_runs"]
