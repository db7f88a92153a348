"""The one exception for wrong use and bad input, and how its message is put together."""

from __future__ import annotations

import copyreg
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Any

_LONGEST = 2_000
"""Most characters of a part of a message that comes from outside."""


def visible(text: str, lines: bool = False) -> str:
    """Text in which invisible characters, such as a terminal's control codes, are spelled out.

    Parameters
    ----------
    lines
        Whether line breaks stay; otherwise the text is put on one line.
    """
    if text.isprintable():
        return text
    if lines:
        return "\n".join(map(visible, text.split("\n")))

    def spell(c: str) -> str:
        if c.isprintable():
            return c
        return " " if c.isspace() else c.encode("unicode_escape").decode()

    return "".join(map(spell, text))


class InputError(ValueError):
    """Something a user gave is wrong; the command line prints it and exits with status 2.

    Parameters
    ----------
    where
        File, line, field or option that is wrong.
    found
        What was found there.
    accepted
        What would have been accepted; empty where ``found`` says it all.
    remedy
        What to do about it.
    """

    def __init__(self, where: object, found: str, accepted: str = "", remedy: str = "") -> None:
        message = f"{_shorten(str(where))}: {_shorten(found)}"
        if accepted:
            message += f"; accepted: {visible(accepted, lines=True)}"
        message += "."
        if remedy:
            message += f" {visible(remedy, lines=True)}"
        super().__init__(message)

    def __reduce__(self) -> tuple[Any, ...]:
        # Pickled with its finished message, because the processes that make batches raise it, too.
        return copyreg.__newobj__, (type(self), str(self))  # type: ignore[attr-defined]


def _shorten(text: str) -> str:
    """A text from outside, on one line and of limited length."""
    plain = visible(text if len(text) <= _LONGEST else text[:_LONGEST] + " ...")
    return plain.rstrip()


_LISTED = 40
"""Most names that a message lists; of more it gives only the number."""


def unknown(kind: str, name: str, known: Iterable[str], remedy: str = "") -> InputError:
    """The error for a name that is not registered, with near matches offered."""
    known = sorted(known)
    small = {n.lower(): n for n in known}
    near = [n for n in known if n.lower() == name.lower()]
    near = near or [small[n] for n in get_close_matches(name.lower(), small, n=3, cutoff=0.5)]
    hint = f"Did you mean {' or '.join(repr(n) for n in near)}? " if near else ""
    names = ", ".join(known) if len(known) <= _LISTED else f"one of {len(known)} names"
    return InputError(f"{kind} {name!r}", "unknown", names or "none", (hint + remedy).strip())


@contextmanager
def blame(where: object) -> Iterator[None]:
    """Turn whatever a user's own code raises into one message that names its file and line.

    The exception itself stays attached as the cause.
    """
    try:
        yield
    except InputError:
        raise
    except (Exception, SystemExit) as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        text = f"{type(error).__name__}: {error}".rstrip(": ")
        raise InputError(where, f"raised {text} ({last.filename}, line {last.lineno})") from error
