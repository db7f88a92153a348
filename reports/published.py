"""Numbers as the PropNet paper prints them."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from importlib.resources import files

from reports.tables import PUBLISHED, Number, Quantity

PAPER = "PropNet (Huang et al., CVPR 2020)"
NOTE = f"Published: as {PAPER} prints it."


def rows(name: str) -> list[Mapping[str, str]]:
    """Rows of one table, such as ``table1_cofw``: printed text by column.

    A text is empty where the paper prints nothing.
    """
    text = (files("reports") / "published" / f"{name}.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(io.StringIO(text)))


def number(printed: str, of: Quantity | None = None) -> Number:
    """A printed number with the decimals it was printed with."""
    return Number(
        float(printed) if printed else None,
        len(printed.partition(".")[2]),
        source=PUBLISHED,
        of=of or Quantity(),
    )
