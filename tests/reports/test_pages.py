"""The HTML report, the leaderboard and the site: whole, safe, and with the numbers of the runs."""

from __future__ import annotations

import json
import re
import shutil
from base64 import b64decode
from dataclasses import replace
from html import escape, unescape
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest
from browser import barriers, chromium, requests, resize, too_wide, use_colours
from doubles import SAMPLE, Shifted, make_dataset
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from alignbench import InputError, evaluate, load_run, parse_measure
from alignbench.io.files import sha256
from alignbench.stats import Bootstrap
from reports import audit
from reports.pages import Link, Section, document, leaderboard, page
from reports.pages import site as sites
from reports.pages.run_page import run_page

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


def test_characters_that_cannot_be_seen_are_spelled_out():
    text = page([run_of("a\u202eb\x07c", 2.0)])
    assert "a\\u202eb\\x07c on made test" in text
    assert all(one.isprintable() or one == "\n" for one in text)


def test_every_number_is_the_runs(html, runs):
    text = "".join(Contents(html).text)
    for run in runs:
        for measure, digits in (("nme", 2), ("fr@0.10", 2), ("auc@0.10", 4)):
            for subset in run.subsets:
                assert f"{run.row(parse_measure(measure), subset).value:.{digits}f}" in text


def test_key_numbers_of_several_runs_are_the_best_with_their_model(html, runs):
    cards = re.findall(r"<dt>(.*?)</dt>\s*<dd class=\"value\">(.*?)</dd>", html)
    best = [runs[0].row(parse_measure(text)).value for text in ("nme", "fr@0.10", "auc@0.10")]
    assert cards == [
        ("Lowest NME", f"{best[0]:.2f} <small>%</small>"),
        ("Lowest FR@0.10", f"{best[1]:.2f} <small>%</small>"),
        ("Highest AUC@0.10", f"{best[2]:.4f}"),
        ("Faces", "20"),
    ]
    assert unescape(html).count(f'<dd class="model">{HOSTILE}</dd>') == 3


def test_the_best_number_is_bold_if_the_faces_are_the_same(runs):
    def bold(shown):
        return re.findall("<strong>(.*?)</strong>", page(shown).partition('id="comparison"')[0])

    shown = [runs[0].row(parse_measure(m), s) for s in runs[0].subsets for m in ("nme", "auc@0.10")]
    assert {f"{row.value:.{2 if row.metric == 'nme' else 4}f}" for row in shown} <= set(bold(runs))
    assert bold(runs[:1]) == []
    fewer = run_of("fewer", 3.0, make_dataset(20).take(np.arange(15)))
    assert bold([runs[0], fewer]) == []
    assert "different faces: their numbers cannot be compared" in page([runs[0], fewer])
    # NME leaves out what a model missed, so that the one that misses the hard faces would win.
    nme = f"{runs[1].row(parse_measure('nme')).value:.2f}"
    missing = replace(runs[0], record=runs[0].record.model_copy(update={"missed": 3}))
    assert nme not in bold([missing, runs[1]]) and bold([missing, runs[1]])
    assert "3 of 20 faces missed: failures in FR and AUC, left out of NME." in page([missing])


def test_the_confidence_of_intervals_is_not_rounded(runs):
    record = runs[0].record
    statistics = record.statistics.model_copy(update={"confidence": 0.995})
    sure = replace(runs[0], record=record.model_copy(update={"statistics": statistics}))
    text = page([sure])
    assert "99.5 % interval " in text and "<dd>99.5 %, over " in text


def test_every_note_stands_once_and_folded(html):
    notes = re.findall("<li>(.*?)</li>", html)
    assert any("Wilson interval" in note for note in notes)
    assert all(html.count(note) == 1 for note in notes)
    outside = re.sub(r"<details.*?</details>", "", html, flags=re.DOTALL)
    assert not any(note in outside for note in notes)


