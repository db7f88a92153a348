"""A report with an option of its own."""

from typing import Annotated

import typer

from alignbench.cli.options import Form, Out, choose_format, put
from reports.cli.options import Runs, read_runs
from reports.tables import Number, Table, render


def worst(
    runs: Runs,
    faces: Annotated[int, typer.Option(metavar="N", help="Number of faces.")] = 3,
    form: Form = None,
    out: Out = None,
) -> None:
    """The faces with the largest errors, of each run.

    For example:
      alignbench report run --table worst --faces 5 --format md
    """
    rows = []
    for run in read_runs(runs):
        errors = run.errors(run.record.dataset.normalisers[0])
        for row in (-errors).argsort(kind="stable")[:faces]:
            error = Number(100 * errors[row])
            rows.append((run.record.model.name, run.faces["id"][row], error))
    table = Table.of_rows("Worst faces", ("Model", "Face", "Error %"), rows)
    put(render([table], choose_format(form, out)), out)
