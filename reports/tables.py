"""Tables of numbers with intervals, and the forms they are printed in."""

from __future__ import annotations

import csv
import html
import io
import re
import textwrap
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table as RichTable
from rich.text import Text
from tabulate import tabulate

from alignbench.errors import unknown

PUBLISHED, MEASURED, DERIVED = "published", "measured", "derived"
"""Where a number comes from: a paper, a run, or a sum over such numbers."""


@dataclass(frozen=True)
class Number:
    """A number, with its interval if there is one; ``None`` where there is no number.

    Attributes
    ----------
    value, low, high, digits
        The number, the ends of its interval, and the decimals they are printed with.
    source
        ``PUBLISHED``, ``MEASURED`` or ``DERIVED``; empty in a table of one kind.
    best
        Whether it is the best of those it is compared with: bold.
    spread
        Whether ``low`` and ``high`` are the lowest and the highest of several numbers, printed in
        round brackets, instead of an interval.
    marks
        Marks of footnotes.
    """

    value: float | None
    low: float | None
    high: float | None
    digits: int
    source: str = ""
    best: bool = False
    spread: bool = False
    marks: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.text} {self.interval}".rstrip()

    @property
    def text(self) -> str:
        """The number without its interval."""
        return "–" if self.value is None else f"{self.value:.{self.digits}f}"

    @property
    def interval(self) -> str:
        """The interval in brackets; empty where there is none."""
        if self.value is None or self.low is None or self.high is None:
            return ""
        low, high = f"{self.low:.{self.digits}f}", f"{self.high:.{self.digits}f}"
        return f"({low}–{high})" if self.spread else f"[{low}, {high}]"


@dataclass(frozen=True)
class Marked:
    """A text with marks of footnotes."""

    text: str
    marks: tuple[str, ...]


Cell = str | int | Number | Marked

_SHORT = 14
"""A word of a text column up to this length is not broken."""


@dataclass(frozen=True)
class Table:
    """A titled table with notes under it.

    Attributes
    ----------
    title, columns, rows, notes
        What is printed, in this order.
    groups
        (row, heading): a heading before the row of this number.
    footnotes
        (mark, text): what the marks of cells stand for.
    records
        A line a number for CSV, text by column, the same columns in each; not every table has
        them.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...]
    groups: tuple[tuple[int, str], ...] = ()
    footnotes: tuple[tuple[str, str], ...] = ()
    records: tuple[Mapping[str, str], ...] = ()


def render(tables: Sequence[Table], form: str) -> str:
    """Tables as text.

    Parameters
    ----------
    form
        ``terminal``, ``md``, ``latex``, ``html``: a whole page, or ``csv``: their records.

    Raises
    ------
    InputError
        If the form is none of these.
    """
    forms: dict[str, Callable[[Sequence[Table]], str]] = {
        "terminal": to_terminal, "md": to_markdown, "latex": to_latex, "html": to_page,
        "csv": to_csv,
    }  # fmt: skip
    if form not in forms:
        raise unknown("format", form, forms)
    return forms[form](tables)


def _align(table: Table, column: int) -> str:
    """Text to the left, numbers to the right; an empty text is either."""
    cells = [row[column] for row in table.rows if row[column] != ""]
    text = not cells or any(isinstance(cell, str | Marked) for cell in cells)
    return "left" if text else "right"


def _plain(cell: str | int | Marked) -> str:
    """A cell that is no number of ours as text, without its marks."""
    if isinstance(cell, Marked):
        return visible(cell.text)
    return f"{cell:,}" if isinstance(cell, int) else visible(cell)


def _marks(cell: Cell) -> str:
    return ",".join(cell.marks) if isinstance(cell, Number | Marked) else ""


def visible(text: str) -> str:
    """Text on one line, with what cannot be seen, such as a terminal's commands, spelled out."""
    return "".join(
        c if c.isprintable() else " " if c.isspace() else c.encode("unicode_escape").decode()
        for c in text
    )


def to_csv(tables: Sequence[Table]) -> str:
    """Records of tables as one CSV file."""
    records = [record for table in tables for record in table.records]
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(records[0]) if records else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return stream.getvalue()


# Terminal


_WIDE = 10_000
_HEADING = "\ue000"
"""Holds the place of a heading; a cell's text never has it, because it cannot be seen."""


