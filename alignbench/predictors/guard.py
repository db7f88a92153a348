"""Standard output and error while a user's own code runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Lock
from typing import Any

_lock = Lock()
_depth = 0
_streams: dict[str, Any] = {}
_descriptors: dict[int, int] = {}


class _Shield:
    """Standard error, which a model may write to and cannot close."""

    closed = False

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with suppress(ValueError, OSError, AttributeError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(ValueError, OSError, AttributeError):
            self._stream.flush()

    def close(self) -> None:
        self.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def guard_streams() -> Iterator[None]:
    """What is printed inside goes to standard error; a stream that is closed inside comes back.

    For the whole process, its threads and libraries included. It may be entered again inside.
    """
    global _depth
    with _lock:
        if not _depth:
            _redirect()
        _depth += 1
    try:
        yield
    finally:
        with _lock:
            _depth -= 1
            if not _depth:
                _restore()


def _redirect() -> None:
    _streams.update(stdout=sys.stdout, stderr=sys.stderr)
    _flush()
    with suppress(OSError):  # closed from the start
        _descriptors.update({2: os.dup(2), 1: os.dup(1)})
        os.dup2(2, 1)
    shield: Any = _Shield(sys.stderr)
    sys.stdout = sys.stderr = shield


def _restore() -> None:
    _flush()
    for descriptor, copy in _descriptors.items():
        os.dup2(copy, descriptor)
        os.close(copy)
    for name, stream in _streams.items():
        if getattr(stream, "closed", False):
            number = {"stdout": 1, "stderr": 2}[name]
            stream = open(number, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        setattr(sys, name, stream)
    _descriptors.clear()
    _streams.clear()


def _flush() -> None:
    for stream in _streams.values():
        with suppress(ValueError, OSError, AttributeError):
            stream.flush()
