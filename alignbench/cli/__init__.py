"""The command line: it mounts the commands that packages register, and turns errors into messages.

Exit status: 0 done, 1 a check failed, 2 wrong use or bad input (one message, no traceback).
"""

from __future__ import annotations

import io
import os
import re
import signal
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from alignbench import __version__
from alignbench.cli.mount import SETTINGS, PluginGroup, make_command
from alignbench.exceptions import InputError

app = typer.Typer(cls=PluginGroup, rich_markup_mode=None, context_settings=SETTINGS)
_UsageError: type[Exception] = typer.BadParameter.__mro__[1]
"""What Typer raises for wrong use; it has no public name of its own in every version."""


def _print_version(is_requested: bool) -> None:
    if is_requested:
        typer.echo(f"alignbench {__version__}")
        raise typer.Exit


@app.callback()
def _alignbench(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Benchmark face alignment: any landmark model on public data or your own.

    `alignbench COMMAND --help` explains a command. `alignbench list` shows what there is to choose
    from: models, data sets, measures and so on.

    For example:
      alignbench run --model propnet-mini --dataset synthetic
      alignbench report runs
    """


def main() -> None:
    """Run the command line, and exit with the status of the command."""
    # Batch systems and torchrun end a process by SIGTERM, which is handled like Ctrl-C: the
    # command keeps what it has and can go on later.
    before, show = signal.signal(signal.SIGTERM, _interrupt), warnings.showwarning
    warnings.showwarning = _show_warning
    with _lasting_streams():
        try:
            status = _run_command()
        finally:
            signal.signal(signal.SIGTERM, before)
            warnings.showwarning = show
    sys.exit(status)


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    """A warning as one line, without the place in our code that gives it."""
    from alignbench.cli.console import tell

    tell(f"alignbench: {message}")


def _run_command() -> int:
    try:
        result = make_command("alignbench", app).main(prog_name="alignbench", standalone_mode=False)
        sys.stdout.flush()
    except InputError as error:
        return _fail(str(error))
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        return _fail(f"{place}{error.strerror or error}.")
    except _UsageError as error:
        context = getattr(error, "ctx", None)
        remedy = f" See `{context.command_path} --help`." if context else ""
        message = error.format_message().rstrip(".")  # type: ignore[attr-defined]
        message = re.sub(r"^Invalid value for '?(.+?)'?: (Value error, )?", r"\1: ", message)
        return _fail(f"{message}.{remedy}")
    return result if isinstance(result, int) else 0  # a number is the status of typer.Exit


def _interrupt(number: int, frame: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the process is ending already
    raise KeyboardInterrupt


def _fail(message: str) -> int:
    from alignbench.cli.console import wrap
    from alignbench.distributed import rank

    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # torchrun may send it meanwhile
    process = f" (process {rank()})" if rank() else ""
    typer.echo(wrap(f"alignbench{process}: {message}"), err=True)
    return 2


class _Descriptor(io.FileIO):
    """A file descriptor that accepts everything, even after its reader has gone."""

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            return memoryview(data).nbytes


class _Stream(io.TextIOWrapper):
    """A text stream that only flushes when it is closed: a user's model may close it."""

    def close(self) -> None:
        self.flush()


@contextmanager
def _lasting_streams() -> Iterator[None]:
    """Replace the process's own standard output and error by streams that cannot break.

    The exit status then does not depend on who reads the output. A closed descriptor is opened on
    the null device first, so that no file of ours takes its number. A stream that somebody else put
    in place, such as a test, stays.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
    before = sys.stdout, sys.stderr
    if sys.stdout is sys.__stdout__:
        sys.stdout = _open(1, sys.stdout)
    if sys.stderr is sys.__stderr__:
        sys.stderr = _open(2, sys.stderr)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def _open(number: int, stream: Any) -> _Stream:
    raw = _Descriptor(os.dup(number), "wb")
    return _Stream(
        io.BufferedWriter(raw),
        encoding=getattr(stream, "encoding", "utf-8"),
        errors="replace",  # for an encoding without dashes and frames
        line_buffering=number == 2 or raw.isatty(),
    )
