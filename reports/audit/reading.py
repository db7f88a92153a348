"""Reads published tables and claims from CSV files; docs/reference/audit-rules.md has the forms."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import NamedTuple

from alignbench import InputError, parse_measure
from alignbench.datasets import dataset_names, source
from alignbench.exceptions import unknown
from alignbench.io.files import require_regular
from alignbench.metrics.errors import BOX, DIAGONAL
from reports.audit.cells import FULL, OCULAR, PUPIL, PrintedCell
from reports.audit.claims import Claim
from reports.grouping import group_by
from reports.printed import parse

PAPER: Mapping[str, tuple[str, str]] = {
    "table1_cofw": ("cofw", PUPIL),
    "table2_300w": ("300w", ""),
    "table3_wflw": ("wflw", OCULAR),
    "tables4_7_ablation": ("wflw", OCULAR),
}
"""The PropNet paper's tables: data set and normaliser by its text, if the file has neither."""

PRINTED = (".tex", ".md", ".html", ".htm")
"""Endings of files that hold tables as papers and pages have them."""
_KEYS = ("dataset", "norm", "metric", "subset", "faces", "factor", "table", "note")
_METHOD = ("method", "variant")
_CLAIM = ("table", "row", "column", "reference", "change", "source")
_NORMS = (OCULAR, PUPIL, BOX, DIAGONAL)
_SAME = {"testset": FULL, "test": FULL, "fullset": FULL, "all": FULL, "makeup": "make-up"}
_SHORT = re.compile(r"(fr|auc)([0-9]{1,2})")
_SIZED = re.compile(r"([^\[]*)\[\s*([0-9]{1,9})\s*\]")
_EMPTY = ("", "-", "–", "—")
_ACCEPTED = "method; dataset, norm, metric, subset, faces, factor, note; measures or subsets"


class _Heading(NamedTuple):
    """A column of numbers: of a measure, by its name in the grammar, or of a subset."""

    text: str
    measure: str
    subset: str
    faces: int | None


@dataclass(frozen=True)
class _Row:
    """A line of a file by its headings."""

    where: str
    fields: Mapping[str, str]

    def get(self, *names: str) -> str:
        """The field of the first of these columns that the file has; empty if it has none."""
        return next((self.fields[name] for name in names if name in self.fields), "")

    def wrong(self, column: str, problem: str, accepted: str, remedy: str = "") -> InputError:
        return InputError(f"{self.where}, column {column!r}", problem, accepted, remedy)


def paper_files() -> list[Traversable]:
    """The files of the PropNet paper's tables, and of what its text claims of them."""
    folder = files("reports") / "published"
    return [*(folder / f"{stem}.csv" for stem in PAPER), files("reports.audit") / "claims.csv"]


class Content(NamedTuple):
    """What a file holds: the cells of a table, or claims."""

    cells: list[PrintedCell]
    claims: list[Claim]


def read(file: Path | Traversable, dataset: str, norm: str) -> Content:
    """Read a table, or a file of claims; an InputError names file, line and column.

    ``dataset`` (with its split) and ``norm`` are those of rows that name none; empty if unknown.
    """
    header, rows = _read_rows(file)
    first = f"{file}, line 1"
    if {"reference", "change"} <= set(header):
        missing = [name for name in _CLAIM if name not in header]
        if missing:
            raise InputError(first, f"no column {missing[0]!r}", ", ".join(_CLAIM))
        return Content([], [_claim(row) for row in rows])
    stem = Path(file.name).stem
    # The one data set that a file is named after.
    words = set(re.split(r"[^a-z0-9]+", stem.lower())) & set(dataset_names())
    known = PAPER.get(stem, (words.pop() if len(words) == 1 else "", ""))
    if not set(header) & set(_METHOD):
        raise InputError(first, f"columns {', '.join(header)}", _ACCEPTED)
    headings = _headings(header, first)
    usual = (dataset or known[0], norm or known[1])
    cells = [cell for row in rows for cell in _cells(row, headings, stem, usual)]
    if not cells:
        raise InputError(file, "no numbers in it", "a row a method with printed numbers")
    return Content(_label_rows(cells, file), [])


