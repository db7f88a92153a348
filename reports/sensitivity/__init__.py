"""How the numbers of a model change with the protocol: one table a question.

Each table has a reference row, and the change of every other row from it. The changes of means
have the interval of a paired bootstrap: both rows are read off the same draws of source images.
"""

from __future__ import annotations

from reports.sensitivity.boxes import box_tables, jitter_boxes
from reports.sensitivity.stored import run_tables

__all__ = ["box_tables", "jitter_boxes", "run_tables"]
