"""How the numbers of a model move with the protocol: one table a question.

Each table has a reference row, and every other row its change from it; the changes of means have a
paired bootstrap interval: both rows are read off the same draws of source images.
"""

from __future__ import annotations

from reports.sensitivity.boxes import box_tables, jittered, of_boxes
from reports.sensitivity.stored import of_runs, run_tables

__all__ = ["box_tables", "jittered", "of_boxes", "of_runs", "run_tables"]
