"""Audit of published tables: what arithmetic forbids, and what is not likely, with proofs."""

from __future__ import annotations

from reports.audit.audit import audit, command, tables
from reports.audit.finding import Finding

__all__ = ["Finding", "audit", "command", "tables"]
