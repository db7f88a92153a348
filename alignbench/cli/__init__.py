"""The command line: a module for each group of verbs, each verb calls one public function.

Exit status: 0 done, 1 a check failed, 2 wrong use or bad input (one message, no traceback).
"""

from __future__ import annotations

import io
import signal
import sys
from collections.abc import Callable
from typing import Annotated

import typer

from alignbench import __version__
from alignbench.cli import (
    audit,
    compare,
    data,
    figure,
    lists,
    networks,
    report,
    run,
    sensitivity,
    train,
)
from alignbench.distributed import rank
from alignbench.errors import InputError

app = typer.Typer(
    name="alignbench",
    help="Benchmark face alignment: any landmark model on WFLW, 300W and COFW.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
_VERBS: dict[str, Callable[..., None]] = {
    "run": run.run,
    "report": report.report,
    "ced": figure.ced,
    "figure": figure.figure,
    "compare": compare.compare,
    "complexity": networks.complexity,
    "export": networks.export,
    "train": train.train,
    "ablation": train.ablation,
    "audit": audit.audit,
    "sensitivity": sensitivity.sensitivity,
    "list": lists.list_,
}
_DATA_VERBS: dict[str, Callable[..., None]] = {
    "list": data.list_,
    "verify": data.verify,
    "synthesize": data.synthesize,
    "show": data.show,
}
_data = typer.Typer(help="Look at data sets.", no_args_is_help=True)
app.add_typer(_data, name="data")
for _of, _verbs in ((app, _VERBS), (_data, _DATA_VERBS)):
    for _name, _verb in _verbs.items():
        _of.command(_name)(_verb)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"alignbench {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Entry point: the application with users' mistakes turned into messages."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a stream that has no dashes and frames
    # Batch systems and torchrun end a process by SIGTERM: as after Ctrl-C, it can be gone on with.
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        app()
    except InputError as error:
        _stop(str(error))
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        _stop(f"{place}{error.strerror or error}.")
    finally:
        signal.signal(signal.SIGTERM, before)


def _interrupt(number: int, frame: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it is being ended
    raise KeyboardInterrupt


def _stop(message: str) -> None:
    from alignbench.cli.console import wrapped

    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # torchrun may send it meanwhile
    who = f" (process {rank()})" if rank() else ""
    typer.echo(wrapped(f"alignbench{who}: {message}"), err=True)
    sys.exit(2)
