"""The command line: it mounts the commands that packages register, and turns errors into messages.

Exit status: 0 done, 1 a check failed, 2 wrong use or bad input (one message, no traceback).
"""

from __future__ import annotations

import re
import signal
import sys
import warnings
from typing import Annotated

import typer

from alignbench import __version__
from alignbench.cli.mount import SETTINGS, PluginGroup, make_command
from alignbench.cli.streams import lasting_streams
from alignbench.errors import InputError

app = typer.Typer(cls=PluginGroup, rich_markup_mode=None, context_settings=SETTINGS)
_UsageError: type[Exception] = typer.BadParameter.__mro__[1]
"""What Typer raises for wrong use; it has no public name of its own in every version."""


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"alignbench {__version__}")
        raise typer.Exit


@app.callback()
def _alignbench(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Benchmark face alignment: any landmark model on WFLW, 300W and COFW.

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
    with lasting_streams():
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
