"""Tables in GitHub's Markdown."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tabulate import tabulate

from alignbench.errors import visible
from reports.tables.model import (
    DERIVED,
    Cell,
    Number,
    Table,
    align,
    marks_of,
    plain,
)


def to_markdown(tables: Sequence[Table]) -> str:
    """Tables in GitHub's Markdown."""
    parts = []
    for table in tables:
        rows: list[list[str]] = []
        headings = dict(table.groups)
        for k, row in enumerate(table.rows):
            if k in headings:
                rows.append([f"**{_markdown(headings[k])}**", *[""] * (len(row) - 1)])
            rows.append([_markdown_cell(cell) for cell in row])
        parts.append(f"**{_markdown(table.title)}**")
        parts.append(
            tabulate(
                rows,
                [_markdown(name) for name in table.columns],
                "pipe",
                colalign=[align(table, k) for k in range(len(table.columns))],
                disable_numparse=True,
            )
        )
        notes = [_paragraph(note) for note in table.notes]
        notes += [f"<sup>{mark}</sup> {_markdown(note)}" for mark, note in table.footnotes]
        if notes:
            parts.append("\n".join(f"- {note}" for note in notes))
    return "\n\n".join(parts)


def _markdown_cell(cell: Cell) -> str:
    if isinstance(cell, Number):
        stars = ("**" if cell.best else "") + ("*" if cell.source == DERIVED else "")
        text = f"{stars}{cell.text}{stars} {cell.interval}".rstrip()
    else:
        text = _markdown(plain(cell))
    marks = marks_of(cell)
    return f"{text} <sup>{marks}</sup>" if marks else text


def _paragraph(note: str) -> str:
    """A note that begins no heading, list or rule of its own."""
    return re.sub(r"^(\d*)([#+=.)-])", r"\1\\\2", _markdown(note))


def _markdown(text: str) -> str:
    return re.sub(r"([\\`*_|<>\[~&$])", r"\\\1", visible(text))
