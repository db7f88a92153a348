"""Published results: their form, their sources, and the tables made of them."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest
from doubles import QUICK, make_dataset

from alignbench import InputError, evaluate
from alignbench.metrics import usual_measures
from reports.pages.site import build
from reports.published import KINDS, collection, overview, ranking, read, select, tables
from reports.published.reading import COLUMNS
from reports.tables import render

FILES = sorted((files("reports") / "published" / "collection").iterdir(), key=lambda f: f.name)
LINE = {
    "dataset": "wflw", "subset": "full", "method": "Ours", "year": "2026", "venue": "",
    "metric": "fr", "threshold": "0.10", "normaliser": "inter_ocular", "value": "2.40",
    "kind": "own", "source": "me/mine@abc123:README.md Table 1", "remark": "",
}  # fmt: skip


@pytest.fixture(autouse=True)
def empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def write(*rows, header=COLUMNS):
    path = Path("mine.csv")
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(header)
        writer.writerows([row[name] for name in COLUMNS] for row in rows)
    return path


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_each_file_of_the_collection_is_of_the_form(file):
    assert read(file)


def test_the_papers_own_tables_are_part_of_it():
    cells = select(collection(), "wflw", methods=["PropNet"], measures=["nme"])
    paper = [cell for cell in cells if cell.source.startswith("arxiv.org")]
    assert {cell.subset: cell.printed.text for cell in paper} == {
        "full": "4.05", "pose": "6.92", "expression": "3.87", "illumination": "4.07",
        "make-up": "3.76", "occlusion": "4.58", "blur": "4.36",
    }  # fmt: skip
    assert {cell.kind for cell in paper} == {"own"}
    assert {cell.year for cell in paper} == {"2020"}


def test_every_source_can_be_opened():
    (cell,) = read_line(LINE)
    assert cell.link == "https://github.com/me/mine/blob/abc123/README.md"
    page = replace(cell, source="paperswithcode.com/paper/x last row")
    assert page.link == "https://paperswithcode.com/paper/x"
    for cell in collection():
        assert " " not in cell.link
        assert cell.link.count("//") == 1


def read_line(line):
    return read(write(line))


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("dataset", "wflv", "line 2, column 'dataset': 'wflv'; accepted: .*wflw"),
        ("dataset", "300w secret", "accepted: 300w test, private"),
        ("method", "", "column 'method': ''; accepted: the method's name"),
        ("year", "20", "a year, or nothing"),
        ("metric", "rmse", "accepted: nme, fr, auc"),
        ("metric", "nme", "column 'threshold': '0.10'; accepted: nothing, as NME has none"),
        ("threshold", "", "a fraction such as 0.10, or not stated"),
        ("threshold", "10", "a fraction such as 0.10"),
        ("normaliser", "eyes", "accepted: inter_ocular, .*not stated"),
        ("value", "about 2", "a number as it is printed"),
        ("kind", "mine", "accepted: own, rerun, quoted, page"),
        ("source", "my notes", "owner/repository@commit:path"),
    ],
)
def test_what_is_not_of_the_form_is_refused(column, value, message):
    with pytest.raises(InputError, match=message):
        read_line({**LINE, column: value})


def test_other_mistakes_of_a_file():
    with pytest.raises(InputError, match=r"line 3: the cell of line 2 again"):
        read(write(LINE, LINE))
    with pytest.raises(InputError, match=r"line 1: columns dataset, subset"):
        read(write(LINE, header=COLUMNS[:-1]))
    Path("mine.csv").write_text(",".join(COLUMNS) + "\nwflw,full\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"line 2: 2 fields; accepted: 12"):
        read(Path("mine.csv"))
    Path("mine.csv").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="cannot be read"):
        read(Path("mine.csv"))


def test_a_name_stands_for_its_variants():
    names = {cell.method for cell in select(collection(), methods=["hih"])}
    assert names == {"HIH", "HIH (B)", "HIH (S)", "HIH (T)"}
    assert {c.method for c in select(collection(), methods=["HIH (S)"])} == {"HIH (S)"}
    with pytest.raises(InputError, match=r"method 'Wign': unknown.*Did you mean 'Wing'"):
        select(collection(), methods=["Wign"])


def test_a_measure_without_threshold_stands_for_all():
    at = {cell.threshold for cell in select(collection(), measures=["auc"])}
    assert at == {"0.07", "0.08", "0.10"}
    assert {c.threshold for c in select(collection(), measures=["auc@0.1"])} == {"0.10"}
    with pytest.raises(InputError, match=r"measure 'auc@0.50': unknown"):
        select(collection(), measures=["auc@0.5"])


def test_a_table_has_one_protocol_and_its_methods_by_year():
    shown = tables(select(collection(), "cofw"))
    titles = [table.title for table in shown]
    assert len(set(titles)) == len(titles)
    assert any("not stated" in title for title in titles)
    for table in shown:
        years = [row[1] for row in table.rows]
        assert years == sorted(years)


def cell(value, kind, source):
    (found,) = read_line({**LINE, "value": value, "kind": kind, "source": f"{source}.org/x"})
    return found


def test_own_numbers_come_first_and_others_that_differ_are_named():
    cells = [cell("2.5", "quoted", "a"), cell("2.40", "own", "b"), cell("2.4", "quoted", "c")]
    (table,) = tables(cells)
    ((name, year, printed_by, number),) = table.rows
    assert (name.text, year, printed_by) == ("Ours", "2026", "own")
    assert number.text == "2.40"
    assert number.notes == ("2.5 in a.org/x.",)  # 2.4 is 2.40 with fewer digits
    assert [record["value"] for record in table.records] == ["2.5", "2.40", "2.4"]


def test_of_quoted_numbers_the_one_most_agree_with_is_shown():
    cells = [cell("6.32", "quoted", "a"), cell("6.12", "quoted", "b"), cell("6.1", "quoted", "c")]
    ((*_, number),) = tables(cells)[0].rows
    assert (number.text, number.notes) == ("6.12", ("6.32 in a.org/x.",))


def test_the_overview_counts_everything():
    *rows, total = overview(collection()).rows
    assert total[1] == len(collection()) == sum(row[1] for row in rows)
    assert total[2:] == (
        len({c.method for c in collection()}), len({c.source for c in collection()})
    )  # fmt: skip


def test_a_ranking_has_all_measures_of_a_method_in_one_row():
    cells = select(collection(), "wflw", subsets=["full"], normaliser="inter_ocular")
    table = ranking(cells, usual_measures(0.10))
    assert table.columns[3:] == ("NME %", "FR@0.10 %", "AUC@0.10")
    rows = {row[0]: row for row in table.rows}
    assert [number.text for number in rows["PropNet"][3:]] == ["4.05", "2.96", "0.6158"]
    numbers = [row[3].value for row in table.rows if row[3] != ""]
    assert numbers == sorted(numbers)
    assert ranking([], usual_measures(0.10)) is None


def test_a_site_has_published_numbers_of_its_data_sets_apart(tmp_path):
    faces = replace(make_dataset(6), name="wflw", split="test")
    evaluate(faces.points + 1, faces, bootstrap=QUICK, out=tmp_path / "run")
    build([tmp_path / "run"], tmp_path / "site")
    page = (tmp_path / "site" / "index.html").read_text(encoding="utf-8")
    measured, published = page.split('<details class="published">')
    assert "Published numbers of" in published
    assert "PropNet" in published.partition("</details>")[0]
    assert "PropNet" not in measured.partition('id="leaderboard"')[2]


def test_the_command(cli):
    assert "wflw test" in cli("published").out
    path = write(LINE)
    result = cli("published", "wflw", "--method", "Ours", "--with", path, "--format", "csv")
    assert result.code == 0, result.err
    (row,) = csv.DictReader(io.StringIO(result.out))
    assert (row["value"], row["kind"]) == ("2.40", "own")
    assert row["link"] == "https://github.com/me/mine/blob/abc123/README.md"
    result = cli("published", "300w", "--metric", "nme", "--norm", "inter_pupil", "--json")
    assert json.loads(result.out)
    wrong = cli("published", "wflv")
    assert wrong.code == 2
    assert "data set 'wflv test': unknown" in wrong.err


def test_kinds_are_explained_below_every_table():
    text = render(tables(select(collection(), "lapa")), "md")
    assert all(words in text for words in KINDS.values())