def test_the_audit_is_of_the_published_numbers_of_this_data_set(html):
    assert "udit of" not in html
    wflw = page([run_of("a", 1.0, replace(make_dataset(20), name="wflw"))])
    findings = [f for f in audit.audit() if f.table == "table3_wflw"]
    wrong = [f for f in findings if f.verdict != "ok"]
    cells = re.findall(r"<t[dh][^>]*>([^<]*)</t[dh]>", wflw.partition("table3_wflw</th>")[2])
    assert cells[:2] == [str(len(findings)), str(len(findings) - len(wrong))]
    assert all(escape(one.proof) in wflw for one in wrong)
    assert "table2_300w" not in wflw


def test_runs_of_two_data_sets_have_two_pages():
    other = replace(make_dataset(20), name="other")
    with pytest.raises(InputError, match="made test, other test; accepted: runs on one data set"):
        page([run_of("a", 1.0), run_of("b", 1.0, other)])


@pytest.fixture(scope="module")
def browser():
    with chromium() as one:
        yield one


@pytest.fixture
def shown(html, browser, tmp_path):
    open_text(browser, html, tmp_path)
    return browser


def open_text(browser, text, folder):
    path = folder / "page.html"
    path.write_text(text, encoding="utf-8")
    resize(browser, 1400)
    browser.get(path.as_uri())


def check_in_browser(browser, address):
    """A page asks for nothing, says nothing, and can be used by everybody, narrow and wide."""
    for width, scheme in ((400, "light"), (800, "dark"), (1600, "light"), (1600, "dark")):
        resize(browser, width)
        use_colours(browser, scheme)
        browser.get(address)
        assert browser.get_log("browser") == []
        assert requests(browser) == []
        assert too_wide(browser) == []
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width
        broken = "return [...document.images].filter(i => !i.naturalWidth).length"
        assert browser.execute_script(broken) == 0
        size = "return parseFloat(getComputedStyle(document.body).fontSize)"
        assert browser.execute_script(size) >= 16
    assert barriers(browser) == []  # dark and wide
    # Nothing folded, light and narrow: everything is checked, and tables scroll.
    resize(browser, 400)
    use_colours(browser, "light")
    browser.execute_script(
        "for (const one of document.querySelectorAll('details')) one.open = true"
    )
    assert too_wide(browser) == []
    assert barriers(browser) == []


def test_a_page_of_several_runs_holds_in_a_browser(shown, tmp_path):
    assert shown.title == "made test"
    check_in_browser(shown, (tmp_path / "page.html").as_uri())


def test_a_page_of_one_run_holds_in_a_browser(browser, runs, tmp_path):
    part = replace(make_dataset(20), name="n" * 90, notes=("A note " + "x" * 120,))
    run = run_of("long-" * 30, 4.0, part.take(np.arange(9)))
    open_text(browser, page([run]), tmp_path)
    assert browser.title.startswith("long-long-")
    check_in_browser(browser, (tmp_path / "page.html").as_uri())


def test_curves_stand_beside_the_table_where_there_is_room(shown):
    def places():
        table = shown.find_element("css selector", ".beside .table").rect
        return table, shown.find_element("id", "ced").rect

    table, curves = places()
    assert curves["x"] > table["x"] + table["width"] and curves["y"] == table["y"]
    resize(shown, 400)
    table, curves = places()
    assert curves["x"] == table["x"] and curves["y"] >= table["y"] + table["height"]


def test_a_table_that_scrolls_says_so_and_is_reached_by_the_keyboard(shown):
    region = shown.find_element("css selector", "#comparison .scroll")
    hints = "return arguments[0].parentElement.querySelectorAll('.scroll-hint').length"
    assert region.get_attribute("tabindex") == "-1" and shown.execute_script(hints, region) == 0
    resize(shown, 400)
    WebDriverWait(shown, 5).until(lambda _: region.get_attribute("tabindex") == "0")
    assert shown.execute_script(hints, region) == 1
    region.send_keys(Keys.ARROW_RIGHT * 3)
    WebDriverWait(shown, 5).until(lambda _: region.get_property("scrollLeft") > 0)


