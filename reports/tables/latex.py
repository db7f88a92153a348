"""Tables for LaTeX with booktabs."""

from __future__ import annotations

import re
import textwrap
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

from alignbench.exceptions import visible
from reports.tables.model import DERIVED, Cell, Number, Table, plain

_PAGE = 335
"""Width of a line of LaTeX's article class in points, less a margin for estimated widths."""


class _Size(NamedTuple):
    """A size of type: about how wide a character and the gap between columns are, in points."""

    name: str
    character: float
    gap: int


_SIZES = (
    _Size("normalsize", 5.2, 12), _Size("small", 4.8, 6), _Size("footnotesize", 4.4, 6),
    _Size("scriptsize", 4.1, 6),
)  # fmt: skip
_TEXT_WIDTH = 28
"""Characters of a text column from which on its lines are broken."""
_HEADING_WIDTH = 10
"""Characters up to which the heading of a column of numbers is not broken."""


def to_latex(tables: Sequence[Table]) -> str:
    """Tables for LaTeX with the booktabs package, in the largest type in which they fit a page.

    If a table fits in no type, its intervals stand below their numbers. If it still does not fit,
    it extends into both margins.
    """
    return "% needs \\usepackage{booktabs}\n" + "\n\n".join(map(_latex_table, tables))


def _latex_table(table: Table) -> str:
    for stacked in (False, True):
        widths = [_width(table, k, stacked) for k in range(len(table.columns))]
        if fitting := _fitting_size(table, widths):
            break
    size = fitting or _SIZES[-1]
    body = _tabular(table, widths, size, stacked)
    notes = [_latex(note) for note in table.notes]
    notes += [f"\\textsuperscript{{{m}}} {_latex(note)}" for note, m in table.footnotes.items()]
    lines = ["\\begin{table}", "\\centering", f"\\caption{{{_latex(table.title)}}}"]
    if size != _SIZES[0]:
        lines.append(f"\\{size.name}\\setlength{{\\tabcolsep}}{{3pt}}")
    lines += body if fitting else ["\\makebox[\\linewidth]{%", *body, "}"]
    if notes:
        lines.append(f"\\par\\raggedright\\{'scriptsize' if stacked else 'footnotesize'}")
    return "\n".join([*lines, *(f"{note}\\par" for note in notes), "\\end{table}"])


def _tabular(table: Table, widths: Sequence[int], size: _Size, stacked: bool) -> list[str]:
    """The lines of the table's tabular environment."""
    places = range(len(table.columns))
    broken = [table.align(k) == "left" and widths[k] > _TEXT_WIDTH for k in places]
    kinds = "".join(
        f"p{{{_TEXT_WIDTH * size.character:.0f}pt}}" if broken[k] else table.align(k)[0]
        for k in places
    )
    names = []
    for k, name in enumerate(table.columns):
        if table.align(k) == "right":
            lines = [_latex(line) for line in _break_heading(name, widths[k])]
            names.append(_latex_lines(lines, "b"))
        else:
            names.append(_latex_text(name, broken[k]))
    # In a broken cell \\ is the end of a line, not of a row.
    end = r" \tabularnewline" if any(broken) else r" \\"
    lines = [f"\\begin{{tabular}}{{{kinds}}}", "\\toprule", " & ".join(names) + end]
    for group in table.groups:
        lines.append("\\midrule")
        if group.heading:
            long = len(visible(group.heading)) * size.character > _PAGE
            kind = f"p{{{_PAGE}pt}}" if long else "l"
            heading = _latex_text(group.heading, long)
            lines.append(f"\\multicolumn{{{len(places)}}}{{{kind}}}{{{heading}}}{end}")
        for row in group.rows:
            cells = [
                _latex_cell(cell, table.marks(cell), stacked=stacked, broken=broken[k])
                for k, cell in enumerate(row)
            ]
            lines.append(" & ".join(cells) + end)
    return [*lines, "\\bottomrule", "\\end{tabular}"]


def _fitting_size(table: Table, widths: Sequence[int]) -> _Size | None:
    """The largest type in which the table fits a page; None where it fits in none."""
    left = [table.align(k) == "left" for k in range(len(widths))]
    total = sum(min(w, _TEXT_WIDTH) if text else w for w, text in zip(widths, left, strict=True))
    fitting = (s for s in _SIZES if total * s.character + s.gap * len(widths) <= _PAGE)
    return next(fitting, None)


def _width(table: Table, column: int, stacked: bool) -> int:
    """About how many characters wide a column is; the heading of numbers may be broken."""
    name = table.columns[column]
    heading = _break_heading(name, 1) if table.align(column) == "right" else [name]
    cells = [_length(row[column], len(table.marks(row[column])), stacked) for row in table.rows]
    return max([*map(len, heading), *cells], default=0)


def _length(cell: Cell, marks: int, stacked: bool) -> int:
    """About how many characters wide a cell is."""
    if not isinstance(cell, Number):
        return len(plain(cell)) + marks
    number, interval = len(cell.text) + marks, len(cell.interval)
    if stacked:
        return max(number, round(0.85 * interval))
    return number + (interval + 1 if interval else 0)


def _break_heading(heading: str, width: int) -> list[str]:
    """The heading of a column of numbers in lines of about this width."""
    return textwrap.wrap(visible(heading), max(width, _HEADING_WIDTH), break_long_words=False)


def _latex_lines(lines: Sequence[str], at: str) -> str:
    """Lines below each other, aligned to the right; the top or the bottom one is in the row."""
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


def _latex_cell(cell: Cell, marks: str, *, stacked: bool, broken: bool) -> str:
    if isinstance(cell, Number):
        text = _latex(cell.text.replace("-", "−"))
        if cell.source == DERIVED:
            text = f"\\textit{{{text}}}"
        if cell.best:
            text = f"\\textbf{{{text}}}"
    else:
        text = _latex_text(plain(cell), broken)
    if marks:
        text += f"\\textsuperscript{{{marks}}}"
    if not isinstance(cell, Number) or not cell.interval:
        return text
    interval = _latex(cell.interval.replace("-", "−"))
    if stacked:
        return _latex_lines([text, f"{{\\tiny {interval}}}"], "t")
    return f"{text} {interval.removeprefix('{}')}"


_BREAK = "\N{ZERO WIDTH SPACE}"
"""Where a word may be broken. Text from outside has none: ``visible`` spells it out."""
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
"""LaTeX's command for each combining accent that its usual fonts have."""


def _latex(text: str) -> str:
    """Text that LaTeX prints as it is; a character that its usual fonts lack by its number."""
    return _escaped(visible(text))


def _escaped(text: str) -> str:
    # LaTeX prints two of these in a row, such as --, as one other character.
    apart = re.sub(r"([-`'?!,])(?=[-`'])", "\\1\0", text)
    escaped = "".join("{}" if c == "\0" else _latex_character(c) for c in apart)
    # After the end of a row or a rule LaTeX takes these for an option.
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
