"""The HTML report: a page about runs on one data set, which asks the network for nothing.

Names of models, files and faces come from outside: the template escapes them. The page's content
security policy forbids every request, and every script but its own.
"""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup as Html

from alignbench import InputError, Run
from reports import audit, compare, summary
from reports.data import Root, require_one_dataset
from reports.figures import ced, landmarks, worst
from reports.figures.style import encode, svg
from reports.labels import labels
from reports.tables import TABLE_STYLE, to_html

_ENVIRONMENT = Environment(
    loader=PackageLoader("reports.pages", "."), autoescape=True, undefined=StrictUndefined,
    trim_blocks=True, lstrip_blocks=True,
)  # fmt: skip


@dataclass(frozen=True)
class Section:
    """A part of a page: its anchor, title, a line about it, and its content as HTML."""

    anchor: str
    title: str
    about: str
    content: Html


def document(title: str, about: str, sections: Sequence[Section]) -> str:
    """A whole HTML file of sections, with its style and its script inside."""
    script = _text("page.js").strip()
    digest = b64encode(hashlib.sha256(script.encode()).digest()).decode()
    style = Html(_text("page.css") + TABLE_STYLE)
    return _ENVIRONMENT.get_template("page.html").render(
        title=title, about=about, sections=sections, style=style, script=Html(script),
        script_hash=f"sha256-{digest}",
    )  # fmt: skip


def page(runs: Sequence[Run], *, data_root: Root = None) -> str:
    """The report of runs on one data set and split.

    Parameters
    ----------
    data_root
        Where the images are, for the gallery; as :func:`alignbench.load_dataset` takes it. A part
        that needs images that are not there says why it is left out.

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
    return document(dataset.title, about, sections)


def _summary(runs: Sequence[Run]) -> Section:
    about = "Every subset, with intervals in brackets."
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
    about = "The share of faces with at most this error. Every face is a step: there is no grid."
    return Section("ced", "CED", about, content)


def _comparison(runs: Sequence[Run]) -> Section:
    about = "Differences on the same faces, and whether chance explains them."
    content = _or_reason(lambda: Html(to_html(compare.tables(compare.compare(runs)))))
    return Section("comparison", "Comparison", about, content)


def _landmarks(runs: Sequence[Run], data_root: Root) -> Section:
    title = "Error by landmark"

    def picture() -> Html:
        drawing = landmarks.figure(runs, data_root=data_root)
        return _picture("svg+xml", svg(drawing).encode(), title)

    about = "On the mean face, with ellipses of one standard deviation if the truth is known."
    return Section("landmarks", title, about, _or_reason(picture))


def _worst(runs: Sequence[Run], data_root: Root) -> Section:
    def picture(name: str, run: Run) -> Html:
        drawing = worst.figure([run], data_root=data_root)
        return _picture("png", encode(drawing, ".png"), f"Worst faces of {name}")

    parts = []
    for name, run in zip(labels(runs), runs, strict=True):
        parts.append(_render("<h3>{{ name }}</h3>", name=name))
        parts.append(_or_reason(partial(picture, name, run)))
    return Section("worst", "Worst faces", "The largest errors of each run.", Html("").join(parts))


def _audit() -> Section:
    about = "What arithmetic forbids in the tables published with PropNet; not about these runs."
    content = Html(to_html(audit.tables(audit.audit())))
    return Section("audit", "Audit of published tables", about, content)


def _records(runs: Sequence[Run]) -> Section:
    records = [json.dumps(run.record.model_dump(mode="json"), indent=2) for run in runs]
    content = _render(
        """{% for name, record in records %}
<details><summary>{{ name }}</summary>
<pre>{{ record }}</pre>
</details>
{% endfor %}""",
        records=zip(labels(runs), records, strict=True),
    )
    return Section("records", "Records", "The record of each run: run.json.", content)


def _picture(kind: str, content: bytes, description: str) -> Html:
    template = '<figure><img src="{{ uri }}" alt="{{ description }}"></figure>'
    uri = f"data:image/{kind};base64,{b64encode(content).decode()}"
    return _render(template, uri=uri, description=description)


def _or_reason(make: Callable[[], Html]) -> Html:
    """A part of a page, or the reason why it is left out."""
    try:
        return make()
    except InputError as error:
        return _render('<p class="notes">Left out: {{ reason }}</p>', reason=str(error))


def _render(template: str, **values: object) -> Html:
    return Html(_ENVIRONMENT.from_string(template).render(**values))


def _text(name: str) -> str:
    return (files("reports.pages") / name).read_text(encoding="utf-8")