def to_terminal(tables: Sequence[Table]) -> str:
    """Tables for a terminal, as wide as it is unless numbers need more.

    A derived number begins with =; elsewhere than on a terminal a star stands for bold.
    """
    real = Console()
    width = real.width if real.is_terminal else 100
    star = "" if real.is_terminal else "*"
    parts = []
    for table in tables:
        headings = iter(table.groups)
        lines = [_printed(real, width, Text(visible(table.title), style="bold"))]
        for line in _printed(real, width, _rich_table(table, star)).splitlines():
            if _HEADING in line:  # as wide as the table, which no cell of it can be
                text = f" {visible(next(headings)[1])}"
                lines.append(_printed(real, width, Text(text, style="bold")))
            else:
                lines.append(line)
        notes = [visible(note) for note in table.notes]
        notes += [f"^{mark} {visible(note)}" for mark, note in table.footnotes]
        for note in notes:
            indented = Padding(Text(note, style="dim"), (0, 0, 0, 2), expand=False)
            lines.append(_printed(real, width, indented))
        parts.append("\n".join(lines))
    return "\n\n".join(parts).rstrip()


def _printed(real: Console, width: int, what: RenderableType) -> str:
    """What the console prints within a width; what is wider, such as a table, is not cut."""
    stream = io.StringIO()
    Console(
        file=stream,
        width=_WIDE,
        force_terminal=real.is_terminal,
        color_system=real.color_system,  # type: ignore[arg-type]
        no_color=real.no_color,
    ).print(what, width=width)
    return stream.getvalue().rstrip("\n")


