"""Tables 1 to 8 of the PropNet paper: its numbers, and those of runs below them.

Every number is published, measured or derived; footnotes say how a run's numbers were made.
"""

from __future__ import annotations

from collections.abc import Sequence

from alignbench import InputError, Run
from alignbench.exceptions import visible
from reports.paper import ablation, benchmarks, complexity
from reports.tables import Table, hide_intervals

NUMBERS = (1, 2, 3, *ablation.NUMBERS, 8)

_BENCHMARKS = {1: benchmarks.cofw, 2: benchmarks.w300, 3: benchmarks.wflw}


def tables(number: int, runs: Sequence[Run] = (), *, intervals: bool = False) -> list[Table]:
    """One table of the paper, with those of the runs that belong there.

    Parameters
    ----------
    intervals
        Whether measured numbers have their intervals; the records always have them.

    Raises
    ------
    InputError
        If the paper has no table of this number.
    """
    if number not in NUMBERS:
        raise InputError("table", f"{number}", f"{NUMBERS[0]} to {NUMBERS[-1]}")
    belonging = [run for run in runs if number in homes(run)]
    if number == 8:
        table = complexity.sizes_table(
            runs
        )  # With any run at all, the paper's networks are counted.
    elif number in _BENCHMARKS:
        table = _BENCHMARKS[number](belonging)
    else:
        table = ablation.ablation(number, belonging)
    return [table if intervals else hide_intervals(table)]


def homes(run: Run) -> tuple[int, ...]:
    """Numbers of the tables that a run's numbers belong to."""
    numbers = ablation.tables_of(run)
    if not numbers:
        benchmark = benchmarks.table_of(run)
        numbers = () if benchmark is None else (benchmark,)
    return (*numbers, 8) if complexity.has_network(run) else numbers


def left_out_note(run: Run, numbers: Sequence[int]) -> str | None:
    """Says where a run belongs that is in none of these tables; None if it is in one."""
    belongs = homes(run)
    if set(belongs) & set(numbers):
        return None
    record = run.record
    which = " and ".join(map(str, belongs))
    fits = f"its numbers are for Table {which}" if which else "it fits none of the paper's tables"
    return visible(
        f"Not in Table {', '.join(map(str, numbers))}: run {record.key} of {record.model.name} on "
        f"{record.dataset.title}; {fits}."
    )
