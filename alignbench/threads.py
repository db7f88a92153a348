"""How many threads this process may use; ``--threads`` sets it."""

from __future__ import annotations

import os

import cv2

_limit: int | None = None


def limit(threads: int) -> None:
    """Use at most this many threads for decoding images, warps and networks made from here on."""
    global _limit
    _limit = threads
    cv2.setNumThreads(threads)


def count() -> int:
    """The limit, or the number of cores this process may run on."""
    if _limit is not None:
        return _limit
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
