"""What baselines that are fitted in closed form share."""

from __future__ import annotations

from alignbench import Dataset
from alignbench.arrays import Floats
from alignbench.geometry import tight_boxes


def own_boxes(dataset: Dataset) -> tuple[str, Floats]:
    """The protocol and boxes (N, 4) to fit on: annotated ones, tight ones where there are none."""
    if dataset.boxes is None:
        return "tight", tight_boxes(dataset.points)
    return "rect", dataset.boxes


def fitted_on(dataset: Dataset) -> str:
    """Where a fitted model comes from, with a warning where it knows no real face."""
    where = f"fitted on {dataset.name} {dataset.split} ({len(dataset):,} faces)"
    drawn = " of schematic faces: its numbers on other data mean nothing"
    return where + (drawn if dataset.name == "demo" else "")