def test_on_paper_there_is_no_control(shown):
    shown.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    for hidden in ("nav", "input", "#records"):
        assert not shown.find_element("css selector", hidden).is_displayed()
    for seen in (".cards", ".beside table", ".plot svg"):
        assert shown.find_element("css selector", seen).is_displayed()
    shown.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


def test_a_curve_is_hidden_and_shown_by_its_checkbox(shown):
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
    assert [row[0].text for row in table.rows] == ["1", "2", "3"]
    assert [row[4].value for row in table.rows] == [0.9, 0.5, 0.1]


def test_equal_models_share_a_rank(stored, tmp_path):
    for name, auc in (("a", 0.5), ("b", 0.9), ("c", 0.5), ("d", 0.1)):
        stored(name, auc)
    (table,) = leaderboard.tables(leaderboard.read_board(tmp_path))
    assert [row[0].text for row in table.rows] == ["1", "2", "2", "4"]


def test_numbers_and_how_they_were_made_are_those_of_the_run(template):
    run = load_run(template)
    (table,) = leaderboard.tables(leaderboard.read_board(template))
    for text, cell in zip(("nme", "fr@0.10", "auc@0.10"), table.rows[0][2:5], strict=True):
        row = run.row(parse_measure(text))
        assert (cell.value, cell.low, cell.high) == (row.value, row.ci_low, row.ci_high)
    assert "FR: Wilson interval. NME and AUC: bootstrap, 100 samples." in table.notes[1]


def test_an_incomplete_run_has_no_rank_however_good_it_is(stored, tmp_path):
    stored("whole", 0.1)
    stored("part", 0.9, complete=False, incomplete=["12 of 20 faces annotated"])
    (table,) = leaderboard.tables(leaderboard.read_board(tmp_path))
    assert [(row[0].text, row[1].text) for row in table.rows] == [("1", "whole"), ("–", "part")]
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


@pytest.fixture
def board_page(stored, tmp_path, browser):
    """A leaderboard of two data sets in the browser."""
    for name, auc in (("worst", 0.1), ("best", 0.9), ("between", 0.5)):
        stored(name, auc)
    stored("part", 0.95, complete=False)
    stored("elsewhere", 0.3, name="other")
    board = leaderboard.read_board(tmp_path)
    shown = [sites._Shown(t, [], len(some), "x") for t, some in leaderboard.boards(board).items()]
    content = sites._boards(board, shown, {entry.folder: "a.html" for entry in board.entries})
    text = document("Runs", "", [Section("leaderboard", "Leaderboard", "", content)])
    open_text(browser, text, tmp_path)
    return browser


def models(browser):
    """The models that are seen, from top to bottom."""
    names = browser.find_elements("css selector", ".board tbody th")
    return [name.text for name in names if name.is_displayed()]


def test_a_leaderboard_is_sorted_by_its_headings_with_the_keyboard(board_page):
    ranked = ["best", "between", "worst", "part", "elsewhere"]
    assert models(board_page) == ranked
    headings = board_page.find_elements("css selector", ".set:first-child thead th")
    rank, model, auc = headings[0], headings[1], headings[4]
    auc.find_element("css selector", "button").send_keys(Keys.ENTER)
    assert auc.get_attribute("aria-sort") == "ascending"
    assert models(board_page) == ["worst", "between", "best", "part", "elsewhere"]
    auc.find_element("css selector", "button").send_keys(Keys.SPACE)
    assert auc.get_attribute("aria-sort") == "descending"
    assert models(board_page) == ["part", "best", "between", "worst", "elsewhere"]
    model.find_element("css selector", "button").click()
    assert auc.get_attribute("aria-sort") is None
    assert models(board_page) == ["best", "between", "part", "worst", "elsewhere"]
    for _ in range(2):  # A run without a rank is last in both orders.
        rank.find_element("css selector", "button").click()
        assert models(board_page)[3] == "part"


