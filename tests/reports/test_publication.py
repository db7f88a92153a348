"""Tables and figures in a paper of two columns: they fit, as LaTeX itself says."""

from __future__ import annotations

import pytest
from doubles import SAMPLE, compile_latex

RUNS = ("a", "b", "c")
COMMANDS = {
    "paper": ("report",),
    "summary": ("report", *RUNS),
    "one": ("report", "a", "--measure", "nme"),
    "table3": ("report", *RUNS, "--table", "3", "--intervals"),
    "two": ("compare", "a", "b", "--fail-if", "nme > 1000"),
    "three": ("compare", *RUNS, "--bootstrap", "200"),
    "sensitivity": ("sensitivity", "a", "--bootstrap", "200"),
    "audit": ("audit",),
    "complexity": ("complexity", "--model", "propnet-mini", "--latency", "--seconds", "0"),
}


@pytest.fixture
def runs(cli):
    """Three runs in the working folder."""
    for name, model in zip(RUNS, ("mean-shape", "linear", "mean-shape"), strict=True):
        options = ("--bootstrap", "200", "--name", f"The model {name}", "--out", name)
        assert cli("run", "--model", model, "--dataset", *SAMPLE, *options).code == 0


def test_every_table_fits_a_paper_of_two_columns(runs, cli, tmp_path):
    for name, command in COMMANDS.items():
        result = cli(*command, "--format", "latex", "--out", f"{name}.tex")
        assert result.code == 0, result.err
    for two_columns in (True, False):
        # Table 3 with intervals is scaled down: nine columns of them take more than a page.
        names = [name for name in COMMANDS if name != "table3" or not two_columns]
        body = "".join(f"\\input{{{name}}}\\clearpage\n" for name in names)
        log, text = compile_latex(body, tmp_path, two_columns=two_columns)
        for trouble in ("Overfull", "Missing character", "too large", "Undefined"):
            assert trouble not in log
    assert text is None or ("plain text" not in text and "star" not in text)
