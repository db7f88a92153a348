"""Tables of the PropNet paper: every published and measured number, its type and its place."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace

import numpy as np
import pytest
from doubles import Shifted, compile_latex, make_dataset
from hypothesis import given, settings
from hypothesis import strategies as st

from alignbench import evaluate, load_run, parse_measure
from alignbench.exceptions import visible
from alignbench.markups import COFW29, IBUG68, WFLW98
from alignbench.stats import Bootstrap
from reports import paper
from reports.paper import complexity
from reports.paper.model import mark_best, published_number, published_rows
from reports.tables import DERIVED, MEASURED, PUBLISHED, Group, Number, Quantity, render

QUICK = Bootstrap(50)
FILES = (
    "table1_cofw", "table2_300w", "table3_wflw", "table8_complexity", "tables4_7_ablation"
)  # fmt: skip
WFLW_SUBSETS = ("pose", "expression", "illumination", "make-up", "occlusion", "blur")
BOTH = ("inter_pupil", "inter_ocular")


def run_of(
    name="wflw", model="ours", pixels=2.0, markup=WFLW98, subsets=WFLW_SUBSETS, split="test",
    norms=("inter_ocular",), faces=14, seed=0, official=None, **options,
):  # fmt: skip
    rng = np.random.default_rng(seed)
    dataset = make_dataset(faces, markup, seed)
    members = {"full": np.ones(faces, np.bool_)}
    members |= {subset: rng.random(faces) < 0.5 for subset in subsets}
    dataset = replace(
        dataset, name=name, split=split, subsets=members, normalisers=norms,
        official={"full": official or faces},
    )  # fmt: skip
    predictor = Shifted(dataset, pixels)
    predictor.markup, predictor.name = markup, model
    return evaluate(predictor, dataset, bootstrap=QUICK, **options)


def cofw(**options):
    return run_of("cofw", markup=COFW29, subsets=(), norms=BOTH, **options)


def w300(**options):
    return run_of("300w", markup=IBUG68, subsets=("common", "challenging"), norms=BOTH, **options)


def trial(variant, number, pixels, **options):
    return run_of("synthetic", f"{variant}, seed {number}", pixels, **options)


def text_of(form, *numbers, runs=(), **options):
    """Tables in a form, by default all of them."""
    numbers = numbers or paper.NUMBERS
    return render([t for n in numbers for t in paper.tables(n, runs, **options)], form)


def lines(*numbers, runs=()):
    """Lines of tables as CSV."""
    return list(csv.DictReader(io.StringIO(text_of("csv", *numbers, runs=runs))))


def shown(number, runs=(), **options):
    """Rows of a table as (name without marks, source, numbers)."""
    (table,) = paper.tables(number, runs, **options)
    return [(row[0].text, row[1], row[2:]) for row in table.rows]


# What the paper prints


def printed_cells():
    """(table, row, metric, subset, norm) -> text, straight from the package's files."""
    cells = {}
    for row in published_rows("table1_cofw"):
        for column, metric in (("nme", "nme"), ("fr10", "fr@0.10")):
            cells["1", row["method"], metric, "full", "inter_pupil"] = row[column]
    for row in published_rows("table2_300w"):
        for part in ("common", "challenging", "full"):
            cells["2", row["method"], "nme", part, row["norm"]] = row[part]
    names = {"nme": "nme", "fr10": "fr@0.10", "auc10": "auc@0.10"}
    for row in published_rows("table3_wflw"):
        for subset in ("testset", *WFLW_SUBSETS):
            where = "full" if subset == "testset" else subset
            cells["3", row["method"], names[row["metric"]], where, "inter_ocular"] = row[subset]
    for row in published_rows("tables4_7_ablation"):
        for column, metric in names.items():
            cells[row["table"], row["variant"], metric, "", ""] = row[column]
    for row in published_rows("table8_complexity"):
        for column in ("params_m", "flops_g"):
            cells["8", row["method"], column, "", ""] = row[column]
    return cells


def test_every_published_cell_is_there_once_as_it_was_printed():
    results = [row for row in lines(*paper.NUMBERS) if row["source"] == PUBLISHED]
    keys = [(r["table"], r["row"], r["metric"], r["subset"], r["norm"]) for r in results]
    assert len(keys) == len(set(keys)) == 16 + 69 + 147 + 30 + 6
    assert dict(zip(keys, (r["value"] for r in results), strict=True)) == printed_cells()


