"""The commands ``robustness`` and ``steadiness``: what worse images and small shifts do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from alignbench.cli.options import (
    Backend,
    Boxes,
    DataRoot,
    Dataset,
    Device,
    Form,
    Format,
    Limit,
    Out,
    Replicates,
    SeedOfAll,
    Split,
    Threads,
    Weights,
    choose_format,
    put,
    require_one_process,
    without_none,
)
from alignbench.exceptions import InputError
from reports.cli.options import (
    ExtraFigure,
    OptionalRuns,
    number,
    put_figure,
    read_runs,
    refuse_with_runs,
    several,
)

if TYPE_CHECKING:
    from alignbench import Predictor


_MODEL = "A model that can run, as for `alignbench run`"


Models = Annotated[
    list[str], typer.Option("--model", metavar="M", help=f"{_MODEL}; repeat for several.")
]
OptionalModels = Annotated[
    list[str] | None,
    typer.Option("--model", metavar="M", help=f"Instead of runs: {_MODEL.lower()}; several too."),
]


def _load_predictors(
    names: Sequence[str], weights: str | None, backend: str | None, device: str | None
) -> list[Predictor]:
    """The models of these names; all are loaded before the first one is measured."""
    from alignbench import load_predictor
    from alignbench.progress import show_status

    settings = without_none({"backend": backend, "device": device})
    with show_status("Loading"):
        return [load_predictor(name, weights, None, **settings) for name in dict.fromkeys(names)]


def robustness(
    *,
    model: Models,
    dataset: Dataset,
    split: Split = "test",
    data_root: DataRoot = None,
    weights: Weights = None,
    boxes: Boxes = None,
    limit: Limit = None,
    corruption: Annotated[
        list[str] | None,
        several("C", "Corruption, such as noise, blur or box-shift", "all fifteen"),
    ] = None,
    figure: ExtraFigure = None,
    replicates: Replicates = 10_000,
    seed: SeedOfAll = 0,
    backend: Backend = None,
    device: Device = None,
    threads: Threads = None,
    form: Form = None,
    out: Out = None,
) -> None:
    """Show how much NME and FR grow with worse images and boxes.

    Fifteen corruptions, most in five strengths: noise, blur, compression, light, fog, occluders,
    boxes that are off, and others. Every model gets the same corrupted faces. Each image is decoded
    once.

    For example:
      alignbench robustness --model propnet-mini --dataset synthetic --limit 200
    """
    from alignbench.cli.console import read_dataset
    from alignbench.progress import show_progress
    from alignbench.stats import Bootstrap
    from reports.robustness.degradation import (
        choose_corruptions,
        degradation_table,
        measure_degradation,
        strength_table,
    )
    from reports.robustness.figure import degradation_figure
    from reports.tables import render

    require_one_process("robustness")
    chosen = choose_format(form, out)
    corruptions = choose_corruptions(corruption)
    faces = read_dataset(dataset, data_root, split)
    results = []
    for predictor in _load_predictors(model, weights, backend, device):
        with show_progress(f"{predictor.name} on {dataset}", "faces") as report:
            results.append(
                measure_degradation(
                    predictor, faces, corruptions=corruption, boxes=boxes, limit=limit, seed=seed,
                    progress=report,
                )
            )  # fmt: skip
    bootstrap = Bootstrap(replicates, seed=seed)
    tables = [degradation_table(result, bootstrap) for result in results]
    if chosen not in (Format.csv, Format.json):
        tables.append(strength_table(corruptions))
    put(render(tables, chosen), out, "Tables")
    if figure is not None:
        put_figure(degradation_figure(results, bootstrap), figure)


_SHIFTS, _SHIFT = 8, 0.005


def steadiness(
    *,
    runs: OptionalRuns = None,
    model: OptionalModels = None,
    dataset: Annotated[
        str | None, typer.Option(metavar="D", help="Data set that --model runs on.")
    ] = None,
    split: Split = "test",
    data_root: DataRoot = None,
    weights: Weights = None,
    boxes: Boxes = None,
    limit: Limit = None,
    shifts: Annotated[int, number("N", 2, 1000, "Shifts of each box.")] = _SHIFTS,
    shift: Annotated[
        float, number("F", 1e-6, 0.5, "Largest shift, as a share of the box's sides.")
    ] = _SHIFT,
    replicates: Replicates = 10_000,
    seed: SeedOfAll = 0,
    backend: Backend = None,
    device: Device = None,
    threads: Threads = None,
    form: Form = None,
    out: Out = None,
) -> None:
    """Show how much landmarks move where they should not.

    For --model with --dataset: under shifts of the box by fractions of a pixel, and in the mirrored
    image. For stored runs on videos: from frame to frame, beside NME. Differences from the first
    model have intervals.

    For example:
      alignbench steadiness --model propnet-mini --dataset synthetic
      alignbench steadiness runs/300vw/mine --data-root ~/faces
    """
    from alignbench.cli.console import read_dataset
    from alignbench.progress import show_progress
    from alignbench.stats import Bootstrap
    from reports.robustness.steadiness import measure_steadiness, run_tables, steadiness_table
    from reports.tables import render

    require_one_process("steadiness")
    if bool(runs) == bool(model) or bool(model) != bool(dataset):
        raise InputError(
            "alignbench steadiness",
            "runs and a model or data set" if runs else "neither runs nor a model with a data set",
            "folders of runs, or --model and --dataset",
        )
    if runs:
        refuse_with_runs(
            "steadiness", split=split != "test", weights=weights, boxes=boxes, limit=limit,
            shifts=shifts != _SHIFTS, shift=shift != _SHIFT, backend=backend, device=device,
        )  # fmt: skip
    chosen = choose_format(form, out)
    bootstrap = Bootstrap(replicates, seed=seed)
    if model and dataset:
        faces = read_dataset(dataset, data_root, split)
        results = []
        for predictor in _load_predictors(model, weights, backend, device):
            with show_progress(f"{predictor.name} on {dataset}", "faces") as report:
                results.append(
                    measure_steadiness(
                        predictor, faces, shifts=shifts, shift=shift, boxes=boxes, limit=limit,
                        seed=seed, progress=report,
                    )
                )  # fmt: skip
        table = steadiness_table(results, bootstrap)
    else:
        table = run_tables(read_runs(runs or ()), data_root, bootstrap)
    put(render([table], chosen), out)
