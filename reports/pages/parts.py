"""What pages of runs share: key numbers as cards, warnings, facts of a record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup as Html
from markupsafe import escape

from alignbench import Measure
from alignbench.exceptions import visible
from alignbench.runs.record import MetricRow, RunRecord
from reports.labels import box_text, missed_text, percent
from reports.pages.document import fold, render


@dataclass(frozen=True)
class Card:
    """A key number: its title, the number with its unit, the model it is of, and lines about it."""

    title: str
    value: str
    unit: str = ""
    model: str = ""
    lines: tuple[str, ...] = ()


def measure_card(measure: Measure, row: MetricRow, record: RunRecord, model: str = "") -> Card:
    """The card of a measure's number, with its model if there are several, and its interval."""
    lines = []
    if row.ci_low is not None and row.ci_high is not None:
        low, high = (f"{end:.{measure.digits}f}" for end in (row.ci_low, row.ci_high))
        lines.append(f"{percent(record.statistics.confidence)} interval {low} to {high}")
    value = "–" if row.value is None else f"{row.value:.{measure.digits}f}"
    title = measure.heading.removesuffix(measure.unit).rstrip()
    return Card(title, value, measure.unit, model, tuple(lines))


def faces_card(records: Sequence[RunRecord]) -> Card:
    """How many faces were evaluated, how many the data set has, and how many were missed."""
    numbers = sorted({record.dataset.faces for record in records})
    value = " to ".join(f"{number:,}" for number in dict.fromkeys([numbers[0], numbers[-1]]))
    official = records[0].dataset.official
    complete = all(record.dataset.complete for record in records)
    lines = ["the whole split" if complete else "incomplete"]
    if not complete and official is not None:
        lines = [f"incomplete: the split has {official:,}"]
    missed = max(record.missed for record in records)
    if missed:
        lines.append(f"{missed:,} missed" if len(records) == 1 else f"up to {missed:,} missed")
    return Card("Faces", value, lines=tuple(lines))


def cards(shown: Iterable[Card]) -> Html:
    """Cards in a row, or below each other where there is no room."""
    return render(
        """<dl class="cards">
{% for card in shown %}
<div><dt>{{ card.title }}</dt>
<dd class="value">{{ card.value }}{% if card.unit %} <small>{{ card.unit }}</small>{% endif %}</dd>
{% if card.model %}<dd class="model">{{ card.model }}</dd>
{% endif %}
{% for line in card.lines %}<dd>{{ line }}</dd>
{% endfor %}</div>
{% endfor %}
</dl>""",
        shown=shown,
    )


def warnings(record: RunRecord, measures: Sequence[Measure]) -> list[str]:
    """What makes a run's numbers doubtful, or not comparable with others."""
    dataset = record.dataset
    lines = []
    if not dataset.complete:
        lines.append(f"Incomplete: {'; '.join(dataset.incomplete) or 'not the whole split'}.")
    if record.missed:
        how = missed_text(measures)
        lines.append(f"{record.missed:,} of {dataset.faces:,} faces missed: {how}.")
    return lines + [f"Doubtful: {finding}" for finding in record.findings]


def by_model(names: Sequence[str], lines: Sequence[Sequence[str]]) -> list[str]:
    """The lines of some runs, each once; one that does not hold for all of them names its runs."""
    models: dict[str, list[str]] = {}
    for name, some in zip(names, lines, strict=True):
        for line in some:
            models.setdefault(line, []).append(name)
    return [
        line if len(some) == len(names) else f"{', '.join(some)}: {line}"
        for line, some in models.items()
    ]


def warning_box(lines: Sequence[str]) -> Html:
    """Warnings that cannot be overlooked; nothing where there is none."""
    return render(
        """{% if lines %}
<aside class="warning" aria-label="Warnings">
{% for line in lines %}<p>{{ line }}</p>
{% endfor %}
</aside>
{% endif %}""",
        lines=lines,
    )


def notes(lines: Iterable[str], title: str = "Notes") -> Html:
    """Notes, each once, folded; nothing where there is none."""
    shown = list(dict.fromkeys(lines))
    if not shown:
        return Html()
    items = render(
        "<ul class=\"notes\">{% for line in lines %}<li>{{ line }}</li>\n{% endfor %}</ul>",
        lines=shown,
    )  # fmt: skip
    return fold(f"{title} ({len(shown)})", items)


def facts(record: RunRecord) -> Html:
    """How a run was made, as a list of terms and texts; what is not known is left out."""
    model, dataset, protocol = record.model, record.dataset, record.protocol
    stored = protocol.boxes == "none"
    boxes = "stored predictions" if stored else box_text(record)
    leak = "unknown" if stored else protocol.leak
    versions = record.environment.get("packages")
    texts = {
        "Model": model.name,
        "Source": model.identity.get("source"),
        "Landmarks": f"{dataset.markup.landmarks} ({dataset.markup.name})",
        "Converted": protocol.conversion,
        "Data set": dataset.title,
        "Boxes": boxes,
        "What the boxes reveal about the truth": leak,
        "Decoding": protocol.decoding,
        "Intervals": f"{percent(record.statistics.confidence)}, over "
        f"{record.statistics.clusters:,} {dataset.sampled}",
        "Run": record.key,
        "Made": record.timings.get("started"),
        "alignbench": record.alignbench,
        "torch": versions.get("torch") if isinstance(versions, Mapping) else None,
    }
    return render(
        """<dl class="facts">
{% for term, text in texts %}<div><dt>{{ term }}</dt><dd>{{ text }}</dd></div>
{% endfor %}
</dl>""",
        texts=[(term, text) for term, text in texts.items() if text],
    )


def record_text(record: RunRecord) -> Html:
    """The record as it is stored, folded."""
    text = visible(record.model_dump_json(indent=2), lines=True)
    pre = render(
        """<pre tabindex="0" role="region" aria-label="Record of {{ key }}">
{{ text }}
</pre>""",
        key=record.key,
        text=escape(text),
    )
    return fold("The whole record: run.json", pre)
