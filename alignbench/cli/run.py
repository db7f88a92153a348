"""``alignbench run`` and ``alignbench export``: what is done with a model."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from alignbench import plugins
from alignbench.cli import options
from alignbench.exceptions import InputError, visible

if TYPE_CHECKING:
    from alignbench import Run
    from alignbench.runs.record import RunRecord


_Name = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="Name of the model in tables and legends. Default: the model's own."
    ),
]
_BoxScale = Annotated[
    float, typer.Option(metavar="F", help="Factor that scales every box about its centre.")
]
_Measures = Annotated[
    list[str] | None,
    typer.Option(
        "--measure",
        metavar="E",
        help="A further measure, such as fr@0.05 or auc(inter_pupil)@0.07; repeat for several.",
    ),
]
_Landmarks = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Measure only the landmarks of this mark-up, such as inner51 or eyes-mouth5; common: "
        "all that model and data set share. Default: those of the data set.",
    ),
]
_Complete = Annotated[
    bool, typer.Option("--require-complete", help="Refuse a data set that lacks faces or images.")
]
_Folder = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        callback=options.make_absolute,
        help="Folder of the run. Default: runs/DATASET/MODEL/KEY.",
    ),
]
_Fresh = Annotated[bool, typer.Option("--fresh", help="Replace a run that is in the folder.")]
_FlipTest = Annotated[
    bool,
    typer.Option("--flip-test", help="Show a network each face mirrored too; average the results."),
]
_BatchSize = Annotated[
    int | None, typer.Option(metavar="N", help="Faces in a batch. Default: the model's own number.")
]
_Order = Annotated[
    str | None,
    typer.Option(
        metavar="dataset",
        help="For saved:FILE. dataset: row k is the data set's face k (`alignbench data ids`). "
        "Default: faces are matched by name.",
    ),
]
_Pick = Annotated[
    str | None,
    typer.Option(
        metavar="HOW",
        help="For saved:FILE. Of several detections of an image, score takes the one with the "
        "highest score, iou the one that overlaps the true face most. Default: several are "
        "refused.",
    ),
]
_IdOffset = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="For saved:FILE. The number at the end of each stored name, plus N, is the id "
        "of the face.",
    ),
]
_PointsOrigin = Annotated[
    float | None,
    typer.Option(
        metavar="X",
        help="For saved:FILE. Coordinate of the centre of an image's first pixel: 0, 1, or "
        "0.5 where the image's edge is 0. Default: the format's own, else 0.",
    ),
]
_PointsUnit = Annotated[
    str | None,
    typer.Option(
        metavar="UNIT",
        help="For saved:FILE. pixel; image or box for fractions of the image's or the box's "
        "sides. Default: pixel.",
    ),
]
_PointsAxes = Annotated[
    str | None,
    typer.Option(
        metavar="AXES",
        help="For saved:FILE. xy; yx where y stands before x; x-then-y where all x stand before "
        "all y. Default: xy.",
    ),
]
_OnnxFile = Annotated[
    Path,
    typer.Option(
        metavar="FILE",
        callback=options.make_absolute,
        help="ONNX file to write; its settings go beside it.",
    ),
]


def run(
    *,
    model: options.Model,
    dataset: options.Dataset,
    split: options.Split = "test",
    data_root: options.DataRoot = None,
    markup: options.MarkupName = None,
    origin: options.Origin = None,
    weights: options.Weights = None,
    name: _Name = None,
    boxes: options.Boxes = None,
    box_scale: _BoxScale = 1.0,
    limit: options.Limit = None,
    landmarks: _Landmarks = None,
    measures: _Measures = None,
    require_complete: _Complete = False,
    replicates: options.Replicates = 10_000,
    seed: options.Seed = 0,
    out: _Folder = None,
    fresh: _Fresh = False,
    backend: options.Backend = None,
    precision: options.Precision = None,
    device: options.Device = None,
    flip_test: _FlipTest = False,
    batch_size: _BatchSize = None,
    threads: options.Threads = None,
    order: _Order = None,
    pick: _Pick = None,
    id_offset: _IdOffset = None,
    points_origin: _PointsOrigin = None,
    points_unit: _PointsUnit = None,
    points_axes: _PointsAxes = None,
    as_json: options.AsJson = False,
) -> None:
    """Evaluate a model on a data set, and keep the run in a folder.

    The summary of the run is printed. An interrupted run goes on where it stopped. A finished run
    is read from its folder. Under torchrun the processes share the faces; the first one prints and
    writes.

    For example:
      alignbench run --model propnet-mini --dataset synthetic
      alignbench run --model saved:points.npz --dataset wflw --out runs/mine
      alignbench run --model my_package.model:load --dataset 300w --boxes tight
    """
    from alignbench import evaluate, load_predictor, parse_measure
    from alignbench.cli.console import read_dataset, tell
    from alignbench.distributed import join_ranks, rank
    from alignbench.metrics import default_measures
    from alignbench.metrics.errors import normaliser_names
    from alignbench.progress import show_progress, show_status
    from alignbench.runs.plan import training_warnings
    from alignbench.stats import Bootstrap

    if name is not None and not (name.strip() and name.isprintable()):
        raise InputError("--name", f"{name!a}", "a printable name for tables and legends")
    start = Path.cwd()  # a user's model may go elsewhere
    faces = read_dataset(dataset, data_root, split, markup, origin)
    norms = normaliser_names(faces.markup, tuple(faces.scales))
    further = [parse_measure(text, norms) for text in measures or []]
    settings = options.without_none(
        {"backend": backend, "precision": precision, "device": device,
         "flip_test": flip_test or None, "order": order, "pick": pick, "id_offset": id_offset,
         "points_origin": points_origin, "points_unit": points_unit, "points_axes": points_axes}
    )  # fmt: skip
    exports = backend in ("auto", "onnxruntime", "openvino") and not model.startswith("onnx:")
    slow = ", which is exported to ONNX (10 to 40 s)" if exports else ""
    with show_status(f"Loading {model}{slow}"):
        predictor = load_predictor(model, weights, None, **settings)
    if rank() == 0:
        warnings = [f"Warning: {note}" for note in training_warnings(predictor, faces)]
        for remark in (*predictor.remarks, *_remarks(threads), *warnings):
            tell(remark)
    title = visible(f"{name or predictor.name} on {dataset}")
    try:
        with join_ranks() as ranks, show_progress(title, "faces") as report_progress:
            result = evaluate(
                predictor, faces, name=name, boxes=boxes, box_scale=box_scale, limit=limit,
                landmarks=landmarks,
                measures=[*default_measures(), *further],
                bootstrap=Bootstrap(replicates=replicates, seed=seed),
                batch_size=batch_size, require_complete=require_complete,
                out=out or (lambda record: start / _default_folder(record)),
                fresh=fresh, progress=report_progress, ranks=ranks,
            )  # fmt: skip
    except KeyboardInterrupt:
        typer.echo("alignbench: interrupted; the same command goes on where it stopped.", err=True)
        raise typer.Exit(130) from None
    if rank() == 0:
        _print_findings(result)
        folder = options.as_typed(out) if out else _default_folder(result.record)
        if as_json:
            options.print_json(
                {
                    "folder": str(folder),
                    "record": result.record.model_dump(mode="json"),
                    "metrics": [row.model_dump(mode="json") for row in result.metrics],
                }
            )
            return
        print_summaries([result])
        typer.echo(visible(f"Run kept in {folder}{_note(result)}"))


def export(model: options.Network, out: _OnnxFile, weights: options.Weights = None) -> None:
    """Write a network as an ONNX file, with its settings beside it.

    `--model onnx:FILE` and other programs read it.

    For example:
      alignbench export --model propnet-mini --out propnet-mini.onnx
    """
    from alignbench import load_predictor
    from alignbench.cli.console import tell
    from alignbench.predictors.network import export_onnx
    from alignbench.progress import show_status

    options.require_one_process("export")
    with show_status(f"Exporting {model} (10 to 40 s)"):
        settings = export_onnx(load_predictor(model, weights), out)
    files = f"{options.as_typed(out)}, its settings to {options.as_typed(settings)}"
    tell(f"Network written to {files}")


def print_summaries(runs: Sequence[Run]) -> None:
    """Print every registered summary of finished runs."""
    for name in plugins.entry_points(plugins.RUN_SUMMARIES):
        typer.echo(plugins.load(plugins.RUN_SUMMARIES, name)(runs))


def _note(run: Run) -> str:
    """Which part of a run was not computed now."""
    if run.read_back:
        return " (finished before; --fresh runs it again)"
    resumed = run.record.timings.get("resumed_faces", 0)
    return f" ({resumed:,} faces were stored already)" if resumed else ""


def _print_findings(result: Run) -> None:
    """Say on the error stream what is doubtful about the landmarks of a run."""
    from alignbench.cli.console import tell

    for finding in result.record.findings:
        tell(f"Doubtful: {finding}")


def _remarks(threads: int | None) -> list[str]:
    """A warning, if several processes may give other last bits than one process."""
    from alignbench.distributed import processes
    from alignbench.threads import count

    if processes() == 1 or threads is not None:
        return []
    remark = (
        f"{processes()} processes with {count()} threads each: the last bits of a network's "
        "results may differ from those of one process. Give both the same --threads to get the "
        "same bytes."
    )
    return [remark]


def _default_folder(record: RunRecord) -> Path:
    from alignbench.runs.folders import HOME

    dataset = record.dataset
    part = f"-{dataset.markup.name}" if dataset.whole_markup else ""
    model = _folder_name(record.model.name)
    return HOME / _folder_name(f"{dataset.name}{part}") / model / record.key


def _folder_name(text: str) -> str:
    """A name that every system takes for a folder."""
    return re.sub(r"[^\w.-]+", "-", text)[:100].strip("-.") or "unnamed"
