"""Standard streams that cannot break: nobody's exit status depends on who reads the output."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class _Descriptor(io.FileIO):
    """A file descriptor that accepts everything, even after its reader has gone."""

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            return memoryview(data).nbytes


class _Stream(io.TextIOWrapper):
    """A text stream that only flushes when it is closed: a user's model may close it."""

    def close(self) -> None:
        self.flush()


@contextmanager
def lasting_streams() -> Iterator[None]:
    """Replace the process's own standard output and error by streams that cannot break.

    A closed descriptor is opened on the null device first, so that no file of ours takes its
    number. A stream that somebody else put in place, such as a test, stays.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
    before = sys.stdout, sys.stderr
    if sys.stdout is sys.__stdout__:
        sys.stdout = _open(1, sys.stdout)
    if sys.stderr is sys.__stderr__:
        sys.stderr = _open(2, sys.stderr)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def _open(number: int, stream: Any) -> _Stream:
    raw = _Descriptor(os.dup(number), "wb")
    return _Stream(
        io.BufferedWriter(raw),
        encoding=getattr(stream, "encoding", "utf-8"),
        errors="replace",  # for an encoding without dashes and frames
        line_buffering=number == 2 or raw.isatty(),
    )
