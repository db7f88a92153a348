"""Curves of the error against the strength of each corruption, a line for each model."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

import numpy as np
from matplotlib.figure import Figure, FigureBase
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from alignbench import InputError, parse_measure
from alignbench.metrics.measure import mean_counted
from alignbench.stats import Bootstrap, mean_intervals
from reports.figures import style
from reports.robustness.degradation import Degradation

_COLUMNS = 5
_TICKS = (1.0, 2.0, 5.0)
"""Numbers on the logarithmic axis, times powers of ten."""


def degradation_figure(
    results: Sequence[Degradation], bootstrap: Bootstrap, into: FigureBase | None = None
) -> Figure:
    """A panel for each corruption: NME against strength, with intervals.

    Parameters
    ----------
    results
        Of one or more models, on the same faces and under the same conditions.

    Raises
    ------
    InputError
        If the results are of different faces or conditions.
    """
    first = results[0]
    for other in results[1:]:
        same = other.dataset.fingerprint == first.dataset.fingerprint
        if not same or list(other.conditions) != list(first.conditions):
            raise InputError("figure of robustness", "results on different faces or conditions")
    names = list(dict.fromkeys(condition.name for condition in first.conditions[1:]))
    columns = min(_COLUMNS, len(names))
    rows = ceil(len(names) / columns)
    drawing: Figure = style.canvas(
        into, max(2.3 * columns, 4.8), 2.1 * rows + 0.2 * len(results) + 0.7
    )
    panels = drawing.subplots(rows, columns, squeeze=False, sharey=True)
    nme = parse_measure("nme")
    most = max(condition.level for condition in first.conditions)
    lines = []
    for k, result in enumerate(results):
        values = np.stack([nme.per_face(errors) for errors in result.errors], axis=1)
        everyone = np.ones((1, len(values)), np.bool_)
        low, high = mean_intervals(values, everyone, result.clusters, bootstrap)
        means = np.array([mean_counted(column) for column in values.T])
        for axes, name in zip(panels.flat, names, strict=False):
            here = [c.name in (name, "none") for c in result.conditions]
            levels = [c.level for c in result.conditions if c.name in (name, "none")]
            axes.fill_between(levels, low[0, here], high[0, here], alpha=0.2, linewidth=0,
                              color=style.line(k)["color"])  # fmt: skip
            (line,) = axes.plot(levels, means[here], markersize=3, linewidth=1.2, **style.line(k))
        lines.append(line)
    for axes, name in zip(panels.flat, names, strict=False):
        axes.set_title(name, fontsize="small")
        axes.set(yscale="log", xticks=range(most + 1))
        axes.yaxis.set_major_locator(LogLocator(subs=_TICKS))
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
        style.plain(axes)
    for axes in panels.flat[len(names) :]:
        axes.set_axis_off()
    for axes in panels[:, 0]:
        axes.set_ylabel(f"NME, % of {style.unit(first.dataset.normalisers[0])}", fontsize="small")
    complete = "" if first.dataset.complete else " (incomplete)"
    drawing.suptitle(
        f"{first.dataset.title}, {first.dataset.faces:,} faces{complete}", fontsize="medium"
    )
    drawing.legend(
        lines, [f"{result.model} ({result.boxes})" for result in results],
        loc="outside lower center", frameon=False, fontsize="small", ncols=min(4, len(results)),
        title=f"Strength from 0, no corruption, to {most}; bands are "
        f"{100 * bootstrap.confidence:g} % bootstrap intervals",
        title_fontsize="small",
    )  # fmt: skip
    style.show_plain_text(drawing)
    return drawing
