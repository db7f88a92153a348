"""What commands show on a terminal besides their results."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console

from alignbench.exceptions import visible
from alignbench.progress import is_quiet, print_above_bar, show_progress

if TYPE_CHECKING:
    from alignbench import Dataset

_PLAIN_WIDTH = 100
"""Width of columns that are not printed on a terminal."""
_LEAST = 36
"""Width of the last column below which it stands below the others."""


def read_dataset(
    name: str,
    root: Path | None,
    split: str,
    markup: str | None = None,
    origin: float | None = None,
) -> Dataset:
    """Read a split of a data set, with a bar while it is drawn; errors as ``load_dataset``."""
    from alignbench import load_dataset

    with show_progress(f"Reading {name}", "faces") as report_drawing:
        return load_dataset(name, root, split, report_drawing, markup=markup, origin=origin)


def print_columns(rows: Sequence[tuple[str, ...]], head: Sequence[str] = ()) -> None:
    """Print rows in columns, with ``head`` above them; the last column is wrapped.

    Where little room is left for the last column, it stands below the others.
    """
    console = Console()
    width = console.width if console.is_terminal else _PLAIN_WIDTH
    lines = [tuple(map(visible, row)) for row in ([head, *rows] if head else rows)]
    columns = range(max(map(len, lines), default=1) - 1)
    widths = [max(len(row[k]) for row in lines) for k in columns]
    indent = 2 + sum(size + 2 for size in widths)
    is_below = bool(widths) and width - indent < _LEAST
    if is_below:
        indent = 8
    for number, row in enumerate(lines):
        first = "  " + "".join(
            f"{cell:<{size + 2}}" for cell, size in zip(row, widths, strict=False)
        )
        words = textwrap.wrap(row[-1], width - indent)
        if is_below and head and not number:
            words = []
        elif not is_below and words:
            first += words.pop(0)
        typer.echo("\n".join([first.rstrip(), *(" " * indent + line for line in words)]))


def tell(line: str) -> None:
    """Print a remark on the error stream, unless the user wants none (``--quiet``).

    Its long lines are broken on a terminal; characters that cannot be seen are spelled out.
    """
    if not is_quiet() and not print_above_bar(visible(line)):
        typer.echo(wrap(visible(line)), err=True)


def wrap(message: str) -> str:
    """A message for the error stream, whose long lines are broken if that is a terminal.

    Characters that cannot be seen are spelled out; line breaks stay.
    """
    message = visible(message, lines=True)
    if not sys.stderr.isatty():
        return message
    width = shutil.get_terminal_size().columns
    wrapper = textwrap.TextWrapper(width, break_long_words=False, break_on_hyphens=False)
    lines = message.splitlines()
    return "\n".join(wrapper.fill(line) if len(line) > width else line for line in lines)
