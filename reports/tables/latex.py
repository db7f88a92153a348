"""Tables for the LaTeX of a paper: booktabs, numbers aligned by siunitx.

A table takes one column of a two-column paper where it fits, otherwise ``table*`` across both.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence
from itertools import product
from typing import NamedTuple

from alignbench.exceptions import visible
from reports.tables.latex_text import escape, escape_breakable, shown_character
from reports.tables.model import DERIVED, Cell, Number, Row, Table, plain

_COLUMN, _PAGE = 234, 490
"""Widths in points that a table may take in a column and across both.

Those of CVPR's template are 237 and 497; the rest is for the error of estimated widths.
"""
_NARROW = 100
"""Width of a text column, in points at 10 pt, up to which its lines are not broken."""
_MOST_LINES = 3
"""Most lines of a broken text in a table of one column."""
_HEADING_WIDTH = 8
"""Characters up to which the heading of a column of numbers is not broken."""
_GAP = 6
"""Space between two columns, in points."""


class _Size(NamedTuple):
    """A size of type, and how wide its characters are compared with those of 10 pt."""

    name: str
    scale: float


_SMALL, _FOOTNOTE, _SCRIPT = (
    _Size("small", 0.925),
    _Size("footnotesize", 0.85),
    _Size("scriptsize", 0.8),
)


class _Form(NamedTuple):
    """How a table is set: across both columns, intervals below their numbers, size of type."""

    is_wide: bool
    is_stacked: bool
    size: _Size


_FORMS = (
    *(_Form(False, *rest) for rest in product((False, True), (_SMALL, _FOOTNOTE))),
    *(_Form(True, *rest) for rest in product((False, True), (_SMALL, _FOOTNOTE))),
    *(_Form(True, stacked, _SCRIPT) for stacked in (False, True)),
)
"""The forms, the best first; a table takes the first one in which it fits."""


def to_latex(tables: Sequence[Table]) -> str:
    """Tables for LaTeX with the packages booktabs, graphicx and siunitx (version 3).

    Each has the largest type in which it fits a column of a two-column paper, or else both columns.
    Where it would have to be smaller than 8 pt, intervals stand below their numbers. One that still
    does not fit, or whose paper has a single narrower column, is scaled down to the page.
    """
    return "% needs \\usepackage{booktabs,graphicx,siunitx}\n" + "\n\n".join(map(_latex, tables))


def _latex(table: Table) -> str:
    form, widths = _choose_form(table)
    notes = [_note(note) for note in table.notes]
    notes += [f"\\textsuperscript{{{m}}} {_note(note)}" for note, m in table.footnotes.items()]
    environment = "table*" if form.is_wide else "table"
    lines = [
        f"\\begin{{{environment}}}",
        "\\centering",
        "\\setlength{\\belowcaptionskip}{4pt}",
        f"\\caption{{{escape(table.title)}}}",
        f"\\{form.size.name}\\setlength{{\\tabcolsep}}{{{_GAP / 2:g}pt}}",
        # Numbers keep the font of the text around them, and bold or italic type.
        "\\sisetup{mode=text, reset-text-series=false, reset-text-shape=false}",
        # The minus of text fonts is a bitmap where cm-super is not installed.
        "\\def\\textminus{\\ensuremath{-}}",
    ]
    body = _tabular(table, widths, form)
    if form.is_wide:
        # A paper of one column may have less room.
        shrunk = "\\ifdim\\width>\\textwidth\\textwidth\\else\\width\\fi"
        body = [f"\\resizebox{{{shrunk}}}{{!}}{{%", *body, "}"]
    lines += body
    if notes:
        lines.append("\\par\\smallskip\\raggedright\\scriptsize")
    return "\n".join([*lines, *(f"{note}\\par" for note in notes), f"\\end{{{environment}}}"])


def _note(note: str) -> str:
    """A note, with commands in it in quotation marks."""
    return escape(re.sub(r"`([^`]+)`", r"‘\1’", note))


def _choose_form(table: Table) -> tuple[_Form, list[int]]:
    """The first form in which a table fits, and the width of each broken text column, else 0."""
    for form in _FORMS:
        if (widths := _break_texts(table, form)) is not None:
            return form, widths
    limit = round(_NARROW * form.size.scale)
    texts = [_width(table, k, form) if _is_text(table, k) else 0 for k in range(len(table.columns))]
    return form, [limit if width > limit else 0 for width in texts]


def _break_texts(table: Table, form: _Form) -> list[int] | None:
    """The width in points of each text column that is broken, else 0; None if it does not fit."""
    places = range(len(table.columns))
    natural = [_width(table, k, form) for k in places]
    room = (_PAGE if form.is_wide else _COLUMN) - _GAP * (len(places) - 1)
    narrow = _NARROW * form.size.scale
    least = [
        min(w, narrow if form.is_wide else max(narrow, w / _MOST_LINES))
        if _is_text(table, k)
        else w
        for k, w in enumerate(natural)
    ]
    if sum(least) > room:
        return None
    # What is left over is shared by the texts that need it, in proportion to what they lack.
    lacking = sum(natural) - sum(least)
    share = min(1, (room - sum(least)) / lacking) if lacking else 1
    widths = [low + share * (w - low) for low, w in zip(least, natural, strict=True)]
    return [int(w) if share < 1 and w < natural[k] else 0 for k, w in enumerate(widths)]


def _is_text(table: Table, column: int) -> bool:
    return table.align(column) == "left"


def _numbers(table: Table, column: int) -> list[Number]:
    return [cell for row in table.rows if isinstance(cell := row[column], Number)]


def _has_intervals(table: Table, column: int) -> bool:
    return any(number.interval for number in _numbers(table, column))


def _width(table: Table, column: int, form: _Form) -> float:
    """The approximate width of a column in points; the heading of numbers may be broken."""
    name, cells = table.columns[column], [row[column] for row in table.rows]
    heading = [name] if _is_text(table, column) else _break_heading(name, _HEADING_WIDTH)
    numbers = _numbers(table, column)
    texts = [max((_points(line, form.size) for line in heading), default=0)]
    for cell in cells:
        if not isinstance(cell, Number):
            marks = 0.7 * _points(table.marks(cell), form.size)
            texts.append(_points(plain(cell), form.size) + marks)
    number = 0.0
    if shape := _shape(table, column):
        bold = 1.15 if any(cell.best for cell in numbers) else 1
        digits = f"{shape.sign}{'0' * shape.whole}.{'0' * shape.decimals}"
        number = bold * _points(digits, form.size) + 0.7 * _points(shape.marks, form.size)
    small = _SCRIPT if form.is_stacked else form.size
    interval = max((_points(cell.interval, small) for cell in numbers), default=0)
    if form.is_stacked:
        return max(number, interval, *texts)
    return max(number + interval + (4 if interval else 0), *texts)


class _Shape(NamedTuple):
    """What the numbers of a column take: a sign, digits before and behind the point, marks."""

    sign: str
    whole: int
    decimals: int
    marks: str


def _shape(table: Table, column: int) -> _Shape | None:
    """The shape of a column's numbers; None where there is no number."""
    numbers = _numbers(table, column)
    printed = [number.text.partition(".") for number in numbers if number.value is not None]
    if not printed:
        return None
    return _Shape(
        "-" if any(whole.startswith("-") for whole, *_ in printed) else "",
        max(len(whole.removeprefix("-")) for whole, *_ in printed),
        max(len(decimals) for *_, decimals in printed),
        max(map(table.marks, numbers), key=len),
    )


