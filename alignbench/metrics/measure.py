"""Measures as small immutable values with a name that parses and prints.

``nme``, ``nme(inter_pupil)``, ``fr@0.10``, ``auc(inter_ocular)@0.08``: a measure's name, its
normaliser in brackets and its threshold, a fraction, behind the at sign. A measure of several
thresholds has them with commas, as in ``between@0.05,0.10``. A measure without a normaliser stands
for the same measure under every normaliser.

Every measure here is a mean over faces of one number for each face. That is what lets one bootstrap
give intervals for all of them in one pass (:mod:`alignbench.stats`).
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from alignbench import plugins
from alignbench.arrays import Floats
from alignbench.exceptions import InputError, unknown

Threshold = float | tuple[float, ...] | None

# Blanks are allowed in one place at a time: a text with many blanks is not matched in many ways.
_GRAMMAR = re.compile(r"([a-z]\w*)(?:\s*\(\s*(\w+)\s*\))?(?:\s*@\s*([0-9.]+(?:,[0-9.]+)*))?")
_ACCEPTED = "name, name(normaliser), name@threshold or name(normaliser)@threshold"


@dataclass(frozen=True)
class Measure(ABC):
    """A measure: how one face's error becomes the number that is averaged.

    Attributes
    ----------
    normaliser
        What errors are divided by; None for any.
    threshold
        Fraction of the normaliser: one, a tuple of several, or None, as ``thresholds`` says.
    """

    normaliser: str | None = None
    threshold: Threshold = None

    name: ClassVar[str]
    title: ClassVar[str]
    unit: ClassVar[str] = ""
    thresholds: ClassVar[int] = 1
    """How many thresholds the measure has."""
    whole: ClassVar[float | None] = None
    """For a measure that is a share of faces: what each of these adds, where all others add 0.
    Its intervals are Wilson's, which are not empty where no face failed."""

    @abstractmethod
    def per_face(self, errors: Floats) -> Floats:
        """What each face (N,) adds to the mean, from its error (N,), a fraction.

        A missed face has an infinite error; NaN in the result leaves a face out of the mean. The
        three measures of the harness use operators that arrays and torch tensors share.
        """

    def value(self, errors: Floats) -> float:
        """The measure over faces with these errors (N,), NaN where no face counts."""
        return mean_counted(self.per_face(np.asarray(errors, np.float64)))

    def with_normaliser(self, normaliser: str) -> Measure:
        """The same measure with this normaliser."""
        return replace(self, normaliser=normaliser)

    @property
    def interval(self) -> str:
        """How its interval is made, for the notes under tables."""
        return "bootstrap" if self.whole is None else "Wilson interval"

    @property
    def difference(self) -> str:
        """How the interval and the p-value of a difference are made, for the notes under tables."""
        if self.whole is None:
            return "paired BCa bootstrap, Student's t test"
        return "Tango interval, McNemar's exact test"

    @property
    def heading(self) -> str:
        """The heading of its column, such as ``FR@0.10 %``."""
        return f"{self.title}{threshold_suffix(self.threshold)} {self.unit}".rstrip()

    @property
    def digits(self) -> int:
        """Decimals it is printed with, as papers do: two for percent, four for fractions."""
        return 2 if self.unit == "%" else 4

    def __str__(self) -> str:
        norm = f"({self.normaliser})" if self.normaliser else ""
        return f"{self.name}{norm}{threshold_suffix(self.threshold)}"


def mean_counted(values: Floats) -> float:
    """Mean of the values (N,) that are not NaN (NaN: does not count); NaN where all are."""
    counted = values[~np.isnan(values)]
    return float(counted.mean()) if len(counted) else np.nan


def threshold_suffix(threshold: Threshold) -> str:
    """``@0.10`` for 0.1: two decimals, more where they are needed; empty for None."""
    if threshold is None:
        return ""
    values = threshold if isinstance(threshold, tuple) else (threshold,)
    return "@" + ",".join(map(_decimals, values))


def _decimals(value: float) -> str:
    short = f"{value:.2f}"
    return short if float(short) == value else np.format_float_positional(value)


def parse_measure(text: str, normalisers: Iterable[str] | None = None) -> Measure:
    """The measure that a text names.

    Parameters
    ----------
    text
        Such as ``nme``, ``fr@0.10`` or ``auc(inter_pupil)@0.08``; the threshold is a fraction.
    normalisers
        The known normalisers; any other is refused. None accepts every name.

    Returns
    -------
    Measure
        Its normaliser is None where the text names none.

    Raises
    ------
    InputError
        If the text is not of the grammar, or a name in it is unknown (near matches are offered).
    """
    match = _GRAMMAR.fullmatch(text.strip())
    if not match:
        raise InputError(f"measure {text!r}", "not a measure", _ACCEPTED, "Example: fr@0.10.")
    name, normaliser, stated = match.groups()
    kind: type[Measure] = plugins.load(plugins.MEASURES, name)
    if normaliser and normalisers is not None and normaliser not in normalisers:
        raise unknown(f"measure {text!r}, normaliser", normaliser, normalisers)
    values = tuple(_threshold(text, one) for one in stated.split(",")) if stated else ()
    if len(values) != kind.thresholds:
        counts = ("without threshold", "with a threshold")
        example = "0.10" if kind.thresholds == 1 else "0.05,0.10"
        raise InputError(
            f"measure {text!r}",
            counts[len(values)] if len(values) < 2 else f"with {len(values)} thresholds",
            f"{name}@{example}" if kind.thresholds else name,
            f"It has {kind.thresholds} thresholds." if kind.thresholds > 1 else "",
        )
    return kind(normaliser, values if len(values) > 1 else values[0] if values else None)


def read_measures(measures: Sequence[str | Measure], normalisers: Collection[str]) -> list[Measure]:
    """Measures, from a list of measures and of names of measures.

    Raises
    ------
    InputError
        If a name is not that of a measure, as for :func:`parse_measure`; or if ``measures`` is a
        text instead of a list.
    """
    if isinstance(measures, str):
        raise InputError("measures", f"the text {measures!r}", f"a list, such as [{measures!r}]")
    return [m if isinstance(m, Measure) else parse_measure(m, normalisers) for m in measures]


def _threshold(text: str, threshold: str) -> float:
    try:
        value = float(threshold)
    except ValueError:
        value = 0.0
    return check_threshold(value, f"measure {text!r}", threshold)


def check_threshold(value: float, where: object, typed: object = None) -> float:
    """A threshold as a float; InputError, with what the user typed, if it is out of range."""
    if not 0 < value <= 1:
        raise InputError(
            where, f"threshold {value if typed is None else typed}",
            "a fraction above 0 and at most 1", "Ten percent is 0.10.",
        )  # fmt: skip
    return float(value)


def usual_measures(threshold: float) -> tuple[Measure, ...]:
    """NME, and FR and AUC at a threshold: what papers print."""
    at = threshold_suffix(threshold)
    return tuple(parse_measure(name) for name in ("nme", f"fr{at}", f"auc{at}"))


def default_measures() -> tuple[Measure, ...]:
    """NME, and FR and AUC at the two standard thresholds."""
    names = ("nme", "fr@0.08", "fr@0.10", "auc@0.08", "auc@0.10")
    return tuple(parse_measure(name) for name in names)
