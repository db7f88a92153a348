"""CED plots: the share of faces whose error is at most x, with NME, FR and AUC in the legend."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from alignbench import InputError, Run, parse_measure
from alignbench.files import write_atomic
from alignbench.metrics.ced import ced_steps
from alignbench.metrics.measure import threshold_suffix
from reports.labels import labels

_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's palette, told apart by the colour-blind; dashes tell them apart in grey print."""
_DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)), (0, (1, 1)))  # not landmarks
_FORMATS = (".svg", ".png", ".pdf")
_OF = {"box": "size", "diagonal": "of the box"}


def draw(
    runs: Sequence[Run],
    path: Path,
    *,
    maximum: float | None = None,
    subset: str = "full",
    normaliser: str | None = None,
) -> None:
    """Write the CED plot of runs on one data set; the file's ending says its format.

    Parameters
    ----------
    maximum
        Right end of the plot, a fraction of the normaliser; FR and AUC are taken there, so that
        AUC is the share of the plot below the curve. The data set's usual threshold where it is
        None.
    normaliser
        The data set's usual one where it is None.

    Raises
    ------
    InputError
        If the ending is unknown, the runs are of different data sets, the subset is empty in one
        of them, or ``maximum`` is out of range.
    """
    path = Path(path)
    if path.suffix.lower() not in _FORMATS:
        raise InputError(path, f"unknown ending {path.suffix!r}", ", ".join(_FORMATS))
    dataset = runs[0].record.dataset
    maximum = dataset.threshold if maximum is None else maximum
    if not 0 < maximum <= 1:
        raise InputError("--max", f"{maximum}", "a fraction above 0 and at most 1")
    sets = list(dict.fromkeys((r.record.dataset.name, r.record.dataset.split) for r in runs))
    if len(sets) > 1:
        raise InputError(
            "CED plot",
            "runs on " + ", ".join(" ".join(pair) for pair in sets),
            "runs on one data set and split",
        )
    figure = _figure(runs, maximum, subset, normaliser or dataset.normalisers[0])
    path.parent.mkdir(parents=True, exist_ok=True)
    _save(figure, path)


def write_run_files(run: Run, folder: Path) -> None:
    """``ced.svg`` and ``ced.png`` of a finished run."""
    for ending in (".svg", ".png"):
        draw([run], folder / f"ced{ending}")


def _figure(runs: Sequence[Run], maximum: float, subset: str, norm: str) -> Figure:
    # Room for the legend below the axes, a line a run: curves may pass through any corner.
    figure = Figure(figsize=(6.4, 4.2 + 0.2 * len(runs)), layout="constrained")
    axes = figure.add_subplot()
    at = threshold_suffix(maximum)
    measures = [parse_measure(text) for text in ("nme", f"fr{at}", f"auc{at}")]
    curves = [run.errors(norm, subset) for run in runs]
    one_size = len({len(errors) for errors in curves}) == 1
    lines, legend = [], []
    for k, (name, errors) in enumerate(zip(labels(runs), curves, strict=True)):
        if not len(errors):
            raise InputError(f"subset {subset!r}", f"has no faces in run {name}")
        x, share = ced_steps(errors, maximum)
        # Colours and dashes come round at different times, so that no two curves look the same.
        dash = _DASHES[(k + k // len(_COLOURS)) % len(_DASHES)]
        lines += axes.step(
            100 * x, 100 * share, where="post", linewidth=1.8,
            color=_COLOURS[k % len(_COLOURS)], linestyle=dash,
        )  # fmt: skip
        nme, fr, auc = (measure.value(errors) for measure in measures)
        faces = "" if one_size else f" ({len(errors):,} faces)"
        legend.append(f"{name}{faces}: {nme:.2f} %, {fr:.2f} %, {auc:.4f}")
    axes.set(
        xlim=(0, 100 * maximum),
        ylim=(0, 101),
        xlabel=f"Error, % of {norm.replace('_', '-')} {_OF.get(norm, 'distance')}",
        ylabel="Faces with at most this error, %",
    )
    size = f": {len(curves[0]):,} faces" if one_size else ""
    axes.set_title(_title(runs, subset, size), fontsize="medium", loc="left")
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(
        lines, legend, title=f"NME, FR{at}, AUC{at}", loc="outside lower center", frameon=False,
        fontsize="small", title_fontsize="small",
    )  # fmt: skip
    return figure


def _title(runs: Sequence[Run], subset: str, size: str) -> str:
    dataset = runs[0].record.dataset
    complete = all(run.record.dataset.complete for run in runs)
    return f"{dataset.name} {dataset.split}, {subset}{size}{'' if complete else ' (incomplete)'}"


def _save(figure: Figure, path: Path) -> None:
    """Write the figure atomically, the same bytes for the same runs."""
    import io

    kind = path.suffix.lower()[1:]
    stamp = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {"Software": None}}[kind]
    buffer = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "alignbench", "text.parse_math": False}):
        figure.savefig(buffer, format=kind, dpi=150, metadata=stamp)
    write_atomic(path, buffer.getvalue())
