"""alignbench: benchmark face alignment (facial landmark localisation).

``plot_ced``, ``plot_landmarks`` and other functions that draw come from the packages that register
them.

Coordinates are 0-based pixel centres everywhere: the centre of an image's first pixel is
``(0, 0)``. A 1-based source is shifted where it is read. The public names below are loaded on
first use, so ``import alignbench`` itself imports neither NumPy nor torch nor matplotlib.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from alignbench.version import __version__

if TYPE_CHECKING:
    from alignbench.datasets import Dataset, load_dataset
    from alignbench.exceptions import InputError
    from alignbench.markups import Markup
    from alignbench.metrics import Measure, parse_measure
    from alignbench.metrics.functional import auc, ced, errors, fr, nme
    from alignbench.metrics.metric import Metric
    from alignbench.predictors import Batch, Predictor, load_predictor
    from alignbench.runs.evaluation import evaluate
    from alignbench.runs.folders import load_runs
    from alignbench.runs.run import Run, load_run

_HOME = {
    "Batch": "alignbench.predictors",
    "Dataset": "alignbench.datasets",
    "InputError": "alignbench.exceptions",
    "Markup": "alignbench.markups",
    "Measure": "alignbench.metrics",
    "Metric": "alignbench.metrics.metric",
    "Predictor": "alignbench.predictors",
    "Run": "alignbench.runs.run",
    "auc": "alignbench.metrics.functional",
    "ced": "alignbench.metrics.functional",
    "errors": "alignbench.metrics.functional",
    "evaluate": "alignbench.runs.evaluation",
    "fr": "alignbench.metrics.functional",
    "load_dataset": "alignbench.datasets",
    "load_predictor": "alignbench.predictors",
    "load_run": "alignbench.runs.run",
    "load_runs": "alignbench.runs.folders",
    "nme": "alignbench.metrics.functional",
    "parse_measure": "alignbench.metrics",
}

__all__ = [
    "Batch", "Dataset", "InputError", "Markup", "Measure", "Metric", "Predictor", "Run",
    "__version__", "auc", "ced", "errors", "evaluate", "fr", "load_dataset", "load_predictor",
    "load_run", "load_runs", "nme", "parse_measure",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    if name.startswith("plot_") and name in _plots():
        plugins = import_module("alignbench.plugins")
        return plugins.load(plugins.PLOTS, name)
    raise AttributeError(f"module 'alignbench' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, *_plots()]


def _plots() -> list[str]:
    """Names of the functions that draw on axes, which packages register."""
    plugins = import_module("alignbench.plugins")
    return list(plugins.entry_points(plugins.PLOTS))
