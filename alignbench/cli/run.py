"""``alignbench run``: a model on a data set."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from alignbench import plugins
from alignbench.cli.options import (
    Backend,
    DataRoot,
    Device,
    Precision,
    Split,
    Threads,
    Weights,
    in_range,
    limit_threads,
)
from alignbench.distributed import processes, rank
from alignbench.errors import InputError, visible

if TYPE_CHECKING:
    from alignbench.runs.record import RunRecord


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
    from alignbench.cli.console import progress, status, tell
    from alignbench.distributed import join_ranks
    from alignbench.metrics import default_measures
    from alignbench.metrics.errors import normaliser_names
    from alignbench.stats import Bootstrap

    limit_threads(threads)
    in_range("--bootstrap", replicates, 100, 100_000)
    in_range("--seed", seed, 0, 2**63)
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
            tell(remark)
    title = visible(f"{name or predictor.name} on {dataset}")
    try:
        with join_ranks() as ranks, progress(title, "faces") as report_progress:
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
    typer.echo(visible(f"Run kept in {done.folder}{note}"))


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
    name = re.sub(r"[^\w.-]+", "-", record.model.name)[:100].strip("-.") or "model"
    return Path("runs") / record.dataset.name / name / record.key
