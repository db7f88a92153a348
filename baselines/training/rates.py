"""The learning rate as a pure function of the step, so that nothing of it need be stored."""

from __future__ import annotations

import math

from baselines.training.recipe import Optimiser


def rate(wanted: Optimiser, step: int, steps: int) -> float:
    """Learning rate of a step, the first of which is 0, of so many in all."""
    warmup = wanted.warmup * steps
    if step < warmup:
        return wanted.lr * (step + 1) / (math.floor(warmup) + 1)
    done = step / steps
    if wanted.schedule == "step":
        return wanted.lr * wanted.factor ** sum(done >= at for at in wanted.milestones)
    if wanted.schedule == "cosine":
        left = (step - warmup) / max(1, steps - warmup)
        return wanted.lr * (1 + math.cos(math.pi * left)) / 2
    return wanted.lr
