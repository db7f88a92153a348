"""Numbers as the PropNet paper prints them, and how they are read."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from importlib.resources import files

from reports.tables import PUBLISHED, Number

PAPER = "PropNet (Huang et al., CVPR 2020)"


def rows(name: str) -> list[Mapping[str, str]]:
    """Rows of one typed table, such as ``table1_cofw``: printed text by column.

    An empty text stands where the paper prints nothing.
    """
    text = (files("reports") / "published" / f"{name}.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(io.StringIO(text)))


def number(printed: str) -> Number:
    """A printed number with the decimals it was printed with."""
    if not printed:
        return Number(None, None, None, 0, PUBLISHED)
    return Number(float(printed), None, None, len(printed.partition(".")[2]), PUBLISHED)
