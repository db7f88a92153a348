"""Tables for LaTeX with booktabs."""

from __future__ import annotations

import re
import textwrap
import unicodedata
from collections.abc import Sequence

from alignbench.errors import visible
from reports.tables.model import (
    DERIVED,
    Cell,
    Number,
    Table,
    align,
    marks_of,
    plain,
)

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
    broken = [align(table, k) == "left" and width > _TEXT_WIDTH for k, width in enumerate(widths)]
    kinds = "".join(
        f"p{{{_TEXT_WIDTH * character:.0f}pt}}" if broken[k] else align(table, k)[0]
        for k in range(len(widths))
    )
    lines = [f"\\begin{{tabular}}{{{kinds}}}", "\\toprule"]
    names = [
        _latex_heading(name, width) if align(table, k) == "right" else _latex_text(name, broken[k])
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
        if align(table, k) == "left"
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
    heading = _broken(name, 1) if align(table, column) == "right" else [name]
    cells = [_latex_length(row[column], stacked) for row in table.rows]
    return max([*map(len, heading), *cells], default=0)


def _latex_length(cell: Cell, stacked: bool) -> int:
    """About how many characters wide a cell is."""
    if not isinstance(cell, Number):
        return len(plain(cell)) + len(marks_of(cell))
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
        text = _latex_text(plain(cell), broken)
    if marks := marks_of(cell):
        text += f"\\textsuperscript{{{marks}}}"
    if not isinstance(cell, Number) or not cell.interval:
        return text
    interval = _latex(cell.interval.replace("-", "−"))
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