def _points(text: str, size: _Size) -> float:
    """The approximate width of a text in Computer Modern, in points; Times is narrower."""
    text = "".join(map(shown_character, text))
    wide = sum(c.isupper() or c in "mw%&+=<>@–—×±≤≥" for c in text)
    narrow = sum(c in "fijlrt.,:;'!|()[]- " for c in text)
    return size.scale * (7.4 * wide + 3.4 * narrow + 5.2 * (len(text) - wide - narrow))


def _tabular(table: Table, widths: Sequence[int], form: _Form) -> list[str]:
    """The lines of the table's tabular environment."""
    places = range(len(table.columns))
    kinds = [_kind(table, k, widths[k], form) for k in places]
    # In a broken cell \\ is the end of a line, not of a row.
    end = r" \tabularnewline" if any(widths) else r" \\"
    heads = [_heading(table, k, widths[k], form) for k in places]
    lines = [
        f"\\begin{{tabular}}{{@{{}}{''.join(kinds)}@{{}}}}", "\\toprule", " & ".join(heads) + end
    ]  # fmt: skip
    beside = 0 if form.is_stacked else sum(_has_intervals(table, k) for k in places)
    for group in table.groups:
        lines.append("\\midrule")
        if group.heading:
            page = _PAGE if form.is_wide else _COLUMN
            is_long = _points(visible(group.heading), form.size) > page
            kind = f"p{{{page}pt}}" if is_long else "l"
            text = _text(group.heading, is_long)
            lines.append(f"\\multicolumn{{{len(places) + beside}}}{{@{{}}{kind}}}{{{text}}}{end}")
        for row in group.rows:
            lines += [" & ".join(cells) + end for cells in _lines(table, row, widths, form)]
    return [*lines, "\\bottomrule", "\\end{tabular}"]


