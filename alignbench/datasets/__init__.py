"""Data sets: finding their folder, reading their official files, checking what is there."""

from __future__ import annotations

from alignbench.datasets.base import FULL, Dataset, DatasetSource, Images
from alignbench.datasets.registry import (
    DataNotFoundError,
    data_roots,
    dataset_names,
    load_dataset,
    source,
)

__all__ = [
    "FULL",
    "DataNotFoundError",
    "Dataset",
    "DatasetSource",
    "Images",
    "data_roots",
    "dataset_names",
    "load_dataset",
    "source",
]
