"""The audit of published results across their sources."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

import pytest

from reports.audit.across import audit_published, published_tables
from reports.printed import parse
from reports.published import PublishedCell, collection
from reports.tables import render


def cell(value, **changes):
    base = PublishedCell(
        dataset="wflw test", subset="full", method="Net", year="2020", venue="", metric="nme",
        threshold="", normaliser="inter_ocular", printed=parse(value), kind="quoted",
        source="a.org/x", remark="",
    )  # fmt: skip
    return replace(base, **changes)


def found(cells, rule):
    return [f for f in audit_published(cells) if f.rule == rule and f.verdict != "ok"]


@pytest.fixture(scope="module")
def findings():
    return audit_published(collection())


@pytest.mark.parametrize(
    ("rule", "row", "column", "source", "proof"),
    [
        ("auc_bounds", "SPIGA", "300w test common auc@0.08", "SPIGA@", "> 0.44201"),
        ("auc_bounds", "SPIGA", "300w private outdoor auc@0.07", "SPIGA@", "> 0.37174"),
        ("subset_identity", "SH-FAN", "300w test full nme", "paperswithcode", "2.9028 to 2.9128"),
        ("subset_identity", "AVS+SAN", "300w test full nme", "STAR@", "135 x 6.46"),
        ("sources_disagree", "AVS+SAN", "300w test challenging nme", "STAR@", "6.49 in starhiking"),
        ("chimera", "Wing", "wflw test full nme", "STAR@", "fr@0.10 is 5.64, auc@0.10 is 0.5585"),
        ("chimera", "Wing", "wflw test full nme", "ORFormer@", "where nme is 5.11"),
        ("sources_disagree", "LAB", "wflw test blur nme", "HeatmapInHeatmap@", "6.12 in"),
        ("copied_cells", "DCFE", "wflw test full nme", "HeatmapInHeatmap@", "those of DVLN"),
        ("fr_lattice", "FaRL-B ep16 (paper, last epoch)", "aflw19 test frontal", "FaRL@", "1,314"),
    ],
)  # fmt: skip
def test_what_the_first_collection_shows_is_found(findings, rule, row, column, source, proof):
    matching = [
        f
        for f in findings
        if (f.rule, f.row) == (rule, row)
        and f.column.startswith(column)
        and source in f.table
        and f.verdict != "ok"
    ]
    assert len(matching) == 1
    assert proof in matching[0].proof


def test_no_other_kind_of_finding_appears_unread(findings):
    """All findings were read one by one; another number of them asks for reading them again."""
    bad = Counter((f.rule, f.verdict) for f in findings if f.verdict != "ok")
    assert bad == {
        ("subset_identity", "impossible"): 16,
        ("sources_disagree", "suspect"): 13,
        ("fr_lattice", "marginal"): 6,
        ("norm_ratio", "suspect"): 5,
        ("fr_lattice", "suspect"): 4,
        ("auc_bounds", "impossible"): 3,
        ("failing_faces", "impossible"): 3,
        ("fr_lattice", "impossible"): 2,
        ("norm_mixing", "suspect"): 2,
        ("chimera", "suspect"): 2,
        ("copied_cells", "suspect"): 2,
        ("failing_faces", "suspect"): 1,
        ("quoted_drift", "marginal"): 1,
    }


def test_ratios_of_both_conventions_of_wflws_pupils_are_possible(findings):
    ratios = [f for f in findings if f.rule == "norm_ratio" and "wflw test full" in f.column]
    assert {f.verdict for f in ratios} == {"ok"}
    outlines = [f for f in ratios if "outlines" in f.proof]
    assert {f.table.split("/")[0] for f in outlines} == {"yeyuxmf"}


def test_a_quoted_number_must_be_the_authors():
    own = cell("4.05", kind="own", source="b.org/x")
    assert found([own, cell("4.05"), cell("4.1")], "quoted_drift") == []
    (near,) = found([own, cell("4.06")], "quoted_drift")
    assert near.verdict == "marginal"
    (far,) = found([own, cell("4.50")], "quoted_drift")
    assert (far.verdict, far.table) == ("suspect", "a.org/x")
    assert far.proof == "4.50, its authors print 4.05 (b.org/x)"
    # Who ran the model again does not quote.
    assert found([own, cell("4.50", kind="rerun")], "quoted_drift") == []
    # A second number of the authors' own is as good.
    assert found([own, replace(own, printed=parse("4.50")), cell("4.50")], "quoted_drift") == []


def test_sources_that_disagree_are_told_once():
    cells = [cell("4.05"), cell("4.50", source="b.org/x"), cell("4.05", source="c.org/x")]
    (finding,) = found(cells, "sources_disagree")
    assert finding.proof == "4.05 in a.org/x, c.org/x; 4.50 in b.org/x"
    again = replace(cells[1], kind="rerun")
    assert found([cells[0], again], "sources_disagree") == []  # who runs it again may differ


def row(source, method, kind, **values):
    measures = {"nme": ("nme", ""), "fr": ("fr", "0.10"), "auc": ("auc", "0.10")}
    for name, value in values.items():
        metric, threshold = measures[name]
        yield cell(
            value, source=source, method=method, kind=kind, metric=metric, threshold=threshold
        )


def test_a_row_of_two_others_is_a_chimera_and_a_row_of_one_is_none():
    one = [*row("one.org/x", "Net (A)", "own", nme="5.00", fr="5.64", auc="0.5585")]
    two = [*row("two.org/x", "Net (B)", "quoted", nme="5.11", fr="6.00", auc="0.5504")]
    mixed = [*row("a.org/x", "Net", "quoted", nme="5.00", fr="6.00", auc="0.550")]
    (finding,) = found([*one, *two, *mixed], "chimera")
    assert finding.row == "Net"
    assert finding.proof == (
        "nme 5.00 as of Net (A) in one.org/x, where fr@0.10 is 5.64, auc@0.10 is 0.5585; "
        "fr@0.10 6.00, auc@0.10 0.550 as of Net (B) in two.org/x, where nme is 5.11"
    )
    real = [*row("own.org/x", "Net", "own", nme="5.00", fr="6.00", auc="0.5500")]
    assert found([*one, *two, *mixed, *real], "chimera") == []
    whole = [*row("a.org/x", "Net", "quoted", nme="5.00", fr="5.64", auc="0.559")]
    assert found([*one, *two, *whole], "chimera") == []


def test_equal_cells_of_two_methods_are_told_if_chance_does_not_explain_them():
    subsets = ("full", "pose", "expression", "illumination", "blur")

    def line(method, values):
        for subset, value in zip(subsets, values, strict=True):
            yield cell(value, method=method, subset=subset, source=f"{method}.org/x".lower())

    others = [
        other
        for k in range(12)
        for other in line(f"N{k}", [f"{4 + k / 10 + s / 100:.2f}" for s in range(5)])
    ]
    first = [*line("One", ["5.91", "6.92", "6.93", "6.94", "6.95"])]
    copied = [*line("Two", ["5.71", "6.92", "6.93", "6.94", "6.95"])]
    (finding,) = found([*others, *first, *copied], "copied_cells")
    assert "those of Two in two.org/x; the other 1 differ." in finding.proof
    same = [*line("Two", ["5.91", "6.92", "6.93", "6.94", "6.95"])]
    assert found([*others, *first, *same], "copied_cells") == []  # one model under two names


def test_tables_of_findings():
    counts, findings = published_tables(audit_published(collection()))
    assert findings.rows[0][3] == "impossible"
    assert {r[3] for r in findings.rows} == {"impossible", "suspect", "marginal"}
    assert sum(r[1] for r in counts.rows) == len(counts.records)
    assert "chimera" in render([counts, findings], "md")


def test_the_command(cli):
    result = cli("audit", "--published", "--json")
    assert result.code == 0, result.err
    assert {f["rule"] for f in json.loads(result.out)} >= {"chimera", "copied_cells"}
    assert cli("audit", "--published", "--fail-on", "impossible").code == 1
    wrong = cli("audit", "--published", "--dataset", "wflw")
    assert wrong.code == 2
    assert "--published: cannot be combined with tables or their options" in wrong.err
