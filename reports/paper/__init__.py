"""Tables 1 to 8 of the PropNet paper: its numbers, and those of runs below them.

Every number is published, measured or derived; footnotes say how a run's came about.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from alignbench import InputError, Measure, Run
from alignbench.errors import visible
from reports.paper import ablation, benchmarks, networks
from reports.paper.model import PaperTable, laid_out
from reports.tables import Table, render

NUMBERS = (1, 2, 3, *ablation.NUMBERS, 8)

_BUILT: dict[int, Callable[[Sequence[Run]], PaperTable]] = {
    1: benchmarks.cofw,
    2: benchmarks.w300,
    3: benchmarks.wflw,
    8: networks.networks,
}


def tables(number: int, runs: Sequence[Run] = (), *, intervals: bool = False) -> list[Table]:
    """One table of the paper, with those of the runs that belong there.

    Raises
    ------
    InputError
        If the paper has no table of this number.
    """
    if number not in NUMBERS:
        raise InputError("table", f"{number}", f"{NUMBERS[0]} to {NUMBERS[-1]}")
    if number in _BUILT:
        # Which networks are counted says Table 8 itself, by whether there are runs at all.
        own = [run for run in runs if number == 8 or number in homes(run)]
        return [laid_out(_BUILT[number](own), intervals)]
    own = [run for run in runs if number in homes(run)]
    return [laid_out(ablation.ablation(number, own), intervals)]


def homes(run: Run) -> tuple[int, ...]:
    """Numbers of the tables that a run's numbers belong to."""
    found = ablation.belongs(run)
    if not found:
        benchmark = benchmarks.belongs(run)
        found = () if benchmark is None else (benchmark,)
    return (*found, 8) if networks.belongs(run) else found


def report(
    runs: Sequence[Run],
    form: str,
    numbers: Sequence[int] = NUMBERS,
    *,
    intervals: bool = False,
    apart: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> dict[str, str]:
    """Tables of the paper in one form, by the name of their file.

    Parameters
    ----------
    form
        ``terminal``, ``md``, ``latex``, ``html`` or ``csv``.
    intervals
        Whether measured numbers have their intervals; CSV always has them.
    apart
        Whether each table is a text of its own.
    say
        Is told of each run that is in none of the tables.

    Raises
    ------
    InputError
        If the paper has no table of a number, or the form is unknown.
    """
    made = {number: tables(number, runs, intervals=intervals) for number in numbers}
    for run in runs:
        own = homes(run)
        if not set(own) & set(numbers):
            say(_left_out(run, own, numbers))
    if apart or len(made) == 1:
        return {f"table{number}": render(found, form) for number, found in made.items()}
    return {"tables": render([table for found in made.values() for table in found], form)}


def every(
    runs: Sequence[Run], form: str = "terminal", measures: Sequence[Measure] | None = None
) -> str:
    """Tables 1 to 8 of the PropNet paper, published and measured; one by its number.

    Raises
    ------
    InputError
        If measures are asked for, which these tables have of their own, or the form is unknown.
    """
    if measures:
        raise InputError("--measure", "the paper's tables have measures of their own")
    return report(runs, form)["tables"]


def _left_out(run: Run, own: Sequence[int], asked: Sequence[int]) -> str:
    record = run.record
    which = " and ".join(map(str, own))
    fits = f"its numbers are for Table {which}" if own else "it fits none of the paper's tables"
    return visible(
        f"Not in Table {', '.join(map(str, asked))}: run {record.key} of {record.model.name} on "
        f"{record.dataset.name} {record.dataset.split}; {fits}."
    )