def _read_rows(file: Path | Traversable) -> tuple[list[str], list[_Row]]:
    """The header and the rows."""
    if isinstance(file, Path):
        require_regular(file)
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(file, "is not UTF-8 text", "a CSV file") from error
    except OSError as error:
        raise InputError(file, f"cannot be read ({error.strerror or error})") from error
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[_Row] = []
    header: list[str] = []
    try:
        for line in reader:
            where = f"{file}, line {reader.line_num}"
            fields = [field.strip() for field in line]
            if not any(fields):
                continue
            if not header:
                header = fields
                _check_header(header, where)
            elif len(fields) != len(header):
                accepted = f"{len(header)}, as the first line has"
                raise InputError(where, f"{len(fields)} fields", accepted)
            else:
                rows.append(_Row(where, dict(zip(header, fields, strict=True))))
    except csv.Error as error:
        raise InputError(f"{file}, line {reader.line_num}", f"{error}", "CSV") from error
    if not header:
        raise InputError(file, "is empty", "a CSV file whose first line names the columns")
    return header, rows


def _check_header(header: Sequence[str], where: str) -> None:
    twice = [name for name, times in Counter(header).items() if times > 1]
    if twice or not all(header):
        problem = f"column {twice[0]!r} twice" if twice else "a column without name"
        raise InputError(where, problem, "a name of its own for each column")


def _headings(header: Sequence[str], where: str) -> list[_Heading]:
    """Columns of numbers: all measures, or all subsets."""
    numbers = [name for name in header if name not in (*_KEYS, *_METHOD)]
    if not numbers:
        raise InputError(where, "no column of numbers", _ACCEPTED)
    measures = [name for name in numbers if _measure(name)]
    if not measures:
        return [_subset(name) for name in numbers]
    if "metric" in header:
        column = f"{where}, column {measures[0]!r}"
        raise InputError(column, "a measure beside a column 'metric'", "one of the two")
    for name in numbers:
        if name not in measures:
            raise InputError(
                f"{where}, column {name!r}", "neither a measure nor one of the other columns",
                _ACCEPTED, "Put text that is no number into a column 'note'.",
            )  # fmt: skip
    return [_Heading(name, _measure(name), "", None) for name in numbers]


def _measure(name: str) -> str:
    """A measure's name in the grammar, such as ``fr@0.10`` for ``fr10``; empty for no measure."""
    short = _SHORT.fullmatch(name.lower())
    if short and int(short[2]):
        return f"{short[1]}@0.{int(short[2]):02d}"
    try:
        measure = parse_measure(name.lower())
    except InputError:
        return ""
    return name.lower() if measure.name in ("nme", "fr", "auc") else ""


def _subset(name: str) -> _Heading:
    """``common`` or ``common [554]``."""
    sized = _SIZED.fullmatch(name)
    bare = sized[1].rstrip() if sized else name
    return _Heading(name, "", _canonical(bare), int(sized[2]) if sized else None)


def _canonical(subset: str) -> str:
    return _SAME.get(subset.lower(), subset.lower())


def _cells(
    row: _Row, headings: Sequence[_Heading], table: str, usual: tuple[str, str]
) -> Iterator[PrintedCell]:
    method = row.get(*_METHOD)
    if not method:
        raise row.wrong("method", "empty", "the method's name")
    named = row.get("dataset")
    where = f"{row.where}, column 'dataset'" if named else "--dataset"
    dataset, official = find_dataset(named or usual[0], where)
    for heading in headings:
        text = row.fields[heading.text]
        if text in _EMPTY:
            continue
        printed = parse(text)
        if printed is None:
            raise row.wrong(heading.text, f"{text!r}", "a number as it is printed, such as 4.05")
        metric, threshold, own_norm = _read_measure(row, heading)
        subset = heading.subset or _canonical(row.get("subset") or FULL)
        faces = heading.faces or _faces(row) or official.get(subset)
        if official and faces is None:
            raise row.wrong(
                heading.text, f"{subset!r} is no subset of {dataset}", ", ".join(official),
                "Give the faces of a subset of your own: NAME [FACES].",
            )  # fmt: skip
        label = f"{row.get('metric')} {heading.text}".strip()
        in_row = own_norm or row.get("norm")
        norm = in_row or usual[1]
        require_norm(norm, f"{row.where}, column 'norm'" if in_row else "--norm")
        yield PrintedCell(
            table, row.get("subset"), label, method, row.get("factor"), dataset, subset, faces,
            norm, metric, threshold, printed,
        )  # fmt: skip


