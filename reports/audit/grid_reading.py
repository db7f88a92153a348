"""Reads the cells of tables as papers and READMEs have them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from alignbench import InputError
from alignbench.datasets import source
from reports.audit.cells import FULL, OK, Finding, PrintedCell
from reports.audit.grids import Grid, read_grids
from reports.audit.headings import Meaning, named_datasets, read_heading
from reports.audit.reading import find_dataset, require_norm
from reports.printed import Printed, parse, show

_NUMBER = re.compile(r"[^\w.+-]*([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+))(?![\w.])")
_METHOD = re.compile(r"methods?|models?|approach(es)?|algorithms?|names?", re.IGNORECASE)
_CITATION = re.compile(r"\s*(\[[0-9,\s]+\]|\^?[†‡*§])\s*$")


def read_printed_tables(
    file: Path, dataset: str, norm: str
) -> tuple[list[PrintedCell], list[Finding]]:
    """The cells of a file's tables, and how each of their columns was understood.

    Parameters
    ----------
    dataset, norm
        Data set with its split, and normaliser, of tables that say neither.

    Raises
    ------
    InputError
        If the file cannot be read, or no table of it has results.
    """
    grids = read_grids(file)
    usual = _usual(dataset, norm)
    cells: list[PrintedCell] = []
    notes: list[Finding] = []
    for number, grid in enumerate(grids, 1):
        name = file.stem if len(grids) == 1 else f"{file.stem} {number}"
        reader = _Reader(name, grid, usual)
        mine = _tell_apart(list(reader.cells()))
        if mine:
            cells += mine
            notes += reader.notes()
    if not cells:
        raise InputError(
            file, "no table with results", "columns named after measures, subsets or data sets"
        )
    return cells, notes


def _usual(dataset: str, norm: str) -> Meaning:
    name, _, split = find_dataset(dataset, "--dataset")[0].partition(" ")
    require_norm(norm, "--norm")
    return Meaning(dataset=name, split=split, norm=norm)


@dataclass
class _Reader:
    """One table and what its headings mean; ``by_subset``: its rows are subsets, not methods."""

    name: str
    grid: Grid
    usual: Meaning

    def __post_init__(self) -> None:
        rows = self.grid.rows
        first = next((k for k, row in enumerate(rows) if _results(row) > 0), len(rows))
        # A text across the whole table is no heading of a column, but of the rows below it.
        while first > 1 and len(set(filter(None, rows[first - 1]))) == 1:
            first -= 1
        self.body = rows[first:]
        columns = zip(*rows[:first], strict=True) if first else [()] * len(rows[0] if rows else [])
        self.headings = [" ".join(dict.fromkeys(filter(None, texts))) for texts in columns]
        self.meanings = [read_heading(text) for text in self.headings]
        named = [k for k, text in enumerate(self.headings) if _METHOD.fullmatch(text)]
        self.method = named[0] if named else 0
        labels = [row[self.method] for row in self.body if _results(row)]
        subsets = sum(bool(read_heading(label).subset) for label in labels)
        self.by_subset = 0 < len(labels) <= 2 * subsets
        # A normaliser that one column names is that of the others, too.
        norms = {meaning.norm for meaning in self.meanings if meaning.norm}
        table = Meaning(norm=norms.pop() if len(norms) == 1 else "")
        caption_dataset = Meaning(dataset=self._dataset())
        self.above = (
            table.over(read_heading(self.grid.caption)).over(caption_dataset).over(self.usual)
        )

    def _dataset(self) -> str:
        """Of several data sets in the caption, the only one that has the table's subsets."""
        subsets = {meaning.subset for meaning in self.meanings} - {"", FULL}
        fitting = [
            name
            for name in named_datasets(self.grid.caption)
            if subsets and subsets <= source(name).splits["test"].keys()
        ]
        return fitting[0] if len(fitting) == 1 else ""

    def cells(self) -> Iterator[PrintedCell]:
        """Every printed number that is a result."""
        section = Meaning()
        words: dict[int, str] = {}
        for row in self.body:
            if not _results(row):
                section = read_heading(" ".join(dict.fromkeys(row))).over(section)
                words = {}
                continue
            row_meaning = section
            for column, text in enumerate(row):
                if not _number(text) and (column != self.method or self.by_subset):
                    # An empty cell below a word, such as NME, means the same word.
                    words[column] = text or words.get(column, "")
                    row_meaning = read_heading(words[column]).over(row_meaning)
            for column, text in enumerate(row):
                heading, printed = self.meanings[column], parse(_number(text))
                if column != self.method and heading.of_a_number and printed is not None:
                    yield self._cell(
                        row, column, printed, heading.over(row_meaning).over(self.above)
                    )

    def _cell(
        self, row: Sequence[str], column: int, printed: Printed, meaning: Meaning
    ) -> PrintedCell:
        metric, label = meaning.metric or "nme", row[self.method]
        if metric == "auc" and printed.value > 1:  # in percent
            fraction, digits = printed.value / 100, printed.digits + 2
            printed = Printed(show(fraction, digits), fraction, digits)
        subset = meaning.subset or (label.lower() if self.by_subset else FULL)
        method = self.name if self.by_subset else _bare(label)
        dataset, faces = _official(meaning, subset)
        return PrintedCell(
            self.name, method, f"{self.headings[column]} {subset}".strip(), method, "", dataset,
            subset, faces, meaning.norm, metric,
            meaning.threshold if metric != "nme" else None, printed,
        )  # fmt: skip

    def notes(self) -> Iterator[Finding]:
        """How each column was understood."""
        for column, (heading, meaning) in enumerate(zip(self.headings, self.meanings, strict=True)):
            if column == self.method:
                continue
            if meaning.of_a_number:
                every = meaning.over(self.above)
                at = f"@{show(every.threshold / 100, 2)}" if every.threshold else ""
                metric = f"{every.metric or 'nme'}{at}"
                parts = (metric, every.subset, every.dataset, every.split, every.norm)
                proof = "read as " + " ".join(filter(None, parts))
            else:
                proof = "left out: its heading names no measure, subset or data set"
            yield Finding(self.name, "", heading, "reading", OK, proof)


def _official(meaning: Meaning, subset: str) -> tuple[str, int | None]:
    """Data set with its split, and the subset's official number of faces if it is known."""
    if not meaning.dataset:
        return "", None
    splits = source(meaning.dataset).splits
    split = meaning.split if meaning.split in splits else "test"
    return f"{meaning.dataset} {split}", splits[split].get(subset)


def _number(text: str) -> str:
    """The number that a cell begins with; empty if it begins with none."""
    found = _NUMBER.match(text)
    return found[1] if found else ""


def _results(row: Sequence[str]) -> int:
    """How many cells of a row, behind the first, are numbers."""
    return sum(bool(_number(text)) for text in row[1:])


def _bare(method: str) -> str:
    """The method's name without citations and daggers."""
    while (shorter := _CITATION.sub("", method)) != method:
        method = shorter
    return method


def _tell_apart(cells: list[PrintedCell]) -> list[PrintedCell]:
    """Cells of a second row of the same name get another one."""
    seen: dict[tuple[object, ...], int] = {}
    apart = []
    for cell in cells:
        key = (*cell.model, cell.subset, cell.metric, cell.threshold)
        seen[key] = times = seen.get(key, 0) + 1
        name = cell.method if times == 1 else f"{cell.method} ({times})"
        apart.append(replace(cell, row=name, method=name))
    return apart
