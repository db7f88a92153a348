"""Audit of published tables: what arithmetic forbids, and what is not likely, with proofs."""

from __future__ import annotations

from reports.audit.audit import audit, tables
from reports.audit.cells import Finding, worst

__all__ = ["Finding", "audit", "tables", "worst"]