def _read_measure(row: _Row, heading: _Heading) -> tuple[str, Fraction | None, str]:
    """Metric, threshold in percent, and the normaliser if the name has one."""
    metric = row.get("metric") or "nme"
    name = heading.measure or _measure(metric)
    if not name:
        raise row.wrong("metric", repr(metric), "nme, fr10, auc10, fr@0.08, ...")
    measure = parse_measure(name)
    at = None if measure.threshold is None else 100 * Fraction(str(measure.threshold))
    return measure.name, at, measure.normaliser or ""


def _faces(row: _Row) -> int | None:
    text = row.get("faces")
    if not text:
        return None
    if not re.fullmatch("[0-9]{1,9}", text) or not int(text):
        raise row.wrong("faces", repr(text), "a whole number above 0")
    return int(text)


def find_dataset(text: str, where: str) -> tuple[str, Mapping[str, int]]:
    """Data set and split of ``300w`` or ``300w private``, and the official numbers of faces.

    Raises InputError if there is no such data set or split; ``where`` says who names it.
    """
    if not text:
        return "", {}
    name, _, split = text.lower().partition(" ")
    split = split.strip() or "test"
    if name not in dataset_names():
        known = unknown("data set", name, dataset_names())
        raise InputError(where, str(known).rstrip("."))
    splits = source(name).splits
    if split not in splits:
        raise InputError(where, f"no split {split!r} of {name}", ", ".join(splits))
    return f"{name} {split}", splits[split]


def require_norm(norm: str, where: str) -> None:
    """Raise InputError if a normaliser is given and none of those that published tables have."""
    if norm and norm not in _NORMS:
        raise InputError(where, repr(norm), ", ".join(_NORMS))


def _label_rows(cells: Sequence[PrintedCell], file: Path | Traversable) -> list[PrintedCell]:
    """Cells with the label of their row: the method, and what differs between its rows."""

    def traits(cell: PrintedCell) -> tuple[str, ...]:
        # Until now a cell's row is the file's column "subset".
        return cell.dataset, cell.norm, cell.factor, cell.row

    kinds = {
        method: [len(set(values)) > 1 for values in zip(*map(traits, same), strict=True)]
        for method, same in group_by(cells, lambda cell: cell.method).items()
    }
    labelled = []
    for cell in cells:
        pairs = zip(traits(cell), kinds[cell.method], strict=True)
        differing = [value for value, differs in pairs if value and differs]
        label = f"{cell.method} ({', '.join(differing)})" if differing else cell.method
        labelled.append(replace(cell, row=label))
    for same in group_by(cells, lambda c: (*c.model, c.subset, c.metric, c.threshold)).values():
        if len(same) > 1:
            problem = f"{same[0].metric} of {same[0].method!r} on {same[0].subset} twice"
            remedy = "Give the rows different methods."
            raise InputError(file, problem, "one number a method", remedy)
    return labelled


def _claim(row: _Row) -> Claim:
    change = parse(row.get("change"))
    if change is None:
        raise row.wrong("change", repr(row.get("change")), "a percentage such as -6.86")
    get = row.get
    return Claim(
        get("table"), get("row"), get("column"), get("reference"), change,
        get("source") or "the text", row.where,
    )  # fmt: skip
