"""The HTML report: a page about runs on one data set, which asks the network for nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from markupsafe import Markup as Html

from alignbench import InputError, Measure, Run
from alignbench.datasets.base import FULL
from alignbench.metrics import default_measures, usual_measures
from reports import audit, compare
from reports.audit.reading import paper_files, read
from reports.compare.comparison import best_first, smaller_is_better
from reports.data import Root, read_once, require_one_dataset
from reports.figures import ced, landmarks, style
from reports.labels import box_text, interval_note, labels
from reports.pages import gallery, parts
from reports.pages.document import Link, Section, data_uri, document, fold, render, trust
from reports.summary import run_notes
from reports.tables import Number, Row, Table, to_html

_PLOT = (4.8, 3.5)
"""Inches of the CED plot: so small that its letters can be read on a phone."""


def page(runs: Sequence[Run], *, data_root: Root = None, back: Sequence[Link] = ()) -> str:
    """The report of runs on one data set and split.

    Parameters
    ----------
    data_root
        Where the images are, for the gallery; as :func:`alignbench.load_dataset` takes it. A part
        that needs images that are not there says why it is left out.
    back
        Links above the title, to other pages of a site.

    Raises
    ------
    InputError
        If there is no run, or the runs are of different data sets or splits.
    """
    require_one_dataset(runs, "HTML report")
    title = runs[0].record.dataset.title
    if len(runs) == 1:
        title = f"{labels(runs)[0]} on {title}"
    versions = dict.fromkeys(run.record.alignbench for run in runs)
    what = "One run" if len(runs) == 1 else f"{len(runs)} runs"
    sections = [_summary(runs)]
    if len(runs) > 1:
        sections.append(_comparison(runs))
    with read_once():
        sections += [_landmarks(runs, data_root), _worst(runs, data_root)]
    sections += _audit(runs[0])
    sections.append(_records(runs))
    about = f"{what}, measured with alignbench {', '.join(versions)}."
    return document(title, about, sections, back)


def _summary(runs: Sequence[Run]) -> Section:
    """Key numbers, warnings, the table beside the curves, subsets; further tables folded."""
    norm, *others = runs[0].record.dataset.normalisers
    measures = _measures(runs, norm)
    beside = render(
        '<div class="beside">\n<div>{{ table }}</div>\n{{ plot }}\n</div>',
        table=_to_html([_table(runs, norm)]),
        plot=_curves(runs),
    )
    content = [_cards(runs, norm), parts.warning_box(_warnings(runs, measures)), beside]
    content.append(_by_subset(runs, norm))
    content += [
        fold(f"Errors divided by the {style.unit(other)}", _to_html([_table(runs, other)]))
        for other in others
    ]
    notes = [[interval_note(r.record, measures), *run_notes(r, measures)] for r in runs]
    content.append(parts.notes(parts.by_model(labels(runs), notes)))
    about = f"Errors are divided by the {style.unit(norm)}. The interval is below each number."
    if any(_comparable(runs, measure) for measure in measures):
        about += " The best number of each column is bold."
    return Section("summary", "Summary", about, Html("\n").join(content))


def _measures(runs: Sequence[Run], norm: str) -> list[Measure]:
    """NME, FR and AUC at the data set's threshold, and other measures that runs were made for."""
    usual = usual_measures(runs[0].record.dataset.threshold)
    stored = [measure for run in runs for measure in run.measures]
    further = [measure for measure in stored if measure not in default_measures()]
    shown = [m for m in (*usual, *further) if m.normaliser in (None, norm)]
    return list(dict.fromkeys(measure.with_normaliser(norm) for measure in shown))


def _comparable(runs: Sequence[Run], measure: Measure) -> bool:
    """Whether all runs have a measure over the same faces, so that one of them can be the best."""
    if len(runs) < 2 or len({run.record.dataset.fingerprint for run in runs}) > 1:
        return False
    try:
        leaves_out_missed = np.isnan(measure.per_face(np.array([np.inf]))).any()
    except InputError:  # Its package is not installed: which way is better is not known.
        return False
    return not leaves_out_missed or not any(run.record.missed for run in runs)


def _best(runs: Sequence[Run], measure: Measure, subset: str) -> list[int]:
    """Which runs have the best number as it is printed; none if they are not comparable."""
    if not _comparable(runs, measure) or not all(subset in run.subsets for run in runs):
        return []
    values = [run.row(measure, subset).value for run in runs]
    known = [value for value in values if value is not None]
    if not known:
        return []
    best = f"{known[best_first(measure, known)[0]]:.{measure.digits}f}"
    printed = [None if v is None else f"{v:.{measure.digits}f}" for v in values]
    return [k for k, text in enumerate(printed) if text == best]


