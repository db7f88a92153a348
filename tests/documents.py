"""Tables that scripts put between two marks of a document."""

from __future__ import annotations

import re
from pathlib import Path


def put(document: Path, name: str, text: str) -> None:
    """Put text between a document's marks of this name, each on a line of its own."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    pattern = re.compile(re.escape(begin) + ".*" + re.escape(end), re.DOTALL)
    content = document.read_text(encoding="utf-8")
    if not pattern.search(content):
        raise SystemExit(f"{document} has no {begin} ... {end}")
    new = f"{begin}\n{text.rstrip()}\n{end}"
    document.write_text(pattern.sub(lambda _: new, content), encoding="utf-8")