@pytest.mark.parametrize("form", ["terminal", "md", "latex", "html"])
@pytest.mark.parametrize("number", paper.NUMBERS)
def test_every_published_cell_is_in_every_form(number, form):
    text = text_of(form, number)
    words = re.findall(
        r"\d+\.\d+", re.sub(r"(FR|AUC)@0\.10", "", text.partition("</style>")[2] or text)
    )
    expected = [value for key, value in printed_cells().items() if key[0] == str(number) and value]
    for value in set(expected):
        assert words.count(value) >= expected.count(value), value


@pytest.mark.parametrize("name", FILES)
def test_the_package_has_what_was_typed_from_the_paper(name, shared):
    path = shared.parent / "paper" / f"{name}.csv"
    if not path.is_file():
        pytest.skip(f"{path.name} is not there")
    typed = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))
    ours = published_rows(name)
    assert [{key: row[key] for key in typed[0]} for row in ours] == typed
    assert set(ours[0]) - set(typed[0]) <= {"counter"}


@given(st.decimals(0, 100, places=2).map(str) | st.decimals(0, 1, places=4).map(str))
def test_a_printed_number_is_printed_again_as_it_was(text):
    assert published_number(text, Quantity()).text == text
    assert published_number(text, Quantity()).source == PUBLISHED


def test_what_the_paper_does_not_print_is_a_dash():
    assert published_number("", Quantity()).text == "–"
    (human, *_) = shown(1)
    assert [str(number) for number in human[2]] == ["5.60", "–"]


def test_the_rows_of_table_1_that_are_probably_of_another_normaliser_are_marked():
    (table,) = paper.tables(1)
    assert [row[0].text for row in table.rows if row[0].notes] == ["LAB", "PropNet"]
    assert "inter-ocular" in next(iter(table.footnotes))


# Relative changes


def test_the_changes_that_the_papers_text_quotes_follow_from_its_cells():
    quoted = {
        (4, "with PM"): ["-6.86", "-7.14", "5.63"],
        (5, "MHM"): ["-2.91", "-5.95", "3.27"],
        (6, "BL+AC-3"): ["-2.91", "-5.95", "3.27"],
        (7, "Focal Wing"): ["-3.53", "-1.19", "1.23"],
    }
    for (number, variant), changes in quoted.items():
        (row,) = [row for row in shown(number) if row[0] == variant]
        assert [cell.text for cell in row[2][3:]] == changes
        assert {cell.source for cell in row[2][3:]} == {DERIVED}
        assert {cell.source for cell in row[2][:3]} == {PUBLISHED}
    for number in (4, 5, 6, 7):
        assert [cell.text for cell in shown(number)[0][2][3:]] == ["–"] * 3


def test_seeds_of_a_variant_are_averaged_and_the_mean_changes():
    runs = [trial(v, s, p) for v, s, p in (("BL", 0, 2.0), ("BL", 1, 3.0), ("BL+PM", 1, 2.2),
                                           ("BL+PM", 0, 1.4))]  # fmt: skip
    rows = shown(4, runs)[2:]
    assert [row[0] for row in rows] == [
        "without PM (BL), seed 0", "without PM (BL), seed 1", "without PM (BL), mean of 2 seeds",
        "with PM (BL+PM), seed 0", "with PM (BL+PM), seed 1", "with PM (BL+PM), mean of 2 seeds",
    ]  # fmt: skip
    assert [row[1] for row in rows] == [
        f"run {runs[0].record.key}", f"run {runs[1].record.key}", DERIVED,
        f"run {runs[3].record.key}", f"run {runs[2].record.key}", DERIVED,
    ]  # fmt: skip
    nme = [run.row(parse_measure("nme")).value for run in runs]
    base, mean = (nme[0] + nme[1]) / 2, (nme[2] + nme[3]) / 2
    cell = rows[5][2][0]
    assert (cell.source, cell.spread) == (DERIVED, True)
    assert (cell.value, cell.low, cell.high) == (pytest.approx(mean), nme[3], nme[2])
    assert f"({nme[3]:.2f}–{nme[2]:.2f})" in str(cell)
    assert rows[5][2][3].value == pytest.approx(100 * (mean / base - 1))
    assert all(cell.value is None for row in (rows[0], rows[3]) for cell in row[2][3:])
    made = [row for row in lines(4, runs=runs) if "mean" in row["row"] and row["metric"] == "nme"]
    assert made[1]["run"] == f"{runs[3].record.key} {runs[2].record.key}"
    assert (made[1]["source"], made[1]["ci_low"]) == (DERIVED, "")


