"""One published number, with what it measures and who printed it where."""

from __future__ import annotations

import re
from dataclasses import dataclass

from reports.printed import Printed

NOT_STATED = "not stated"
"""In place of a threshold or normaliser that the source does not print."""
OWN, QUOTED, PAGE, RERUN = "own", "quoted", "page", "rerun"
KINDS = {
    OWN: "printed by the method's authors",
    RERUN: "printed by others who ran it",
    QUOTED: "printed by others, who quote it",
    PAGE: "on a page of results",
}
"""The kinds of cells. Of several cells, tables show the one whose kind comes first here."""

_COMMIT = re.compile(r"([\w.-]+/[\w.-]+)@([\w]+):(\S+)")


@dataclass(frozen=True)
class PublishedCell:
    """A published number.

    Attributes
    ----------
    dataset
        Data set and split, as in ``300w test``.
    subset
        ``full`` for all faces.
    method, year, venue
        The method's name as its authors write it, with the variant in brackets, and where it was
        published; ``year`` and ``venue`` are empty where they are not known.
    metric, threshold
        ``nme``, ``fr`` or ``auc``; the threshold as a fraction, as in ``0.10``, empty for NME.
    normaliser
        As in :mod:`alignbench.metrics.errors`, or not stated.
    printed
        The number as it was printed: NME and FR in percent, AUC as a fraction.
    kind
        One of :data:`KINDS`.
    source
        ``owner/repository@commit:path`` or a page's address, and after a blank the place in it.
    remark
        What a reader should know of this number.
    """

    dataset: str
    subset: str
    method: str
    year: str
    venue: str
    metric: str
    threshold: str
    normaliser: str
    printed: Printed
    kind: str
    source: str
    remark: str

    @property
    def protocol(self) -> tuple[str, ...]:
        """What two cells must share to be comparable: data set, measure and normaliser."""
        return (self.dataset, self.metric, self.threshold, self.normaliser)

    @property
    def place(self) -> tuple[str, ...]:
        """The key that two cells share if they should be the same number."""
        return (*self.protocol, self.subset, self.method)

    @property
    def measure(self) -> str:
        """The measure in the form of the command line, such as ``fr@0.10``."""
        return f"{self.metric}@{self.threshold}" if self.threshold else self.metric

    @property
    def family(self) -> str:
        """The method without the variant in brackets."""
        return self.method.partition(" (")[0]

    @property
    def heading(self) -> str:
        """The heading of its numbers, such as ``FR, % at threshold 0.10``."""
        name = {"nme": "NME, %", "fr": "FR, %", "auc": "AUC"}[self.metric]
        return f"{name} at threshold {self.threshold}" if self.threshold else name

    @property
    def column(self) -> str:
        """What findings call the number's column."""
        return f"{self.dataset} {self.subset} {self.measure} ({self.normaliser})"

    @property
    def link(self) -> str:
        """Address under which the source can be opened."""
        address = self.source.partition(" ")[0]
        if found := _COMMIT.fullmatch(address):
            return f"https://github.com/{found[1]}/blob/{found[2]}/{found[3]}"
        return f"https://{address}"
