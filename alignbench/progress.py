"""Progress of long work: a bar on a terminal and in a notebook, nothing elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from html import escape

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
from rich.table import Column
from rich.text import Text

from alignbench.distributed import rank
from alignbench.exceptions import visible

Update = Callable[..., None]
"""Called with (things done, things in all) and, optionally, a few words beside the title."""

_quiet = False
_bar: Progress | None = None
"""The bar that is shown on a terminal now."""
_EVERY = 0.2
"""Seconds between two states of a bar in a notebook."""


def set_quiet(quiet: bool) -> None:
    """Set whether the user wants errors and results alone, for this whole process."""
    global _quiet
    _quiet = quiet


def is_quiet() -> bool:
    """Whether the user wants errors and results alone."""
    return _quiet


@contextmanager
def show_status(what: str) -> Iterator[None]:
    """Show what is being done, on the error stream of a terminal."""
    console = Console(stderr=True)
    is_shown = console.is_terminal and rank() == 0 and not _quiet
    with console.status(Text(visible(what))) if is_shown else nullcontext():
        yield


@contextmanager
def show_progress(what: str, unit: str) -> Iterator[Update]:
    """Show a bar with rate and time left; gives the function that moves it.

    It is drawn on the error stream of a terminal, or below the cell of a notebook. ``unit`` is what
    is counted, in the plural.
    """
    console = Console(stderr=True)
    if _quiet or rank() != 0:
        yield lambda done, total, words="": None
    elif console.is_jupyter:
        yield from _notebook_bar(visible(what), unit)
    else:
        yield from _terminal_bar(console, visible(what), unit)


class _Rate(ProgressColumn):
    """Things done per second."""

    def __init__(self, unit: str) -> None:
        super().__init__(Column(no_wrap=True))
        self._unit = unit

    def render(self, task: Task) -> Text:
        return Text(_rate(task.speed, self._unit))


def _rate(speed: float | None, unit: str) -> str:
    return f"{speed:,.{0 if speed >= 10 else 1}f} {unit}/s" if speed else ""


def print_above_bar(line: str) -> bool:
    """Print a line above the bar that is shown; gives False where there is none."""
    if _bar is None:
        return False
    _bar.console.print(Text(line))
    return True


def _terminal_bar(console: Console, what: str, unit: str) -> Iterator[Update]:
    global _bar
    title = Column(no_wrap=True, overflow="ellipsis", ratio=1)
    numbers = [Column(no_wrap=True) for _ in range(3)]
    with Progress(
        TextColumn("{task.description}", markup=False, table_column=title),
        BarColumn(20, table_column=numbers[0]), MofNCompleteColumn(table_column=numbers[1]),
        _Rate(unit), TimeRemainingColumn(table_column=numbers[2]), console=console, expand=True,
        transient=True, disable=not console.is_terminal,
    ) as bar:  # fmt: skip
        task = bar.add_task(what, total=None)

        def update(done: int, total: int, words: str = "") -> None:
            bar.update(task, completed=done, total=total, description=f"{what} {words}".rstrip())

        _bar = bar if console.is_terminal else None
        try:
            yield update
        finally:
            _bar = None


def _notebook_bar(what: str, unit: str) -> Iterator[Update]:
    from IPython.display import HTML, display

    shown = display(HTML(""), display_id=True)
    begin = time.monotonic()
    last = begin

    def update(done: int, total: int, words: str = "") -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < _EVERY and done < total:
            return
        last = now
        speed = done / max(now - begin, 1e-9)
        left = f"{(total - done) / speed:,.0f} s left" if speed else ""
        title = f"{what} {words}".rstrip()
        parts = (f"{done:,} of {total:,} {unit}", _rate(speed, unit), left)
        shown.update(
            HTML(
                f'{escape(title)} <progress max="{total}" value="{done}" '
                f'aria-label="{escape(title)}"></progress> {escape(", ".join(filter(None, parts)))}'
            )
        )

    try:
        yield update
    finally:
        shown.update(HTML(""))
