"""What the documents show: their blocks of code, and tables that scripts put between two marks."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCUMENTS = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in (
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        *sorted((ROOT / "docs").rglob("*.md")),
    )
}
_BLOCK = re.compile(r"((?:^<!-- [^>]* -->\n)*)^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_MARK = re.compile(r"<!-- (\w+): ([^>]*) -->")


@dataclass(frozen=True)
class Block:
    """A block of code of a document, with the comments above it that are meant for tests.

    ``needs`` says why it is not executed, ``file`` the name under which it is saved, ``tested``
    the test that looks after it.
    """

    document: str
    line: int
    language: str
    text: str
    needs: tuple[str, ...] = ()
    file: str = ""
    tested: str = ""

    def __str__(self) -> str:
        return f"{self.document}, line {self.line}"


def blocks(document: str, *languages: str) -> list[Block]:
    """The blocks of a document, or those of some languages."""
    content, found = DOCUMENTS[document], []
    for match in _BLOCK.finditer(content):
        marks = dict(_MARK.findall(match[1]))
        needs = tuple(marks.get("needs", "").split(", ")) if "needs" in marks else ()
        line = content[: match.start(2)].count("\n") + 1
        found.append(
            Block(
                document, line, match[2], match[3], needs, marks.get("file", ""),
                marks.get("tested", ""),
            )
        )  # fmt: skip
    return [block for block in found if not languages or block.language in languages]


def files(document: str, name: str) -> list[str]:
    """The blocks of a document that are to be saved under a name."""
    return [block.text for block in blocks(document) if block.file == name]


def put(document: Path, name: str, text: str) -> None:
    """Put text between a document's marks of this name, each on a line of its own."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    pattern = re.compile(re.escape(begin) + ".*" + re.escape(end), re.DOTALL)
    content = document.read_text(encoding="utf-8")
    if not pattern.search(content):
        raise SystemExit(f"{document} has no {begin} ... {end}")
    new = f"{begin}\n{text.rstrip()}\n{end}"
    document.write_text(pattern.sub(lambda _: new, content), encoding="utf-8")
