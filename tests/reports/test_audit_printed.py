"""The audit of tables as papers and READMEs have them."""

from __future__ import annotations

from pathlib import Path

import pytest

from alignbench import InputError
from reports.audit import audit
from reports.audit.grid_reading import read_printed_tables
from reports.audit.grids import read_grids
from reports.audit.headings import read_heading

MARKDOWN = """
Table 1. Results on **300W** by *NME<sub>inter-pupils</sub>*.

| Method | Year | Common Subset | Challenging Subset | Fullset |
|---|---|---|---|---|
| First [12] | 2018 | 2.98 | 5.19 | 3.49 |
| **Ours**† | 2020 | **2.67** | 3.99% | **2.93** |

## WFLW

| | NME_ioc | AUC_10 | FR_10 | NME_P90 |
|---|---|---|---|---|
| full | 4.060 | 60.558 | 2.080 | 6.766 |
| pose | 7.141 | 35.312 | 11.656 | 10.684 |
"""
HTML = """
<p>Table 2 on COFW</p>
<table>
 <tr><th rowspan="2">Method</th><th colspan="2">inter-ocular</th></tr>
 <tr><th>NME &darr;</th><th>FR@0.1</th></tr>
 <tr><td>First</td><td>3.71</td><td>0.20</td></tr>
 <tr><td colspan="3">Ours</td></tr>
 <tr><td>Second</td><td>3.45 &plusmn; 0.02</td><td>-</td></tr>
</table>
"""
LATEX = r"""
\begin{table*}[t]
\caption{NME (\%) on 300W. We beat \cite{them}.}
\resizebox{\linewidth}{!}{
\begin{tabular}{l|ccc} \toprule
\multirow{2}{*}{Method} & \multicolumn{3}{c}{300W $\downarrow$} \\ \cmidrule(lr){2-4}
 & Common & Chal.~[135] & Full \\ \midrule
\multicolumn{4}{c}{\textit{Inter-pupil normalisation}} \\ \hline
LAB~\cite{wu} & 4.20 & 7.41 & \underline{4.92} \\
\multicolumn{4}{c}{\textit{Inter-ocular normalisation}} \\ \hline
LAB~\cite{wu} & 2.98 & {\bf 5.19} & 3.49 \\ % & 1.00 in a comment
Ours$^\dagger$ & \textbf{2.67}\% & -- & 2.93 \\[2pt]
\bottomrule
\end{tabular}}
\end{table*}
"""


@pytest.fixture(autouse=True)
def empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def write(text, name):
    path = Path(name)
    path.write_text(text, encoding="utf-8")
    return path


def cells(text, name, dataset="", norm=""):
    found, _ = read_printed_tables(write(text, name), dataset, norm)
    return {
        (c.method, c.dataset, c.subset, c.norm, c.metric, c.threshold): c.printed.text
        for c in found
    }


def test_markdown_as_readmes_have_it():
    found = cells(MARKDOWN, "README.md")
    pupil = ("300w test", "full", "inter_pupil", "nme", None)
    assert found["First", *pupil] == "3.49"
    assert found["Ours", *pupil] == "2.93"
    assert found["Ours", "300w test", "challenging", "inter_pupil", "nme", None] == "3.99"
    ocular = ("README 2", "wflw test", "pose", "inter_ocular")
    assert found[*ocular, "nme", None] == "7.141"
    assert found[*ocular, "auc", 10] == "0.35312"  # printed in percent
    assert found[*ocular, "fr", 10] == "11.656"
    assert len(found) == 12  # neither years nor percentiles


def test_html_with_spans():
    found = cells(HTML, "page.html")
    assert found == {
        ("First", "cofw test", "full", "inter_ocular", "nme", None): "3.71",
        ("First", "cofw test", "full", "inter_ocular", "fr", 10): "0.20",
        ("Second", "cofw test", "full", "inter_ocular", "nme", None): "3.45",
    }


def test_latex_with_spans_sections_citations_and_comments():
    found = cells(LATEX, "paper.tex")
    assert {key[0] for key in found} == {"LAB", "Ours"}
    assert found["LAB", "300w test", "full", "inter_pupil", "nme", None] == "4.92"
    assert found["LAB", "300w test", "full", "inter_ocular", "nme", None] == "3.49"
    assert found["Ours", "300w test", "common", "inter_ocular", "nme", None] == "2.67"
    assert len(found) == 8


def test_the_audit_reads_them_and_says_how():
    findings = audit([write(LATEX, "paper.tex")])
    wrong = {(f.row, f.rule) for f in findings if f.verdict == "impossible"}
    assert wrong == {("LAB", "subset_identity")}
    reading = {f.column: f.proof for f in findings if f.rule == "reading"}
    assert reading["300W Common"] == "read as nme common 300w"
    years = [f.proof for f in audit([write(MARKDOWN, "README.md")]) if f.column == "Year"]
    assert years == ["left out: its heading names no measure, subset or data set"]


def test_options_say_what_the_table_does_not():
    plain = "| Method | NME | FR@10 |\n|---|---|---|\n| Ours | 3.71 | 0.30 |\n"
    assert cells(plain, "a.md") == {
        ("Ours", "", "full", "", "nme", None): "3.71", ("Ours", "", "full", "", "fr", 10): "0.30",
    }  # fmt: skip
    (finding,) = [
        f
        for f in audit([write(plain, "a.md")], dataset="cofw", norm="inter_ocular")
        if f.rule == "fr_lattice"
    ]
    assert (finding.verdict, finding.proof[:28]) == ("impossible", "no whole number of 507 faces")


