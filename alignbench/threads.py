"""How many threads this process may use; ``--threads`` sets it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import cv2

_limit: int | None = None


def limit(threads: int) -> None:
    """Use at most this many threads for decoding images, warps and networks made from here on."""
    global _limit
    _limit = threads
    cv2.setNumThreads(threads)


@contextmanager
def temporary_limit(threads: int | None) -> Iterator[None]:
    """Use at most this many threads inside, or as many as before where it is None."""
    global _limit
    before, drawing = _limit, cv2.getNumThreads()
    if threads is not None:
        limit(threads)
    try:
        yield
    finally:
        _limit = before
        cv2.setNumThreads(drawing)


def count() -> int:
    """The limit, or this process's part of the cores it may run on.

    Processes that ``torchrun`` started on one machine share its cores.
    """
    if _limit is not None:
        return _limit
    sharing = os.environ.get("LOCAL_WORLD_SIZE", "")
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    return max(1, cores // max(1, int(sharing))) if sharing.isdecimal() else cores
