"""Tables as HTML."""

from __future__ import annotations

import html
from collections.abc import Sequence

from alignbench.exceptions import visible
from reports.tables.model import Cell, Number, Table, plain

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
"""The style of the tables that :func:`to_html` gives, for the page that holds them."""


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
    head = ""
    for k, name in enumerate(table.columns):
        kind = "number" if table.align(k) == "right" else "text"
        head += f'<th scope="col" class="{kind}">{_html(name)}</th>'
    lines.append(f"<thead><tr>{head}</tr></thead>")
    for group in table.groups:
        lines.append("<tbody>")
        if group.heading:
            span = f'scope="rowgroup" colspan="{len(table.columns)}"'
            lines.append(f'<tr><th class="group" {span}>{_html(group.heading)}</th></tr>')
        lines += [
            f"<tr>{''.join(_html_cell(cell, table.marks(cell)) for cell in row)}</tr>"
            for row in group.rows
        ]
        lines.append("</tbody>")
    lines.append("</table>")
    lines += [f"<p>{_html(note)}</p>" for note in table.notes]
    lines += [f"<p><sup>{mark}</sup> {_html(note)}</p>" for note, mark in table.footnotes.items()]
    return "\n".join([*lines, "</div>"])


def _html_cell(cell: Cell, marks: str) -> str:
    mark = f"<sup>{marks}</sup>" if marks else ""
    if not isinstance(cell, Number):
        kind = ' class="number"' if isinstance(cell, int) else ""
        return f"<td{kind}>{_html(plain(cell))}{mark}</td>"
    text = _html(cell.text)
    if cell.best:
        text = f"<strong>{text}</strong>"
    interval = f" <small>{_html(cell.interval)}</small>" if cell.interval else ""
    kind = f"number {cell.source}".strip()
    return f'<td class="{kind}">{text}{mark}{interval}</td>'


def _html(text: str) -> str:
    return html.escape(visible(text))
