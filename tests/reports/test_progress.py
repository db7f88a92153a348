"""The figure of published numbers by year."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from alignbench import InputError
from reports.figures import progress
from reports.published import PublishedCell, collection, select


def best_line(axes):
    """Years and values of the best so far."""
    (line,) = axes.lines
    return np.array(line.get_xdata()), np.array(line.get_ydata())


def test_every_panel_shows_its_methods_and_the_best_so_far():
    figure = progress.figure()
    assert [axes.get_title() for axes in figure.axes] == [
        f"{name} test, full, inter-ocular distance" for name in ("wflw", "300w", "cofw")
    ]
    for axes, (name, norm) in zip(figure.axes, progress.PANELS, strict=True):
        cells = select(
            collection(), name, measures=["nme"], subsets=["full"], normaliser=norm
        )  # fmt: skip
        methods = {cell.method for cell in cells if cell.year}
        dots = axes.collections[0].get_offsets(), axes.collections[1].get_offsets()
        assert sum(map(len, dots)) == len(methods)
        years, values = best_line(axes)
        assert (np.diff(values) <= 0).all()
        assert (np.diff(years) > 0).all()
        assert values[-1] == min(values)


def test_more_area_is_better():
    (axes,) = progress.figure([("wflw", "inter_ocular")], "auc@0.10").axes
    _, values = best_line(axes)
    assert (np.diff(values) >= 0).all()
    assert axes.get_ylabel() == "AUC at threshold 0.10"


def test_what_the_audit_doubts_is_marked_and_not_the_best(monkeypatch):
    (first, *_) = select(collection(), "300w", methods=["SH-FAN"], measures=["nme"])
    low = PublishedCell(**{**vars(first), "printed": type(first.printed)("2.00", 2, 2)})
    # 2.00 on the full set, with 2.61 and 4.13 on its parts, is impossible.
    others = [cell for cell in collection() if cell is not first]
    monkeypatch.setattr(progress, "collection", lambda: (*others, low))
    (axes,) = progress.figure([("300w", "inter_ocular")]).axes
    assert best_line(axes)[1].min() > 2.5
    impossible = axes.collections[3].get_offsets()
    assert 2.0 in np.asarray(impossible)[:, 1]


def test_nothing_to_show():
    with pytest.raises(InputError, match=r"data set 'jd106 test': unknown"):
        progress.figure([("jd106", "inter_ocular")])
    with pytest.raises(InputError, match=r"measure 'auc@0\.10': unknown"):
        progress.figure([("lapa", "inter_ocular")], "auc@0.10")


def test_a_measure_without_its_threshold_is_refused():
    with pytest.raises(InputError, match="without threshold"):
        progress.figure([("wflw", "inter_ocular")], "auc")


def test_only_doubtful_numbers_and_a_best_of_zero_can_be_drawn(monkeypatch):
    (cell, *_) = select(collection(), "300w", methods=["SH-FAN"], measures=["nme"])
    finding = SimpleNamespace(
        verdict="suspect", table=cell.source, row=cell.method, column=cell.column
    )
    monkeypatch.setattr(progress, "collection", lambda: (cell,))
    monkeypatch.setattr(progress, "audit_published", lambda cells: [finding])
    (axes,) = progress.figure([("300w", "inter_ocular")]).axes
    low, high = axes.get_ylim()
    assert low < float(cell.printed.value) < high
    zero = PublishedCell(**{**vars(cell), "printed": type(cell.printed)("0.00", 0, 2)})
    monkeypatch.setattr(progress, "collection", lambda: (zero,))
    monkeypatch.setattr(progress, "audit_published", lambda cells: [])
    (axes,) = progress.figure([("300w", "inter_ocular")]).axes
    assert axes.get_ylim() == (0, pytest.approx(1.15))


def test_the_command(cli):
    result = cli("figure", "progress", "--dataset", "300w", "--subset", "common", "--out", "p.svg")
    assert result.code == 0, result.err
    assert "Figure written to p.svg" in result.err
