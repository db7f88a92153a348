"""What commands show on a terminal besides their results."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from alignbench.distributed import rank
from alignbench.exceptions import visible

if TYPE_CHECKING:
    from alignbench import Dataset

_PLAIN_WIDTH = 100
"""Width of columns that are not printed on a terminal."""


@contextmanager
def status(what: str) -> Iterator[None]:
    """Show what is being done on the error stream, if it is a terminal."""
    console = Console(stderr=True)
    is_shown = console.is_terminal and rank() == 0
    with console.status(Text(visible(what))) if is_shown else nullcontext():
        yield


class _Rate(ProgressColumn):
    """A column of a progress bar: things done per second."""

    def __init__(self, unit: str) -> None:
        super().__init__()
        self._unit = unit

    def render(self, task: Task) -> Text:
        digits = 0 if (task.speed or 0) >= 10 else 1
        return Text(f"{task.speed:,.{digits}f} {self._unit}/s" if task.speed else "")


@contextmanager
def progress(what: str, unit: str) -> Iterator[Callable[..., None]]:
    """Show a bar with rate and time left on the error stream, if it is a terminal.

    Gives a function to call with (things done, things in all) and, optionally, a few words to show
    before the bar.
    """
    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(),
        _Rate(unit), TimeRemainingColumn(), console=console, transient=True,
        disable=not console.is_terminal or rank() != 0,
    ) as bar:  # fmt: skip
        task = bar.add_task(what, total=None)

        def update(done: int, total: int, words: str = "") -> None:
            bar.update(task, completed=done, total=total, description=f"{what} {words}".rstrip())

        yield update


def read_dataset(
    name: str,
    root: Path | None,
    split: str,
    markup: str | None = None,
    origin: float | None = None,
) -> Dataset:
    """Read a split of a data set, with a bar while it is drawn; errors as ``load_dataset``."""
    from alignbench import load_dataset

    with progress(f"Reading {name}", "faces") as report_drawing:
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
    """Print a line on the error stream; characters that cannot be seen are spelled out."""
    typer.echo(visible(line), err=True)


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