def test_a_leaderboard_is_filtered_by_words(board_page):
    entry, count = (
        board_page.find_element("css selector", f".tools {x}") for x in ("input", "span")
    )
    assert count.text == "5 of 5 runs" and count.get_attribute("role") == "status"
    entry.send_keys("BE")
    assert models(board_page) == ["best", "between"]
    assert count.text == "2 of 5 runs"
    assert not board_page.find_element("css selector", ".set:last-child").is_displayed()
    entry.send_keys(" worst")
    assert models(board_page) == []
    entry.send_keys(Keys.CONTROL, "a")
    entry.send_keys(Keys.DELETE)
    assert len(models(board_page)) == 5


def test_the_page_of_a_run_has_its_stored_numbers(template, browser, tmp_path):
    (entry,) = leaderboard.read_board(template).entries
    text = run_page(entry, [Link("Leaderboard", "../index.html")])
    run = load_run(template)
    words = "".join(Contents(text).text)
    for measure, digits in (("nme", 2), ("fr@0.10", 2), ("auc@0.10", 4)):
        for subset in run.subsets:
            assert f"{run.row(parse_measure(measure), subset).value:.{digits}f}" in words
    assert run.record.key in words and run.record.dataset.fingerprint in words
    open_text(browser, text, tmp_path)
    check_in_browser(browser, (tmp_path / "page.html").as_uri())


# The site


@pytest.fixture
def two_runs(cli):
    for boxes in ("rect", "tight"):
        assert cli("run", "--model", "mean-shape", "--dataset", *SAMPLE, "--boxes", boxes).code == 0


def test_the_command_makes_all_of_it(cli, two_runs, tmp_path, browser):
    result = cli("report", "--all", "--out", "site")
    assert result.code == 0, result.err
    assert "Site of 2 runs" in result.err
    site = tmp_path / "site"
    files = {str(path.relative_to(site)) for path in site.rglob("*") if path.is_file()}
    endings = (".md", ".tex", ".html", ".csv", ".json")
    tables = {f"tables/table{k}{end}" for k in range(1, 9) for end in endings}
    figures = {"figures/ced-synthetic-sample.svg"}
    keys = [path.parent.name for path in (tmp_path / "runs").rglob("run.json")]
    runs = {f"runs/mean-shape-{key}.html" for key in keys}
    pages = {"index.html", "synthetic-sample.html", ".alignbench-site"}
    assert files == pages | tables | figures | runs
    # Every file can be reached from the first page, and every page leads back to it.
    reached, left = set(), ["index.html"]
    while left:
        name = left.pop()
        reached.add(name)
        addresses = Contents((site / name).read_text()).addresses if name.endswith(".html") else []
        for address in addresses:
            if not address.startswith(("#", "data:")):
                target = str((site / name).parent.joinpath(address).resolve().relative_to(site))
                left += [target] if target not in reached else []
        if name.startswith(("runs/", "synthetic")):
            assert any(address.endswith("index.html") for address in addresses)
    assert reached == files - {".alignbench-site"}
    check_in_browser(browser, (site / "index.html").as_uri())
    check_in_browser(browser, (site / "tables" / "table3.html").as_uri())


def test_faces_on_a_page_are_small_pictures(cli, two_runs, tmp_path):
    runs = [load_run(path.parent) for path in (tmp_path / "runs").rglob("run.json")]
    text = page(runs)
    images = re.findall(r"data:image/webp;base64,([^\"]*)", text)
    assert len(images) == 2 * 12
    for image in map(b64decode, images):
        pixels = cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_COLOR)
        assert pixels.shape == (224, 224, 3)
    errors = np.sort(runs[0].errors("inter_ocular"))[::-1][:12]
    assert re.findall(r"<b>(\d+\.\d\d %)</b>", text)[:12] == [f"{100 * e:.2f} %" for e in errors]
    assert len(text) < 2 * 330_000  # six such runs are below 2 MB


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
    assert len(list((tmp_path / "deep" / "site" / "runs").iterdir())) == 2


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
