"""A site of all runs: leaderboard, pages of runs and data sets, the paper's tables, figures."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, count
from pathlib import Path

from markupsafe import Markup as Html

from alignbench import InputError, Run, load_run
from alignbench.cli.options import FORMATS, Format
from alignbench.datasets.base import FULL
from alignbench.metrics import usual_measures
from alignbench.runs.record import RunRecord
from reports.data import Root, read_once
from reports.figures import ced
from reports.figures.style import save
from reports.pages import leaderboard, parts
from reports.pages.document import Link, Section, document, trust
from reports.pages.document import render as render_html
from reports.pages.report import page
from reports.pages.run_page import run_page
from reports.paper import NUMBERS
from reports.paper import tables as paper_tables
from reports.published import collection, ranking
from reports.tables import render, to_html

_MARK = ".alignbench-site"
"""A file of a site that lists its files: a folder is replaced only if it holds no others."""
_SHOWN = 6
"""How many runs of a data set its page shows: more curves could not be told apart."""
_RUNS = "runs"
_HOME = "index.html"
_ENDINGS = {form.value: ending for ending, form in FORMATS.items() if form is not Format.terminal}

Links = list[tuple[str, list[Link]]]
"""Lines of links, each with its title."""


@dataclass(frozen=True)
class _Shown:
    """The shown runs of a data set and split, the number of all, and the name of their files."""

    title: str
    runs: Sequence[Run]
    total: int
    stem: str


def build(
    stores: Sequence[str | Path],
    out: str | Path,
    *,
    data_root: Root = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> leaderboard.Board:
    """Make a site of the runs under some folders, and give its leaderboard.

    ``out`` gets ``index.html`` (the leaderboard), ``DATASET-SPLIT.html``, ``runs/`` (a page for
    each run, from its record and its metrics), ``tables/`` and ``figures/``. A site that is there
    already is replaced when the new one is complete. The runs on the page of a data set are read
    and checked whole; a damaged one is removed from the leaderboard too.

    Raises
    ------
    InputError
        If there is no finished run, or ``out`` holds a file that is no part of a site.
    """
    out = Path(out)
    _require_replaceable(out)
    board = leaderboard.read_board(*stores)
    if not board.entries:
        raise InputError(
            ", ".join(map(str, stores)), "no finished run is there", "a folder with runs",
            "`alignbench run` makes one.",
        )  # fmt: skip
    out.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=".site-", dir=out.parent))
    try:
        with read_once():
            board = _write_parts(board, draft, data_root, progress)
        _write(draft / _MARK, "\n".join(_files(draft)))
        draft.chmod(0o755)
        if out.exists():
            shutil.rmtree(out)
        draft.replace(out)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return board


def _write_parts(
    board: leaderboard.Board, draft: Path, data_root: Root, progress: Callable[[int, int], None]
) -> leaderboard.Board:
    """Write every page, table and figure; gives the board without damaged runs."""
    groups = leaderboard.boards(board)
    steps = len(groups) + len(NUMBERS)
    shown: list[_Shown] = []
    for title in groups:
        board, runs = _read_runs(board, title)
        if runs:
            total = len(leaderboard.boards(board)[title])
            stem = _stem(title.replace(" ", "-").replace(",", ""), {o.stem for o in shown})
            shown.append(_Shown(title, runs, total, stem))
            back = [Link("Leaderboard", _HOME)]
            _write(draft / f"{stem}.html", page(runs, data_root=data_root, back=back))
        progress(len(shown), steps)
    pages = _run_pages(board, shown, draft / _RUNS)
    figures = _figures(shown, draft / "figures")
    tables = _tables(shown, draft / "tables", lambda done: progress(len(groups) + done, steps))
    _write(draft / "index.html", _index(board, shown, pages, tables, figures))
    return board


def _read_runs(board: leaderboard.Board, title: str) -> tuple[leaderboard.Board, list[Run]]:
    """The first runs of a data set that can be read whole, and the board without damaged ones."""
    runs: list[Run] = []
    for entry in leaderboard.boards(board)[title]:
        if len(runs) == _SHOWN:
            break
        try:
            runs.append(load_run(entry.folder))
        except InputError as error:
            kept = tuple(one for one in board.entries if one is not entry)
            board = leaderboard.Board(kept, (*board.broken, str(error)))
    return board, runs


def _require_replaceable(out: Path) -> None:
    """Refuse a folder with a file that is no part of a former site."""
    if not out.exists():
        return
    if not out.is_dir():
        raise InputError(out, "is a file", "a new or empty folder, or a former site")
    mark = out / _MARK
    written = set(mark.read_text(encoding="utf-8").splitlines()) if mark.is_file() else set()
    if foreign := [name for name in _files(out) if name not in written and name != _MARK]:
        raise InputError(
            out, f"holds {foreign[0]}, which is no part of a site",
            "a new or empty folder, or a former site",
        )  # fmt: skip


def _files(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def _stem(name: str, taken: Container[str]) -> str:
    """A name of a file that is not taken, from the name of a data set, which may be any text."""
    plain = re.sub(r"[^a-z0-9_]+", "-", name.lower())[:100].strip("-") or "set"
    others = (f"{plain}-{k}" for k in count(2))
    return next(stem for stem in chain([plain], others) if stem not in taken)


def _run_pages(board: leaderboard.Board, shown: Sequence[_Shown], folder: Path) -> dict[Path, str]:
    """A page for each run; gives their addresses by the folder of the run."""
    folder.mkdir()
    sets = {one.title: Link(one.title, f"../{one.stem}.html") for one in shown}
    stems: dict[str, Path] = {}
    for entry in board.entries:
        record = entry.record
        stem = _stem(f"{record.model.name[:60]}-{record.key}", stems)
        stems[stem] = entry.folder
        back = [Link("Leaderboard", f"../{_HOME}"), sets[record.dataset.title]]
        _write(folder / f"{stem}.html", run_page(entry, back))
    return {place: f"{_RUNS}/{stem}.html" for stem, place in stems.items()}


def _figures(shown: Sequence[_Shown], folder: Path) -> Links:
    """CED of each data set; its page has the errors by landmark."""
    folder.mkdir()
    links: Links = []
    for one in shown:
        file = f"ced-{one.stem}.svg"
        save(ced.figure(one.runs), folder / file)
        links.append((f"CED on {one.title}", [Link("svg", f"figures/{file}")]))
    return links


def _tables(shown: Sequence[_Shown], folder: Path, progress: Callable[[int], None]) -> Links:
    """The paper's tables, published and measured, in every form.

    Table 8 has published rows alone: to count the operations of networks takes longer than all
    the rest of a site.
    """
    folder.mkdir()
    links: Links = []
    runs = [run for one in shown for run in one.runs]
    for done, number in enumerate(NUMBERS, start=1):
        table = paper_tables(number, runs if number != 8 else ())
        files = []
        for form, ending in _ENDINGS.items():
            _write(folder / f"table{number}{ending}", render(table, form))
            files.append(Link(form, f"tables/table{number}{ending}"))
        links.append((f"Table {number}, {table[0].title.partition(' (')[0]}", files))
        progress(done)
    return links


def _index(
    board: leaderboard.Board,
    shown: Sequence[_Shown],
    pages: Mapping[Path, str],
    tables: Links,
    figures: Links,
) -> str:
    about = (
        "Complete runs by AUC, to which a missed face adds nothing. The intervals are below the "
        "numbers. Boxes may reveal something about the ground truth: see the column Leak."
    )
    sections = [
        Section("leaderboard", "Leaderboard", about, _boards(board, shown, pages)),
        Section("tables", "Tables of the PropNet paper", "", _links(tables)),
        Section("figures", "Figures", "", _links(figures)),
    ]
    if board.broken:
        broken: Links = [(line, []) for line in board.broken]
        sections.insert(1, Section("broken", "Runs that could not be read", "", _links(broken)))
    size = len(board.entries)
    about = f"{size:,} finished {'runs' if size != 1 else 'run'}"
    return document(
        "alignbench", f"{about}. Numbers are measured unless they say published.", sections
    )


def _boards(board: leaderboard.Board, shown: Sequence[_Shown], pages: Mapping[Path, str]) -> Html:
    """A table for each data set, with a link to its page; notes are folded."""
    parts_of = []
    groups = leaderboard.boards(board)
    for one, table in zip(shown, leaderboard.tables(board, pages), strict=True):
        best = "" if len(one.runs) == one.total else f", of the best {len(one.runs)} runs"
        what = "curves, comparison" if one.total > 1 else "curve"
        parts_of.append(
            render_html(
                """<div class="set">
{{ table }}
<p><a href="{{ stem }}.html">{{ title }}: {{ what }}, errors by landmark, worst faces
{{- best }}</a></p>
{{ notes }}
{{ published }}
</div>""",
                table=trust(to_html([replace(table, notes=())])),
                stem=one.stem,
                title=one.title,
                what=what,
                best=best,
                notes=parts.notes(table.notes),
                published=_published(groups[one.title][0].record),
            )
        )
    return render_html('<div class="board">\n{{ sets }}\n</div>', sets=Html("\n").join(parts_of))


def _published(record: RunRecord) -> Html:
    """What is published of a run's data set, folded: a table of its own, of the same measures."""
    dataset = record.dataset
    norm, measures = dataset.normalisers[0], usual_measures(dataset.threshold)
    cells = [
        cell
        for cell in collection()
        if (cell.dataset, cell.normaliser, cell.subset) == (dataset.title, norm, FULL)
    ]
    table = ranking(cells, measures)
    if table is None:
        return Html("")
    return render_html(
        """<details class="published">
<summary>Published numbers of {{ methods }} methods, {{ norm }}</summary>
{{ table }}
{{ notes }}
</details>""",
        methods=len(table.rows),
        norm=norm.replace("_", "-"),
        table=trust(to_html([replace(table, notes=())])),
        notes=parts.notes(table.notes),
    )


def _links(entries: Links) -> Html:
    return render_html(
        """<ul class="links">
{% for title, links in entries %}
<li>{{ title }}{% if links %}: {% endif %}
{% for link in links %}<a href="{{ link.address }}">{{ link.text }}</a>
{% endfor %}</li>
{% endfor %}
</ul>""",
        entries=entries,
    )


def _write(path: Path, text: str) -> None:
    path.write_text(text.rstrip("\n") + "\n", encoding="utf-8")
