"""The HTML report, the leaderboard and the site: whole, safe, and with the numbers of the runs."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from html import escape
from html.parser import HTMLParser

import numpy as np
import pytest
from browser import chromium, resize
from doubles import SAMPLE, Shifted, make_dataset

from alignbench import InputError, evaluate, load_run, parse_measure
from alignbench.io.files import sha256
from alignbench.stats import Bootstrap
from reports import audit
from reports.pages import leaderboard, page
from reports.pages import site as sites

# A page of some runs

HOSTILE = '</script><script>document.title="owned"</script><img src=x onerror=alert(1)>"&\''


def run_of(name, pixels, dataset=None):
    dataset = dataset or make_dataset(20)
    predictor = Shifted(dataset, pixels)
    predictor.name = name
    return evaluate(predictor, dataset, bootstrap=Bootstrap(100))


@pytest.fixture(scope="module")
def runs():
    return [run_of(HOSTILE, 2.0), run_of("plain", 3.0)]


@pytest.fixture(scope="module")
def html(runs):
    return page(runs)


LINKS = ("src", "href", "xlink:href", "action", "data", "poster", "srcset")


class Contents(HTMLParser):
    """Whatever a page would ask for, its tags and its text."""

    def __init__(self, text):
        super().__init__()
        self.addresses, self.tags, self.text = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.addresses += [value for name, value in attributes if name in LINKS]

    def handle_data(self, data):
        self.text.append(data)


def test_nothing_is_asked_of_anywhere_and_hostile_names_are_text(html):
    contents = Contents(html)
    assert contents.addresses
    assert all(address.startswith(("#", "data:")) for address in contents.addresses)
    assert "@import" not in html
    assert "default-src 'none'" in html
    assert contents.tags.count("script") == 1
    assert HOSTILE in "".join(contents.text)
    assert "onerror=alert(1)>" not in html.replace("&gt;", "")
    assert "Left out:" in html  # what needs images that are not there


def test_every_number_is_the_runs(html, runs):
    text = "".join(Contents(html).text)
    for run in runs:
        for measure, digits in (("nme", 2), ("fr@0.10", 2), ("auc@0.10", 4)):
            for subset in run.subsets:
                assert f"{run.row(parse_measure(measure), subset).value:.{digits}f}" in text


def test_the_audit_counts_every_finding_and_shows_those_that_are_not_ok(html):
    findings = [f for f in audit.audit() if f.table == "table3_wflw"]
    wrong = [f for f in findings if f.verdict != "ok"]
    cells = re.findall(r"<td[^>]*>([^<]*)</td>", html.partition("table3_wflw</td>")[2])
    assert cells[:2] == [str(len(findings)), str(len(findings) - len(wrong))]
    assert all(escape(one.proof) in html for one in wrong)


def test_runs_of_two_data_sets_have_two_pages():
    other = replace(make_dataset(20), name="other")
    with pytest.raises(InputError, match="made test, other test; accepted: runs on one data set"):
        page([run_of("a", 1.0), run_of("b", 1.0, other)])


@pytest.fixture(scope="module")
def shown(html, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "page.html"
    path.write_text(html, encoding="utf-8")
    with chromium() as browser:
        browser.get(path.as_uri())
        yield browser


def test_it_renders_without_a_word_on_the_console(shown):
    assert shown.title == "made test"
    assert shown.get_log("browser") == []
    broken = "return [...document.images].filter(i => !i.naturalWidth).length"
    assert shown.execute_script(broken) == 0


@pytest.mark.parametrize("width", [400, 1400])
def test_it_is_readable_narrow_and_wide(shown, width):
    resize(shown, width)
    wide = "return document.documentElement.scrollWidth"
    assert shown.execute_script(wide) <= width
    size = "return parseFloat(getComputedStyle(document.body).fontSize)"
    assert shown.execute_script(size) >= 16


def test_a_curve_is_hidden_and_shown_by_its_checkbox(shown):
    resize(shown, 1400)
    boxes = shown.find_elements("css selector", "input[data-curve]")
    assert len(boxes) == 2
    curve = shown.find_element("id", "curve-0")
    other = shown.find_element("id", "curve-1")
    assert curve.is_displayed()
    boxes[0].click()
    assert not curve.is_displayed()
    assert other.is_displayed()
    boxes[0].click()
    assert curve.is_displayed()


# The leaderboard


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    dataset = replace(make_dataset(12), official={"full": 12})
    folder = tmp_path_factory.mktemp("template") / "run"
    evaluate(Shifted(dataset, 2.0), dataset, bootstrap=Bootstrap(100), out=folder)
    return folder


@pytest.fixture
def stored(template, tmp_path):
    """Put a copy of a run into the store, of another name, AUC or data set."""

    def put(name, auc=0.5, /, **changes):
        folder = tmp_path / "store" / "deep" / name
        shutil.copytree(template, folder)
        record = json.loads((folder / "run.json").read_text())
        record["model"]["name"] = name
        record["dataset"] |= changes
        (folder / "run.json").write_text(json.dumps(record))
        rows = json.loads((folder / "metrics.json").read_text())
        write_metrics(folder, [r | {"value": auc} if r["metric"] == "auc" else r for r in rows])
        return folder

    return put


def write_metrics(folder, rows):
    """Write rows, and their hash into the record."""
    (folder / "metrics.json").write_text(json.dumps(rows))
    record = json.loads((folder / "run.json").read_text())
    record["files"]["metrics.json"] = sha256(folder / "metrics.json")
    (folder / "run.json").write_text(json.dumps(record))


def test_runs_stand_by_their_auc(stored, tmp_path):
    for name, auc in (("worst", 0.1), ("best", 0.9), ("between", 0.5)):
        stored(name, auc)
    board = leaderboard.read_board(tmp_path)
    assert [entry.record.model.name for entry in board.entries] == ["best", "between", "worst"]
    (table,) = leaderboard.tables(board)
    assert [row[0] for row in table.rows] == ["1", "2", "3"]
    assert [row[7].value for row in table.rows] == [0.9, 0.5, 0.1]


def test_numbers_and_how_they_were_made_are_those_of_the_run(template):
    run = load_run(template)
    (table,) = leaderboard.tables(leaderboard.read_board(template))
    for text, cell in zip(("nme", "fr@0.10", "auc@0.10"), table.rows[0][5:8], strict=True):
        row = run.row(parse_measure(text))
        assert (cell.value, cell.low, cell.high) == (row.value, row.ci_low, row.ci_high)
    assert "FR: Wilson interval. NME and AUC: bootstrap, 100 samples." in table.notes[1]


def test_an_incomplete_run_has_no_rank_however_good_it_is(stored, tmp_path):
    stored("whole", 0.1)
    stored("part", 0.9, complete=False, incomplete=["12 of 20 faces annotated"])
    (table,) = leaderboard.tables(leaderboard.read_board(tmp_path))
    assert [(row[0], row[1]) for row in table.rows] == [("1", "whole"), ("–", "part")]
    assert any("12 of 20 faces annotated" in note for note in table.notes)


def test_data_sets_are_never_mixed(stored, tmp_path):
    stored("a")
    stored("b", name="other")
    tables = leaderboard.tables(leaderboard.read_board(tmp_path))
    assert [table.title.split()[0] for table in tables] == ["made", "other"]


DAMAGES = {
    "missing": lambda folder, rows: (folder / "metrics.json").unlink(),
    "cut": lambda folder, rows: (folder / "metrics.json").write_text("[{"),
    "edited": lambda folder, rows: (folder / "metrics.json").write_text(json.dumps(rows) + " "),
    "no record": lambda folder, rows: (folder / "run.json").write_text("{}"),
    "incomplete": lambda folder, rows: write_metrics(
        folder, [r for r in rows if r["metric"] != "auc"]
    ),
    "not finite": lambda folder, rows: write_metrics(folder, [r | {"value": np.nan} for r in rows]),
    "out of range": lambda folder, rows: write_metrics(folder, [r | {"value": 101} for r in rows]),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_run_is_named_and_the_others_stay(stored, tmp_path, damage):
    stored("good")
    bad = stored("bad")
    DAMAGES[damage](bad, json.loads((bad / "metrics.json").read_text()))
    board = leaderboard.read_board(tmp_path)
    assert [entry.record.model.name for entry in board.entries] == ["good"]
    assert len(board.broken) == 1
    assert "bad" in board.broken[0]


def test_a_run_in_two_of_the_folders_stands_once(stored, tmp_path):
    folder = stored("one")
    board = leaderboard.read_board(tmp_path, folder.parent, folder)
    assert len(board.entries) == 1


def test_an_unfinished_run_is_no_run(stored, tmp_path):
    hidden = stored("good") / ".unfinished"
    hidden.mkdir()
    (hidden / "run.json").write_text("{}")
    assert leaderboard.read_board(tmp_path).broken == ()


# The site


@pytest.fixture
def two_runs(cli):
    for boxes in ("rect", "tight"):
        assert cli("run", "--model", "mean-shape", "--dataset", *SAMPLE, "--boxes", boxes).code == 0


def test_the_command_makes_all_of_it(cli, two_runs, tmp_path):
    result = cli("report", "--all", "--out", "site")
    assert result.code == 0, result.err
    assert "Site of 2 runs" in result.err
    site = tmp_path / "site"
    files = {str(path.relative_to(site)) for path in site.rglob("*") if path.is_file()}
    endings = (".md", ".tex", ".html", ".csv")
    tables = {f"tables/table{k}{end}" for k in range(1, 9) for end in endings}
    names = ("ced-synthetic-sample", "landmarks-synthetic-sample")
    figures = {f"figures/{name}{end}" for name in names for end in (".svg", ".png")}
    assert files == {"index.html", "synthetic-sample.html", ".alignbench-site"} | tables | figures
    with chromium() as browser:
        browser.get((site / "index.html").as_uri())
        links = [a.get_attribute("href") for a in browser.find_elements("css selector", "li a")]
        assert len(links) == len(tables) + len(figures) + 1
        for link in links:
            if link.endswith(".html"):
                browser.get(link)
                assert browser.get_log("browser") == []
        assert browser.title


def test_a_former_site_is_replaced_and_damaged_runs_are_named(cli, two_runs, tmp_path, monkeypatch):
    monkeypatch.setattr(sites, "NUMBERS", ())
    site = tmp_path / "site"
    assert cli("report", "--all", "--out", "site").code == 0
    (site / "mine.txt").touch()
    refused = cli("report", "--all", "--out", "site")
    assert refused.code == 2
    assert "site: holds mine.txt, which is no part of a site; accepted: a new or" in refused.err
    assert (site / "mine.txt").exists()
    assert not list(tmp_path.glob(".site-*"))
    (site / "mine.txt").unlink()
    (site / "index.html").write_text("old")
    damaged = next(path for path in (tmp_path / "runs").rglob("faces.csv"))
    damaged.write_text("nonsense")
    again = cli("report", "--all", "--out", "site")
    assert again.code == 0, again.err
    message = "faces.csv: is not the file that the run wrote"
    assert message in again.err and "Site of 1 run in" in again.err
    index = (site / "index.html").read_text()
    assert message in index and "1 finished run." in index  # it left the leaderboard too


def test_a_data_set_may_have_any_name(cli, two_runs, tmp_path, monkeypatch):
    monkeypatch.setattr(sites, "NUMBERS", ())
    names = ["../../out of it", "javascript:alert(1)//"]
    for name, path in zip(names, sorted((tmp_path / "runs").rglob("run.json")), strict=True):
        record = json.loads(path.read_text())
        record["dataset"]["name"] = name
        path.write_text(json.dumps(record))
    result = cli("report", "--all", "--out", "deep/site")
    assert result.code == 0, result.err
    assert {path.name for path in (tmp_path / "deep").iterdir()} == {"site"}
    pages = {path.name for path in (tmp_path / "deep" / "site").glob("*.html")}
    assert pages == {"index.html", "out-of-it-sample.html", "javascript-alert-1-sample.html"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--all"], "Missing option '--out'"),
        (["--all", "--out", "site", "--table", "2"], "No such option: --table"),
        (["--all", "--out", "site"], "runs: is not there"),
        (["nowhere", "--all", "--out", "site"], "nowhere: is not there"),
        (["empty", "--all", "--out", "site"], "no finished run is there"),
        (["empty", "--all", "--out", "work"], "work: holds thesis.tex, which is no part of a site"),
    ],
)
def test_wrong_use(cli, tmp_path, arguments, message):
    (tmp_path / "empty").mkdir()
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "thesis.tex").write_text("mine")
    result = cli("report", *arguments)
    assert result.code == 2
    assert message in result.err
    assert {path.name for path in tmp_path.iterdir()} == {"empty", "work"}
    assert (tmp_path / "work" / "thesis.tex").read_text() == "mine"