def _cards(runs: Sequence[Run], norm: str) -> Html:
    """NME, FR, AUC and faces: of the only run, or the best of several with its model."""
    names, shown = labels(runs), []
    for usual in usual_measures(runs[0].record.dataset.threshold):
        measure = usual.with_normaliser(norm)
        if len(runs) == 1:
            shown.append(parts.measure_card(measure, runs[0].row(measure), runs[0].record))
        for best in _best(runs, measure, FULL)[:1]:
            which = "Lowest" if smaller_is_better(measure) else "Highest"
            run = runs[best]
            card = parts.measure_card(measure, run.row(measure), run.record, names[best])
            shown.append(replace(card, title=f"{which} {card.title}"))
    return parts.cards([*shown, parts.faces_card([run.record for run in runs])])


def _warnings(runs: Sequence[Run], measures: Sequence[Measure]) -> list[str]:
    """What a reader must not overlook."""
    lines = []
    if len({run.record.dataset.fingerprint for run in runs}) > 1:
        lines.append("The runs are over different faces: their numbers cannot be compared.")
    if len({(box_text(run.record), run.record.protocol.leak) for run in runs}) > 1:
        lines.append("The runs differ in their boxes: see the notes.")
    of_runs = [parts.warnings(run.record, measures) for run in runs]
    return lines + parts.by_model(labels(runs), of_runs)


def _table(runs: Sequence[Run], norm: str) -> Table:
    """For one run, a row for each subset; for several, a row for each run on the whole set."""
    measures = _measures(runs, norm)
    if len(runs) == 1:
        title, heading = "Results by subset", "Subset"
        shown = [(subset, runs[0], subset) for subset in runs[0].subsets]
    else:
        title, heading = "Results by model", "Model"
        shown = [(name, run, FULL) for name, run in zip(labels(runs), runs, strict=True)]
    if norm != runs[0].record.dataset.normalisers[0]:
        title += f", divided by the {style.unit(norm)}"
    best = [_best(runs, measure, FULL) for measure in measures]
    rows: list[Row] = []
    for k, (name, run, subset) in enumerate(shown):
        numbers = [
            _number(run, measure, subset, best=k in firsts)
            for measure, firsts in zip(measures, best, strict=True)
        ]
        rows.append((name, int(run.members(subset).sum()), *numbers))
    columns = (heading, "Faces", *(measure.heading for measure in measures))
    if len(runs) > 1 and len({row[1] for row in rows}) == 1:  # It stands among the key numbers.
        columns, rows = (columns[0], *columns[2:]), [(row[0], *row[2:]) for row in rows]
    return Table.of_rows(title, columns, rows)


def _by_subset(runs: Sequence[Run], norm: str) -> Html:
    """For several runs, tables as papers print them: one for each measure, subsets in columns."""
    subsets = list(dict.fromkeys(name for run in runs for name in run.subsets))
    if len(runs) == 1 or len(subsets) == 1:
        return Html()
    tables = []
    for measure in _measures(runs, norm):
        best = [_best(runs, measure, subset) for subset in subsets]
        rows: list[Row] = []
        for k, (name, run) in enumerate(zip(labels(runs), runs, strict=True)):
            numbers = [
                _number(run, measure, subset, best=k in firsts)
                if subset in run.subsets
                else Number(None)
                for subset, firsts in zip(subsets, best, strict=True)
            ]
            rows.append((name, *numbers))
        tables.append(Table.of_rows(f"{measure.heading} by subset", ("Model", *subsets), rows))
    first, *others = tables
    folded = fold("The other measures by subset", _to_html(others))
    return Html("\n").join([_to_html([first]), folded])


def _number(run: Run, measure: Measure, subset: str, *, best: bool) -> Number:
    row = run.row(measure, subset)
    return Number(row.value, measure.digits, row.ci_low, row.ci_high, best=best)


def _curves(runs: Sequence[Run]) -> Html:
    """The CED plot. Its legend has check boxes that hide curves."""
    figure = ced.figure(runs)
    for legend in figure.legends:
        legend.remove()
    axes = figure.axes[0]
    axes.set_title("", loc="left")
    for k, line in enumerate(axes.lines[: len(runs)]):
        line.set_gid(f"curve-{k}")
    figure.set_size_inches(_PLOT)
    plot = style.svg(figure, f"CED of {', '.join(labels(runs))}: the summary has the numbers.")
    looks = re.findall(r'<g id="curve-\d+">\s*<path [^>]*?style="([^"]*)"', plot)
    return render(
        """<figure class="plot" id="ced">
<figcaption>CED: share of faces with at most this error</figcaption>
{{ plot }}
<fieldset><legend>Curves shown</legend>
{% for name, look in curves %}
<label><input type="checkbox" checked data-curve="curve-{{ loop.index0 }}">
<svg class="swatch" viewBox="0 0 32 12" aria-hidden="true">
<path d="M0 6H32" style="{{ look }}"/></svg>
{{ name }}</label>
{% endfor %}
</fieldset>
</figure>""",
        curves=list(zip(labels(runs), looks, strict=True)),
        plot=trust(plot),
    )


