"""Measures of landmark error: pure functions over arrays, and values that name them.

Errors are fractions of a normaliser, one for each face. Conventions: a face fails when its error is
*larger* than the threshold; the CED counts errors *at most* x; AUC is the exact integral of the
empirical CED. NME and FR are reported in percent, AUC as a fraction.
"""

from __future__ import annotations

from alignbench.metrics.measure import Measure, default_measures, parse_measure, usual_measures

__all__ = ["Measure", "default_measures", "parse_measure", "usual_measures"]
