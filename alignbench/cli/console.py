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
from rich.table import Table
from rich.text import Text

from alignbench.exceptions import visible
from alignbench.progress import is_quiet, show_progress

if TYPE_CHECKING:
    from alignbench import Dataset

_PLAIN_WIDTH = 100
"""Width of columns that are not printed on a terminal."""


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
    """Print rows in columns, with ``head`` above them; the last column is wrapped."""
    grid = Table.grid(padding=(0, 2), pad_edge=True)
    for _ in range(max(map(len, rows), default=1) - 1):
        grid.add_column(no_wrap=True)
    grid.add_column()
    if head:
        grid.add_row(*map(Text, head))
    for row in rows:
        grid.add_row(*map(Text, row))
    console = Console()
    (console if console.is_terminal else Console(width=_PLAIN_WIDTH)).print(grid)


def tell(line: str) -> None:
    """Print a remark on the error stream, unless the user wants none (``--quiet``).

    Its long lines are broken on a terminal; characters that cannot be seen are spelled out.
    """
    if not is_quiet():
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
