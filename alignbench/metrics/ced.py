"""Cumulative error distribution."""

from __future__ import annotations

import numpy as np

from alignbench.arrays import Floats


def ced(errors: Floats, at: Floats) -> Floats:
    """Share of faces (K,) with an error of at most each of ``at`` (K,).

    ``errors`` (N,) are fractions; a missed face has an infinite one.
    """
    return np.searchsorted(np.sort(errors), at, side="right") / len(errors)


def ced_steps(errors: Floats, maximum: float) -> tuple[Floats, Floats]:
    """The empirical CED from 0 to ``maximum`` as a staircase: (x, share) at every step's top.

    Exact: one step for each face, no grid. Plot it with steps that rise at x ("post").
    """
    inside = np.sort(errors[errors <= maximum])
    x = np.concatenate([[0.0], inside, [maximum]])
    return x, ced(errors, x)