def _rich_table(table: Table, star: str) -> RichTable:
    rich = RichTable(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    rows = [[_rich(cell, star) for cell in row] for row in table.rows]
    for k, name in enumerate(table.columns):
        # A number is never cut: its column is at least as wide as its longest word. Nor is what
        # stands above numbers, or a short name.
        right = _align(table, k) == "right"
        words = [word for row in rows for word in row[k].plain.split()]
        longest = max(map(len, words + name.split() if right else words), default=0)
        rich.add_column(
            Text(visible(name)), justify="right" if right else "left", overflow="fold",
            min_width=longest if right or longest <= _SHORT else None,
        )  # fmt: skip
    groups = dict(table.groups)
    for k, row in enumerate(rows):
        if k in groups:
            if k:
                rich.add_section()
            rich.add_row(_HEADING)
        rich.add_row(*row)
    return rich


_STYLES = {MEASURED: "cyan", DERIVED: "italic"}


def _rich(cell: Cell, star: str) -> Text:
    """A cell's text; an interval has no blank inside, so that lines break before it."""
    if not isinstance(cell, Number):
        text = Text(_plain(cell))
    else:
        style = f"{_STYLES.get(cell.source, '')} {'bold' if cell.best else ''}".strip()
        sign = "=" if cell.source == DERIVED and cell.value is not None else ""
        text = Text((star if cell.best else "") + sign + cell.text, style=style)
        if cell.interval:
            text.append(" ").append(cell.interval.replace(", ", "–"), style="not bold dim")
    if marks := _marks(cell):
        text.append(f" ^{marks}")
    return text


# Markdown


def to_markdown(tables: Sequence[Table]) -> str:
    """Tables in GitHub's Markdown."""
    parts = []
    for table in tables:
        rows: list[list[str]] = []
        headings = dict(table.groups)
        for k, row in enumerate(table.rows):
            if k in headings:
                rows.append([f"**{_markdown(headings[k])}**", *[""] * (len(row) - 1)])
            rows.append([_markdown_cell(cell) for cell in row])
        parts.append(f"**{_markdown(table.title)}**")
        parts.append(
            tabulate(
                rows,
                [_markdown(name) for name in table.columns],
                "pipe",
                colalign=[_align(table, k) for k in range(len(table.columns))],
                disable_numparse=True,
            )
        )
        notes = [_markdown(note) for note in table.notes]
        notes += [f"<sup>{mark}</sup> {_markdown(note)}" for mark, note in table.footnotes]
        if notes:
            parts.append("\n".join(f"- {note}" for note in notes))
    return "\n\n".join(parts)


def _markdown_cell(cell: Cell) -> str:
    if isinstance(cell, Number):
        stars = ("**" if cell.best else "") + ("*" if cell.source == DERIVED else "")
        text = f"{stars}{cell.text}{stars} {cell.interval}".rstrip()
    else:
        text = _markdown(_plain(cell))
    marks = _marks(cell)
    return f"{text} <sup>{marks}</sup>" if marks else text


def _markdown(text: str) -> str:
    return re.sub(r"([\\`*_|<>\[~&$])", r"\\\1", visible(text))


# LaTeX


_PAGE = 335
"""Width of a line of LaTeX's article class, in points, less what widths are wrong by."""
_SIZES = (
    ("normalsize", 5.2, 12), ("small", 4.8, 6), ("footnotesize", 4.4, 6), ("scriptsize", 4.1, 6),
)  # fmt: skip
"""Sizes of type; about how wide a character and how wide the gap between columns is, in points."""
_TEXT_WIDTH = 28
"""Characters of a text column from which on its lines are broken."""
_HEADING_WIDTH = 10
"""Characters up to which the heading of a column of numbers is not broken."""


def to_latex(tables: Sequence[Table]) -> str:
    """Tables for LaTeX with the booktabs package, in the largest type in which they fit a page.

    Intervals of a table that fits in none stand below their numbers; where that is not enough it
    stands out to both sides.
    """
    return "% needs \\usepackage{booktabs}\n" + "\n\n".join(map(_latex_table, tables))


def _latex_table(table: Table) -> str:
    stacked = _latex_size(table, stacked=False) is None
    fitting = _latex_size(table, stacked)
    size, character, _ = fitting or _SIZES[-1]
    widths = [_latex_width(table, k, stacked) for k in range(len(table.columns))]
    broken = [_align(table, k) == "left" and width > _TEXT_WIDTH for k, width in enumerate(widths)]
    kinds = "".join(
        f"p{{{_TEXT_WIDTH * character:.0f}pt}}" if broken[k] else _align(table, k)[0]
        for k in range(len(widths))
    )
    lines = [f"\\begin{{tabular}}{{{kinds}}}", "\\toprule"]
    names = [
        _latex_heading(name, width) if _align(table, k) == "right" else _latex_text(name, broken[k])
        for k, (name, width) in enumerate(zip(table.columns, widths, strict=True))
    ]
    # A broken cell has another meaning for \\ than the end of a row.
    end = r" \tabularnewline" if any(broken) else r" \\"
    lines.append(" & ".join(names) + end)
    headings = dict(table.groups)
    for k, row in enumerate(table.rows):
        if k == 0 or k in headings:
            lines.append("\\midrule")
        if k in headings:
            long = len(visible(headings[k])) * character > _PAGE
            kind = f"p{{{_PAGE}pt}}" if long else "l"
            heading = _latex_text(headings[k], long)
            lines.append(f"\\multicolumn{{{len(row)}}}{{{kind}}}{{{heading}}}{end}")
        cells = [_latex_cell(cell, stacked, broken[c]) for c, cell in enumerate(row)]
        lines.append(" & ".join(cells) + end)
    lines += ["\\bottomrule", "\\end{tabular}"]
    notes = [_latex(note) for note in table.notes]
    notes += [f"\\textsuperscript{{{mark}}} {_latex(note)}" for mark, note in table.footnotes]
    return "\n".join(
        [
            "\\begin{table}",
            "\\centering",
            f"\\caption{{{_latex(table.title)}}}",
            *([f"\\{size}\\setlength{{\\tabcolsep}}{{3pt}}"] if size != _SIZES[0][0] else []),
            *(lines if fitting else ["\\makebox[\\linewidth]{%", *lines, "}"]),
            *(
                [f"\\par\\raggedright\\{'scriptsize' if stacked else 'footnotesize'}"]
                if notes
                else []
            ),
            *(f"{note}\\par" for note in notes),
            "\\end{table}",
        ]
    )


def _latex_size(table: Table, stacked: bool) -> tuple[str, float, int] | None:
    """The largest type in which the table fits a page; None where it fits in none."""
    widths = [
        min(_latex_width(table, k, stacked), _TEXT_WIDTH)
        if _align(table, k) == "left"
        else _latex_width(table, k, stacked)
        for k in range(len(table.columns))
    ]
    for size, character, gap in _SIZES:
        if sum(widths) * character + gap * len(widths) <= _PAGE:
            return size, character, gap
    return None


def _latex_width(table: Table, column: int, stacked: bool) -> int:
    """About how many characters wide a column is; the heading of numbers may be broken."""
    name = table.columns[column]
    heading = _broken(name, 1) if _align(table, column) == "right" else [name]
    cells = [_latex_length(row[column], stacked) for row in table.rows]
    return max([*map(len, heading), *cells], default=0)


def _latex_length(cell: Cell, stacked: bool) -> int:
    """About how many characters wide a cell is."""
    if not isinstance(cell, Number):
        return len(_plain(cell)) + len(_marks(cell))
    number, interval = len(cell.text) + len(cell.marks), len(cell.interval)
    if stacked:
        return max(number, round(0.85 * interval))
    return number + (interval + 1 if interval else 0)


def _latex_heading(name: str, width: int) -> str:
    """The heading of a column of numbers, in lines no longer than these."""
    return _latex_lines([_latex(line) for line in _broken(name, width)], "b")


def _broken(heading: str, width: int) -> list[str]:
    return textwrap.wrap(visible(heading), max(width, _HEADING_WIDTH), break_long_words=False)


def _latex_lines(lines: Sequence[str], at: str) -> str:
    """Lines one below the other, to the right, the top or the bottom one on the row's own line."""
    if len(lines) < 2:
        return "".join(lines)
    below = r" \\ ".join(lines)
    return f"\\begin{{tabular}}[{at}]{{@{{}}r@{{}}}}{below}\\end{{tabular}}"


def _latex_text(text: str, broken: bool) -> str:
    if not broken:
        return _latex(text)
    # A long word may be broken anywhere.
    words = re.sub(rf"(\S{{{_TEXT_WIDTH // 2}}})(?=\S)", rf"\1{_BREAK}", visible(text))
    return r"\raggedright " + _escaped(words)


def _latex_cell(cell: Cell, stacked: bool, broken: bool) -> str:
    if isinstance(cell, Number):
        text = _latex(cell.text.replace("-", "−"))
        if cell.source == DERIVED:
            text = f"\\textit{{{text}}}"
        if cell.best:
            text = f"\\textbf{{{text}}}"
    else:
        text = _latex_text(_plain(cell), broken)
    if marks := _marks(cell):
        text += f"\\textsuperscript{{{marks}}}"
    if not isinstance(cell, Number) or not cell.interval:
        return text
    interval = _latex(cell.interval)
    if stacked:
        return _latex_lines([text, f"{{\\tiny {interval}}}"], "t")
    return f"{text} {interval.removeprefix('{}')}"


_BREAK = "\N{ZERO WIDTH SPACE}"
"""Where a word may be broken; text of others has none, because it cannot be seen."""
_LATEX = {
    _BREAK: r"\hspace{0pt}",
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "–": "--", "—": "---", "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",
    "’": "'", "‘": "`", "“": "``", "”": "''", "…": r"\dots{}",
    "×": r"\ensuremath{\times}", "±": r"\ensuremath{\pm}", "−": r"\ensuremath{-}",
    "≤": r"\ensuremath{\le}", "≥": r"\ensuremath{\ge}", "µ": r"\ensuremath{\mu}",
    "°": r"\ensuremath{^\circ}", "ß": r"\ss{}", "æ": r"\ae{}", "Æ": r"\AE{}",
    "ø": r"\o{}", "Ø": r"\O{}", "ł": r"\l{}", "Ł": r"\L{}", "ı": r"\i{}",
} | {c: f"\\{c}" for c in "&%$#_{}"}  # fmt: skip
_ACCENTS = {
    "\u0300": "`", "\u0301": "'", "\u0302": "^", "\u0303": "~", "\u0304": "=", "\u0306": "u",
    "\u0307": ".", "\u0308": '"', "\u030a": "r", "\u030b": "H", "\u030c": "v", "\u0323": "d",
    "\u0327": "c",
}  # fmt: skip
"""What LaTeX calls a combining accent; with these it has every letter in its usual fonts."""


def _latex(text: str) -> str:
    """Text that LaTeX prints as it is; a character that no usual font has by its number."""
    return _escaped(visible(text))


def _escaped(text: str) -> str:
    # Two of these in a row, such as --, would be printed as one other character.
    apart = re.sub(r"([-`'?!,])(?=[-`'])", "\\1\0", text)
    escaped = "".join("{}" if c == "\0" else _latex_character(c) for c in apart)
    # After the end of a row or a rule these would be taken for an option.
    return "{}" + escaped if escaped[:1] in ("[", "*") else escaped


def _latex_character(character: str) -> str:
    if character in _LATEX:
        return _LATEX[character]
    if character.isascii():
        return character
    parts = unicodedata.normalize("NFD", character)
    if len(parts) == 2 and parts[0].isascii() and parts[1] in _ACCENTS:
        return f"\\{_ACCENTS[parts[1]]}{{{parts[0]}}}"
    return f"[U+{ord(character):04X}]"


# HTML

_BODY = """\
body { font-family: system-ui, sans-serif; margin: 1.5rem auto; max-width: 90rem; padding: 0 1rem;
  color: #1a1a1a; background: #fff; }
"""
TABLE_STYLE = """\
.table { overflow-x: auto; margin-bottom: 2.5rem; }
.table table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
.table caption { text-align: left; font-weight: 600; padding-bottom: .5rem; }
.table th, .table td { padding: .2rem .7rem .2rem 0; text-align: left; vertical-align: baseline; }
.table thead th { border-top: 2px solid; border-bottom: 1px solid; }
.table tbody { border-bottom: 1px solid; }
.table tbody:last-child { border-bottom-width: 2px; }
.table th.number, .table td.number { text-align: right; }
.table th.group { font-style: normal; font-weight: 600; padding-top: .4rem; }
.table td.measured { color: #0b5394; }
.table td.derived { font-style: italic; color: #4a4a4a; }
.table small { font-style: normal; font-weight: 400; color: #555; white-space: nowrap; }
.table sup { line-height: 0; }
.table p { margin: .25rem 0; font-size: .85rem; max-width: 60rem; color: #444; }
"""
"""How what :func:`to_html` gives looks, for the page that holds it."""


def to_page(tables: Sequence[Table]) -> str:
    """Tables as one HTML file that needs no other."""
    title = html.escape(visible(tables[0].title if len(tables) == 1 else "Tables"))
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>\n{_BODY}{TABLE_STYLE}</style>\n</head>\n<body>\n"
        f"{to_html(tables)}\n</body>\n</html>"
    )


