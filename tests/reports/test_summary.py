"""The summary and the CED plot: every number is the run's, and every label is there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from doubles import QUICK, Shifted, make_dataset

from alignbench import InputError, evaluate, parse_measure
from reports import summary
from reports.figures import ced
from reports.figures.style import save
from reports.tables import render


def run_of(pixels=2.0, name="shifted", dataset=None, **options):
    dataset = dataset or make_dataset(20)
    predictor = Shifted(dataset, pixels)
    predictor.name = name
    return evaluate(predictor, dataset, bootstrap=QUICK, **options)


def test_every_cell_is_its_row_of_the_run():
    run = run_of()
    text = render(summary.tables([run]), "md")
    for subset in run.subsets:
        nme, fr, auc = (run.row(parse_measure(m), subset) for m in ("nme", "fr@0.10", "auc@0.10"))
        line = next(line for line in text.splitlines() if line.startswith(f"| {subset} "))
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        assert cells == [
            subset,
            str(nme.faces),
            f"{nme.value:.2f} [{nme.ci_low:.2f}, {nme.ci_high:.2f}]",
            f"{fr.value:.2f} [{fr.ci_low:.2f}, {fr.ci_high:.2f}]",
            f"{auc.value:.4f} [{auc.ci_low:.4f}, {auc.ci_high:.4f}]",
        ]


@pytest.mark.parametrize("form", ["terminal", "md", "latex", "csv"])
def test_incompleteness_and_leak_stand_under_every_table(form):
    dataset = replace(
        make_dataset(6), official={"full": 9}, normalisers=("inter_ocular", "inter_pupil")
    )
    text = " ".join(render(summary.tables([run_of(dataset=dataset)]), form).split())
    tables = text.split("normaliser")[1:] if form != "csv" else [text]
    assert len(tables) == (2 if form != "csv" else 1)
    if form == "terminal":  # what holds for all tables stands once, below the last
        tables = tables[-1:]
        assert text.count("6 of 9 faces annotated") == 1
    for table in tables:
        assert "6 of 9 faces annotated" in table
        assert "ground-truth box" in table


def test_a_note_of_one_run_among_several_names_it():
    short = replace(make_dataset(6), official={"full": 9})
    text = render(summary.tables([run_of(name="one"), run_of(name="two", dataset=short)]), "md")
    assert "- two: INCOMPLETE" in text
    assert text.count("leak: ground-truth box") == 1


def test_further_measures_of_a_run_are_shown_beside_the_usual_ones():
    measures = [parse_measure("fr(box)@0.05"), parse_measure("auc@0.07")]
    run = run_of(measures=measures)
    text = render(summary.tables([run, run_of(name="other")]), "md")
    for part in ("NME %", "AUC@0.10", "AUC@0.07", "FR@0.05", "normaliser box"):
        assert part in text


def test_notes_name_the_measures_that_are_shown():
    run = run_of()
    for measures, note in (
        (["nme"], "NME: bootstrap, 200 samples."),
        (["fr@0.05"], "FR: Wilson interval."),
        (["nme", "fr@0.05", "auc@0.1"], "FR: Wilson interval. NME and AUC: bootstrap, 200"),
    ):
        (table,) = summary.tables([run], [parse_measure(text) for text in measures])
        assert note in table.notes[0]
        assert ("FR" in table.notes[0]) == ("fr@0.05" in measures)


def test_missed_faces_are_told_by_the_measures_that_are_shown():
    dataset = make_dataset(6)
    predictor = Shifted(dataset)
    predictor.truth["face1"] = np.full_like(dataset.points[0], np.nan)
    run = evaluate(predictor, dataset, bootstrap=QUICK)
    for text, how in (("nme", "left out of NME"), ("fr@0.10", "failures in FR")):
        (table,) = summary.tables([run], [parse_measure(text)])
        assert f"1 of 6 faces missed: {how}." in table.notes


def test_visibility_without_a_number_is_left_out():
    dataset = make_dataset(6, visible=True)
    for visible, kinds in ((dataset.visible, 2), (np.ones_like(dataset.visible), 1)):
        (table,) = summary.tables([run_of(dataset=replace(dataset, visible=visible))])
        (note,) = [note for note in table.notes if "visibility" in note]
        assert note.count("%") == kinds and "nan" not in note


def test_ced_legend_has_the_numbers_of_the_plotted_range(tmp_path):
    run = run_of()
    save(ced.figure([run, run_of(4.0, "worse")], maximum=0.08), tmp_path / "a.svg")
    figure = ced.figure([run], maximum=0.08)
    errors = run.errors("inter_ocular")
    text = figure.legends[0].get_texts()[0].get_text()
    assert text == (
        f"shifted: {100 * errors.mean():.2f} %, {100 * (errors > 0.08).mean():.2f} %, "
        f"{(1 - np.minimum(errors, 0.08) / 0.08).mean():.4f}"
    )
    assert figure.legends[0].get_title().get_text() == "NME, FR@0.08, AUC@0.08"
    x, y = figure.axes[0].lines[0].get_data()
    assert y[-1] == pytest.approx(100 * (errors <= 0.08).mean())
    assert x[-1] == pytest.approx(8)


def test_a_figure_has_the_same_bytes_every_time(tmp_path):
    run = run_of(name="with $maths$ and _ in its name")
    for ending in ("svg", "png", "pdf"):
        for name in "ab":
            save(ced.figure([run]), tmp_path / f"{name}.{ending}")
        assert (tmp_path / f"a.{ending}").read_bytes() == (tmp_path / f"b.{ending}").read_bytes()


def test_an_incomplete_set_is_labelled_on_the_plot():
    dataset = replace(make_dataset(6), official={"full": 9})
    figure = ced.figure([run_of(dataset=dataset)])
    assert figure.axes[0].get_title("left") == "made test, full: 6 faces (incomplete)"


def test_many_runs_are_told_apart_on_a_plot():
    runs = [run_of(name=f"_model{k}") for k in range(12)]  # matplotlib hides labels with a _
    figure = ced.figure(runs, maximum=0.1)
    looks = {(line.get_color(), str(line._dash_pattern)) for line in figure.axes[0].lines}
    assert len(looks) == 12
    assert [t.get_text().split(":")[0] for t in figure.legends[0].get_texts()] == [
        f"_model{k}" for k in range(12)
    ]
    small = ced.figure([runs[0], run_of(dataset=make_dataset(5))], normaliser="box")
    assert small.axes[0].get_title("left") == "made test, full"
    assert "(5 faces)" in small.legends[0].get_texts()[1].get_text()


def test_runs_on_two_data_sets_are_not_one_plot():
    other = replace(make_dataset(6), name="other")
    with pytest.raises(InputError, match="runs on made test, other test"):
        ced.figure([run_of(), run_of(dataset=other)])


def test_subsets_and_a_normaliser_are_chosen():
    runs = [run_of(name="one"), run_of(3.0, "two")]
    subset = runs[0].subsets[1]
    (table,) = summary.tables(runs, subsets=[subset], normaliser="box")
    assert table.title.endswith("normaliser box")
    assert [row[:2] for row in table.rows] == [("one", subset), ("two", subset)]
    row = runs[1].row(parse_measure("nme(box)"), subset)
    assert table.rows[1][3].value == row.value
    assert {(one["subset"], one["norm"]) for one in table.records} == {(subset, "box")}
    asked = summary.tables(runs, [parse_measure("nme")], normaliser="diagonal")
    assert [one["metric"] for one in asked[0].records] == ["nme"] * 2 * len(runs[0].subsets)
    with pytest.raises(InputError, match="subset 'posse': unknown"):
        summary.tables(runs, subsets=["posse"])
