"""Conditions on a difference that make a check fail.

``nme > +0.05 @95%``: a measure, optionally a subset in square brackets, ``<`` or ``>``, a signed
difference in the measure's unit (percentage points, or a fraction for AUC), and optionally the
confidence with which it must hold. The difference is that of the first run, the new one, minus
another, the baseline. With a confidence the whole interval must be beyond the limit; without one
the difference itself.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from alignbench import InputError, Measure, Run, parse_measure
from alignbench.datasets.base import FULL
from alignbench.stats import Bootstrap
from reports.compare.comparison import Difference, compare

_GRAMMAR = re.compile(
    r"(?P<measure>[^<>\[\]]+)(?:\[(?P<subset>[^\[\]]+)\]\s*)?(?P<sign>[<>])"
    r"\s*(?P<limit>[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+))"
    r"(?:\s*@\s*(?P<confidence>[0-9]+(?:\.[0-9]*)?)\s*%)?"
)
_EXAMPLES = "nme > +0.05 @95%, fr@0.10 > 1, auc(inter_pupil)@0.08 [pose] < -0.01 @99%"


@dataclass(frozen=True)
class Gate:
    """A condition: ``measure [subset] > limit @confidence``, as it was parsed from ``text``.

    It trips above the limit or below it. The interval of this confidence must be beyond the limit;
    if ``confidence`` is None, the difference itself.
    """

    text: str
    measure: Measure
    subset: str
    above: bool
    limit: float
    confidence: float | None

    def trips(self, difference: Difference) -> bool:
        """Whether a difference meets the condition."""
        if self.confidence is None:
            nearest = difference.value
        else:
            nearest = difference.low if self.above else difference.high
        return nearest > self.limit if self.above else nearest < self.limit


@dataclass(frozen=True)
class Verdict:
    """Whether the first run passes a gate against one baseline."""

    gate: Gate
    baseline: str
    difference: Difference
    confidence: float
    tripped: bool

    def __str__(self) -> str:
        one, gate = self.difference, self.gate
        state = "failed" if self.tripped else "passed"
        return (
            f"gate {gate.text!r} {state} against {self.baseline}: {gate.measure} on {gate.subset} "
            f"({one.faces:,} faces) changed by {one.value:+.4f} {f'{gate.measure.unit} '.lstrip()}"
            f"[{one.low:+.4f}, {one.high:+.4f}] ({100 * self.confidence:.4g} % interval)"
        )


def parse_gate(text: str) -> Gate:
    """The gate a text names; InputError if it names none, or its measure is unknown."""
    match = _GRAMMAR.fullmatch(text.strip())
    if not match:
        accepted = "MEASURE [SUBSET] > LIMIT @NN% (or <; subset and @NN% may be left out)"
        raise InputError(f"gate {text!r}", "not a gate", accepted, f"Examples: {_EXAMPLES}")
    part = match.groupdict()
    percent = float(part["confidence"] or 95)
    if not 0 < percent < 100:
        raise InputError(f"gate {text!r}", f"confidence {percent:g}%", "above 0% and below 100%")
    return Gate(
        text.strip(),
        parse_measure(part["measure"]),
        (part["subset"] or FULL).strip(),
        part["sign"] == ">",
        float(part["limit"]),
        percent / 100 if part["confidence"] else None,
    )


def judge(
    gate: Gate, runs: Sequence[Run], norm: str | None = None, bootstrap: Bootstrap | None = None
) -> list[Verdict]:
    """Verdicts on the first run against each of the others.

    Raises InputError if the runs cannot be compared, or there are too few faces to tell.
    """
    settings = bootstrap or Bootstrap()
    if gate.confidence is not None:
        settings = replace(settings, confidence=gate.confidence)
    comparison = compare(
        runs, normaliser=norm, subsets=[gate.subset], measures=[gate.measure], bootstrap=settings
    )
    verdicts = []
    for one in comparison.differences[: len(runs) - 1]:  # Those of the first run come first.
        needed = [one.value] if gate.confidence is None else [one.low, one.high]
        if np.isnan(needed).any():
            problem = f"{one.faces:,} faces of {gate.subset} count, too few to tell"
            remedy = "Leave the gate out, or give runs with more faces."
            raise InputError(f"gate {gate.text!r}", problem, remedy=remedy)
        name = comparison.pairing.names[one.second]
        verdicts.append(Verdict(gate, name, one, settings.confidence, gate.trips(one)))
    return verdicts
