"""Many comparisons at once."""

from __future__ import annotations

from string import ascii_lowercase

import numpy as np

from alignbench.arrays import Bools, Floats


def holm(p: Floats) -> Floats:
    """Holm's step-down correction (Scandinavian Journal of Statistics 1979) of p-values (K,).

    The smallest is multiplied by the number of them, the next by one less and so on; none is
    smaller than one before it. NaN is no comparison and stays.
    """
    out = np.full(len(p), np.nan)
    there = np.flatnonzero(~np.isnan(p))
    order = there[np.argsort(p[there])]
    stepped = p[order] * np.arange(len(order), 0, -1)
    out[order] = np.minimum(np.maximum.accumulate(stepped), 1.0)
    return out


def letters(different: Bools) -> list[str]:
    """Letters of R models, such that two share one exactly if they cannot be told apart.

    The compact letter display by insertion and absorption (Piepho, Journal of Computational and
    Graphical Statistics 2004).

    Parameters
    ----------
    different
        (R, R), symmetric: whether two models differ. The first model has the first letter.
    """
    models = len(different)
    groups: list[frozenset[int]] = [frozenset(range(models))]
    for i, j in np.argwhere(np.triu(different)).tolist():
        split = [part for g in groups for part in ((g - {i}, g - {j}) if {i, j} <= g else (g,))]
        groups = [group for group in split if not any(group < other for other in split)]
    groups.sort(key=sorted)
    return ["".join(_letter(k) for k, g in enumerate(groups) if i in g) for i in range(models)]


def _letter(place: int) -> str:
    """Letters in order: a to z, then a1 to z1 and so on."""
    turn, letter = divmod(place, len(ascii_lowercase))
    return ascii_lowercase[letter] + (str(turn) if turn else "")
