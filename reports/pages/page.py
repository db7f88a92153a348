"""A self-contained page about runs on one data set.

What comes from outside (names of models, files and faces) is text: the template escapes it, and
the page's own policy forbids every request and every script but the one that belongs to it.
"""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup as Html

from alignbench import InputError, Measure, Run
from reports import audit, compare, summary
from reports.data import Root, require_one_dataset
from reports.figures import ced, landmarks, worst
from reports.figures.save import png, svg
from reports.labels import labels
from reports.tables import TABLE_STYLE, to_html

_ENVIRONMENT = Environment(
    loader=PackageLoader("reports.pages", "."),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True)
class Section:
    """A part of a page: its anchor, title, a line about it, and its content, which is HTML."""

    anchor: str
    title: str
    about: str
    content: Html


def document(title: str, about: str, sections: Sequence[Section]) -> str:
    """A whole HTML file of sections, with style and script inside."""
    script = _text("page.js").strip()
    digest = b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return _ENVIRONMENT.get_template("page.html").render(
        title=title,
        about=about,
        sections=sections,
        style=Html(_text("page.css") + TABLE_STYLE),
        script=Html(script),
        script_hash=f"sha256-{digest}",
    )


def report(
    runs: Sequence[Run],
    form: str = "html",
    measures: Sequence[Measure] | None = None,
    *,
    data_root: Root = None,
) -> str:
    """A whole HTML page of runs on one data set: tables, curves, faces, comparison, records.

    Raises
    ------
    InputError
        If another form or measures are asked for, or the runs are of different data sets.
    """
    if form != "html":
        raise InputError("format", f"{form} of a page", "html", "Or give --out a name in .html.")
    if measures:
        raise InputError("--measure", "a page has measures of its own", "with --table summary")
    return page(runs, data_root=data_root)


def page(runs: Sequence[Run], *, data_root: Root = None) -> str:
    """The report of runs on one data set and split.

    Parameters
    ----------
    data_root
        Where the images are, for the gallery; as :func:`alignbench.load_dataset` takes it. What
        needs images the page has not says why it is left out.

    Raises
    ------
    InputError
        If there is no run, or the runs are of different data sets or splits.
    """
    require_one_dataset(runs, "HTML report")
    dataset = runs[0].record.dataset
    numbers = sorted({run.record.dataset.faces for run in runs})
    faces = " to ".join(f"{number:,}" for number in dict.fromkeys([numbers[0], numbers[-1]]))
    complete = all(run.record.dataset.complete for run in runs)
    about = (
        f"{len(runs)} {'runs' if len(runs) > 1 else 'run'}, {faces} faces"
        f"{'' if complete else ', INCOMPLETE: see the notes'}; alignbench "
        f"{runs[0].record.alignbench}. Numbers are measured unless a table says published."
    )
    sections = [_summary(runs), _curves(runs)]
    if len(runs) > 1:
        sections.append(_comparison(runs))
    sections += [_landmarks(runs, data_root), _worst(runs, data_root), _audit(), _records(runs)]
    return document(f"{dataset.name} {dataset.split}", about, sections)


def _summary(runs: Sequence[Run]) -> Section:
    about = "Every subset, with 95 % intervals in brackets."
    return Section("summary", "Summary", about, Html(to_html(summary.tables(runs))))


def _curves(runs: Sequence[Run]) -> Section:
    figure = ced.figure(runs)
    for k, line in enumerate(figure.axes[0].lines[: len(runs)]):
        line.set_gid(f"curve-{k}")
    content = _render(
        """<figure>
<fieldset><legend>Curves shown</legend>
{% for name in names %}
<label><input type="checkbox" checked data-curve="curve-{{ loop.index0 }}"> {{ name }}</label>
{% endfor %}
</fieldset>
{{ plot }}
</figure>""",
        names=labels(runs),
        plot=Html(svg(figure)),
    )
    about = "The share of faces with at most an error; no grid, every face is a step."
    return Section("ced", "CED", about, content)


def _comparison(runs: Sequence[Run]) -> Section:
    about = "The same faces, pair by pair: which differences chance does not explain."
    try:
        content = Html(to_html(compare.tables(compare.compare(runs))))
    except InputError as error:
        content = _left_out(error)
    return Section("comparison", "Comparison", about, content)


def _landmarks(runs: Sequence[Run], data_root: Root) -> Section:
    try:
        uri = _svg_uri(svg(landmarks.figure(runs, data_root=data_root)))
        content = _picture(uri, "Error by landmark")
    except InputError as error:
        content = _left_out(error)
    return Section(
        "landmarks",
        "Error by landmark",
        "On the mean face; ellipses of one standard deviation where the truth is at hand.",
        content,
    )


def _worst(runs: Sequence[Run], data_root: Root) -> Section:
    parts = []
    for name, run in zip(labels(runs), runs, strict=True):
        parts.append(_render("<h3>{{ name }}</h3>", name=name))
        try:
            drawn = b64encode(png(worst.figure([run], data_root=data_root))).decode()
            parts.append(_picture(f"data:image/png;base64,{drawn}", f"Worst faces of {name}"))
        except InputError as error:
            parts.append(_left_out(error))
    return Section("worst", "Worst faces", "The largest errors of each run.", Html("").join(parts))


def _audit() -> Section:
    found = [one for one in audit.audit() if one.verdict != "ok"]
    about = "What arithmetic says of the tables published with PropNet; it is not about these runs."
    return Section("audit", "Audit of published tables", about, Html(to_html(audit.tables(found))))


def _records(runs: Sequence[Run]) -> Section:
    content = _render(
        """{% for name, record in records %}
<details><summary>{{ name }}</summary>
<pre>{{ record }}</pre>
</details>
{% endfor %}""",
        records=[
            (name, json.dumps(run.record.model_dump(mode="json"), indent=2))
            for name, run in zip(labels(runs), runs, strict=True)
        ],
    )
    return Section("records", "Records", "What was run, on what, how and when.", content)


def _svg_uri(text: str) -> str:
    """An SVG picture as an address that needs no file."""
    return "data:image/svg+xml;base64," + b64encode(text.encode()).decode()


def _picture(uri: str, described: str) -> Html:
    return _render(
        '<figure><img src="{{ uri }}" alt="{{ described }}"></figure>',
        uri=uri,
        described=described,
    )


def _left_out(error: InputError) -> Html:
    return _render('<p class="notes">Left out: {{ why }}</p>', why=str(error))


def _render(template: str, **values: object) -> Html:
    return Html(_ENVIRONMENT.from_string(template).render(**values))


def _text(name: str) -> str:
    return (files("reports.pages") / name).read_text(encoding="utf-8")
