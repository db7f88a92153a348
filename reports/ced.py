"""CED plots: the share of faces whose error is at most x, with NME, FR and AUC in the legend."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from alignbench import InputError, Run, parse_measure
from alignbench.metrics.ced import ced_steps
from alignbench.metrics.measure import threshold_suffix
from alignbench.runs.store import write_atomic

_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's palette, told apart by the colour-blind; dashes tell them apart in grey print."""
_DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)), (0, (1, 1)))  # not landmarks
_FORMATS = (".svg", ".png", ".pdf")


def draw(
    runs: Sequence[Run],
    path: Path,
    *,
    maximum: float = 0.10,
    subset: str = "full",
    normaliser: str | None = None,
) -> None:
    """Write the CED plot of runs on one data set; the file's ending says its format.

    Parameters
    ----------
    maximum
        Right end of the plot, a fraction of the normaliser; FR and AUC are taken there, so that
        AUC is the share of the plot below the curve.
    normaliser
        The data set's usual one where it is None.

    Raises
    ------
    InputError
        If the ending is unknown, the runs are of different data sets, or ``maximum`` is out of
        range.
    """
    path = Path(path)
    if path.suffix.lower() not in _FORMATS:
        raise InputError(path, f"unknown ending {path.suffix!r}", ", ".join(_FORMATS))
    if not 0 < maximum <= 1:
        raise InputError("--max", f"{maximum}", "a fraction above 0 and at most 1")
    sets = list(dict.fromkeys((r.record.dataset.name, r.record.dataset.split) for r in runs))
    if len(sets) > 1:
        raise InputError(
            "CED plot",
            "runs on " + ", ".join(" ".join(pair) for pair in sets),
            "runs on one data set and split",
        )
    figure = _figure(runs, maximum, subset, normaliser or runs[0].record.dataset.normalisers[0])
    path.parent.mkdir(parents=True, exist_ok=True)
    _save(figure, path)


def write_run_files(run: Run, folder: Path) -> None:
    """``ced.svg`` and ``ced.png`` of a finished run."""
    for ending in (".svg", ".png"):
        draw([run], folder / f"ced{ending}")


def _figure(runs: Sequence[Run], maximum: float, subset: str, norm: str) -> Figure:
    figure = Figure(figsize=(6.4, 4.4), layout="constrained")
    axes = figure.add_subplot()
    at = threshold_suffix(maximum)
    measures = [parse_measure(text) for text in ("nme", f"fr{at}", f"auc{at}")]
    for k, run in enumerate(runs):
        errors = run.errors(norm, subset)
        nme, fr, auc = (measure.value(errors) for measure in measures)
        x, share = ced_steps(errors, maximum)
        axes.step(
            100 * x, 100 * share, where="post", linewidth=1.8,
            color=_COLOURS[k % len(_COLOURS)], linestyle=_DASHES[k % len(_DASHES)],
            label=f"{run.record.model.name}: {nme:.2f} %, {fr:.2f} %, {auc:.4f}",
        )  # fmt: skip
    axes.set(
        xlim=(0, 100 * maximum),
        ylim=(0, 101),
        xlabel=f"Error, % of {norm.replace('_', '-')} distance",
        ylabel="Faces with at most this error, %",
    )
    axes.set_title(_title(runs, subset), fontsize="medium", loc="left")
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    # Outside the axes: curves of different models may pass through any corner.
    figure.legend(
        title=f"NME, FR{at}, AUC{at}", loc="outside lower center", ncols=1, frameon=False,
        fontsize="small", title_fontsize="small",
    )  # fmt: skip
    return figure


def _title(runs: Sequence[Run], subset: str) -> str:
    dataset = runs[0].record.dataset
    counts = sorted({len(run.errors(dataset.normalisers[0], subset)) for run in runs})
    faces = " / ".join(f"{count:,}" for count in counts)
    title = f"{dataset.name} {dataset.split}, {subset}: {faces} faces"
    return title if all(run.record.dataset.complete for run in runs) else f"{title} (incomplete)"


def _save(figure: Figure, path: Path) -> None:
    """Write the figure atomically, the same bytes for the same runs."""
    import io

    kind = path.suffix.lower()[1:]
    stamp = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {"Software": None}}[kind]
    buffer = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "alignbench", "text.parse_math": False}):
        figure.savefig(buffer, format=kind, dpi=150, metadata=stamp)
    write_atomic(path, buffer.getvalue())
