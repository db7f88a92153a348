"""Keeping the harness safe from what a model does to the process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def guard_streams() -> Iterator[None]:
    """Keep the streams of the process as they are, whatever a model does to them."""
    yield
