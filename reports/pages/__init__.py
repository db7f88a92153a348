"""HTML pages: of runs on one data set, of one run, and a site of all runs with a leaderboard.

Each page is one file that asks the network for nothing.
"""

from __future__ import annotations

from reports.pages.document import Link, Section, document
from reports.pages.report import page

__all__ = ["Link", "Section", "document", "page"]