def to_html(tables: Sequence[Table]) -> str:
    """Tables as a fragment of HTML: a ``div`` of class ``table`` each."""
    return "\n".join(map(_html_table, tables))


def _html_table(table: Table) -> str:
    lines = ['<div class="table">', "<table>", f"<caption>{_html(table.title)}</caption>"]
    head = "".join(
        f'<th scope="col" class="{"number" if _align(table, k) == "right" else "text"}">'
        f"{_html(name)}</th>"
        for k, name in enumerate(table.columns)
    )
    lines += [f"<thead><tr>{head}</tr></thead>", "<tbody>"]
    headings = dict(table.groups)
    for k, row in enumerate(table.rows):
        if k in headings:
            lines += ["</tbody>", "<tbody>"] if k else []
            lines.append(
                f'<tr><th class="group" scope="rowgroup" colspan="{len(row)}">'
                f"{_html(headings[k])}</th></tr>"
            )
        lines.append(f"<tr>{''.join(map(_html_cell, row))}</tr>")
    lines += ["</tbody>", "</table>"]
    lines += [f"<p>{_html(note)}</p>" for note in table.notes]
    lines += [f"<p><sup>{_html(mark)}</sup> {_html(note)}</p>" for mark, note in table.footnotes]
    return "\n".join([*lines, "</div>"])


def _html_cell(cell: Cell) -> str:
    marks = _marks(cell)
    mark = f"<sup>{_html(marks)}</sup>" if marks else ""
    if not isinstance(cell, Number):
        kind = ' class="number"' if isinstance(cell, int) else ""
        return f"<td{kind}>{_html(_plain(cell))}{mark}</td>"
    text = _html(cell.text)
    if cell.best:
        text = f"<strong>{text}</strong>"
    interval = f" <small>{_html(cell.interval)}</small>" if cell.interval else ""
    kind = f"number {cell.source}".strip()
    return f'<td class="{kind}">{text}{mark}{interval}</td>'


def _html(text: str) -> str:
    return html.escape(visible(text))
