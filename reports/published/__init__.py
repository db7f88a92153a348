"""Published results, each with its protocol and a source that can be opened."""

from reports.published.cell import KINDS, NOT_STATED, PublishedCell
from reports.published.reading import collection, read
from reports.published.selection import select
from reports.published.tables import overview, ranking, tables

__all__ = [
    "KINDS", "NOT_STATED", "PublishedCell", "collection", "overview", "ranking", "read", "select",
    "tables",
]  # fmt: skip
