"""A whole HTML file of sections, with its style and its script inside.

Names of models, files and faces come from outside: the templates escape them, and spell out
characters that cannot be seen. The content security
policy of a page forbids every request, and every script but its own.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup as Html

from alignbench.exceptions import visible
from reports.tables import TABLE_STYLE


def _spell_out(value: object) -> object:
    """A value for a template; in a text from outside, invisible characters are spelled out."""
    return value if isinstance(value, Html) or not isinstance(value, str) else visible(value)


_ENVIRONMENT = Environment(
    loader=PackageLoader("reports.pages", "."), autoescape=True, undefined=StrictUndefined,
    trim_blocks=True, lstrip_blocks=True, finalize=_spell_out,
)  # fmt: skip


@dataclass(frozen=True)
class Section:
    """A part of a page: its anchor, title, a line about it, and its content as HTML."""

    anchor: str
    title: str
    about: str
    content: Html


@dataclass(frozen=True)
class Link:
    """A link to a file beside this page."""

    text: str
    address: str


def document(title: str, about: str, sections: Sequence[Section], back: Sequence[Link] = ()) -> str:
    """A whole HTML file of sections; ``back`` are links above the title."""
    script = _text("page.js").strip()
    digest = b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return _ENVIRONMENT.get_template("page.html").render(
        title=title, about=about, sections=sections, back=back,
        style=Html(TABLE_STYLE + _text("page.css")), script=Html(script),
        script_hash=f"sha256-{digest}",
    )  # fmt: skip


def render(template: str, **values: object) -> Html:
    """A piece of HTML from the text of a template, whose values are escaped."""
    return Html(_template(template).render(**values))


def trust(html: str) -> Html:
    """HTML that was escaped where it was made: of our tables and figures."""
    return Html(html)


def fold(title: str, content: Html, *, shown: bool = False) -> Html:
    """Content that opens when its title is chosen, or is ``shown`` at once."""
    return render(
        """<details{{ ' open' if shown }}>
<summary>{{ title }}</summary>
{{ content }}
</details>""",
        title=title,
        content=content,
        shown=shown,
    )


def data_uri(kind: str, content: bytes) -> Html:
    """The address of an image that stands in the page itself; ``kind`` such as ``webp``."""
    return Html(f"data:image/{kind};base64,{b64encode(content).decode()}")


@cache
def _template(text: str) -> Template:
    """A template, compiled once: a site has thousands of pieces from few templates."""
    return _ENVIRONMENT.from_string(text)


@cache
def _text(name: str) -> str:
    return (files("reports.pages") / name).read_text(encoding="utf-8")
