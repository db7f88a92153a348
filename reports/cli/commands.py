"""Commands that make tables: ``audit``, ``compare``, ``complexity``, ``decoders`` and others."""

from __future__ import annotations

import itertools
import json
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from textwrap import TextWrapper
from typing import Annotated

import typer

from alignbench.cli.options import (
    AsJson,
    Backend,
    Boxes,
    DataRoot,
    Dataset,
    Device,
    Form,
    Format,
    Limit,
    Model,
    Out,
    Replicates,
    Seed,
    SeedOfAll,
    Split,
    Threads,
    Weights,
    choose_format,
    print_json,
    put,
    require_one_process,
    without_none,
)
from alignbench.exceptions import InputError
from reports.cli.options import (
    Norm,
    OptionalRuns,
    Runs,
    Subsets,
    number,
    read_runs,
    refuse_with_runs,
    several,
)

_TIMED = "With --latency"
_USUAL = "the one that papers on the data set use"


class Gate(StrEnum):
    """Verdicts that can fail the command, the mildest first."""

    marginal = "marginal"
    suspect = "suspect"
    impossible = "impossible"


def audit(
    *,
    tables: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="TABLE",
            help="Files with published tables: .csv, .tex, .md, .html. Default: those of the "
            "PropNet paper.",
        ),
    ] = None,
    form: Form = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Show what is ok too; CSV and JSON always do.")
    ] = False,
    dataset: Annotated[
        str,
        typer.Option(
            metavar="D",
            help="Data set of tables that do not name one, such as 300w or '300w private'.",
        ),
    ] = "",
    norm: Annotated[
        str, typer.Option(metavar="NORM", help="Normaliser of tables that do not name one.")
    ] = "",
    partition: Annotated[
        list[str] | None,
        typer.Option(
            metavar="WHOLE=PART+PART",
            help="Subsets that make up another one without overlap; repeat for several.",
        ),
    ] = None,
    published: Annotated[
        bool,
        typer.Option(
            "--published", help="Check the collection of published results, across its sources."
        ),
    ] = False,
    fail_on: Annotated[
        Gate | None, typer.Option(help="Exit with status 1 on this verdict or a worse one.")
    ] = None,
    out: Out = None,
) -> None:
    """Check published tables for numbers that cannot be right.

    Each finding has a proof by arithmetic. JSON is a list of all findings.

    For example:
      alignbench audit
      alignbench audit mine.csv --dataset 300w --fail-on impossible
      alignbench audit --published
    """
    import reports.audit
    from reports.audit.across import audit_published, published_tables
    from reports.published import collection
    from reports.tables import render

    chosen = choose_format(form, out)
    if published:
        if tables or dataset or norm or partition:
            raise InputError(
                "--published", "cannot be combined with tables or their options",
                "--published alone",
            )  # fmt: skip
        findings = audit_published(collection())
    else:
        findings = reports.audit.audit(
            tables or (), dataset=dataset, norm=norm, partitions=partition or ()
        )
    if chosen is Format.json:
        text = json.dumps([asdict(finding) for finding in findings], indent=1)
    else:
        make_tables = published_tables if published else reports.audit.tables
        text = render(make_tables(findings, everything=everything), chosen)
    put(text, out, "Audit")
    worst = reports.audit.worst(findings)
    gates = [gate.value for gate in Gate]
    if fail_on is not None and worst in gates[gates.index(fail_on.value) :]:
        typer.echo(f"alignbench: the worst verdict is {worst}.", err=True)
        raise typer.Exit(1)


def compare(
    *,
    runs: Runs,
    norm: Norm = None,
    subset: Subsets = None,
    threshold: Annotated[
        float | None,
        number("F", 1e-6, 1, f"Threshold of FR and AUC, a fraction. Default: {_USUAL}."),
    ] = None,
    confidence: Annotated[float, number("F", 0.5, 0.9999, "Confidence of the intervals.")] = 0.95,
    bootstrap: Replicates = 10_000,
    seed: Seed = 0,
    fail_if: Annotated[
        list[str] | None,
        typer.Option(
            metavar="EXPR",
            help="Exit with status 1 if EXPR holds of the first run minus another one; repeat for "
            "several.",
        ),
    ] = None,
    form: Form = None,
    out: Out = None,
) -> None:
    """Compare runs face by face: differences, tests, gates for CI.

    Differences have intervals. The first run is compared with each of the others, which are the
    baselines. 'nme > +0.05 @95%' holds if the whole 95 % interval of the difference is above 0.05,
    'fr@0.10 > 1' if the difference itself is above 1. A subset goes in square brackets behind the
    measure.

    For example:
      alignbench compare new baseline
      alignbench compare new baseline --fail-if 'nme[pose] > 0 @95%'
    """
    from alignbench.cli.console import wrap
    from alignbench.progress import show_status
    from alignbench.stats import Bootstrap
    from reports.compare import compare, gate_table, judge, parse_gate, tables
    from reports.tables import render

    chosen = choose_format(form, out)
    gates = [parse_gate(text) for text in fail_if or []]
    settings = Bootstrap(bootstrap, confidence, seed)
    with show_status("Comparing"):
        compared = read_runs(runs)
        comparison = compare(
            compared, normaliser=norm, subsets=subset, threshold=threshold, bootstrap=settings
        )
        verdicts = [one for gate in gates for one in judge(gate, compared, norm, settings)]
        gate_tables = [gate_table(verdicts)] if verdicts else []
        text = render([*gate_tables, *tables(comparison)], chosen)
    put(text, out, "Comparison")
    failures = [verdict for verdict in verdicts if verdict.tripped]
    for failure in failures:
        typer.echo(wrap(f"alignbench: {failure}"), err=True)
    if failures:
        raise typer.Exit(1)


