"""What the site has beyond its Markdown: the command line reference, and links to the code.

The command line is rendered from the commands themselves, so that it cannot differ from them.
A ready plugin (mkdocs-click, mkdocs-typer2) imports an application and walks its commands. Ours
are mounted by entry points, also those of other packages, when they are called; the walk below
asks the mounted group, as ``alignbench --help`` does.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from typing import Any

import typer

from alignbench.cli import app
from alignbench.cli.mount import make_command

MARK = "<!-- commands -->"
COMMAND = re.compile(r"<code>alignbench [^<]*</code>")
OUTSIDE = re.compile(r"<(?:iframe|img|link|script)\b[^>]*=[\"']?(?:https?:)?//[^>]*>")
OPTION = re.compile(r"(?<= )--[\w-]+")
ROLE = re.compile(r":(?:attr|class|func|meth|mod):(?=<code>)")
LINK = re.compile(r"\[([^\]]+)\]\(((?:\.\./)+[^)#]+)(?:#[^)]*)?\)")


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Put the commands in the place of their mark, and take away links that leave the site.

    A reader of the repository follows a link to a source file; the site has no such file.
    """

    def keep_or_strip(link: re.Match[str]) -> str:
        folder = posixpath.dirname(page.file.src_uri)
        leaves = posixpath.normpath(posixpath.join(folder, link[2])).startswith("..")
        return link[1] if leaves else link[0]

    if MARK in markdown:
        markdown = markdown.replace(MARK, "\n\n".join(render_commands()))
    return LINK.sub(keep_or_strip, markdown)


def on_page_content(html: str, **_: Any) -> str:
    """Take away the roles of docstrings, which Sphinx alone knows; keep names of options whole."""
    html = ROLE.sub("", html)
    return COMMAND.sub(lambda code: OPTION.sub(r'<span class="option">\g<0></span>', code[0]), html)


def on_post_page(output: str, page: Any, **_: Any) -> None:
    """Refuse a page that would load something from elsewhere."""
    if loads := OUTSIDE.findall(output):
        raise ValueError(f"{page.file.src_uri}: loads {loads}")


def render_commands() -> Iterator[str]:
    """A section of Markdown for each command of ``alignbench``."""
    yield from _render_parts("alignbench", make_command("alignbench", app))


def _render_parts(path: str, group: Any) -> Iterator[str]:
    context = typer.Context(group, info_name=path)
    for name in sorted(group.list_commands(context)):
        shown, command, _ = group.resolve_command(context, [name])
        if not hasattr(command, "list_commands"):
            yield _render_command(f"{path} {shown}", command)
            continue
        if command.callback is not None:  # else the group has nothing but its parts
            yield _render_command(f"{path} {shown}", command)
        yield from _render_parts(f"{path} {shown}", command)


def _render_command(path: str, command: Any) -> str:
    context = typer.Context(command, info_name=path)
    usage = command.get_usage(context).removeprefix("Usage: ")
    lines = [f"## {path}", "", f"```\n{' '.join(usage.split())}\n```", ""]
    for text in (command.help or "").replace("\b\n", "").split("\n\n"):
        if text.startswith("For example:"):
            examples = "\n".join(line.strip() for line in text.splitlines()[1:])
            lines += [f"For example:\n\n```sh\n{examples}\n```", ""]
        else:
            lines += [_escape(" ".join(text.split())), ""]
    rows = [
        record
        for parameter in command.get_params(context)
        if (record := parameter.get_help_record(context)) and "--help" not in record[0]
    ]
    if rows:
        lines += ["| argument or option | meaning |", "|---|---|"]
        lines += [f"| `{_cell(name)}` | {_cell(_escape(text))} |" for name, text in rows]
    return "\n".join(lines)


def _escape(text: str) -> str:
    """Text without Markdown's meaning, but for code between backticks and examples."""
    return re.sub(r"([*_<\[\]])(?=(?:[^`]*`[^`]*`)*[^`]*$)", r"\\\1", text)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", r"\|")