def test_one_seed_has_its_change_in_its_own_row_and_no_baseline_none():
    runs = [trial("BL", 0, 2.0), trial("BL+Focal, per sample", 0, 1.0)]
    rows = shown(7, runs)[2:]
    assert [row[0] for row in rows] == [
        "AWing (BL), seed 0", "Focal Wing (BL+Focal, per sample), seed 0"
    ]  # fmt: skip
    nme = [run.row(parse_measure("nme")).value for run in runs]
    assert rows[1][2][3].value == pytest.approx(100 * (nme[1] / nme[0] - 1))
    (table,) = paper.tables(7, runs[1:])
    assert table.rows[-1][5].value is None
    assert "The baseline was not run on these faces." in table.footnotes


def test_variants_run_on_other_faces_have_another_baseline():
    runs = [trial("BL", 0, 2.0), trial("BL+PM", 0, 1.0, seed=5)]
    (table,) = paper.tables(4, runs)
    assert len(table.groups) == 3
    assert table.rows[-1][5].value is None


# Measured rows


def measured_lines(numbers, runs):
    return [row for row in lines(*numbers, runs=runs) if row["source"] == MEASURED]


def test_every_measured_cell_is_its_row_of_the_run():
    runs = [cofw(), w300(), run_of(), run_of(model="other", pixels=3), trial("BL", 0, 1.0)]
    by_key = {run.record.key: run for run in runs}
    results = measured_lines((1, 2, 3, 4, 5, 6, 7), runs)
    assert len(results) == 2 * 2 + 2 * 3 + 2 * 3 * 7 + 4 * 3
    for line in results:
        measure = parse_measure(line["metric"]).with_normaliser(line["norm"])
        rows = [
            row for row in by_key[line["run"]].metrics
            if (row.subset, row.norm, row.metric, row.threshold)
            == (line["subset"], line["norm"], measure.name, measure.threshold)
        ]  # fmt: skip
        assert len(rows) == 1
        assert tuple(map(float, (line["value"], line["ci_low"], line["ci_high"]))) == (
            rows[0].value, rows[0].ci_low, rows[0].ci_high,
        )  # fmt: skip
    assert {line["run"] for line in results} == set(by_key)


@pytest.mark.parametrize("form", ["terminal", "md", "latex", "html"])
def test_a_measured_number_is_printed_with_its_interval_where_that_is_asked_for(form):
    run = w300()
    row = run.row(parse_measure("nme(inter_pupil)"), "common")
    value, ends = f"{row.value:.2f}", (f"{row.ci_low:.2f}", f"{row.ci_high:.2f}")
    text = text_of(form, 2, runs=[run], intervals=True)
    assert all(part in text for part in (value, *ends, run.record.key))
    text = text_of(form, 2, runs=[run])
    assert value in text
    assert f"[{ends[0]}" not in text


def test_measured_rows_stand_below_the_published_ones_of_their_normaliser():
    (table,) = paper.tables(2, [w300()])
    assert [(group.heading, len(group.rows)) for group in table.groups] == [
        ("Published, inter-pupil", 16), ("Measured, inter-pupil, 300w test", 1),
        ("Published, inter-ocular", 7), ("Measured, inter-ocular, 300w test", 1),
    ]  # fmt: skip


@pytest.mark.parametrize("number", paper.NUMBERS)
def test_every_row_says_its_source_and_every_number_has_that_type(number):
    runs = [cofw(), w300(), run_of(), trial("BL", 0, 1.0), trial("BL", 1, 1.2)]
    (table,) = paper.tables(number, runs if number != 8 else ())
    for row in table.rows:
        kind = MEASURED if str(row[1]).startswith("run ") else row[1]
        assert kind in (PUBLISHED, MEASURED, DERIVED)
        assert {cell.source for cell in row[2:]} <= {kind, DERIVED}
        changes = row[5:] if number in (4, 5, 6, 7) else ()
        assert {cell.source for cell in changes} <= {DERIVED}
        assert {cell.source for cell in row[2 : len(row) - len(changes)]} == {kind}


def footnotes(number, run):
    (table,) = paper.tables(number, [run])
    return next(" ".join(row[0].notes) for row in table.rows if run.record.key in row[1])


def test_footnotes_say_what_faces_and_how_they_were_presented():
    run = run_of(official=2500, faces=10)
    counts = {row.subset: row.faces for row in run.metrics}
    said = footnotes(3, run)
    assert f"10 faces of wflw test (full 10, pose {counts['pose']}, " in said
    assert "INCOMPLETE: 10 of 2,500 faces annotated" in said
    assert "leak: ground-truth box" in said
    whole = footnotes(3, run_of())
    assert "All 14 faces of wflw test." in whole and "INCOMPLETE" not in whole