def _kind(table: Table, column: int, width: int, form: _Form) -> str:
    """What the head of the tabular environment says of a column."""
    if _is_text(table, column):
        return f"p{{{width}pt}}" if width else "l"
    shape = _shape(table, column)
    if shape is None:
        return "r"
    marks = f"{{\\textsuperscript{{{shape.marks}}}}}" if shape.marks else ""
    interval = "@{\\ }l" if _has_intervals(table, column) and not form.is_stacked else ""
    return f"S[table-format={shape.sign}{shape.whole}.{shape.decimals}{marks}]{interval}"


def _heading(table: Table, column: int, width: int, form: _Form) -> str:
    name = table.columns[column]
    if _is_text(table, column):
        return _text(name, bool(width))
    cells = [row[column] for row in table.rows]
    # A line of the heading may be as long as what stands below it.
    widest = max((_letters(cell, form) for cell in cells), default=0)
    lines = [escape(line) for line in _break_heading(name, widest)]
    is_number = any(isinstance(cell, Number) for cell in cells)
    text = _below_each_other(lines, "c" if is_number else "r")
    if _has_intervals(table, column) and not form.is_stacked:
        return f"\\multicolumn{{2}}{{c}}{{{text}}}"
    return f"{{{text}}}"


def _letters(cell: Cell, form: _Form) -> int:
    """How many letters a line of a heading may have above a cell."""
    if not isinstance(cell, Number):
        return len(plain(cell))
    if form.is_stacked:
        return max(len(cell.text), round(0.8 * len(cell.interval)))
    return len(str(cell))


def _break_heading(heading: str, width: int) -> list[str]:
    """The heading of a column of numbers in lines of about this width; no line is a unit alone."""
    kept = visible(heading).replace(" %", "\N{NO-BREAK SPACE}%")
    lines = textwrap.wrap(kept, max(width, _HEADING_WIDTH), break_long_words=False)
    return [line.replace("\N{NO-BREAK SPACE}", " ") for line in lines]


def _below_each_other(lines: Sequence[str], side: str) -> str:
    """Lines of a heading; the last one is in the row."""
    if len(lines) < 2:
        return "".join(lines)
    below = r" \\ ".join(lines)
    return f"\\begin{{tabular}}[b]{{@{{}}{side}@{{}}}}{below}\\end{{tabular}}"


def _text(text: str, is_broken: bool) -> str:
    return rf"\raggedright {escape_breakable(text)}" if is_broken else escape(text)


def _lines(table: Table, row: Row, widths: Sequence[int], form: _Form) -> Iterator[list[str]]:
    """The cells of a row; intervals that stand below their numbers are another line."""
    intervals = [_interval(cell) for cell in row]
    cells: list[str] = []
    for k, cell in enumerate(row):
        cells.append(_cell(cell, table.marks(cell), is_broken=bool(widths[k])))
        if _has_intervals(table, k) and not form.is_stacked:
            cells.append(intervals[k])
    yield cells
    if form.is_stacked and any(intervals):
        yield [f"{{\\scriptsize {text}}}" if text else "" for text in intervals]


def _interval(cell: Cell) -> str:
    return escape(cell.interval.replace("-", "−")) if isinstance(cell, Number) else ""


def _cell(cell: Cell, marks: str, *, is_broken: bool) -> str:
    mark = f"\\textsuperscript{{{marks}}}" if marks else ""
    if not isinstance(cell, Number):
        # A text may be a number, such as a difference with its interval.
        text = re.sub(r"(?<![\w.)-])-(?=[0-9])", "−", plain(cell))
        text = _text(text, is_broken) + mark
        return f"{{{text}}}" if isinstance(cell, int) else text
    if cell.value is None:
        return f"{{--{mark}}}"
    font = (r"\bfseries" if cell.best else "") + (r"\itshape" if cell.source == DERIVED else "")
    return f"{font} {cell.text}{mark}".lstrip()
