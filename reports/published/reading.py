"""Reads published results: one cell for each line, in every CSV file of the collection."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from alignbench import InputError
from alignbench.datasets import dataset_names, source
from alignbench.datasets.base import FULL
from alignbench.io.files import require_regular
from alignbench.metrics.errors import BOX, DIAGONAL
from alignbench.metrics.measure import threshold_suffix
from reports.printed import parse
from reports.published.cell import KINDS, NOT_STATED, OWN, QUOTED, PublishedCell

COLUMNS = (
    "dataset", "subset", "method", "year", "venue", "metric", "threshold", "normaliser", "value",
    "kind", "source", "remark",
)  # fmt: skip
"""The columns of a file, in this order."""
NORMALISERS = ("inter_ocular", "inter_pupil", BOX, DIAGONAL, NOT_STATED)
_METRICS = ("nme", "fr", "auc")
_THRESHOLD = re.compile(r"0\.[0-9]*[1-9][0-9]*")
_SOURCE = re.compile(r"[\w-]+/[\w.-]+@\w+:\S+( .+)?|[\w-]+(\.[\w-]+)+/\S+( .+)?")

_PAPER = "arxiv.org/abs/2006.14308"
_W300 = {"common": "common", "challenging": "challenging", "full": FULL}
_MEASURES = {"nme": ("nme", ""), "fr10": ("fr", "0.10"), "auc10": ("auc", "0.10")}


@cache
def collection() -> tuple[PublishedCell, ...]:
    """Every cell that comes with the package: the collection, then the PropNet paper's tables."""
    folder = files("reports") / "published" / "collection"
    tables = sorted((file for file in folder.iterdir()), key=lambda file: file.name)
    cells = [cell for file in tables for cell in read(file)]
    return (*cells, *_paper_cells({cell.method: (cell.year, cell.venue) for cell in cells}))


def read(file: Path | Traversable) -> list[PublishedCell]:
    """The cells of one file.

    Raises
    ------
    InputError
        If the file or a line of it is not of the form; the error names line and column.
    """
    if isinstance(file, Path):
        require_regular(file)
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(file, f"cannot be read ({error})", "a CSV file in UTF-8") from error
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    cells: list[PublishedCell] = []
    lines: dict[tuple[object, ...], int] = {}
    try:
        header = next(reader, [])
        if tuple(header) != COLUMNS:
            problem = f"columns {', '.join(header)}" if header else "is empty"
            raise InputError(f"{file}, line 1", problem, ", ".join(COLUMNS))
        for fields in reader:
            where = f"{file}, line {reader.line_num}"
            if len(fields) != len(COLUMNS):
                raise InputError(where, f"{len(fields)} fields", f"{len(COLUMNS)}")
            cell = _cell(dict(zip(COLUMNS, map(str.strip, fields), strict=True)), where)
            first = lines.setdefault((*cell.place, cell.kind, cell.source), reader.line_num)
            if first != reader.line_num:
                raise InputError(where, f"the cell of line {first} again", "each cell once")
            cells.append(cell)
    except csv.Error as error:
        raise InputError(f"{file}, line {reader.line_num}", f"{error}", "CSV") from error
    return cells


def _cell(row: Mapping[str, str], where: str) -> PublishedCell:
    def require(column: str, fits: object, accepted: str) -> None:
        if not fits:
            raise InputError(f"{where}, column {column!r}", f"{row[column]!r}", accepted)

    name, _, split = row["dataset"].partition(" ")
    require("dataset", name in dataset_names(), ", ".join(dataset_names()))
    split = split or "test"
    splits = source(name).splits
    require("dataset", split in splits, f"{name} {', '.join(splits)}")
    require("subset", row["subset"], "a subset; full for all faces")
    require("method", row["method"], "the method's name")
    require("year", re.fullmatch(r"((19|20)[0-9]{2})?", row["year"]), "a year, or nothing")
    require("metric", row["metric"] in _METRICS, ", ".join(_METRICS))
    if row["metric"] == "nme":
        require("threshold", not row["threshold"], "nothing, as NME has none")
    else:
        stated = row["threshold"] == NOT_STATED or _THRESHOLD.fullmatch(row["threshold"])
        require("threshold", stated, f"a fraction such as 0.10, or {NOT_STATED}")
    require("normaliser", row["normaliser"] in NORMALISERS, ", ".join(NORMALISERS))
    printed = parse(row["value"])
    require("value", printed, "a number as it is printed, such as 4.05")
    assert printed is not None
    require("kind", row["kind"] in KINDS, ", ".join(KINDS))
    accepted = "owner/repository@commit:path or a page's address without https://, then the place"
    require("source", _SOURCE.fullmatch(row["source"]), accepted)
    threshold = row["threshold"]
    if _THRESHOLD.fullmatch(threshold):
        threshold = threshold_text(float(threshold))  # 0.1 and 0.100 are one
    return PublishedCell(
        f"{name} {split}", row["subset"], row["method"], row["year"], row["venue"], row["metric"],
        threshold, row["normaliser"], printed, row["kind"], row["source"],
        row["remark"],
    )  # fmt: skip


def threshold_text(threshold: float | None) -> str:
    """A threshold as cells have it, such as 0.10 or 0.075; empty for None."""
    return threshold_suffix(threshold).removeprefix("@")


def _paper_cells(known: Mapping[str, tuple[str, str]]) -> Iterator[PublishedCell]:
    """The cells of the PropNet paper's Tables 1 to 3; ``known`` has years and venues."""
    for table, dataset, subset, measure, normaliser, method, text in _paper_numbers():
        if (printed := parse(text)) is not None:
            metric, threshold = _MEASURES[measure]
            kind = OWN if method == "PropNet" else QUOTED
            yield PublishedCell(
                f"{dataset} test", subset, method, *known.get(method, ("", "")), metric, threshold,
                normaliser, printed, kind, f"{_PAPER} Table {table}", "",
            )  # fmt: skip


def _paper_numbers() -> Iterator[tuple[int, str, str, str, str, str, str]]:
    """Table, data set, subset, measure, normaliser, method and text; empty if not printed."""
    for line in _lines("table1_cofw"):
        for column in ("nme", "fr10"):
            yield 1, "cofw", FULL, column, "inter_pupil", line["method"], line[column]
    for line in _lines("table2_300w"):
        for column, subset in _W300.items():
            yield 2, "300w", subset, "nme", line["norm"], line["method"], line[column]
    for line in _lines("table3_wflw"):
        measure, method = line["metric"], line["method"]
        for column in [name for name in line if name not in ("metric", "method")]:
            subset = FULL if column == "testset" else column
            yield 3, "wflw", subset, measure, "inter_ocular", method, line[column]


def _lines(name: str) -> Sequence[Mapping[str, str]]:
    text = (files("reports") / "published" / f"{name}.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(io.StringIO(text)))
