"""Runs on the same faces: which differences are real.

A difference is the first run's measure minus the second's. Below 0 is better for the first run in
NME and FR, above 0 in AUC.
"""

from __future__ import annotations

from reports.compare.comparison import Comparison, compare
from reports.compare.gate import Gate, Verdict, judge, parse_gate
from reports.compare.pairing import Pairing, pair
from reports.compare.tables import gate_table, tables

__all__ = [
    "Comparison",
    "Gate",
    "Pairing",
    "Verdict",
    "compare",
    "gate_table",
    "judge",
    "pair",
    "parse_gate",
    "tables",
]
