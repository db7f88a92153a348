"""JSON and TOML from outside: whatever is wrong with a text is a ValueError."""

from __future__ import annotations

import json
import re
import tomllib
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from alignbench.arrays import Floats, plausible
from alignbench.exceptions import InputError
from alignbench.io.text import lines_of

_NULL = type(None)
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
DEEPEST = 64
"""Most levels of lists and tables within each other; our own files have at most six."""


def parse_json(text: str) -> Any:
    """The content of a JSON text.

    Raises ValueError if it is no JSON, is nested too deeply, a table has a key twice, or a text in
    it has half of a surrogate pair, which no file and no terminal can take.
    """
    content = _shallow(lambda: json.loads(text, object_pairs_hook=_table))
    if _SURROGATE.search(text):  # half of a pair, which may be complete
        try:
            json.dumps(content, ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            half = error.object[error.start].encode("unicode_escape").decode()
            raise ValueError(f"{half} is half of a surrogate pair") from error
    return content


def parse_toml(text: str) -> dict[str, Any]:
    """The content of a TOML text; raises ValueError as :func:`parse_json` does."""
    content: dict[str, Any] = _shallow(lambda: tomllib.loads(text))
    return content


def _table(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        twice, times = Counter(key for key, _ in pairs).most_common(1)[0]
        raise ValueError(f"key {twice!r} occurs {times} times")
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


def read_json(path: Path) -> Any:
    """The content of a JSON file; InputError if it cannot be read or is no JSON."""
    text = "\n".join(line for _, line in lines_of(path))
    try:
        return parse_json(text)
    except ValueError as error:
        raise InputError(path, f"not JSON ({error})", remedy="Copy the file again.") from error


def require_numbers(
    value: Any, shape: tuple[int | None, ...], where: object, missing: bool = False
) -> Floats:
    """A JSON value as an array of this shape (None for any length).

    ``missing`` allows null, which becomes NaN. Raises InputError for anything else.
    """
    accepted = " x ".join("N" if side is None else str(side) for side in shape) + " numbers"
    try:
        array = np.array(value)
        if missing and array.dtype == object and {*map(type, array.flat)} <= {int, float, _NULL}:
            array = array.astype(np.float64)  # None becomes NaN
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(where, f"no array of numbers ({error})", accepted) from error
    fits = array.ndim == len(shape) and all(
        side in (None, length) for side, length in zip(shape, array.shape, strict=True)
    )
    if not fits or array.dtype.kind not in "iuf":
        raise InputError(where, f"shape {array.shape} of {array.dtype}", accepted)
    values: Floats = array.astype(np.float64)
    if not missing and not plausible(values).all():
        raise InputError(where, "a number that is not finite or absurdly large", accepted)
    return values
