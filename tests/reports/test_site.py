"""The site: everything under a folder of runs, whole or not at all."""

from __future__ import annotations

import json

import pytest
from browser import chromium
from doubles import SAMPLE

from reports.pages import site as sites


@pytest.fixture
def stored(cli):
    for boxes in ("rect", "tight"):
        assert cli("run", "--model", "mean-shape", "--dataset", *SAMPLE, "--boxes", boxes).code == 0


def test_the_command_makes_all_of_it(cli, stored, tmp_path):
    result = cli("report", "--all", "--out", "site")
    assert result.code == 0, result.err
    assert "Site of 2 runs" in result.err
    site = tmp_path / "site"
    found = {str(path.relative_to(site)) for path in site.rglob("*") if path.is_file()}
    tables = {
        f"tables/table{k}{end}" for k in range(1, 9) for end in (".md", ".tex", ".html", ".csv")
    }
    figures = {f"figures/{name}-synthetic-sample{end}" for name in ("ced", "landmarks")
               for end in (".svg", ".png")}  # fmt: skip
    assert found == {"index.html", "synthetic-sample.html", ".alignbench-site"} | tables | figures
    with chromium() as browser:
        browser.get((site / "index.html").as_uri())
        links = [a.get_attribute("href") for a in browser.find_elements("css selector", "li a")]
        assert len(links) == len(tables) + len(figures) + 1
        for link in links:
            if link.endswith(".html"):
                browser.get(link)
                assert browser.get_log("browser") == []
        assert browser.title


def test_a_former_site_is_replaced_and_damaged_runs_are_named(cli, stored, tmp_path, monkeypatch):
    monkeypatch.setattr(sites, "NUMBERS", ())
    site = tmp_path / "site"
    assert cli("report", "--all", "--out", "site").code == 0
    (site / "mine.txt").touch()
    refused = cli("report", "--all", "--out", "site")
    assert refused.code == 2
    assert "site: holds mine.txt, which is no part of a site" in refused.err
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


def test_a_data_set_may_have_any_name(cli, stored, tmp_path, monkeypatch):
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


def test_a_folder_of_something_else_is_refused_and_stays(cli, stored, tmp_path):
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "thesis.tex").write_text("mine")
    result = cli("report", "--all", "--out", "work")
    assert result.code == 2
    assert "work: holds thesis.tex, which is no part of a site; accepted: a new or" in result.err
    assert (tmp_path / "work" / "thesis.tex").read_text() == "mine"
    assert not list(tmp_path.glob(".site-*"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--all"], "Missing option '--out'"),
        (["--all", "--out", "site", "--table", "2"], "No such option: --table"),
        (["--all", "--out", "site"], "runs: is not there"),
        (["nowhere", "--all", "--out", "site"], "nowhere: is not there"),
    ],
)
def test_wrong_use(cli, tmp_path, arguments, message):
    result = cli("report", *arguments)
    assert result.code == 2
    assert message in result.err
    assert not (tmp_path / "site").exists()


def test_a_folder_without_runs(cli, tmp_path):
    (tmp_path / "runs").mkdir()
    result = cli("report", "--all", "--out", "site")
    assert result.code == 2
    assert "no finished run is there" in result.err