def _comparison(runs: Sequence[Run]) -> Section:
    """The first table of each subset says which runs differ; what follows it is folded."""

    def content() -> Html:
        comparison = compare.compare(runs)
        tables = compare.tables(comparison)
        size = len(tables) // (len(comparison.subsets) if len(runs) > 2 else 1)
        first, *others = (tables[k : k + size] for k in range(0, len(tables), size))
        shown = [_to_html(first[:1]), fold("Each with each, and face by face", _to_html(first[1:]))]
        if others:
            shown.append(fold("Every other subset", Html("\n").join(map(_to_html, others))))
        notes = [note for table in tables for note in (*table.notes, *table.footnotes)]
        return Html("\n").join([*shown, parts.notes(notes)])

    about = "Differences on the same faces, and whether chance explains them."
    return Section("comparison", "Comparison", about, _or_reason(content))


def _landmarks(runs: Sequence[Run], data_root: Root) -> Section:
    def content() -> Html:
        figures = landmarks.panels(runs, data_root=data_root)
        drawn = [style.encode(figure, ".svg", live_text=True) for figure in figures]
        images = [data_uri("svg+xml", one) for one in drawn]
        return render(
            """<div class="maps">
{% for name, image in maps %}
<figure><figcaption>{{ name }}</figcaption>
<img src="{{ image }}" alt="Error of each landmark of {{ name }} on the mean face"></figure>
{% endfor %}
</div>""",
            maps=list(zip(labels(runs), images, strict=True)),
        )

    about = (
        "On the mean face, on one scale for all runs. If the truth is known, white dots are the "
        "mean true face, and ellipses are one standard deviation of the error about its mean."
    )
    return Section("landmarks", "Error by landmark", about, _or_reason(content))


def _worst(runs: Sequence[Run], data_root: Root) -> Section:
    def content(run: Run) -> Html:
        faces = [
            (face, data_uri("webp", face.image)) for face in gallery.worst_faces(run, data_root)
        ]
        return render(
            """<ul class="faces">
{% for face, image in faces %}
<li><figure><img src="{{ image }}" width="{{ side }}" height="{{ side }}" alt="">
<figcaption><b>{{ face.error }}</b> {{ face.name }}{% if face.subsets %}<br>
{{ face.subsets | join(", ") }}{% endif %}</figcaption></figure></li>
{% endfor %}
</ul>""",
            faces=faces,
            side=gallery.SIDE,
        )

    about = (
        f"The {gallery.FACES} largest errors of each run, missed faces first. Dots: predicted "
        "landmarks; lines lead to the true ones."
    )
    galleries = [_or_reason(partial(content, run)) for run in runs]
    if len(set(galleries)) == 1:  # One run, or no image for any.
        return Section("worst", "Worst faces", about, galleries[0])
    folded = [
        fold(name, one, shown=k == 0)
        for k, (name, one) in enumerate(zip(labels(runs), galleries, strict=True))
    ]
    return Section("worst", "Worst faces", about, Html("\n").join(folded))


def _audit(run: Run) -> list[Section]:
    """What arithmetic forbids in the published numbers of this data set, if there are any."""
    dataset = f"{run.record.dataset.name} {run.record.dataset.split}"
    cells = (cell for file in paper_files() for cell in read(file, "", "").cells)
    chosen = {(c.table, c.row, c.column) for c in cells if c.dataset == dataset}
    findings = [f for f in audit.audit() if (f.table, f.row, f.column) in chosen]
    if not findings:
        return []
    wrong = sum(finding.verdict != "ok" for finding in findings)
    title = f"{wrong} of {len(findings)} checks found something"
    content = fold(title, trust(to_html(audit.tables(findings))))
    about = (
        f"What arithmetic forbids in the numbers that the PropNet paper prints for {dataset}. It "
        "says nothing about these runs."
    )
    return [Section("audit", "Audit of published numbers", about, content)]


def _records(runs: Sequence[Run]) -> Section:
    contents = [parts.facts(run.record) + parts.record_text(run.record) for run in runs]
    content = contents[0]
    if len(runs) > 1:
        folded = (fold(name, one) for name, one in zip(labels(runs), contents, strict=True))
        content = Html("\n").join(folded)
    return Section("records", "How the runs were made", "", content)


def _to_html(tables: Sequence[Table]) -> Html:
    """Tables without their notes, which the page shows once."""
    return trust(to_html([replace(table, notes=()) for table in tables]))


def _or_reason(make: Callable[[], Html]) -> Html:
    """A part of a page, or the reason why it is left out."""
    try:
        return make()
    except InputError as error:
        return render('<p class="left-out">Left out: {{ reason }}</p>', reason=str(error))
