"""Options that several commands share; the commands of any package may use them."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from alignbench.exceptions import InputError


def within(low: float, high: float) -> Callable[[typer.CallbackParam, Any], Any]:
    """The callback of an option that refuses a number outside its limits."""

    def check(param: typer.CallbackParam, value: Any) -> Any:
        if value is not None and not low <= value <= high:
            raise InputError(param.opts[0], f"{value}", f"{low:,} to {high:,}")
        return value

    return check


_TYPED: dict[Path, Path] = {}
"""Absolute paths of options, and how the user typed them."""


def make_absolute(path: Path | None) -> Path | None:
    """The callback of an option for a path; a user's model may change the working directory."""
    if path is None:
        return None
    _TYPED[path.absolute()] = path
    return path.absolute()


Model = Annotated[
    str,
    typer.Option(
        metavar="M",
        help="A registered name, with options as in propnet:stacks=2; saved:FILE (stored "
        "predictions), onnx:FILE, or package.module:factory.",
    ),
]
Network = Annotated[str, typer.Option("--model", metavar="M", help="A network, such as propnet.")]
Dataset = Annotated[
    str,
    typer.Option(
        metavar="D",
        help="wflw, 300w, cofw, cofw68, synthetic or another of `alignbench list datasets`; "
        "FORMAT:PATH for a file of your own, as in pts:FOLDER or coco:FILE; or FILE.toml.",
    ),
]
Split = Annotated[str, typer.Option(metavar="S", help="Split of the data set.")]
DataRoot = Annotated[
    Path | None,
    typer.Option(
        "--data-root",
        metavar="DIR",
        help="Folder that holds one folder for each data set, or the folder of the data set "
        "itself. Default: $ALIGNBENCH_DATA, then the user's data folder. For a file of your own: "
        "the folder of its images.",
    ),
]
MarkupName = Annotated[
    str | None,
    typer.Option(
        "--markup",
        metavar="NAME",
        help="Mark-up of a data set FORMAT:PATH. Default: the one with as many landmarks.",
    ),
]
Origin = Annotated[
    float | None,
    typer.Option(
        metavar="X",
        callback=within(0, 1),
        help="For a data set FORMAT:PATH: coordinate of the centre of an image's first pixel, 0 "
        "or 1. Default: the format's own, else 0.",
    ),
]
Boxes = Annotated[
    str | None,
    typer.Option(
        metavar="P",
        help="Box protocol: rect, tight, detector, detector:FILE, or another of `alignbench list "
        "boxes`. Default: the one that the model prefers.",
    ),
]
Weights = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="File of weights, or the word random if only speed or complexity matters. "
        "Default: the weights that come with the model.",
    ),
]
Backend = Annotated[
    str | None,
    typer.Option(
        metavar="B",
        help="What computes a network: eager (PyTorch), channels-last, compile, onnxruntime, "
        "openvino, or auto: the fastest in a short trial. Default: eager.",
    ),
]
Precision = Annotated[
    str | None,
    typer.Option(metavar="P", help="Precision of a network: fp32 or bf16. Default: fp32."),
]
Device = Annotated[
    str | None,
    typer.Option(
        metavar="D", help="cpu, cuda, cuda:N, or auto: a GPU where there is one. Default: auto."
    ),
]
Limit = Annotated[
    int | None, typer.Option(metavar="N", help="Use only the first N faces. Default: all.")
]
Replicates = Annotated[
    int,
    typer.Option(
        "--bootstrap",
        metavar="N",
        callback=within(100, 1_000_000),
        help="Bootstrap samples, 100 to 1,000,000.",
    ),
]
Seed = Annotated[
    int, typer.Option(metavar="N", callback=within(0, 2**63), help="Seed of the bootstrap.")
]
SeedOfAll = Annotated[
    int,
    typer.Option(
        "--seed",
        metavar="N",
        callback=within(0, 2**63),
        help="Seed of everything that is drawn at random, and of the bootstrap.",
    ),
]


def _limit_threads(param: typer.CallbackParam, threads: int | None) -> int | None:
    within(1, 1024)(param, threads)
    if threads is not None:
        from alignbench.threads import limit

        limit(threads)
    return threads


Threads = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        callback=_limit_threads,
        help="Threads for decoding, crops and networks. Default: every core.",
    ),
]


class Format(StrEnum):
    """Formats of tables."""

    terminal = "terminal"
    md = "md"
    latex = "latex"
    html = "html"
    csv = "csv"
    json = "json"


FORMATS = {
    ".md": Format.md,
    ".tex": Format.latex,
    ".html": Format.html,
    ".csv": Format.csv,
    ".json": Format.json,
    ".txt": Format.terminal,
}
"""Endings of files, and the format that each stands for."""

AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]

Form = Annotated[
    Format | None,
    typer.Option(
        "--format",
        metavar="FORMAT",
        help=f"{', '.join(Format)}. Default: the one that the ending of --out stands for "
        f"({', '.join(FORMATS)}), otherwise terminal. --json is short for --format json.",
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", callback=make_absolute, help="File to write. Default: print the result."
    ),
]


def choose_format(form: Format | None, out: Path | None) -> Format:
    """The format that was asked for, or the one that the ending of the file stands for."""
    if form is not None or out is None or not out.suffix or out.is_dir():
        return form or Format.terminal
    require_ending(out, FORMATS)
    return FORMATS[out.suffix.lower()]


def require_ending(path: Path, endings: Collection[str]) -> None:
    """Refuse a file whose ending is none of these, which are in lower case."""
    if path.suffix.lower() not in endings:
        raise InputError(path, f"unknown ending {path.suffix!r}", ", ".join(endings))


def put(text: str, out: Path | None, what: str = "Table") -> None:
    """Print a text, or write it to a file and say so on the error stream."""
    from alignbench.cli.console import tell

    if out is None:
        typer.echo(text)
        return
    write_text(text, out)
    tell(f"{what} written to {as_typed(out)}")


def print_json(value: object) -> None:
    """Print a value as JSON. It may hold None, which becomes null, but not NaN."""
    typer.echo(json.dumps(value, indent=2, allow_nan=False))


def as_typed(path: Path) -> Path:
    """The path of an option as the user typed it."""
    return _TYPED.get(path, path)


def write_text(text: str, path: Path) -> None:
    """Write a text with one line break at its end; make folders that are missing."""
    from alignbench.io.files import write_atomic

    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, (text.rstrip("\n") + "\n").encode())


def without_none(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that the user set."""
    return {name: value for name, value in options.items() if value is not None}


def require_one_process(command: str) -> None:
    """Refuse to run a command in several processes at once."""
    from alignbench.distributed import processes

    if processes() > 1:
        where, remedy = f"alignbench {command}", "Leave out torchrun."
        raise InputError(where, "is for one process", remedy=remedy)