def decoders(
    *,
    model: Model,
    dataset: Dataset,
    split: Split = "test",
    data_root: DataRoot = None,
    weights: Weights = None,
    boxes: Boxes = None,
    limit: Limit = None,
    sigma: Annotated[
        float | None,
        number(
            "PX",
            0.3,
            64,
            "Sigma of the Gaussians that the model learned, in pixels of its maps. "
            "Default: that of its settings.",
        ),
    ] = None,
    noise: Annotated[
        float, number("F", 0, 10, "Noise on drawn maps, as a share of the height of their peaks.")
    ] = 0.05,
    replicates: Replicates = 10_000,
    seed: SeedOfAll = 0,
    backend: Backend = None,
    device: Device = None,
    threads: Threads = None,
    form: Form = None,
    out: Out = None,
) -> None:
    """Compare the decoders of heatmaps.

    Each decoder finds the landmarks in maps that are drawn from the truth (perfect, drawn on the
    pixel, noisy) and in the model's own maps.

    For example:
      alignbench decoders --model propnet-mini --dataset synthetic
    """  # fmt: skip
    from alignbench import load_predictor
    from alignbench.cli.console import read_dataset
    from alignbench.progress import show_progress
    from alignbench.stats import Bootstrap
    from reports.decoders import decoder_table
    from reports.tables import render

    require_one_process("decoders")
    chosen = choose_format(form, out)
    faces = read_dataset(dataset, data_root, split)
    settings = without_none({"backend": backend, "device": device})
    predictor = load_predictor(model, weights, None, **settings)
    with show_progress(f"{predictor.name} on {dataset}", "faces") as report:
        table = decoder_table(
            predictor, faces, boxes=boxes, sigma=sigma, noise=noise, limit=limit,
            bootstrap=Bootstrap(replicates=replicates, seed=seed), progress=report,
        )  # fmt: skip
    put(render([table], chosen), out)


def doctor(runs: Runs, data_root: DataRoot = None, as_json: AsJson = False) -> None:
    """Look for systematic faults in the landmarks of runs.

    Such faults are conventions that were mistaken, not poor models: fractions instead of pixels, x
    and y exchanged, another order of landmarks, and so on. `alignbench run` looks for them too, and
    says so above its table. The exit status is 1 if there is one.

    For example:
      alignbench doctor runs/wflw/mine
    """
    from alignbench.runs.doctor import Fault, examine, unchecked
    from reports.data import all_landmarks, evaluated_faces
    from reports.labels import labels

    chosen = read_runs(runs)
    found = [examine(all_landmarks(run), evaluated_faces(run, data_root)) for run in chosen]
    is_faulty = any(found)
    if as_json:
        print_json(
            [
                {
                    "model": run.record.model.name, "dataset": run.record.dataset.title,
                    "run": run.record.key, "findings": [asdict(finding) for finding in findings],
                }
                for run, findings in zip(chosen, found, strict=True)
            ]
        )  # fmt: skip
    shown = [] if as_json else zip(chosen, labels(chosen), found, strict=True)
    for run, title, findings in shown:
        typer.echo(f"{title} on {run.record.dataset.title}")
        for finding in findings:
            typer.echo(f"  FOUND  {finding.fault}")
            for sentence in (f"{finding.evidence}.", finding.remedy):
                typer.echo(_fill(sentence))
        if findings:
            typer.echo("  Correct this first. Then other faults can be found.")
            continue
        reasons = unchecked(len(run.ids))
        for check in Fault:
            reason = reasons.get(check)
            typer.echo(f"  -      {check}: {reason}" if reason else f"  no     {check}")
    if is_faulty:
        raise typer.Exit(1)


_fill = TextWrapper(
    80, initial_indent=" " * 9, subsequent_indent=" " * 9,
    break_long_words=False, break_on_hyphens=False,
).fill  # fmt: skip


