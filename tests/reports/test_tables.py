"""The forms of tables: types, bold, footnotes and headings in each, and nothing breaks out."""

from __future__ import annotations

import html
import json
import re
from html.parser import HTMLParser

import pytest
from doubles import compile_latex
from hypothesis import example, given, settings
from hypothesis import strategies as st

from alignbench import InputError
from alignbench.exceptions import visible
from reports.tables import (
    DERIVED,
    MEASURED,
    PUBLISHED,
    Group,
    Number,
    Table,
    Text,
    hide_intervals,
    render,
    to_html,
)

HOSTILE = "[a|b_c&d%e$f#g{h}~i^j\\k<script>*x*`y` é ł 名 \U0001f600 \x1b[31m\u202e--?`</td>"


def number(value, source="", best=False, **more):
    return Number(value, source=source, best=best, **more)


def one_column(*cells, title="t", name="a", notes=()):
    return Table.of_rows(title, (name,), [(cell,) for cell in cells], notes)


TYPED = Table(
    "Typed",
    ("Method", "NME %"),
    (
        Group("Printed", ((Text("theirs", ("Of them.",)), number(4.0, PUBLISHED, True)),)),
        Group(
            "Run",
            (
                ("ours", number(5.0, MEASURED, notes=("Of us.",))),
                ("sum", number(-6.0, DERIVED, True)),
                ("span", Number(7.0, 2, 6.5, 7.5, DERIVED, spread=True)),
            ),
        ),
    ),
    ("A note.",),
)
NASTY = Table(
    HOSTILE,
    (HOSTILE, "NME %", HOSTILE),
    (
        Group(
            HOSTILE,
            (
                (HOSTILE, Number(1.234, 2, 1.0, 2.0), HOSTILE),
                (Text(HOSTILE, (HOSTILE,)), number(None), "*b"),
            ),
        ),
        Group("[d", (("[c", number(2.0, best=True), ""),)),
    ),
    (HOSTILE,),
)


