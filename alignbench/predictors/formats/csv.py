"""Text with a header and one line for each face."""

from __future__ import annotations

from pathlib import Path

from alignbench.io.text import id_table
from alignbench.predictors.formats import PredictionFormat, Stored


def _read(path: Path) -> Stored:
    ids, values = id_table(path)
    return Stored(ids, values.reshape(len(ids), -1, 2))


CSV = PredictionFormat(
    "csv",
    ".csv: header id,x0,y0,x1,y1,..., one line for each face, 0-based",
    lambda path: path.suffix.lower() == ".csv",
    _read,
)