TWO = """
## Results on COFW and WFLW

| Method | NME | FR@10 |
|---|---|---|
| Net | 5.44 | 3.75 |

| Metric | Method | FullSet | Pose |
|---|---|---|---|
| NME | First | 11.13 | 25.88 |
|  | Second | 10.29 | 24.10 |
| FR@0.1 | First | 35.24 | 90.18 |
|  | Second | 29.40 | 84.36 |
"""


def test_of_two_data_sets_in_a_caption_that_with_the_tables_subsets_is_meant():
    found = cells(TWO, "a.md")
    assert found["Net", "", "full", "", "fr", 10] == "3.75"  # either of the two
    assert found["Second", "wflw test", "pose", "", "nme", None] == "24.10"


def test_an_empty_cell_below_a_word_means_that_word():
    found = cells(TWO, "a.md")
    assert found["Second", "wflw test", "full", "", "nme", None] == "10.29"
    assert found["Second", "wflw test", "full", "", "fr", 10] == "29.40"


def test_a_name_twice_gets_a_number():
    twice = "| Method | Full |\n|---|---|\n| Net | 3.71 |\n| Net | 3.72 |\n"
    assert {key[0] for key in cells(twice, "a.md")} == {"Net", "Net (2)"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FR_{10\\%}", ("", "fr", 10)),
        ("Failure rate (%)", ("", "fr", None)),
        ("AUC@0.08", ("", "auc", 8)),
        ("Frontal", ("frontal", "", None)),
        ("Large Pose", ("pose", "", None)),
        ("Makeup", ("make-up", "", None)),
        ("Test set", ("full", "", None)),
        ("Params (M)", ("", "", None)),
        ("NME_P95", ("", "", None)),
        ("NME gain", ("", "", None)),
    ],
)
def test_headings(text, expected):
    meaning = read_heading(text)
    assert (meaning.subset, meaning.metric, meaning.threshold) == expected


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        ("No table here.", "a.md", "a.md: no table in it"),
        ("| a | b |\n|---|---|\n| c | d |\n", "a.md", "no table with results"),
        (r"\begin{tabular}{l} a & b", "a.tex", "no table"),
        ("<table></table>", "a.html", "no table"),
    ],
)
def test_files_without_results(text, name, message):
    with pytest.raises(InputError, match=message):
        audit([write(text, name)])


def test_not_text():
    Path("a.md").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="cannot be read"):
        read_grids(Path("a.md"))
    for options, message in (
        ({"dataset": "wflv"}, "--dataset: data set 'wflv'"),
        ({"dataset": "300w secret"}, "--dataset: no split 'secret' of 300w"),
        ({"norm": "eyes"}, "--norm: 'eyes'"),
    ):
        with pytest.raises(InputError, match=message):
            audit([write(MARKDOWN, "b.md")], **options)


def test_the_command(cli):
    result = cli("audit", write(MARKDOWN, "README.md"), "--all")
    assert result.code == 0, result.err
    assert "read as auc@0.10 wflw inter_ocular" in " ".join(result.out.split())


def test_a_normaliser_of_one_heading_is_not_that_of_the_others():
    """AFLW as LUVLi prints it: NME by the diagonal and by the box, AUC by the box."""
    Path("t.md").write_text(
        "| AFLW-19 | NME_diag full | NME_diag frontal | NME_box full | AUC_box^7 full |\n"
        "|---|---|---|---|---|\n| LUVLi | 1.39 | 1.19 | 2.28 | 68.0 |\n"
    )
    cells, _ = read_printed_tables(Path("t.md"), "", "")
    assert [(c.metric, c.norm) for c in cells] == [
        ("nme", "diagonal"), ("nme", "diagonal"), ("nme", "box"), ("auc", "box"),
    ]  # fmt: skip
    assert cells[-1].threshold == 7


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("AFLW-2000-3D", "aflw2000-3d"), ("AFLW2000", "aflw2000-3d"), ("AFLW-full", "aflw19"),
        ("300W-LP", ""), ("300W", "300w"), ("300-VW", "300vw"), ("WFLW-V", ""), ("WFLW", "wflw"),
        ("JD-landmark", "jd106"),
    ],
)  # fmt: skip
def test_data_sets_of_similar_names_are_told_apart(text, name):
    assert read_heading(f"NME on {text} (%)").dataset == name


def test_spans_and_breaks_as_files_have_them():
    Path("t.html").write_text(
        "<table><tr><th colspan='100%'>Method</th><th>NME<br>FR@0.1</th></tr>"
        "<tr><td>A</td><td>1.0</td></tr></table>"
    )
    assert read_grids(Path("t.html"))[0].rows == [["Method", "NME FR@0.1"], ["A", "1.0"]]
    Path("t.tex").write_text(
        r"\begin{tabular}{ll} & NME \\ & 3.4 \\ \multirow{-2}{*}{WFLW} & 3.5 \\ \end{tabular}"
    )
    assert read_grids(Path("t.tex"))[0].rows == [["", "NME"], ["WFLW", "3.4"], ["WFLW", "3.5"]]


def test_a_file_that_is_cut_off_within_a_cell_is_read_as_far_as_it_goes():
    Path("t.tex").write_text(r"\begin{tabular}{ll} A & 3.4 \\ B & \multicolumn{2")
    assert read_grids(Path("t.tex"))[0].rows[0] == ["A", "3.4"]