def test_footnotes_say_when_the_test_set_is_another():
    other = run_of("cofw68", markup=IBUG68, subsets=(), norms=BOTH)
    assert "68 landmarks in place of 29" in footnotes(1, other)
    assert "another test" not in footnotes(1, cofw())
    assert "not comparable" in footnotes(3, run_of("synthetic"))
    assert "wflw train, not wflw test" in footnotes(3, run_of(split="train"))


def test_footnotes_say_that_landmarks_were_converted_and_faces_missed():
    dataset = replace(make_dataset(6, IBUG68), name="300w", normalisers=BOTH)
    dataset = replace(dataset, subsets={**dataset.subsets, "common": dataset.subsets["even"]})
    whole = make_dataset(6, WFLW98)

    class Wide(Shifted):
        def predict(self, batch):
            points = super().predict(batch)
            points[0] = np.nan
            return points

    run = evaluate(Wide(replace(whole, ids=dataset.ids)), dataset, bootstrap=QUICK)
    said = footnotes(2, run)
    assert "wflw98 -> ibug68, the model's 98 points to 68" in said
    assert "1 of 6 faces missed: failures in FR and AUC, left out of NME" in said


def test_a_subset_without_faces_is_a_dash_with_a_footnote():
    run = run_of("300w", markup=IBUG68, subsets=("common",), norms=BOTH)
    (table,) = paper.tables(2, [run])
    row = next(row for row in table.rows if run.record.key in row[1])
    assert (row[3].text, row[3].notes) == ("–", ("No face of challenging was there.",))


def test_the_own_data_set_of_a_table_stands_before_others():
    (table,) = paper.tables(3, [run_of("synthetic"), run_of()])
    measured = [group.heading for group in table.groups if "NME" in group.heading][1:]
    assert measured == ["NME %, measured, wflw test", "NME %, measured, synthetic test"]


# Where runs go


def test_runs_go_to_the_tables_of_their_data_sets():
    assert paper.homes(cofw()) == (1,)
    assert paper.homes(w300()) == (2,)
    assert paper.homes(run_of()) == paper.homes(run_of("synthetic")) == (3,)
    assert paper.homes(trial("BL", 0, 1.0)) == (4, 5, 6, 7)
    assert paper.homes(trial("BL+MHM", 3, 1.0)) == (5,)
    assert paper.homes(trial("BL+new", 3, 1.0)) == (3,)
    private = run_of("300w", markup=IBUG68, subsets=(), norms=BOTH, split="private")
    assert paper.homes(private) == ()


def test_a_run_that_is_in_no_table_is_named():
    fits, other = w300(), run_of(model="lost")
    strange = run_of("elsewhere", "strange", subsets=())
    first, second, third = (paper.left_out_note(run, [1, 2]) for run in (fits, other, strange))
    assert first is None
    assert other.record.key in second and "its numbers are for Table 3" in second
    assert "strange on elsewhere test; it fits none of the paper's tables" in third


# The best


def best(*rows, metric="nme", digits=2):
    """Whether each number of a column is best; rows are (fingerprint of the faces, value)."""
    cells = (
        Number(value, digits, source=MEASURED, of=Quantity(metric, faces=faces))
        for faces, value in rows
    )
    return [cell.best for (cell,) in mark_best(Group("g", tuple((c,) for c in cells))).rows]


@pytest.mark.parametrize(
    ("rows", "metric", "expected"),
    [
        ([("a", 2.0), ("a", 1.0)], "nme", [False, True]),
        ([("a", 0.5), ("a", 0.6)], "auc@0.10", [False, True]),
        ([("a", 1.0), ("a", 2.0)], "params_m", [False, False]),
        ([("a", 1.001), ("a", 1.004), ("a", 1.2)], "nme", [True, True, False]),  # printed alike
        ([("a", 1.0), ("b", 2.0), ("a", None)], "nme", [False] * 3),  # no competitor
    ],
)
def test_the_best_number_of_a_column(rows, metric, expected):
    assert best(*rows, metric=metric) == expected


