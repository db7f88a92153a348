"""Tables as HTML."""

from __future__ import annotations

import html
from collections.abc import Sequence
from importlib.resources import files

from alignbench.exceptions import visible
from reports.tables.model import Cell, Number, Table, Text, plain

_BODY = """\
body { font: 16px/1.5 var(--sans); margin: 1.5rem auto; max-width: 80rem; padding: 0 1rem;
  color: var(--ink); background: var(--paper); }
h1 { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
"""
"""The heading is for screen readers: each table shows its own title."""
TABLE_STYLE = (files("reports.tables") / "table.css").read_text(encoding="utf-8")
"""The colours of a page, light and dark, and the style of the tables that :func:`to_html` gives."""


def to_page(tables: Sequence[Table]) -> str:
    """Tables as one HTML file that needs no other."""
    title = html.escape(visible(tables[0].title if len(tables) == 1 else "Tables"))
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>\n{TABLE_STYLE}{_BODY}</style>\n</head>\n<body>\n"
        f"<main>\n<h1>{title}</h1>\n{to_html(tables)}\n</main>\n</body>\n</html>"
    )


def to_html(tables: Sequence[Table]) -> str:
    """Tables as a fragment of HTML: a ``figure`` of class ``table`` each.

    A table that is wider than its place is scrolled sideways, with the keyboard too.
    """
    return "\n".join(map(_html_table, tables))


def _html_table(table: Table) -> str:
    title = _html(table.title)
    lines = [
        '<figure class="table">',
        f"<figcaption>{title}</figcaption>",
        f'<div class="scroll" role="region" aria-label="{title}" tabindex="0">',
        "<table>",
    ]
    sides = [table.align(k) for k in range(len(table.columns))]
    headings = "".join(map(_heading, table.columns, sides))
    lines.append(f"<thead><tr>{headings}</tr></thead>")
    # The first column of texts names the row.
    name = sides.index("left") if "left" in sides else None
    for group in table.groups:
        lines.append("<tbody>")
        if group.heading:
            span = f'scope="rowgroup" colspan="{len(table.columns)}"'
            lines.append(f'<tr><th class="group" {span}>{_html(group.heading)}</th></tr>')
        for row in group.rows:
            cells = (_cell(cell, table.marks(cell), k == name) for k, cell in enumerate(row))
            lines.append(f"<tr>{''.join(cells)}</tr>")
        lines.append("</tbody>")
    lines += ["</table>", "</div>"]
    lines += [f"<p>{_html(note)}</p>" for note in table.notes]
    lines += [f"<p><sup>{mark}</sup> {_html(note)}</p>" for note, mark in table.footnotes.items()]
    return "\n".join([*lines, "</figure>"])


def _heading(name: str, side: str) -> str:
    kind = "number" if side == "right" else "text"
    return f'<th scope="col" class="{kind}">{_html(name)}</th>'


def _cell(cell: Cell, marks: str, names_row: bool) -> str:
    mark = f"<sup>{marks}</sup>" if marks else ""
    if not isinstance(cell, Number):
        text = _html(plain(cell))
        if isinstance(cell, Text) and cell.link:
            text = f'<a href="{html.escape(cell.link)}">{text}</a>'
        if names_row:
            return f'<th scope="row">{text}{mark}</th>'
        kind = ' class="number"' if isinstance(cell, int) else ""
        return f"<td{kind}>{text}{mark}</td>"
    text = _html(cell.text)
    if cell.best:
        text = f"<strong>{text}</strong>"
    interval = f" <small>{_html(cell.interval)}</small>" if cell.interval else ""
    kind = f"number {cell.source}".strip()
    return f'<td class="{kind}">{text}{mark}{interval}</td>'


def _html(text: str) -> str:
    return html.escape(visible(text))
