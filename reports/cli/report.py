"""``alignbench report``: tables and pages made of runs. Each report has options of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from alignbench import plugins
from alignbench.cli.mount import SETTINGS, PluginGroup
from alignbench.cli.options import FORMATS, DataRoot, Form, Format, Out, choose_format, write_text
from alignbench.exceptions import InputError
from reports.cli.options import Norm, OptionalRuns, Runs, Subsets, read_runs, several

if TYPE_CHECKING:
    from alignbench import Run

Folder = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE|DIR",
        help="File to write, or a folder, in which each table is a file. Default: print.",
    ),
]
Intervals = Annotated[bool, typer.Option(help="Show intervals beside numbers.")]


def _has_own_runs() -> bool:
    from alignbench.runs.folders import has_runs

    return has_runs()


class _Reports(PluginGroup):
    """The reports; ``report RUN --table NAME`` is ``report NAME RUN``."""

    entries = plugins.REPORTS

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        name, rest = _take_table(args)
        if name is None and any(arg in SETTINGS["help_option_names"] for arg in args):
            return super().parse_args(ctx, ["--help"])
        if name is None:
            parsed = self.get_command(ctx, "summary").make_context(
                "summary", [*rest], parent=ctx, resilient_parsing=True
            )
            name = "summary" if parsed.params["runs"] or _has_own_runs() else "all"
        elif name.isascii() and name.isdigit():
            name, rest = "all", ["--number", name, *rest]
        return super().parse_args(ctx, [name, *rest])

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, command, rest = super().resolve_command(ctx, args)
        return f"--table {name}", command, rest

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        return ["[RUN...] [--table {1..8|NAME}] [--out FILE] [OPTIONS]"]


def _take_table(args: Sequence[str]) -> tuple[str | None, list[str]]:
    """The report that is asked for, and the other arguments."""
    rest = list(args)
    if rest[-1:] == ["--table"]:
        raise InputError("--table", "no value", "1 to 8, or a name of `alignbench list reports`")
    for k, arg in enumerate(rest):
        if arg == "--all":
            return "site", rest[:k] + rest[k + 1 :]
        if arg == "--table" and k + 1 < len(rest):
            return rest[k + 1], rest[:k] + rest[k + 2 :]
        if arg.startswith("--table="):
            return arg.partition("=")[2], rest[:k] + rest[k + 1 :]
    return None, rest


REPORT = typer.Typer(
    cls=_Reports, rich_markup_mode=None, add_completion=False, context_settings=SETTINGS
)


@REPORT.callback()
def report() -> None:
    """Make a table or a page of runs, or of published numbers.

    --table 1 to 8 is that table of the paper: published rows above those of the runs. Other names
    are listed below. Without --table it is the summary of the runs, by default of those in the
    folder runs; if there are none, all tables of the paper. `alignbench report --table NAME --help`
    shows the options of one report. --all is short for --table site.

    For example:
      alignbench report runs/synthetic
      alignbench report runs/mine --table 3 --format latex --out table3.tex
      alignbench report runs/mine --table page --out run.html
      alignbench report runs --all --out site
    """


def summary(
    runs: OptionalRuns = None,
    measure: Annotated[
        list[str] | None, several("E", "Measure to show, such as fr@0.05", "NME, FR and AUC")
    ] = None,
    subset: Subsets = None,
    norm: Norm = None,
    intervals: Intervals = True,
    form: Form = None,
    out: Folder = None,
) -> None:
    """NME, FR and AUC of each subset, with intervals.

    CSV has every row of the runs' metrics, in full precision.

    For example:
      alignbench report runs/mine --measure nme --measure auc@0.08 --format md
      alignbench report runs/mine --subset pose --norm inter_pupil
    """
    from alignbench import parse_measure
    from alignbench.runs.folders import HOME
    from reports.summary import tables
    from reports.tables import render

    chosen = choose_format(form, out)
    measures = [parse_measure(text) for text in measure or []]
    shown = tables(
        read_runs(runs or [HOME]), measures or None, subsets=subset, normaliser=norm,
        intervals=intervals,
    )  # fmt: skip
    text = render(shown, chosen)
    _put({"summary": text}, chosen, out)


def paper(
    runs: OptionalRuns = None,
    number: Annotated[
        int | None,
        typer.Option(metavar="1..8", help="Only this table; as --table 1..8. Default: all."),
    ] = None,
    intervals: Intervals = False,
    form: Form = None,
    out: Folder = None,
) -> None:
    """Tables 1 to 8 of the PropNet paper.

    Published rows stand above those of the runs; without runs they stand alone.

    For example:
      alignbench report
      alignbench report runs/mine --table 3 --format latex --out table3.tex
      alignbench report runs --table all --format csv --out tables
    """
    from alignbench.cli.console import tell
    from reports.paper import NUMBERS, left_out_note, tables
    from reports.tables import render

    chosen = choose_format(form, out)
    numbers = NUMBERS if number is None else (number,)
    shown = read_runs(runs or [])
    by_number = {n: tables(n, shown, intervals=intervals) for n in numbers}
    for note in filter(None, (left_out_note(run, numbers) for run in shown)):
        tell(note)
    if out is not None and number is None and not out.suffix:
        out.mkdir(parents=True, exist_ok=True)
    if out is not None and out.is_dir():
        texts = {f"table{n}": render(table, chosen) for n, table in by_number.items()}
    else:
        texts = {"tables": render(list(chain.from_iterable(by_number.values())), chosen)}
    _put(texts, chosen, out)


def page(runs: Runs, form: Form = None, out: Out = None, data_root: DataRoot = None) -> None:
    """One HTML page of runs on one data set.

    It has tables, curves, faces, a comparison and the records. The page is a single file that loads
    nothing from the network.

    For example:
      alignbench report runs/mine --table page --out run.html --data-root ~/faces
    """
    from reports.pages import page as make_page

    if choose_format(form, out) is not Format.html:
        raise InputError(
            "--table page", "is HTML", remedy="Give --out a name in .html, or --format html."
        )
    _put({"page": make_page(read_runs(runs), data_root=data_root)}, Format.html, out)


def site(
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="New or empty folder, or a site to replace.")
    ],
    stores: Annotated[
        list[Path] | None,
        typer.Argument(metavar="FOLDER", help="Folders that hold runs. Default: runs."),
    ] = None,
    data_root: DataRoot = None,
) -> None:
    """A site of all runs in a folder.

    It has a leaderboard, a page for each data set, the tables of the paper and figures.

    For example:
      alignbench report runs --all --out site
    """
    from alignbench.cli.console import tell
    from alignbench.progress import show_progress
    from alignbench.runs.folders import HOME
    from reports.pages.site import build

    with show_progress("Site", "parts") as update:
        board = build(stores or [HOME], out, data_root=data_root, progress=update)
    for line in board.broken:
        tell(f"Left out: {line}")
    runs = f"{len(board.entries):,} run{'' if len(board.entries) == 1 else 's'}"
    tell(f"Site of {runs} in {out / 'index.html'}")


def summarize(runs: Sequence[Run]) -> str:
    """The summary that commands which make runs print at their end."""
    from reports.summary import tables
    from reports.tables import render

    return render(tables(runs), Format.terminal)


def _put(texts: Mapping[str, str], form: Format, out: Path | None) -> None:
    """Print texts, or write them to a file, or each to a file of its own in a folder."""
    from alignbench.cli.console import tell

    if out is None:
        typer.echo("\n\n".join(texts.values()))
        return
    ending = next(ending for ending, meaning in FORMATS.items() if meaning is form)
    folder = out.is_dir()
    for name, text in texts.items():
        write_text(text, out / f"{name}{ending}" if folder else out)
    what = "Page" if "page" in texts else "Tables" if len(texts) > 1 else "Table"
    tell(f"{what} written to {out}")
