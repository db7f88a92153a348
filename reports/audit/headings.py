"""What the headings of printed tables mean: data set, subset, measure and normaliser."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from fractions import Fraction

from alignbench.metrics.errors import BOX, DIAGONAL
from reports.audit.cells import FULL, OCULAR, PUPIL

_DATASETS = {
    r"300[\s-]*vw": "300vw",
    r"300[\s-]*w(?![\s-]*lp)": "300w",
    r"wflw(?![\s-]v\b)": "wflw",
    r"cofw[\s-]?68": "cofw68",
    r"cofw": "cofw",
    r"merl[\s-]?rav": "merl-rav",
    r"aflw[\s-]*2000(?:[\s-]*3d)?": "aflw2000-3d",
    r"aflw": "aflw19",
    r"lapa\b": "lapa",
    r"jd[\s-]?106|jd[\s-]landmark": "jd106",
}
_NORMS = {
    r"pupil|\bipn\b": PUPIL,
    r"ocular|_ioc\b|\bioc\b|\bion\b": OCULAR,
    r"(?<![a-z])b?box\b": BOX,
    r"diag": DIAGONAL,
}
_METRICS = {r"\bfr(?![a-z])|failure": "fr", r"\bauc": "auc", r"\bnme|mean error": "nme"}
_SUBSETS = {
    r"common": "common",
    r"chall?eng|\bchall?\b": "challenging",
    r"\bfull|test[\s-]?set|\ball\b": FULL,
    r"\bpose": "pose",
    r"\bexpr": "expression",
    r"\billu": "illumination",
    r"make[\s-]?up": "make-up",
    r"\bocc": "occlusion",
    r"\bblur": "blur",
    r"\bhelen": "helen",
    r"\blfpw": "lfpw",
    r"\bibug": "ibug",
    r"indoor": "indoor",
    r"outdoor": "outdoor",
    r"(?<!profile)\bfrontal": "frontal",
}
_THRESHOLD = re.compile(r"(?:fr|rate|auc)[^0-9.]{0,8}([0-9]*\.?[0-9]+)")


_OTHER = re.compile(r"_?\bp ?[0-9]{2}\b|percentile|\bstd\b|median|gain|improvement")
"""Words by which a number is not a mean over faces."""


@dataclass(frozen=True)
class Meaning:
    """What a heading says; empty where it says nothing. The threshold is in percent."""

    dataset: str = ""
    split: str = ""
    subset: str = ""
    metric: str = ""
    threshold: Fraction | None = None
    norm: str = ""

    def over(self, other: Meaning) -> Meaning:
        """What this heading says; where it says nothing, what the other one says."""
        values = ((getattr(self, f.name), getattr(other, f.name)) for f in fields(self))
        return Meaning(*(mine or others for mine, others in values))

    @property
    def of_a_number(self) -> bool:
        """Whether numbers below such a heading are results."""
        return bool(self.dataset or self.subset or self.metric)


def read_heading(text: str) -> Meaning:
    """The meaning of a heading, a caption or a cell of text."""
    low = text.lower().replace("_", " _")
    if _OTHER.search(low.replace("_", "")):
        return Meaning()
    metric = _only(_METRICS, low)
    threshold = None
    if metric in ("fr", "auc") and (found := _THRESHOLD.search(low)):
        value = Fraction(found[1])
        threshold = value if value >= 1 else 100 * value
    split = "private" if "private" in low else ""
    return Meaning(
        _only(_DATASETS, low), split, _only(_SUBSETS, low), metric, threshold, _only(_NORMS, low)
    )


def named_datasets(text: str) -> set[str]:
    """Every data set that a text names."""
    return _all(_DATASETS, text.lower())


def _only(patterns: dict[str, str], text: str) -> str:
    """What the text names; empty if it names nothing, or several of them."""
    names = _all(patterns, text)
    return names.pop() if len(names) == 1 else ""


def _all(patterns: dict[str, str], text: str) -> set[str]:
    names = set()
    for pattern, name in patterns.items():
        text, times = re.subn(pattern, " ", text)  # so that cofw is not found in cofw68 again
        names |= {name} if times else set()
    return names
