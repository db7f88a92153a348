"""Tables and figures in a paper of two columns: they fit, as LaTeX itself says."""

from __future__ import annotations

from pathlib import Path

import pytest
from doubles import QUICK, SAMPLE, Shifted, compile_latex, make_dataset
from matplotlib.figure import Figure
from matplotlib.text import Text

from alignbench import evaluate
from reports.figures import ced
from reports.figures.column import fit_width

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


@pytest.mark.parametrize("count", [1, 6])
def test_a_ced_plot_at_the_width_of_a_column_can_be_read(count):
    dataset = make_dataset(20)
    models = []
    for k in range(count):
        models.append(Shifted(dataset, 2.0 + k))
        models[-1].name = f"A model with a rather long name, number {k}"
    drawing = ced.figure([evaluate(model, dataset, bootstrap=QUICK) for model in models])
    natural = shape_of(drawing)
    fit_width(drawing, 3.25)
    assert drawing.get_size_inches()[0] == 3.25
    assert shape_of(drawing) == pytest.approx(natural, rel=0.03)
    texts = [text for text in drawing.findobj(Text) if text.get_text() and text.get_visible()]
    assert {text.get_fontsize() for text in texts} == {7, 8}
    drawn = drawing.get_tightbbox()
    assert -0.02 < drawn.x0 < drawn.x1 < 3.27
    assert -0.02 < drawn.y0 < drawn.y1 < drawing.get_size_inches()[1] + 0.02
    (legend,) = drawing.legends
    assert not legend.get_window_extent().overlaps(drawing.axes[0].get_tightbbox())


def shape_of(drawing):
    """Height of the axes of a figure, as a share of their width."""
    drawing.draw_without_rendering()
    box = drawing.axes[0].get_window_extent()
    return box.height / box.width


def test_names_below_an_axis_do_not_overlap_at_the_width_of_a_column():
    drawing = Figure(figsize=(8, 4), layout="constrained")
    axes = drawing.add_subplot()
    axes.bar(range(6), range(6))
    axes.set_xticks(range(6), [f"illumination{k}" for k in range(6)])
    fit_width(drawing, 3.25)
    assert {label.get_rotation() for label in axes.get_xticklabels()} == {35}


def test_a_figure_command_takes_a_width(runs, cli):
    assert cli("ced", "a", "b", "--out", "ced.svg", "--width", "3.25").code == 0
    assert 'width="234pt"' in Path("ced.svg").read_text()
    assert (
        "--width: 30.0; accepted: 3 to 12" in cli("ced", "a", "--out", "a.svg", "--width", "30").err
    )
