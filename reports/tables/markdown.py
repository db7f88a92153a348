"""Tables in GitHub's Markdown."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tabulate import tabulate

from alignbench.exceptions import visible
from reports.tables.model import DERIVED, Cell, Number, Table, plain


def to_markdown(tables: Sequence[Table]) -> str:
    """Tables in GitHub's Markdown."""
    parts = []
    for table in tables:
        rows: list[list[str]] = []
        for group in table.groups:
            if group.heading:
                rows.append([f"**{_markdown(group.heading)}**", *[""] * (len(table.columns) - 1)])
            rows += [
                [_markdown_cell(cell, table.marks(cell)) for cell in row] for row in group.rows
            ]
        heads = [_markdown(name) for name in table.columns]
        sides = [table.align(k) for k in range(len(heads))]
        parts.append(f"**{_markdown(table.title)}**")
        parts.append(tabulate(rows, heads, "pipe", colalign=sides, disable_numparse=True))
        notes = [_paragraph(note) for note in table.notes]
        notes += [f"<sup>{mark}</sup> {_markdown(note)}" for note, mark in table.footnotes.items()]
        if notes:
            parts.append("\n".join(f"- {note}" for note in notes))
    return "\n\n".join(parts)


def _markdown_cell(cell: Cell, marks: str) -> str:
    if isinstance(cell, Number):
        stars = ("**" if cell.best else "") + ("*" if cell.source == DERIVED else "")
        text = f"{stars}{cell.text}{stars} {cell.interval}".rstrip()
    else:
        text = _markdown(plain(cell))
    return f"{text} <sup>{marks}</sup>" if marks else text


def _paragraph(note: str) -> str:
    """A note whose first characters Markdown cannot take for a heading, a list or a rule."""
    return re.sub(r"^(\d*)([#+=.)-])", r"\1\\\2", _markdown(note))


def _markdown(text: str) -> str:
    return re.sub(r"([\\`*_|<>\[~&$])", r"\\\1", visible(text))