@given(
    st.lists(
        st.tuples(
            st.sampled_from("ab"), st.none() | st.decimals(0, 9, places=2).map(float)
        ),
        min_size=1, max_size=8,
    )
)  # fmt: skip
@settings(max_examples=100)
def test_best_numbers_beat_all_rivals_and_no_others(pairs):
    marks = best(*pairs)
    for name in "ab":
        values = [value for rivals, value in pairs if rivals == name and value is not None]
        for (rivals, value), marked in zip(pairs, marks, strict=True):
            if rivals == name and value is not None:
                assert marked == (len(values) > 1 and value == min(values))
    assert not any(mark for (_, value), mark in zip(pairs, marks, strict=True) if value is None)


def test_published_numbers_never_compete_with_measured_ones():
    perfect = run_of(pixels=0.0)
    (alone,), (beside,) = paper.tables(3), paper.tables(3, [perfect])
    printed = [row for row in beside.rows if row[1] == PUBLISHED]
    assert printed == list(alone.rows)
    assert not any(cell.best for row in beside.rows if row[1] != PUBLISHED for cell in row[2:])
    (table,) = paper.tables(
        3, [run_of(), run_of(model="worse", pixels=5.0), run_of(seed=3, pixels=0)]
    )
    ours, worse, elsewhere = [row[2:] for row in table.rows if "run" in row[1]][:3]
    assert all(cell.best for cell in ours)
    # On other faces: it has no rival, and is none.
    assert not any(cell.best for cell in (*worse, *elsewhere))


def test_the_papers_own_best_numbers_are_bold():
    best = [[cell.text for cell in row[2] if cell.best] for row in shown(2)]
    assert best[13] == ["3.27", "4.04"] and best[15] == ["5.75"]
    assert best[22] == ["2.67", "3.99", "2.93"]


# Table 8


def test_networks_that_run_have_the_published_size():
    run = run_of("elsewhere", subsets=())
    rows = {(row[0], row[1]): [cell.text for cell in row[2]] for row in shown(8, [run])}
    for name, *numbers in (
        ("LAB", "12.29", "18.85"), ("AWing", "24.15", "26.79"), ("PropNet", "36.30", "42.83")
    ):  # fmt: skip
        assert rows[name, PUBLISHED] == rows[name, MEASURED] == numbers


def test_the_network_of_a_run_is_made_again_and_counted(monkeypatch):
    monkeypatch.setattr("reports.paper.complexity._NAMES", ("awing",))
    run = run_of("elsewhere", "mine", subsets=())

    def of(**options):
        identity = {"source": "awing", "options": {"markup": "wflw98", **options}}
        model = run.record.model.model_copy(update={"identity": identity})
        return replace(run, record=run.record.model_copy(update={"model": model}))

    same, small, broken = of(), of(stacks=1, width=16, depth=2), of(stacks=0)
    assert paper.homes(small) == (8,)
    names = [(row[0], row[1], row[2][0].text) for row in shown(8, [same, small, small, broken])]
    counted = complexity.count_named("awing:stacks=1,width=16,depth=2").network.parameters
    assert names[3:] == [
        ("AWing", f"run {run.record.key}", "24.15"),
        ("mine", "2 runs", f"{counted / 1e6:.2f}"),
        ("mine", f"run {run.record.key}", "–"),
    ]
    (table,) = paper.tables(8, [broken])
    assert any("cannot be made" in note and "stacks" in note for note in table.footnotes)


def test_nothing_is_counted_for_other_tables_or_without_runs(monkeypatch):
    def never(name):
        raise AssertionError("counted")

    monkeypatch.setattr(complexity, "count_named", never)
    text_of("md")
    text_of("md", 1, 2, 3, 4, 5, 6, 7, runs=[run_of()])


# The command line


HOSTILE = "[a|b_c&d%e$f#g{h}~i^j\\k<script>*x*`y` é 名 \x1b[31m"


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """Folders of runs for Tables 1 to 4, one of them of a hostile name."""
    folder = tmp_path_factory.mktemp("runs")
    made = [
        cofw(out=folder / "c"),
        w300(out=folder / "w", model=HOSTILE),
        run_of(out=folder / "x", model="x"),
        trial("BL", 0, 2.0, out=folder / "b"),
    ]
    return {run.folder: run for run in made}


@pytest.fixture
def one(stored):
    """The folder of a run for Table 3."""
    return next(folder for folder in stored if folder.name == "x")


@pytest.fixture
def quick(monkeypatch):
    """Table 8 with one small network in place of three large ones."""
    monkeypatch.setattr("reports.paper.complexity._NAMES", ())


