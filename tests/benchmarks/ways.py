"""Errors, and how a plain script has them: what ours is timed beside."""

from __future__ import annotations

import numpy as np
from scipy.integrate import simpson

from alignbench.markups import WFLW98

FACES = 2500
RNG = np.random.default_rng(0)
TRUTH = RNG.uniform(0, 200, (FACES, 98, 2))
PREDICTED = TRUTH + RNG.normal(0, 3, TRUTH.shape)
ERRORS = RNG.lognormal(np.log(0.037), 0.42, FACES)
IDS = [str(k) for k in range(FACES)]
(LEFT,), (RIGHT,) = WFLW98.normalisers["inter_ocular"]


def loop_nme():
    """The error of each face by the distance of the outer eye corners, face by face."""
    return np.array(
        [
            np.mean(np.linalg.norm(p - t, axis=1)) / np.linalg.norm(t[LEFT] - t[RIGHT])
            for p, t in zip(PREDICTED, TRUTH, strict=True)
        ]
    )


def grid_fr_auc():
    """FR and AUC at 0.10 by a grid of 1e-4 and Simpson's rule."""
    x = np.arange(0, 0.1 + 1e-4, 1e-4)
    share = np.array([np.count_nonzero(at >= ERRORS) for at in x]) / len(ERRORS)
    return [100 * (1 - share[-1]), simpson(share, x=x) / 0.1]
