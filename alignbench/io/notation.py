"""JSON and TOML from outside: whatever is wrong with a text is a ValueError."""

from __future__ import annotations

import json
import tomllib
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from itertools import chain
from typing import Any

DEEPEST = 64
"""How deep lists and tables may lie within each other; our own files have at most six levels."""


def parse_json(text: str) -> Any:
    """The content of a JSON text.

    Raises ValueError if it is no JSON, is nested too deeply, or a table has a key twice.
    """
    return _shallow(lambda: json.loads(text, object_pairs_hook=_table))


def parse_toml(text: str) -> dict[str, Any]:
    """The content of a TOML text; raises ValueError as :func:`parse_json` does."""
    content: dict[str, Any] = _shallow(lambda: tomllib.loads(text))
    return content


def _table(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        twice, times = Counter(key for key, _ in pairs).most_common(1)[0]
        raise ValueError(f"key {twice!r} stands {times} times")
    return table


def _shallow(parse: Callable[[], Any]) -> Any:
    """What a parser gives, if Python can still copy, compare and print it."""
    with suppress(RecursionError):
        content = parse()
        level = [content]
        for _ in range(DEEPEST):
            nodes = [node.values() if isinstance(node, dict) else node
                     for node in level if isinstance(node, dict | list)]  # fmt: skip
            if not nodes:
                return content
            level = list(chain.from_iterable(nodes))
    raise ValueError(f"nested deeper than {DEEPEST}")