@pytest.mark.parametrize("form", ["terminal", "md", "latex", "html", "csv"])
def test_all_tables_in_every_form(form, stored, quick, cli):
    result = cli("report", *stored, "--table", "all", "--format", form)
    assert (result.code, result.err) == (0, "")
    assert all(run.record.key in result.out for run in stored.values())
    if form == "csv":
        results = list(csv.DictReader(io.StringIO(result.out)))
        assert {row["table"] for row in results} == set("12345678")
        assert {row["source"] for row in results} == {PUBLISHED, MEASURED, DERIVED}
        assert visible(HOSTILE) in {row["row"] for row in results}
        return
    assert all(f"Table {number} of the PropNet paper" in result.out for number in range(1, 9))
    assert "\x1b" not in result.out
    if form in ("md", "html"):
        assert "<script" not in result.out.replace("\\<script", "")


def test_a_folder_gets_a_file_a_table(stored, quick, cli, tmp_path):
    result = cli("report", *stored, "--table", "all", "--format", "latex", "--out", "tables")
    assert result.code == 0 and "Tables written to tables" in result.err
    names = [f"table{number}.tex" for number in range(1, 9)]
    assert sorted(path.name for path in (tmp_path / "tables").iterdir()) == names
    body = "".join(f"\\input{{{name}}}\n" for name in names)
    assert "Overfull" not in compile_latex(body, tmp_path / "tables")[0]


def test_without_runs_the_published_rows_alone_are_printed(cli):
    result = cli("report", "--format", "csv")
    results = list(csv.DictReader(io.StringIO(result.out)))
    assert result.code == 0 and {row["table"] for row in results} == set("12345678")
    assert {row["source"] for row in results} == {PUBLISHED, DERIVED}
    assert not any(row["run"] for row in results)


def test_files_by_ending_and_folders(one, quick, cli, tmp_path):
    assert cli("report", one, "--table", "3", "--out", "deep/t.html").code == 0
    assert (tmp_path / "deep" / "t.html").read_text().startswith("<!DOCTYPE html>")
    assert cli("report", one, "--table", "all", "--out", "one.md").code == 0
    assert (tmp_path / "one.md").read_text().count("of the PropNet paper)**") == 8
    assert cli("report", one, "--table", "3", "--format", "csv", "--out", "deep").code == 0
    assert (tmp_path / "deep" / "table3.csv").is_file()
    assert cli("report", one, "--out", "one.json").code == 0
    (table,) = json.loads((tmp_path / "one.json").read_text())
    row = load_run(one).metrics[0]
    assert table["rows"][0]["NME %"]["value"] == table["records"][0]["value"] == row.value


def test_runs_alone_give_the_summary_with_or_without_intervals(one, cli):
    with_them, without = cli("report", one), cli("report", one, "--no-intervals")
    assert "[low, high]" in with_them.out and "[" not in without.out
    assert cli("report", one, "--table", "summary", "--intervals").out == with_them.out


def test_paper_tables_have_intervals_where_they_are_asked_for(one, cli):
    plain = cli("report", one, "--table", "3", "--format", "md").out
    assert "[" not in plain
    assert cli("report", one, "--table", "3", "--format", "md", "--no-intervals").out == plain
    assert "[" in cli("report", one, "--table", "3", "--format", "md", "--intervals").out


def test_a_run_outside_the_table_is_said_on_the_error_stream(one, cli):
    result = cli("report", one, "--table", "1", "--format", "csv")
    assert result.code == 0
    assert "Not in Table 1" in result.err and "for Table 3" in result.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--table", "9"), "table: 9; accepted: 1 to 8"),
        (("--table",), "--table: no value; accepted: 1 to 8, or a name"),
        (("--table", "0"), "table: 0; accepted: 1 to 8"),
        (("--table", "alll"), "report 'alll': unknown; accepted: all, "),
        (("--table", "summary"), "runs: no run: it is not there"),
        (("--table", "1", "--measure", "nme"), "No such option: --measure"),
        (("nowhere", "--table", "1"), "nowhere: no run"),
        (("--table", "1", "--format", "docx"), "docx"),
        (("--table", "²"), "'²': unknown"),
    ],
)
def test_wrong_use_is_one_message(arguments, said, cli):
    result = cli("report", *arguments)
    assert result.code == 2 and said in result.err
    assert "Traceback" not in result.err


def test_a_seed_that_is_there_twice_counts_once():
    first, again = trial("BL", 0, 2.0), trial("BL", 0, 3.0)
    text = text_of("md", 4, runs=[first, again])
    assert "mean of" not in text
    assert f"Left out: run {again.record.key}, another of BL, seed 0." in text
