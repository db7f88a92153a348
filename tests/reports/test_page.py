"""The HTML report: whole in itself, hostile names are text, curves toggle, narrow and wide."""

from __future__ import annotations

import re
from dataclasses import replace
from html import escape
from html.parser import HTMLParser

import pytest
from browser import chromium, resize
from doubles import Shifted, make_dataset

from alignbench import InputError, evaluate, parse_measure
from alignbench.stats import Bootstrap
from reports import audit
from reports.pages import page

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
def made(runs):
    return page(runs)


class Addresses(HTMLParser):
    """Whatever a page would ask for, its tags and its text."""

    def __init__(self, text):
        super().__init__()
        self.found, self.tags, self.text = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.found += [
            value
            for name, value in attributes
            if name in ("src", "href", "xlink:href", "action", "data", "poster", "srcset")
        ]

    def handle_data(self, data):
        self.text.append(data)


def test_nothing_is_asked_of_anywhere(made):
    found = Addresses(made).found
    assert found
    assert all(address.startswith(("#", "data:")) for address in found), found
    assert "@import" not in made
    assert "default-src 'none'" in made


def test_hostile_names_are_text(made):
    parsed = Addresses(made)
    assert parsed.tags.count("script") == 1
    assert HOSTILE in "".join(parsed.text)
    assert "onerror=alert(1)>" not in made.replace("&gt;", "")


def test_every_number_is_the_runs(made, runs):
    text = "".join(Addresses(made).text)
    for run in runs:
        for measure in ("nme", "fr@0.10", "auc@0.10"):
            for subset in run.subsets:
                row = run.row(parse_measure(measure), subset)
                digits = 4 if measure.startswith("auc") else 2
                assert f"{row.value:.{digits}f}" in text


def test_what_the_page_needs_images_for_says_why_it_is_left_out(made):
    assert "Left out:" in made


def test_the_audit_counts_every_finding_and_shows_those_that_are_not_ok(made):
    findings = [f for f in audit.audit() if f.table == "table3_wflw"]
    wrong = [f for f in findings if f.verdict != "ok"]
    cells = re.findall(r"<td[^>]*>([^<]*)</td>", made.partition("table3_wflw</td>")[2])
    assert cells[:2] == [str(len(findings)), str(len(findings) - len(wrong))]
    assert all(escape(one.proof) in made for one in wrong)


def test_runs_of_two_data_sets_have_two_pages():
    other = replace(make_dataset(20), name="other")
    with pytest.raises(InputError, match="made test, other test; accepted: runs on one data set"):
        page([run_of("a", 1.0), run_of("b", 1.0, other)])


@pytest.fixture(scope="module")
def shown(made, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "page.html"
    path.write_text(made, encoding="utf-8")
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