class Cells(HTMLParser):
    """Texts of the cells of a table, their classes, and every tag there is."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.cells, self.classes, self._inside = [], [], [], 0
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag in ("td", "th"):
            self.cells.append("")
            self.classes.append(dict(attrs).get("class") or "")
            self._inside += 1

    def handle_endtag(self, tag):
        self._inside -= tag in ("td", "th")

    def handle_data(self, data):
        if self._inside:
            self.cells[-1] += data


def test_types_bold_marks_and_headings_in_markdown():
    text = render([TYPED], "md")
    lines = [re.sub(" +", " ", line) for line in text.splitlines()]
    for line in (
        "| **Printed** | |",
        "| theirs <sup>a</sup> | **4.00** |",
        "| **Run** | |",
        "| ours | 5.00 <sup>b</sup> |",
        "| sum | ***-6.00*** |",
        "| span | *7.00* (6.50–7.50) |",
        "- A note.",
        "- <sup>a</sup> Of them.",
    ):
        assert line in lines
    assert lines.index("| **Printed** | |") + 1 == lines.index("| theirs <sup>a</sup> | **4.00** |")


def test_types_bold_marks_and_headings_in_latex():
    text = render([TYPED], "latex")
    for part in (
        "\\midrule\n\\multicolumn{3}{@{}l}{Printed} \\\\\ntheirs\\textsuperscript{a} & \\bfseries ",
        "\\midrule\n\\multicolumn{3}{@{}l}{Run} \\\\\nours & 5.00\\textsuperscript{b} & ",
        r"\bfseries\itshape -6.00",
        r"\itshape 7.00 & (6.50--7.50)",
        r"S[table-format=-1.2{\textsuperscript{b}}]",
        r"\textsuperscript{b} Of us.",
    ):
        assert part in text
    assert text.count("\\midrule") == 2


def test_types_bold_marks_and_headings_in_html():
    text = to_html([TYPED])
    for part in (
        '<th class="group" scope="rowgroup" colspan="2">Printed</th>',
        '<td class="number published"><strong>4.00</strong></td>',
        '<td class="number measured">5.00<sup>b</sup></td>',
        '<td class="number derived"><strong>-6.00</strong></td>',
        '<td class="number derived">7.00 <small>(6.50–7.50)</small></td>',
        "<p><sup>a</sup> Of them.</p>",
    ):
        assert part in text
    page = render([TYPED], "html")
    assert page.startswith("<!DOCTYPE html>") and text in page
    assert "http" not in page and "url(" not in page  # nothing is fetched from anywhere


def test_types_bold_marks_and_headings_on_a_terminal(monkeypatch):
    cells = [re.split("  +", line.strip()) for line in render([TYPED], "terminal").splitlines()]
    for row in (
        ["Printed"], ["theirs ^a", "*4.00"], ["Run"], ["ours", "5.00 ^b"], ["sum", "*=-6.00"],
        ["span", "=7.00 (6.50–7.50)"], ["^b Of us."],
    ):  # fmt: skip
        assert row in cells
    monkeypatch.setenv("TTY_COMPATIBLE", "1")  # rich: act as if it were a terminal
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    coloured = render([TYPED], "terminal")
    for code, text in (("1", "4.00"), ("36", "5.00"), ("1;3", "=-6.00")):  # bold, cyan, italic
        assert re.search(rf"\x1b\[{code}m *{text}", coloured)


@pytest.mark.parametrize("form", ["terminal", "md", "latex", "html"])
def test_a_derived_number_looks_like_no_other(form):
    looks = {
        source: render([one_column(number(1.5, source))], form)
        for source in (PUBLISHED, MEASURED, DERIVED)
    }
    assert looks[DERIVED] not in (looks[PUBLISHED], looks[MEASURED])


def test_a_heading_as_long_as_the_terminal_is_whole():
    heading = "A heading much longer than the only column of its table is wide"
    table = Table("t", ("a",), (Group(heading, ((number(1.5),),)),))
    assert heading in render([table], "terminal")


@pytest.mark.parametrize("width", [40, 80])
def test_a_table_wider_than_the_terminal_keeps_every_number(width, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(width))
    for terminal in ("0", "1"):
        monkeypatch.setenv("TTY_COMPATIBLE", terminal)
        values = [Number(10 + k / 7, 4, 10.0, 12.0 + k) for k in range(12)]
        wide = Table.of_rows("t", ("Name", *["Long word"] * 12), [("a name", *values)])
        text = render([wide], "terminal")
        assert all(f"{v.value:.4f}" in text and f"{v.high:.4f}]" in text for v in values)


def test_hostile_text_stays_text_in_markdown():
    text = render([NASTY], "md")
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {4}
    for special in "`*_<[~&$":
        own = text.replace("**", "").replace("<sup>a</sup>", "").replace("[1.00, 2.00]", "")
        assert re.search(rf"(?<!\\){re.escape(special)}", own) is None, special
    assert "\x1b" not in text and "\u202e" not in text


def test_hostile_text_stays_text_in_html():
    read = Cells(to_html([NASTY]))
    assert set(read.tags) == {
        "figure", "figcaption", "div", "table", "thead", "tbody", "tr", "th", "td", "strong",
        "small", "sup", "p",
    }  # fmt: skip
    assert read.cells[0] == read.cells[3] == read.cells[4] == visible(HOSTILE)


def test_a_row_is_named_by_its_first_text_and_a_region_by_its_table():
    rows = ((1, Text("m<b>", link="runs/m.html"), Number(1.0)), (2, "n", Number(2.0)))
    html_text = to_html([Table.of_rows('A "table"', ("Rank", "Model", "NME"), rows)])
    assert '<th scope="row"><a href="runs/m.html">m&lt;b&gt;</a></th>' in html_text
    assert '<th scope="row">n</th>' in html_text
    assert '<td class="number">1</td>' in html_text
    assert 'role="region" aria-label="A &quot;table&quot;" tabindex="0"' in html_text


def test_hostile_text_stays_text_on_a_terminal():
    text = render([one_column(HOSTILE, title=HOSTILE, notes=(HOSTILE,))], "terminal")
    assert text.count(visible(HOSTILE)) == 3
    assert "\x1b" not in text


def test_what_cannot_be_seen_is_spelled_out():
    assert visible("a\tb\nc\x00\u200b\udc80\N{NO-BREAK SPACE}é") == "a b c\\x00\\u200b\\udc80 é"


def test_an_unknown_form_is_refused_with_all_there_are():
    with pytest.raises(InputError, match="accepted: csv, html, json, latex, md, terminal"):
        render([TYPED], "docx")


@pytest.mark.parametrize(
    ("table", "parts"),
    [(TYPED, ("4.00", "Of us.")), (NASTY, ("d%e$f#g{h}", "U+540D", "1.23", "[c"))],
    ids=["typed", "hostile"],
)
def test_latex_compiles_as_it_is(table, parts, tmp_path):
    log, text = compile_latex(render([table], "latex"), tmp_path)
    assert "Overfull" not in log and "Missing character" not in log
    assert text is None or all(part in text for part in parts)


def test_what_begins_like_an_option_is_text_in_latex(tmp_path):
    groups = (Group("[g", (("[a", "x"), ("*b", "x"))), Group("*h", (("[2pt]c", "x"),)))
    table = Table("[t", ("[head]", "x"), groups, ("[note]",))
    _, text = compile_latex(render([table], "latex"), tmp_path)
    parts = ("[a", "*b", "[2pt]c", "[head]", "[note]", "[g", "*h")
    assert text is None or all(part in text for part in parts)


def test_latex_breaks_a_wide_table_before_it_leaves_the_page(tmp_path):
    row = ("word " * 30, *[Number(1.2345, 4, 1.1, 1.3)] * 4, "proof " * 30)
    table = Table.of_rows("Wide", ("Name", *["A long heading"] * 4, "Proof"), (row, row))
    text = render([table], "latex")
    assert "\\tabularnewline" in text and "p{" in text and "table*" in text
    assert "Overfull" not in compile_latex(text, tmp_path, two_columns=True)[0]
    assert "Overfull" not in compile_latex(text, tmp_path)[0]


def test_numbers_of_a_column_are_aligned_at_the_point_in_latex(tmp_path):
    numbers = (
        number(4.5),
        Number(12.25, 2, best=True),
        Number(-3.0, 1, source=DERIVED),
        Number(None),
    )
    log, text = compile_latex(render([one_column(*numbers)], "latex"), tmp_path, two_columns=True)
    assert "Overfull" not in log
    lines = [line for line in (text or "").splitlines() if re.search(r"\d\.\d", line)]
    assert text is None or len({line.index(".") for line in lines}) == 1


def test_a_table_that_fits_nowhere_is_scaled_down(tmp_path):
    row = ("a name", *[Number(1.2345, 4, 1.1, 1.3)] * 20)
    table = Table.of_rows("Wide", ("Name", *["A long heading"] * 20), (row, row))
    text = render([table], "latex")
    assert "Overfull" in compile_latex(text, tmp_path, two_columns=True)[0]
    assert "Overfull" not in compile_latex(text, tmp_path)[0]


@given(st.text(max_size=40))
@example("é à ç ñ ø ß “x” × − 5 °C -- ?` ''")
@settings(max_examples=60)
def test_any_text_is_ascii_and_balanced_in_latex(text):
    table = one_column(text, title=text, name=text, notes=(text,))
    latex = render([table], "latex")
    assert latex.isascii()
    bare = re.sub(r"\\.", "", latex)
    assert bare.count("{") == bare.count("}")
    assert not re.search(r"(?<!\\)[#$~%](?! needs|\n\\begin{tabular})", latex)


@given(st.text(max_size=40))
@settings(max_examples=60)
def test_any_text_comes_back_from_html(text):
    read = Cells(to_html([one_column(text)]))
    assert read.cells == ["a", visible(text)]
    assert html.unescape(html.escape(text)) == text


def test_a_number_that_rounds_to_zero_has_no_sign():
    assert str(Number(-0.001, 2, -0.002, 0.001)) == "0.00 [0.00, 0.00]"
    assert str(Number(float("nan"))) == "–"


def test_a_table_without_records_is_csv_as_it_stands():
    rows = (("a", Number(1.23456, 2, 1.0, 2.0), 3), ("b", Number(None), 4))
    text = render([Table.of_rows("T", ("name", "NME", "n"), rows)], "csv")
    assert text.splitlines() == [
        "table,name,NME,NME low,NME high,n", "T,a,1.23456,1.0,2.0,3", "T,b,,,,4",
    ]  # fmt: skip


def test_both_ends_of_an_interval_have_a_minus():
    text = render([one_column(Number(-1.5, 1, -2.0, -0.5))], "latex")
    assert r"-1.5 & {}[\ensuremath{-}2.0, \ensuremath{-}0.5]" in text


def test_hidden_intervals_stay_in_records_and_spreads_stay():
    rows = ((Number(1.5, 2, 1.0, 2.0), Number(7.0, 2, 6.5, 7.5, DERIVED, spread=True)),)
    table = Table.of_rows("T", ("a", "b"), rows, records=({"low": 1.0},))
    hidden = hide_intervals(table)
    assert list(map(str, hidden.rows[0])) == ["1.50", "7.00 (6.50–7.50)"]
    assert hidden.records == table.records


def test_footnotes_have_letters_in_order_and_one_letter_a_text():
    notes = [f"note {k}" for k in range(28)]
    table = one_column(*(number(1.0, notes=(note,)) for note in [*notes, "note 0"]))
    letters = list(table.footnotes.values())
    assert (letters[0], letters[25:]) == ("a", ["z", "aa", "ab"])
    assert table.marks(table.rows[-1][0]) == "a"


def wide_rows():
    for m in range(3):
        yield (f"model-{m}", "full", 507, *(Number(m + k + 0.5, 2, m + k, 9) for k in range(6)))


WIDE = Table(
    "A wide table",
    ("Model", "Subset", "Faces", *(f"Measure {k} %" for k in range(6))),
    tuple(Group(heading, tuple(wide_rows())) for heading in ("First group", "Second group")),
    ("A note of several words that is long enough to be broken into two lines on most terminals.",),
)


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
def test_no_number_is_broken_and_no_line_is_wider_than_the_terminal(width, monkeypatch):
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", str(width))
    text = re.sub(r"\x1b\[[0-9;]*m", "", render([WIDE], "terminal"))
    assert max(map(len, text.splitlines())) <= width
    numbers = [str(cell) for row in WIDE.rows for cell in row[3:]]
    found = re.findall(r"\d+\.\d\d \[\d+\.\d\d, \d+\.\d\d\]", text)
    assert sorted(found) == sorted(numbers)
    # Every block has all headings, and names every row.
    blocks = text.count("Model")
    assert (blocks == 1) == (width == 200)
    assert text.count("First group") == text.count("Second group") == blocks
    assert text.count("model-1") == 2 * blocks
    assert ("Subset: full; Faces: 507" in text) == (width < 200)


def test_notes_that_all_tables_share_are_printed_once():
    one, two = (
        Table.of_rows(title, ("A",), [(1,)], (f"Only of {title}.", "Of both.")) for title in "ab"
    )
    text = render([one, two], "terminal")
    assert text.count("Of both.") == 1
    assert text.rstrip().endswith("Of both.")
    assert text.index("Only of a.") < text.index("Only of b.")
    assert "Of both." in render([one], "terminal")


def test_json_has_every_part_of_a_table_in_full_precision():
    table = Table(
        "T",
        ("name", "NME", "n", "NME"),
        (
            Group("G", ((Text("é\x1b", ("Of it.",)), Number(1 / 3, 1, 0.3, 0.4), 3, ""),)),
            Group("", (("b", Number(None), 4, Number(float("nan"))),)),
        ),
        ("A note.",),
        ({"value": float("inf"), "threshold": (0.1, 0.2)},),
    )
    text = render([table, TYPED], "json")
    first, second = json.loads(text)
    nothing = {"low": None, "high": None, "source": "", "best": False, "spread": False}
    assert text.isascii() and "\x1b" not in text
    assert first == {
        "title": "T",
        "columns": ["name", "NME", "n", "NME (2)"],
        "rows": [
            {
                "group": "G", "name": "é\x1b", "n": 3, "NME (2)": "", "notes": ["Of it."],
                "NME": nothing | {"value": 1 / 3, "low": 0.3, "high": 0.4},
            },
            {
                "group": "", "name": "b", "n": 4, "notes": [],
                "NME": nothing | {"value": None}, "NME (2)": nothing | {"value": None},
            },
        ],
        "notes": ["A note."],
        "records": [{"value": None, "threshold": [0.1, 0.2]}],
    }  # fmt: skip
    (best, *_, span) = [row["NME %"] for row in second["rows"]]
    assert best == nothing | {"value": 4.0, "source": PUBLISHED, "best": True}
    assert (span["low"], span["high"], span["spread"]) == (6.5, 7.5, True)
