"""The command line: each verb calls one public function.

Exit status: 0 done, 1 a check failed, 2 wrong use or bad input (one message, no traceback).
"""

from __future__ import annotations

import io
import itertools
import re
import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from alignbench import __version__, plugins
from alignbench.distributed import processes, rank
from alignbench.errors import InputError

T = TypeVar("T")

if TYPE_CHECKING:
    from alignbench.runs.record import RunRecord

app = typer.Typer(
    name="alignbench",
    help="Benchmark face alignment: any landmark model on WFLW, 300W and COFW.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
data = typer.Typer(help="Look at data sets.", no_args_is_help=True)
app.add_typer(data, name="data")

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
    csv = "csv"


_FORMATS = {".md": Format.md, ".tex": Format.latex, ".csv": Format.csv}


class Kind(StrEnum):
    """What ``list`` can list."""

    models = "models"
    datasets = "datasets"
    measures = "measures"
    reports = "reports"
    boxes = "boxes"
    recipes = "recipes"


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


@app.command()
def run(
    model: Annotated[
        str,
        typer.Option(
            help="A registered name, with options as in propnet:stacks=2; saved:FILE, onnx:FILE or "
            "package.module:factory."
        ),
    ],
    dataset: Annotated[str, typer.Option(help="wflw, 300w, cofw, cofw68, demo, ...")],
    split: Split = "test",
    data_root: DataRoot = None,
    weights: Weights = None,
    name: Annotated[
        str | None, typer.Option(help="What tables and legends call the model.")
    ] = None,
    boxes: Annotated[
        str | None,
        typer.Option(
            help="rect, tight, detector, detector:FILE, or one of `alignbench list boxes`. "
            "Default: the model's own wish."
        ),
    ] = None,
    box_scale: Annotated[float, typer.Option(help="Factor on every box, about its centre.")] = 1.0,
    limit: Annotated[int | None, typer.Option(help="Only the first N faces.")] = None,
    measure: Annotated[
        list[str] | None,
        typer.Option(
            help="A further measure, such as fr@0.05 or auc(inter_pupil)@0.07; repeat for several."
        ),
    ] = None,
    require_complete: Annotated[
        bool, typer.Option("--require-complete", help="Refuse a data set with anything missing.")
    ] = False,
    replicates: Annotated[int, typer.Option("--bootstrap", help="Bootstrap samples.")] = 10_000,
    seed: Annotated[int, typer.Option(help="Seed of the bootstrap.")] = 0,
    out: Annotated[
        Path | None, typer.Option(help="Folder. Default: runs/DATASET/MODEL/KEY.")
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Replace what is in the folder instead of resuming.")
    ] = False,
    backend: Backend = None,
    precision: Precision = None,
    device: Device = None,
    flip_test: Annotated[
        bool, typer.Option("--flip-test", help="Show the mirrored face too, and average.")
    ] = False,
    batch_size: Annotated[
        int | None, typer.Option(help="Faces at a time. Default: the model's own wish.")
    ] = None,
    threads: Threads = None,
) -> None:
    """Evaluate a model on a data set; print its table and keep the run in a folder.

    A run that was cut short goes on where it stopped; one that is finished is read back. Under
    torchrun the processes share the faces, and the first one prints and writes.
    """
    from alignbench import evaluate, load_dataset, load_predictor, parse_measure
    from alignbench.console import progress, status
    from alignbench.distributed import joined
    from alignbench.metrics import default_measures
    from alignbench.metrics.errors import normaliser_names
    from alignbench.stats import Bootstrap

    _limit_threads(threads)
    _in_range("--bootstrap", replicates, 100, 100_000)
    _in_range("--seed", seed, 0, 2**63)
    if name is not None and not (name.strip() and name.isprintable()):
        raise InputError("--name", f"{name!a}", "a printable name for tables and legends")
    with status(f"Reading {dataset}"):
        faces = load_dataset(dataset, data_root, split)
    norms = normaliser_names(faces.markup)
    further = [parse_measure(text, norms) for text in measure or []]
    given = {"backend": backend, "precision": precision, "device": device}
    options: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    if flip_test:
        options["flip_test"] = True
    exported = backend in ("auto", "onnxruntime", "openvino") and not model.startswith("onnx:")
    with status(
        f"Making {model} ready" + (", exporting it to ONNX (10 to 40 s)" if exported else "")
    ):
        predictor = load_predictor(model, weights, None, **options)
    if rank() == 0:
        for remark in (*predictor.remarks, *_sharing(threads)):
            typer.echo(remark, err=True)
    title = f"{name or predictor.name} on {dataset}"
    try:
        with joined() as ranks, progress(title, "faces") as report_progress:
            done = evaluate(
                predictor,
                faces,
                name=name,
                boxes=boxes,
                box_scale=box_scale,
                limit=limit,
                measures=[*default_measures(), *further],
                bootstrap=Bootstrap(replicates=replicates, seed=seed),
                batch_size=batch_size,
                require_complete=require_complete,
                out=out or _default_folder,
                fresh=fresh,
                progress=report_progress,
                ranks=ranks,
            )
    except KeyboardInterrupt:
        typer.echo("alignbench: interrupted; the same command goes on where it stopped.", err=True)
        raise typer.Exit(130) from None
    if rank() != 0:
        return
    typer.echo(plugins.load(plugins.REPORTS, "summary")([done], "terminal"))
    resumed = done.record.timings.get("resumed_faces", 0)
    if done.read_back:
        note = " (was there already; --fresh runs it again)"
    else:
        note = f" ({resumed:,} faces were there from before)" if resumed else ""
    typer.echo(f"Run kept in {done.folder}{note}")


def _sharing(threads: int | None) -> list[str]:
    """What several processes should know about the bytes of one."""
    if processes() == 1 or threads is not None:
        return []
    from alignbench.threads import count

    said = (
        f"{processes()} processes with {count()} threads each: a network's last bits may differ "
        "from one process's; name the same --threads in both for the same bytes."
    )
    return [said]


def _default_folder(record: RunRecord) -> Path:
    name = re.sub(r"[^\w.-]+", "-", record.model.name).strip("-.") or "model"
    return Path("runs") / record.dataset.name / name / record.key


@app.command()
def report(
    runs: Annotated[list[Path], typer.Argument(help="Folders of runs.")],
    table: Annotated[str, typer.Option(help="Which table; `alignbench list reports`.")] = "summary",
    form: Annotated[
        Format | None,
        typer.Option("--format", help="Form of the table. Default: by the ending of --out."),
    ] = None,
    measure: Annotated[
        list[str] | None, typer.Option(help="Measures to show; repeat for several.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="File, or folder, to write. Default: print.")
    ] = None,
) -> None:
    """Make a table of one or several runs."""
    from alignbench import load_run, parse_measure
    from alignbench.files import write_atomic

    render = plugins.load(plugins.REPORTS, table)
    measures = [parse_measure(text) for text in measure or []]
    if form is None:
        form = _FORMATS.get(out.suffix.lower() if out else "", Format.terminal)
    text = render([load_run(path) for path in runs], form.value, measures or None)
    if out is None:
        typer.echo(text)
        return
    if out.is_dir():
        ending = next((e for e, made in _FORMATS.items() if made is form), ".txt")
        out = out / f"{table}{ending}"
    out.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(out, (text.rstrip("\n") + "\n").encode())
    typer.echo(f"Table written to {out}", err=True)


@app.command()
def ced(
    runs: Annotated[list[Path], typer.Argument(help="Folders of runs.")],
    out: Annotated[Path, typer.Option(help="File to write: .svg, .png or .pdf.")],
    maximum: Annotated[
        float | None,
        typer.Option(
            "--max",
            help="Right end, a fraction; FR and AUC are taken there. Default: the threshold the "
            "data set's papers use, 0.08 or 0.10.",
        ),
    ] = None,
    subset: Annotated[str, typer.Option(help="Subset of the data set.")] = "full",
    norm: Annotated[
        str | None, typer.Option(help="Normaliser. Default: the data set's usual one.")
    ] = None,
) -> None:
    """Plot cumulative error distributions with NME, FR and AUC in the legend."""
    from alignbench import load_run

    draw = plugins.load(plugins.FIGURES, "ced")
    draw([load_run(path) for path in runs], out, maximum=maximum, subset=subset, normaliser=norm)
    typer.echo(f"Plot written to {out}", err=True)


@app.command()
def complexity(
    model: Annotated[
        list[str] | None,
        typer.Option(
            help="A network, such as lab or propnet:stacks=2; repeat for several. "
            "Default: propnet, awing and lab."
        ),
    ] = None,
    weights: Weights = None,
    latency: Annotated[
        bool, typer.Option("--latency", help="Measure time and memory too.")
    ] = False,
    backend: Annotated[
        list[str] | None, typer.Option(help="With --latency; repeat for several. Default: eager.")
    ] = None,
    precision: Annotated[
        list[str] | None, typer.Option(help="With --latency; repeat for several. Default: fp32.")
    ] = None,
    device: Device = None,
    batch_size: Annotated[
        list[int] | None, typer.Option(help="With --latency; repeat for several. Default: 1.")
    ] = None,
    threads: Annotated[
        list[int] | None,
        typer.Option(help="With --latency; repeat for several. Default: every core."),
    ] = None,
    seconds: Annotated[float, typer.Option(help="With --latency: how long each is timed.")] = 3.0,
    form: Annotated[
        Format | None,
        typer.Option("--format", help="Form of the table. Default: by the ending of --out."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="File to write. Default: print.")] = None,
) -> None:
    """Count parameters and operations of networks, beside the published numbers.

    With --latency also time and memory, for every combination of back end, precision, batch size
    and threads.
    """
    from alignbench import load_predictor
    from alignbench.complexity import count_predictor
    from alignbench.console import progress, status
    from alignbench.files import write_atomic
    from alignbench.latency import Setting, measure_settings
    from alignbench.predictors import RANDOM_IF_TAKEN

    _alone("complexity")
    _in_range("--seconds", seconds, 0, 3600)
    form = form or _FORMATS.get(out.suffix.lower() if out else "", Format.terminal)
    if not latency and (backend or precision or batch_size or threads):
        raise InputError("--backend, --precision, --batch-size, --threads", "are for --latency")
    wanted = [
        Setting(*chosen)
        for chosen in itertools.product(
            _or_usual(backend), _or_usual(precision), batch_size or [1], _or_usual(threads)
        )
    ]
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
    counted, timed = [], []
    for name in model or ["propnet", "awing", "lab"]:
        with status(f"Counting {name}"):
            predictor = load_predictor(name, weights, RANDOM_IF_TAKEN)
            counted.append(count_predictor(name, predictor))
        if latency:
            with progress(name, "settings") as report_progress:
                timed += measure_settings(name, weights, wanted, device, seconds, report_progress)
    text = plugins.load(plugins.COMPLEXITY_TABLES, "complexity")(counted, timed, form.value)
    if out is None:
        typer.echo(text)
        return
    write_atomic(out, (text.rstrip("\n") + "\n").encode())
    typer.echo(f"Table written to {out}", err=True)


def _alone(verb: str) -> None:
    if processes() > 1:
        raise InputError(f"alignbench {verb}", "is for one process", remedy="Leave out torchrun.")


def _or_usual(values: Sequence[T] | None) -> Sequence[T | None]:
    return values or [None]


@app.command()
def export(
    model: Annotated[str, typer.Option(help="A network, such as propnet.")],
    out: Annotated[Path, typer.Option(help="File to write, .onnx; its settings go beside it.")],
    weights: Weights = None,
) -> None:
    """Write a network as an ONNX file with its settings, for onnx:FILE and anything else."""
    from alignbench import load_predictor
    from alignbench.console import status
    from alignbench.predictors.network import export_onnx

    _alone("export")
    with status(f"Exporting {model} (10 to 40 s)"):
        settings = export_onnx(load_predictor(model, weights), out)
    typer.echo(f"Network written to {out}, its settings to {settings}", err=True)


@app.command()
def train(
    recipe: Annotated[
        str,
        typer.Argument(
            help="A TOML file, or the name of one that is shipped; `alignbench list recipes`."
        ),
    ],
    change: Changes = None,
    out: Annotated[Path | None, typer.Option(help="Folder. Default: trained/RECIPE.")] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Begin again, whatever training is in the folder.")
    ] = False,
    data_root: DataRoot = None,
    device: Device = None,
    threads: Threads = None,
    workers: Annotated[
        int | None,
        typer.Option(help="Processes that make batches. Default: 0 on a CPU, some on a GPU."),
    ] = None,
    checkpoint_seconds: Annotated[
        float, typer.Option(help="Longest time between two checkpoints within an epoch.")
    ] = 60.0,
) -> None:
    """Train a network from a recipe; cut short, the same command goes on where it stopped.

    Under torchrun the processes share each batch, and the first one prints and writes.
    """
    from alignbench.console import progress

    _limit_threads(threads)
    _in_range("--workers", workers or 0, 0, 256)
    _in_range("--checkpoint-seconds", checkpoint_seconds, 0, 86_400)
    run_training = plugins.load(plugins.TRAINERS, "fabric")
    try:
        with progress(recipe, "steps") as report_progress:
            folder = run_training(
                recipe,
                overrides=change or (),
                out=out,
                fresh=fresh,
                data_root=data_root,
                device=device or "auto",
                workers=workers,
                checkpoint_seconds=checkpoint_seconds,
                progress=report_progress,
                say=lambda line: typer.echo(line, err=True),
            )
    except KeyboardInterrupt:
        typer.echo(
            "alignbench: interrupted; the same command goes on from the last checkpoint.", err=True
        )
        raise typer.Exit(130) from None
    if rank() == 0:
        typer.echo(f"Training kept in {folder}")


@app.command()
def ablation(
    study: Annotated[
        str, typer.Argument(help="A TOML file, or the name of one that is shipped.")
    ] = "propnet-ablation",
    change: Changes = None,
    out: Annotated[Path | None, typer.Option(help="Folder. Default: ablation/STUDY.")] = None,
    seeds: Annotated[
        int | None, typer.Option(help="Trainings of each variant. Default: the study's own number.")
    ] = None,
    data_root: DataRoot = None,
    device: Device = None,
    threads: Threads = None,
) -> None:
    """Train the variants of a study with several seeds, run each, and print their table.

    Cut short, the same command goes on where it stopped. The runs are for `report` and `ced`.
    """
    from alignbench.console import progress

    _alone("ablation")
    _limit_threads(threads)
    _in_range("--seeds", seeds or 1, 1, 1000)
    run_study = plugins.load(plugins.TRAINERS, "study")
    folder = out or Path("ablation", Path(study).stem)
    try:
        with progress(study, "steps") as report_progress:
            runs = run_study(
                study, folder, seeds=seeds, overrides=change or (), data_root=data_root,
                device=device or "auto", progress=report_progress,
                say=lambda line: typer.echo(line, err=True),
            )  # fmt: skip
    except KeyboardInterrupt:
        typer.echo("alignbench: interrupted; the same command goes on.", err=True)
        raise typer.Exit(130) from None
    typer.echo(plugins.load(plugins.REPORTS, "summary")(runs, "terminal"))
    typer.echo(f"Trainings and runs kept in {folder}")


@app.command("list")
def list_(
    kind: Annotated[Kind | None, typer.Argument(help="Default: everything.")] = None,
) -> None:
    """Show what there is: models, data sets, measures, reports, box protocols, recipes."""
    from alignbench.console import print_columns

    groups = {
        Kind.models: plugins.PREDICTORS,
        Kind.datasets: plugins.DATASETS,
        Kind.measures: plugins.MEASURES,
        Kind.reports: plugins.REPORTS,
        Kind.boxes: plugins.BOX_PROTOCOLS,
    }
    for wanted in [kind] if kind else list(Kind):
        if kind is None:
            typer.echo(f"{wanted.value}:")
        if wanted is Kind.recipes:
            # A package registers all of its recipes at once.
            for name in plugins.registered(plugins.RECIPES):
                print_columns(list(plugins.load(plugins.RECIPES, name)().items()))
            continue
        found = plugins.registered(groups[wanted])
        print_columns([(name, _about(groups[wanted], name)) for name in found])


def _about(group: str, name: str) -> str:
    """One line on a registered thing; a broken one says so instead of stopping the list."""
    try:
        thing = plugins.load(group, name)
    except InputError as error:
        return f"(broken: {error})"
    said = {plugins.DATASETS: "title", plugins.BOX_PROTOCOLS: "about"}
    title: str = getattr(thing, said[group], "") if group in said else ""
    return title or (thing.__doc__ or "").strip().partition("\n")[0]


@data.command("list")
def data_list(data_root: DataRoot = None) -> None:
    """Show the data sets, and which of their splits are found."""
    from alignbench.datasets import (
        DataNotFoundError,
        data_roots,
        dataset_names,
        load_dataset,
        source,
    )

    typer.echo("Looked in: " + ", ".join(str(root) for root in data_roots(data_root)))
    for name in dataset_names():
        of = source(name)
        typer.echo(f"{name}: {of.title}")
        for split, official in of.splits.items():
            if of.locate is not None:
                typer.echo(f"  {split:<10} {official['full']:,} faces, drawn on first use")
                continue
            try:
                faces = load_dataset(name, data_root, split)
                images = int(faces.images.available().sum())
                here = f"{len(faces):,} of {official['full']:,} faces, {images:,} with image"
            except DataNotFoundError:
                here = "not here"
            except InputError as error:
                here = f"not usable: {error}"
            typer.echo(f"  {split:<10} {here}")


@data.command("verify")
def data_verify(
    dataset: Annotated[str, typer.Argument(help="Name of the data set.")],
    split: Split = "test",
    data_root: DataRoot = None,
    threads: Threads = None,
) -> None:
    """Compare a data set on disk with the official numbers and decode every image.

    Exit status 1 if anything is missing, broken or of another number.
    """
    from alignbench import load_dataset
    from alignbench.console import progress, status
    from alignbench.datasets.verify import verify
    from alignbench.threads import count

    _limit_threads(threads)
    with status(f"Reading {dataset}"):
        faces = load_dataset(dataset, data_root, split)
    with progress(f"images of {dataset}", "images") as report_progress:
        found = verify(faces, report_progress, count())
    for subset, (here, official) in found.counts.items():
        mark = "ok" if here == official else "differs"
        typer.echo(f"{subset:<14} {here:>6,} faces, officially {official:>6,}  {mark}")
    _tell("images missing", found.images_missing, len(faces))
    _tell("images broken", found.images_broken, len(faces))
    _tell("landmarks far outside the image", found.outside, len(faces))
    typer.echo(f"{dataset} {split}: {'complete' if found.complete else 'INCOMPLETE'}")
    if not found.complete:
        raise typer.Exit(1)


@data.command("synthesize")
def data_synthesize(
    faces: Annotated[int, typer.Option(help="Faces to draw; a quarter of them are for testing.")],
    out: Annotated[Path, typer.Option(help="New or empty folder.")],
    seed: Annotated[int, typer.Option(help="Another seed draws other people.")] = 1,
    threads: Threads = None,
) -> None:
    """Draw synthetic faces in WFLW's official layout, for any tool that reads WFLW.

    The same faces as a data set of their own: --dataset synthetic --data-root OUT.
    """
    from alignbench.datasets.synthetic.source import draw

    _alone("data synthesize")
    _limit_threads(threads)
    _in_range("--faces", faces, 4, 10_000_000)
    _in_range("--seed", seed, 0, 2**32 - 1)
    test = faces // 4
    draw(out, {"train": faces - test, "test": test}, seed, f"Drawing {faces:,} faces")
    typer.echo(f"{faces - test:,} faces to train and {test:,} to test drawn in {out}")


@data.command("show")
def data_show(
    dataset: Annotated[str, typer.Argument(help="Name of the data set.")],
    out: Annotated[Path, typer.Option(help="Picture to write, .png or .jpg.")],
    split: Split = "test",
    data_root: DataRoot = None,
    faces: Annotated[int, typer.Option(help="How many, evenly spread over the split.")] = 24,
    landmarks: Annotated[
        bool, typer.Option(help="Draw landmarks and boxes on every second face.")
    ] = True,
) -> None:
    """Draw a sheet of a data set's faces with their landmarks and boxes, to look at."""
    from alignbench import load_dataset
    from alignbench.console import status

    _alone("data show")
    _in_range("--faces", faces, 1, 400)
    with status(f"Reading {dataset}"):
        found = load_dataset(dataset, data_root, split)
    draw = plugins.load(plugins.FIGURES, "faces")
    draw(found, out, faces, landmarks)
    typer.echo(f"Picture written to {out}", err=True)


def _tell(what: str, names: list[str], faces: int, shown: int = 3) -> None:
    typer.echo(f"{what}: {len(names):,} of {faces:,}" + (", such as" if names else ""))
    for name in names[:shown]:
        typer.echo(f"  {name}")


def _limit_threads(threads: int | None) -> None:
    if threads is not None:
        from alignbench.threads import limit

        _in_range("--threads", threads, 1, 1024)
        limit(threads)


def _in_range(option: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise InputError(option, f"{value}", f"{low:,} to {high:,}")


def main() -> None:
    """Entry point: the application with users' mistakes turned into messages."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a stream that has no dashes and frames
    try:
        app()
    except InputError as error:
        _stop(str(error))
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        _stop(f"{place}{error.strerror or error}.")


def _stop(message: str) -> None:
    from alignbench.console import wrapped

    who = f" (process {rank()})" if rank() else ""
    typer.echo(wrapped(f"alignbench{who}: {message}"), err=True)
    sys.exit(2)
