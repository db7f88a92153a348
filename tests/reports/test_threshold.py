"""A face whose error is exactly the threshold does not fail, one just above it does: everywhere."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from doubles import Shifted, make_dataset

from alignbench import evaluate, load_run, parse_measure
from alignbench.markups import Markup
from alignbench.stats import Bootstrap
from reports import compare, summary
from reports.figures import ced
from reports.pages import leaderboard, page

FOUR = Markup("four", 4, {}, (), {"inter_ocular": ((0,), (1,))})
TRUTH = np.array([[0.0, 0], [64, 0], [0, 64], [0, 32]])
DIRECTIONS = np.array([[1.0, 0], [0, 1], [1, 0], [1, 0]])
"""From a coordinate of 0 and by a power of two, so that no error is rounded."""


@pytest.mark.parametrize("threshold", [0.07, 0.1, 0.29])
def test_failures_at_the_threshold_are_the_same_in_every_report(threshold, tmp_path):
    errors = np.array([threshold] * 5 + [np.nextafter(threshold, 1)] * 3)
    dataset = replace(
        make_dataset(len(errors), FOUR), points=np.tile(TRUTH, (len(errors), 1, 1)),
        threshold=threshold, subsets={"full": np.ones(len(errors), np.bool_)},
    )  # fmt: skip
    for name in ("one", "two"):
        predictor = Shifted(dataset, 0.0)
        predictor.name, predictor.markup = name, FOUR
        moved = dataset.points + 64 * errors[:, None, None] * DIRECTIONS
        predictor.truth = dict(zip(dataset.ids, moved, strict=True))
        evaluate(predictor, dataset, bootstrap=Bootstrap(100), out=tmp_path / name)
    runs = [load_run(tmp_path / name) for name in ("one", "two")]
    measure = parse_measure(f"fr@{threshold}")
    assert runs[0].errors("inter_ocular").tolist() == errors.tolist()
    (usual,) = summary.tables(runs)
    (asked,) = summary.tables(runs, [measure])
    (board,) = leaderboard.tables(leaderboard.read_board(tmp_path))
    levels = compare.compare(runs, bootstrap=Bootstrap(100)).levels
    legend = ced.figure(runs).legends[0].get_texts()[0].get_text()
    assert {
        usual.rows[0][4].value, asked.rows[0][3].value, board.rows[0][3].value,
        next(level.value for level in levels if level.measure.name == "fr"),
    } == {37.5}  # fmt: skip
    assert "37.50 %" in legend
    assert "37.50" in page(runs)
