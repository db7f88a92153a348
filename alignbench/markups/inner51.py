"""The 51 points of iBUG's mark-up without the contour (Sagonas et al., ICCVW 2013)."""

from __future__ import annotations

from alignbench.markups.base import part_of, span
from alignbench.markups.ibug68 import IBUG68

INNER51 = part_of(IBUG68, span(17, 67), "inner51")
