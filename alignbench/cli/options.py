"""Options that several verbs share, and the checks of what they are given."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from alignbench.distributed import processes
from alignbench.errors import InputError

DataRoot = Annotated[
    Path | None,
    typer.Option(
        "--data-root",
        help="Folder that holds one folder a data set, or is the data set's own. "
        "Default: $ALIGNBENCH_DATA, then the user's data folder.",
    ),
]
Split = Annotated[str, typer.Option(help="Split of the data set.")]
Threads = Annotated[
    int | None,
    typer.Option(help="Threads for decoding, crops and networks. Default: every core."),
]
Weights = Annotated[
    str | None,
    typer.Option(help="File of weights; or random, where speed or complexity alone is wanted."),
]
Backend = Annotated[
    str | None,
    typer.Option(
        help="What computes a network: eager (PyTorch, the default), channels-last, compile, "
        "onnxruntime, openvino; auto: the fastest of a short trial."
    ),
]
Precision = Annotated[str | None, typer.Option(help="fp32 (the default) or bf16.")]
Device = Annotated[
    str | None,
    typer.Option(help="cpu, cuda, cuda:N or auto (the default): a GPU where there is one."),
]

Changes = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Another value than the recipe's, such as epochs=3 or network.stacks=1; repeat for "
        "several.",
    ),
]


class Format(StrEnum):
    """Formats of tables."""

    terminal = "terminal"
    md = "md"
    latex = "latex"
    html = "html"
    csv = "csv"


FORMATS = {".md": Format.md, ".tex": Format.latex, ".html": Format.html, ".csv": Format.csv}


def put(text: str, out: Path | None, what: str) -> None:
    """Print a text, or write it to the file ``--out`` names and say so."""
    if out is None:
        typer.echo(text)
        return
    write_text(text, out)
    typer.echo(f"{what} written to {out}", err=True)


def write_text(text: str, path: Path) -> None:
    """A text with one end of line at its end; the file's folder is made."""
    from alignbench.io.files import write_atomic

    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, (text.rstrip("\n") + "\n").encode())


def alone(verb: str) -> None:
    """Refuse a verb that several processes would do at once."""
    if processes() > 1:
        raise InputError(f"alignbench {verb}", "is for one process", remedy="Leave out torchrun.")


def limit_threads(threads: int | None) -> None:
    """Take ``--threads``, where it is given."""
    if threads is not None:
        from alignbench.threads import limit

        in_range("--threads", threads, 1, 1024)
        limit(threads)


def in_range(option: str, value: float, low: float, high: float) -> None:
    """Refuse a number beyond its limits."""
    if not low <= value <= high:
        raise InputError(option, f"{value}", f"{low:,} to {high:,}")
