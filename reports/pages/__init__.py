"""The HTML report: one file that asks the network for nothing."""

from __future__ import annotations

from reports.pages.page import Section, document, page

__all__ = ["Section", "document", "page"]
