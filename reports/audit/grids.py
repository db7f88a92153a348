"""Tables of Markdown, HTML and LaTeX files as grids of texts, with the words above them."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

from markdown_it import MarkdownIt
from pylatexenc.latex2text import LatexNodes2Text
from pylatexenc.latexwalker import (
    LatexEnvironmentNode,
    LatexMacroNode,
    LatexNode,
    LatexSpecialsNode,
    LatexWalker,
    get_default_latex_context_db,
)
from pylatexenc.macrospec import MacroSpec

from alignbench import InputError
from alignbench.io.files import require_regular

_RULES = re.compile(r"\\c(?:mid|)(?:rule|line)\s*(?:\([^)]*\))?\s*\{[^}]*\}")
_SPANS = ("multicolumn", "multirow")
_HEADLINE = re.compile(r"h[1-6]|p|summary|caption")
_MACROS = [
    MacroSpec("multicolumn", "{{{"), MacroSpec("multirow", "{[{[{"), MacroSpec("\\", "*["),
    MacroSpec("caption", "[{"), MacroSpec("tabularnewline", ""), MacroSpec("rowcolor", "[{"),
    MacroSpec("cellcolor", "[{"),
]  # fmt: skip


@dataclass
class Grid:
    """A table: the text above it, and its rows (R, C) of texts; a text that spans is repeated."""

    caption: str
    rows: list[list[str]]


def read_grids(file: Path) -> list[Grid]:
    """Every table of a file, in its order.

    Raises
    ------
    InputError
        If the file cannot be read, or has no table.
    """
    require_regular(file)
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(file, f"cannot be read ({error})", "text in UTF-8") from error
    if file.suffix.lower() == ".tex":
        grids = list(_of_latex(text))
    else:
        if file.suffix.lower() == ".md":
            text = MarkdownIt("commonmark", {"html": True}).enable("table").render(text)
        grids = list(_of_html(text))
    if not grids:
        raise InputError(file, "no table in it", "a table in LaTeX, Markdown or HTML")
    return grids


@dataclass
class _Cell:
    text: str
    across: int = 1
    down: int = 1


def _lay_out(lines: Iterable[list[_Cell]], *, gaps: bool) -> list[list[str]]:
    """Rows of the same length, in which a text stands at every place that its cell spans.

    Below a cell that spans rows, LaTeX has empty cells (``gaps``), HTML none. A cell that spans -2
    rows has its empty cell above.
    """
    rows: list[list[str]] = []
    hanging: dict[int, tuple[str, int]] = {}
    for line in lines:
        row: list[str] = []
        below: dict[int, tuple[str, int]] = {}
        cells = deque(line)
        while cells or (not gaps and len(row) in hanging):
            if len(row) in hanging and not (gaps and cells[0].text):
                text, left = hanging[len(row)]
                across = 1
                if gaps:
                    cells.popleft()
            else:
                cell = cells.popleft()
                text, across, left = cell.text, cell.across, cell.down
            for _ in range(across):
                if left > 1:
                    below[len(row)] = (text, left - 1)
                for upper in rows[left + 1 :] if left < -1 else ():
                    if len(row) < len(upper):
                        upper[len(row)] = upper[len(row)] or text
                row.append(text)
        rows.append(row)
        hanging = below
    width = max(map(len, rows), default=0)
    return [row + [""] * (width - len(row)) for row in rows]


def _clean(text: str) -> str:
    return " ".join(text.split())


def _span(written: str | None) -> int:
    """How many columns or rows a cell spans; 1 where it is not written as a number."""
    most = 1000  # as in browsers
    return min(int(written), most) if written and re.fullmatch("[1-9][0-9]{0,5}", written) else 1


class _Tables(HTMLParser):
    """Collects tables and the last headline or paragraph before each."""

    def __init__(self) -> None:
        super().__init__()
        self.grids: list[Grid] = []
        self._above = ""
        self._text: list[str] = []
        self._lines: list[list[_Cell]] | None = None
        self._inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        if tag == "table":
            self._lines = []
        elif tag == "tr" and self._lines is not None:
            self._lines.append([])
        elif tag in ("td", "th") and self._lines:
            across, down = (_span(attributes.get(name)) for name in ("colspan", "rowspan"))
            self._lines[-1].append(_Cell("", across, down))
            self._text = []
        elif _HEADLINE.fullmatch(tag):
            self._text = []
        elif tag == "br":
            self._text.append(" ")

    def handle_endtag(self, tag: str) -> None:
        if tag == "table" and self._lines is not None:
            rows = _lay_out([line for line in self._lines if line], gaps=False)
            self.grids.append(Grid(self._above, rows))
            self._lines = None
        elif tag in ("td", "th") and self._lines and self._lines[-1]:
            self._lines[-1][-1].text = _clean("".join(self._text))
        elif _HEADLINE.fullmatch(tag):
            self._above = _clean("".join(self._text)) or self._above

    def handle_data(self, data: str) -> None:
        self._text.append(data)


def _of_html(text: str) -> Iterator[Grid]:
    parser = _Tables()
    parser.feed(text)
    parser.close()
    yield from parser.grids


def _of_latex(text: str) -> Iterator[Grid]:
    context = get_default_latex_context_db()
    context.add_context_category("tables", macros=_MACROS, prepend=True)
    walker = LatexWalker(_RULES.sub("", text), latex_context=context)
    yield from _tabulars(walker.get_latex_nodes()[0], "")


def _tabulars(nodes: Iterable[LatexNode], caption: str) -> Iterator[Grid]:
    """Tables among nodes; the caption is that of the environment around them."""
    nodes = [node for node in nodes if node is not None]
    for node in nodes:
        if isinstance(node, LatexMacroNode) and node.macroname == "caption":
            caption = _plain(node.nodeargd.argnlist)
    for node in nodes:
        if not isinstance(node, LatexEnvironmentNode):
            inner = getattr(node, "nodelist", None) or []
            yield from _tabulars(inner, caption)
        elif re.fullmatch(r"(tabular\w?|longtable|tblr)\*?", node.environmentname):
            yield Grid(caption, _lay_out(_latex_lines(node.nodelist), gaps=True))
        else:
            yield from _tabulars(node.nodelist, caption)


def _latex_lines(nodes: Iterable[LatexNode]) -> Iterator[list[_Cell]]:
    line: list[list[LatexNode]] = [[]]
    for node in [*nodes, LatexMacroNode(macroname="\\")]:
        if isinstance(node, LatexMacroNode) and node.macroname in ("\\", "tabularnewline"):
            cells = [_latex_cell(content) for content in line]
            if any(cell.text for cell in cells):
                yield cells
            line = [[]]
        elif isinstance(node, LatexSpecialsNode) and node.specials_chars == "&":
            line.append([])
        else:
            line[-1].append(node)


def _latex_cell(nodes: list[LatexNode]) -> _Cell:
    across = down = 1
    span = next((n for n in nodes if isinstance(n, LatexMacroNode) and n.macroname in _SPANS), None)
    # A command that the file cuts off has no arguments.
    if span is not None and span.nodeargd is not None:
        first, *_, content = span.nodeargd.argnlist
        number = _plain([first])
        cell = _latex_cell(getattr(content, "nodelist", [content]))  # one may stand in the other
        across, down = cell.across, cell.down
        size = int(number) if re.fullmatch("-?[1-9][0-9]{0,2}", number) else 1
        if span.macroname == "multicolumn":
            across = max(size, 1)
        else:
            down = size
        return _Cell(cell.text, across, down)
    return _Cell(_plain(nodes), across, down)


def _plain(nodes: Iterable[LatexNode | None]) -> str:
    """The text of nodes, without citations and arrows."""
    there = [node for node in nodes if node is not None]
    text = LatexNodes2Text(math_mode="text").nodelist_to_text(there)
    return _clean(re.sub(r"<cit\.>|[↑↓]", "", text))