def complexity(
    *,
    model: Annotated[
        list[str] | None,
        several("M", "A network, such as lab or propnet:stacks=2", "propnet, awing and lab"),
    ] = None,
    weights: Weights = None,
    latency: Annotated[
        bool, typer.Option("--latency", help="Measure time and memory too.")
    ] = False,
    backend: Annotated[list[str] | None, several("B", _TIMED, "eager")] = None,
    precision: Annotated[list[str] | None, several("P", _TIMED, "fp32")] = None,
    device: Device = None,
    batch_size: Annotated[list[int] | None, several("N", _TIMED, "1")] = None,
    threads: Annotated[list[int] | None, several("N", _TIMED, "every core")] = None,
    seconds: Annotated[
        float, number("S", 0, 3600, f"{_TIMED}: how long each setting is timed.")
    ] = 3.0,
    form: Form = None,
    out: Out = None,
) -> None:
    """Count parameters and operations of networks.

    Published numbers stand beside the counts. With --latency also time and memory, for every
    combination of back end, precision, batch size and number of threads.

    For example:
      alignbench complexity
      alignbench complexity --model propnet-mini --latency --batch-size 16
    """
    from alignbench import load_predictor
    from alignbench.cost import Setting, count_predictor, measure_settings
    from alignbench.predictors import RANDOM_IF_TAKEN
    from alignbench.progress import show_progress, show_status
    from reports.paper.complexity import count_table, timing_table
    from reports.tables import render

    require_one_process("complexity")
    chosen = choose_format(form, out)
    if not latency and (backend or precision or batch_size or threads):
        raise InputError("--backend, --precision, --batch-size, --threads", "are for --latency")
    settings = [
        Setting(*values)
        for values in itertools.product(
            backend or (None,), precision or (None,), batch_size or (1,), threads or (None,)
        )
    ]
    counted, timed = [], []
    for name in model or ["propnet", "awing", "lab"]:
        with show_status(f"Counting {name}"):
            predictor = load_predictor(name, weights, RANDOM_IF_TAKEN)
            counted.append(count_predictor(name, predictor))
        if latency:
            with show_progress(name, "settings") as report:
                timed += measure_settings(
                    name, weights, settings, device=device, seconds=seconds, progress=report
                )
    tables = [count_table(counted), *([timing_table(timed)] if timed else [])]
    # A CSV file has one header: it holds the times if there are any.
    put(render(tables[-1:] if chosen is Format.csv else tables, chosen), out)


def sensitivity(
    *,
    runs: OptionalRuns = None,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="M", help="Instead of runs: a model that can run, as for `alignbench run`."
        ),
    ] = None,
    dataset: Annotated[
        str | None, typer.Option(metavar="D", help="Data set that --model runs on.")
    ] = None,
    split: Split = "test",
    data_root: DataRoot = None,
    weights: Weights = None,
    limit: Limit = None,
    jitter: Annotated[
        list[float] | None,
        several("F", "Noise on tight boxes, as a share of their sides", "0.05, 0.1, 0.2"),
    ] = None,
    scale: Annotated[
        list[float] | None,
        several("F", "Factor on the model's own boxes", "0.8, 0.9, 1, 1.1, 1.2"),
    ] = None,
    replicates: Replicates = 10_000,
    seed: Seed = 0,
    backend: Backend = None,
    device: Device = None,
    threads: Threads = None,
    form: Form = None,
    out: Out = None,
) -> None:
    """Show how NME, FR and AUC change with the protocol.

    Each question has a table. For stored runs: the normaliser, the threshold and the conventions of
    other repositories. For --model with --dataset: the boxes and their scale; the model runs once
    for each of them.

    For example:
      alignbench sensitivity run --data-root ~/faces
      alignbench sensitivity --model propnet-mini --dataset synthetic
    """
    from alignbench import load_predictor
    from alignbench.cli.console import read_dataset
    from alignbench.progress import show_progress, show_status
    from alignbench.stats import Bootstrap
    from reports.sensitivity.boxes import box_tables
    from reports.sensitivity.stored import run_tables
    from reports.tables import render

    require_one_process("sensitivity")
    if bool(runs) == bool(model) or (model is None) != (dataset is None):
        raise InputError(
            "alignbench sensitivity",
            "runs and a model" if runs else "neither runs nor a model with a data set",
            "folders of runs, or --model and --dataset",
        )
    if runs:
        refuse_with_runs(
            "sensitivity", split=split != "test", weights=weights, limit=limit, jitter=jitter,
            scale=scale, backend=backend, device=device,
        )  # fmt: skip
    chosen = choose_format(form, out)
    bootstrap = Bootstrap(replicates=replicates, seed=seed)
    if model is None or dataset is None:
        tables = run_tables(read_runs(runs or ()), root=data_root, bootstrap=bootstrap)
    else:
        faces = read_dataset(dataset, data_root, split)
        with show_status(f"Loading {model}"):
            settings = without_none({"backend": backend, "device": device})
            predictor = load_predictor(model, weights, None, **settings)
        changes = without_none({"jitters": jitter, "scales": scale, "limit": limit})
        with show_progress(f"{predictor.name} on {dataset}", "runs") as report:
            tables = box_tables(predictor, faces, bootstrap=bootstrap, progress=report, **changes)
    put(render(tables, chosen), out, "Tables")
