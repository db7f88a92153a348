"""Ways of doing the same, timed in turn: A, B, C, B, C, A, ...

What slows the machine for a while then slows all of them, and the ratio of two, taken within
each round, stays what it is.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

SHORTEST = 5e-3
"""Seconds; a call that is shorter is repeated until it is not."""


def furthest(ours: Any, theirs: Any) -> float:
    """Largest difference of two arrays of the same shape."""
    ours, theirs = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
    assert ours.shape == theirs.shape, (ours.shape, theirs.shape)
    return float(np.abs(ours - theirs).max())


@dataclass(frozen=True)
class Way:
    """One way of answering a question.

    Attributes
    ----------
    name
        Whose it is, and which function.
    call
        Does it once.
    within
        How far its answer may be from the first way's.
    apart
        Distance of the first way's answer and this one's.
    goal
        How many times the first way's time it should need at least; None for no goal.
    """

    name: str
    call: Callable[[], Any]
    within: float = 0.0
    apart: Callable[[Any, Any], float] = furthest
    goal: float | None = 1.0


@dataclass(frozen=True)
class Question:
    """What is asked of several ways, ours first; the note says where they differ."""

    title: str
    faces: int
    ways: Sequence[Way]
    note: str = ""


@dataclass(frozen=True)
class Time:
    """What one way needed.

    Attributes
    ----------
    seconds
        Median of its rounds.
    beside
        Median of its ratio to the first way of the same round.
    apart
        How far its answer is from the first way's.
    """

    way: Way
    seconds: float
    beside: float
    apart: float


def race(
    question: Question,
    seconds: float,
    clock: Callable[[], float] = time.perf_counter,
    rounds: tuple[int, int] = (5, 300),
) -> list[Time]:
    """Answers compared, then every way timed, in turn, for about so many seconds.

    Raises
    ------
    ValueError
        If a way's answer is further from the first one's than it may be.
    """
    ways = question.ways
    answers = [way.call() for way in ways]
    distances = [way.apart(answers[0], answer) for way, answer in zip(ways, answers, strict=True)]
    for way, distance in zip(ways, distances, strict=True):
        if not distance <= way.within:
            raise ValueError(
                f"{question.title}: {way.name} is {distance:.3g} apart from {ways[0].name}, "
                f"more than {way.within:g}"
            )

    def measure(way: Way, calls: int) -> float:
        start = clock()
        for _ in range(calls):
            way.call()
        return (clock() - start) / calls

    once = [measure(way, 1) for way in ways]
    calls = [max(1, int(np.ceil(SHORTEST / max(one, 1e-9)))) for one in once]
    a_round = sum(one * count for one, count in zip(once, calls, strict=True))
    taken = np.empty((int(np.clip(seconds / max(a_round, 1e-9), *rounds)), len(ways)))
    for k, row in enumerate(taken):
        for step in range(len(ways)):
            # Another one begins each round: none always follows the same one's caches.
            which = (k + step) % len(ways)
            row[which] = measure(ways[which], calls[which])
    middle, beside = np.median(taken, axis=0), np.median(taken / taken[:, :1], axis=0)
    return [
        Time(way, float(s), float(b), d)
        for way, s, b, d in zip(ways, middle, beside, distances, strict=True)
    ]
