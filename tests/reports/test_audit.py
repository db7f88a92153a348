"""The audit finds what arithmetic forbids, and nothing else."""

from __future__ import annotations

import json
from collections import Counter
from decimal import Decimal
from fractions import Fraction
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alignbench import InputError
from alignbench.datasets import source
from reports.audit import audit, tables
from reports.audit.bounds import counts
from reports.printed import Interval, parse

PERCENT = 10**4
"""Errors are drawn as whole numbers of 1e-4 percent, so that every mean is an exact fraction."""


def write(folder, text, name="table.csv"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def verdicts(findings, verdict):
    return {(f.row, f.column, f.rule) for f in findings if f.verdict == verdict}


# The paper's tables


@pytest.fixture(scope="module")
def paper():
    return audit()


def test_each_row_of_table_2_is_checked_and_its_subsets_forbid_four_means(paper):
    table = [f for f in paper if f.table == "table2_300w"]
    identity = [f.verdict for f in table if f.rule == "subset_identity"]
    assert Counter(identity) == {"ok": 19, "impossible": 4}
    wrong = [f for f in table if f.verdict == "impossible"]
    assert {(f.row, f.column, f.rule): f.proof for f in wrong} == {
        ("CFAN", "full", "subset_identity"): (
            "(554 x 5.50 + 135 x 16.78) / 689 = 7.7052 to 7.7152, printed 7.69"
        ),
        ("LAB (inter_pupil)", "full", "subset_identity"): (
            "(554 x 4.20 + 135 x 7.41) / 689 = 4.8240 to 4.8340, printed 4.92"
        ),
        ("CPM+SBR", "full", "subset_identity"): (
            "(554 x 3.28 + 135 x 7.58) / 689 = 4.1175 to 4.1275, printed 4.10"
        ),
        ("LAB (inter_ocular)", "full", "subset_identity"): (
            "(554 x 2.98 + 135 x 5.19) / 689 = 3.4080 to 3.4180, printed 3.49"
        ),
    }


def test_table_3_is_possible_and_one_rate_is_off_in_its_last_digit(paper):
    table = [f for f in paper if f.table == "table3_wflw"]
    assert {f.verdict for f in table} == {"ok", "marginal"}
    assert verdicts(table, "marginal") == {("ESR", "fr10 make-up", "fr_lattice")}
    assert Counter(f.rule for f in table)["fr_lattice"] == 49


def test_the_ablations_have_less_area_than_their_errors_leave(paper):
    table = [f for f in paper if f.table == "tables4_7_ablation"]
    rules = Counter(f.rule for f in table if f.verdict == "impossible")
    assert rules == {"auc_bounds": 10, "failing_faces": 10}
    assert {f.verdict for f in table if f.rule == "baseline"} == {"ok"}
    assert {f.verdict for f in table if f.rule == "fr_lattice"} == {"ok"}


def test_the_text_agrees_with_table_4(paper):
    claims = [f for f in paper if f.rule == "claim"]
    assert [(f.row, f.column, f.verdict) for f in claims] == [
        ("with PM", "nme", "ok"), ("with PM", "fr10", "ok"), ("with PM", "auc10", "ok"),
    ]  # fmt: skip


def test_mixed_normalisers_are_suspect_with_the_reason(paper):
    assert verdicts(paper, "suspect") == {
        ("LAB", "nme", "norm_mixing"),
        ("PropNet", "nme", "norm_mixing"),
        ("LAB (inter_pupil)", "common", "norm_ratio"),
    }
    (mixed,) = [f for f in paper if f.row == "PropNet" and f.rule == "norm_mixing"]
    assert "usual for inter_ocular" in mixed.proof
    assert "AWing 4.94" in mixed.proof


def test_files_of_the_papers_names_are_read_as_the_papers(paper, tmp_path):
    copies = []
    for name in ("table1_cofw", "table2_300w", "table3_wflw", "tables4_7_ablation"):
        text = (files("reports") / "published" / f"{name}.csv").read_text(encoding="utf-8")
        copies.append(write(tmp_path, text, f"{name}.csv"))
    claims = (files("reports.audit") / "claims.csv").read_text(encoding="utf-8")
    assert audit([*copies, write(tmp_path, claims, "text.csv")]) == paper


# No false alarm: tables of random faces, rounded as they should be


def printed(value: Fraction, digits: int) -> str:
    return f"{Decimal(round(value * 10**digits)).scaleb(-digits):.{digits}f}"


def mean(values: np.ndarray) -> Fraction:
    return Fraction(int(values.sum()), len(values))


def measures(errors: np.ndarray, at: int) -> dict[str, Fraction]:
    """NME and FR in percent and AUC, exact, of whole-number errors at a threshold in percent."""
    t = at * PERCENT
    return {
        "nme": mean(errors) / PERCENT,
        f"fr{at:02d}": 100 * mean((errors > t).astype(np.int64)),
        f"auc{at:02d}": 1 - mean(np.minimum(errors, t)) / t,
    }


@st.composite
def faces(draw, number: int | None = None):
    """Errors of faces: usual ones, failures, some exactly at a threshold."""
    number = number or draw(st.integers(1, 400))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    centre = draw(st.floats(0.2, 30))
    errors = rng.lognormal(np.log(centre), draw(st.floats(0, 1.5)), number)
    failing = rng.random(number) < draw(st.sampled_from([0, 0, 0.02, 0.3, 1]))
    errors[failing] += draw(st.sampled_from([5, 40]))
    if draw(st.booleans()):
        errors = np.round(errors)  # many at a whole threshold
    return np.minimum(np.round(errors * PERCENT), 10**9).astype(np.int64)


DIGITS = st.fixed_dictionaries({"nme": st.integers(0, 4), "fr": st.integers(0, 4),
                                "auc": st.integers(1, 5)})  # fmt: skip


def cell(name: str, value: Fraction, digits: dict[str, int]) -> str:
    return printed(value, digits[name.rstrip("0123456789")])


@given(errors=faces(), digits=DIGITS, at=st.sampled_from([5, 7, 8, 10]))
@settings(max_examples=400)
def test_one_row_of_true_numbers_is_never_impossible(tmp_path, errors, digits, at):
    results = measures(errors, at)
    header = ",".join(["method", "faces", *results])
    row = ",".join(["m", str(len(errors)), *(cell(k, v, digits) for k, v in results.items())])
    findings = audit([write(tmp_path, f"{header}\n{row}\n")])
    assert {f.rule for f in findings} == {
        "fr_lattice", "auc_bounds", "fr_bound", "failing_faces",
    }  # fmt: skip
    assert {f.verdict for f in findings} <= {"ok", "suspect"}
    assert all(f.rule == "failing_faces" for f in findings if f.verdict == "suspect")


@given(errors=faces(689), digits=DIGITS)
@settings(max_examples=200)
def test_true_subsets_of_300w_are_never_impossible(tmp_path, errors, digits):
    members = {"common": errors[:554], "challenging": errors[554:], "full": errors}
    members |= {"helen": errors[:330], "lfpw": errors[330:554], "ibug": errors[554:]}
    findings = audit([_by_subset(tmp_path, "t_300w.csv", members, digits)])
    assert sum(f.rule == "subset_identity" for f in findings) == 15
    assert "impossible" not in {f.verdict for f in findings}
    assert "marginal" not in {f.verdict for f in findings}


@given(errors=faces(2500), digits=DIGITS, seed=st.integers(0, 2**32))
@settings(max_examples=150)
def test_true_overlapping_subsets_of_wflw_are_never_impossible(tmp_path, errors, digits, seed):
    rng = np.random.default_rng(seed)
    sizes = source("wflw").splits["test"]
    # An attribute may gather the worst faces, the best, or any.
    order = {0: np.argsort(errors), 1: np.argsort(-errors), 2: rng.permutation(2500)}
    members = {name: errors[order[int(rng.integers(3))][:count]] for name, count in sizes.items()}
    findings = audit([_by_subset(tmp_path, "t_wflw.csv", members, digits)])
    assert sum(f.rule == "subset_identity" for f in findings) == 18
    assert {f.verdict for f in findings} <= {"ok", "suspect"}


def _by_subset(folder, name, members, digits):
    results = {subset: measures(errors, 10) for subset, errors in members.items()}
    lines = [
        ",".join([metric, "m", *(cell(metric, results[s][metric], digits) for s in members)])
        for metric in ("nme", "fr10", "auc10")
    ]
    return write(folder, "\n".join([",".join(["metric", "method", *members]), *lines]), name)


@given(number=st.integers(1, 3000), data=st.data(), digits=st.integers(1, 3))
def test_a_rate_that_was_cut_is_marginal_at_most(tmp_path, number, data, digits):
    failing = data.draw(st.integers(0, number))
    share = Fraction(100 * failing, number)
    unit = Fraction(1, 10**digits)
    cut = share // unit * unit
    text = f"method,faces,fr10\nm,{number},{float(cut):.{digits}f}\n"
    (finding, *_) = audit([write(tmp_path, text)])
    assert finding.verdict in ("ok", "marginal")


# What was changed is found


@given(errors=faces(689), units=st.integers(2, 50), up=st.booleans())
@settings(max_examples=150)
def test_a_mean_beyond_rounding_is_found(tmp_path, errors, units, up):
    common, challenging = (mean(e) / PERCENT for e in (errors[:554], errors[554:]))
    change = Fraction(units if up else -units, 100)
    moved = round(mean(errors) / PERCENT, 2) + change
    if moved < 0:
        return
    numbers = ",".join(printed(value, 2) for value in (common, challenging, moved))
    text = f"method,common,challenging,full\nm,{numbers}\n"
    (finding,) = audit([write(tmp_path, text, "a_300w.csv")])
    assert (finding.rule, finding.verdict) == ("subset_identity", "impossible")


@given(number=st.integers(2, 2500), data=st.data())
def test_a_rate_between_two_numbers_of_faces_is_found(tmp_path, number, data):
    below = data.draw(st.integers(0, number - 1))
    middle = round(Fraction(100 * (2 * below + 1), 2 * number), 3)
    text = f"method,faces,fr10\nm,{number},{float(middle):.3f}\n"
    (finding, *_) = audit([write(tmp_path, text)])
    assert (finding.rule, finding.verdict) == ("fr_lattice", "impossible")
    assert f"{below:,}/{number:,}" in finding.proof


@pytest.mark.parametrize(
    ("row", "broken"),
    [
        ("4.00,2.00,0.59", {("auc10", "auc_bounds"), ("fr10", "failing_faces")}),
        ("4.00,2.00,0.60", set()),
        ("4.00,30.00,0.71", {("auc10", "auc_bounds")}),
        ("1.00,20.00,0.90", {("auc10", "auc_bounds"), ("fr10", "fr_bound")}),
        ("4.10,0.00,0.60", {("fr10", "failing_faces")}),
        ("4.00,0.00,0.60", set()),
        ("4.00,101.00,0.20", {("fr10", "range"), ("fr10", "fr_lattice"), ("auc10", "auc_bounds"),
                              ("fr10", "fr_bound"), ("auc10", "auc_bounds"),
                              ("fr10", "failing_faces")}),
        ("4.00,1.00,61.2", {("auc10", "range"), ("auc10", "auc_bounds")}),
    ],
)  # fmt: skip
def test_numbers_that_exclude_each_other(tmp_path, row, broken):
    findings = audit([write(tmp_path, f"method,faces,nme,fr10,auc10\nm,100,{row}\n")])
    assert {(f.column, f.rule) for f in findings if f.verdict == "impossible"} == broken


def test_failures_of_more_than_half_a_face_are_suspect(tmp_path):
    # 1 % of the faces has to bring (NME - t (1 - AUC)) = 0.9 %: 90 % beyond the threshold each.
    findings = audit([write(tmp_path, "method,nme,fr10,auc10\nm,4.9,1.00,0.60\n")])
    assert verdicts(findings, "suspect") == {("m", "fr10", "failing_faces")}


def test_a_subset_of_more_failures_than_there_are_is_found(tmp_path):
    text = "metric,method,full,pose\nfr10,m,1.00,12.58\nnme,m,0.5,6.92\nauc10,m,0.99,0.10\n"
    findings = audit([write(tmp_path, text, "wflw.csv")])
    impossible = {column for _, column, rule in verdicts(findings, "impossible")
                  if rule == "subset_identity"}  # fmt: skip
    assert impossible == {"fr10 pose", "nme pose", "auc10 pose"}


def test_the_ratio_of_normalisers(tmp_path):
    text = "dataset,norm,method,full\n" + "".join(
        f"{dataset},{norm},{method},{value}\n"
        for dataset, method, ocular, pupil in (
            ("300w", "good", 2.93, 4.10), ("300w", "odd", 2.93, 4.30), ("300w", "low", 2.93, 4.05),
            ("300w private", "good", 4.00, 5.82), ("cofw68", "odd", 6.00, 8.80),
        )
        for norm, value in (("inter_ocular", ocular), ("inter_pupil", pupil))
    )  # fmt: skip
    results = {f.row: f.verdict for f in audit([write(tmp_path, text)]) if f.rule == "norm_ratio"}
    assert results == {
        "good (300w test, inter_pupil)": "ok",
        "odd (300w test, inter_pupil)": "suspect",
        "low (inter_pupil)": "suspect",
        "good (300w private, inter_pupil)": "ok",
        "odd (cofw68 test, inter_pupil)": "suspect",
    }


def test_one_normaliser_alone_is_not_mixed(tmp_path):
    text = "norm,method,nme\ninter_ocular,a,3.45\ninter_ocular,b,3.7\n"
    assert audit([write(tmp_path, text, "cofw.csv")]) == []
    findings = audit([write(tmp_path, text + "inter_ocular,c,5.0\n", "cofw.csv")])
    assert {(f.row, f.verdict) for f in findings} == {("a", "ok"), ("b", "ok"), ("c", "suspect")}


@pytest.mark.parametrize(
    ("change", "verdict"),
    [("-6.86", "ok"), ("-6.80", "ok"), ("-7.07", "marginal"), ("-7.2", "marginal"),
     ("-8", "marginal"), ("-7.50", "impossible"), ("6.86", "impossible")],
)  # fmt: skip
def test_claims_of_a_text(tmp_path, change, verdict):
    table = write(tmp_path, "method,nme\nours,4.48\nbase,4.81\n", "mine.csv")
    text = f"table,row,column,reference,change,source\nmine,ours,nme,base,{change},section 4\n"
    (finding,) = audit([table, write(tmp_path, text, "claims.csv")])
    assert finding.verdict == verdict
    assert "section 4" in finding.proof


def test_factors_that_begin_otherwise_are_suspect(tmp_path):
    text = "factor,variant,nme\na,base,4.81\na,more,4.5\nb,base,4.80\n"
    (finding,) = audit([write(tmp_path, text)])
    assert (finding.row, finding.rule, finding.verdict) == ("base (b)", "baseline", "suspect")


# Forms


def test_the_same_table_in_other_forms_gives_the_same_verdicts(tmp_path):
    wide = "method,common,challenging,full\nm,3.28,7.58,4.10\n"
    long = "method,subset,nme\nm,common,3.28\nm,challenging,7.58\nm,full,4.10\n"
    sized = "method,common [554],challenging [135],testset [689]\nm,3.28%,7.58 %,4.10\n"
    expected = ("subset_identity", "impossible")
    for text, options in (
        (wide, {"dataset": "300w"}),
        (long, {"dataset": "300w test"}),
        (sized, {"partitions": ["full=common+challenging"]}),
    ):
        (finding,) = audit([write(tmp_path, "\ufeff" + text)], **options)
        assert (finding.rule, finding.verdict) == expected
        assert finding.proof.startswith("(554 x 3.28 + 135 x 7.58) / 689")


def test_a_table_without_data_set_is_held_to_what_needs_none(tmp_path):
    findings = audit([write(tmp_path, "method,nme,fr@0.10,auc@0.10,note\nm,4,2,0.7,x\n")])
    assert {f.rule for f in findings} == {"auc_bounds", "fr_bound", "failing_faces"}


HEAD = "method,common,full\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "t_300w.csv: is empty"),
        (HEAD, "no numbers in it"),
        (HEAD + "m,1.0\n", "line 2: 2 fields; accepted: 3"),
        (HEAD + "a,1,1\nm,1.0,four\n", "line 3, column 'full': 'four'; accepted: a number"),
        (HEAD + "m,1.0,nan\n", "line 2, column 'full': 'nan'"),
        (HEAD + "m,1.0,1e3\n", "line 2, column 'full': '1e3'"),
        (HEAD + "m,\"4,05\",1\n", "line 2, column 'common': '4,05'"),
        (HEAD + ",1,1\n", "line 2, column 'method': empty"),
        (HEAD + "m,1,1\nm,2,2\n", "nme of 'm' on common twice"),
        ("method,full,full\nm,1,1\n", "line 1: column 'full' twice"),
        ("method,,full\nm,1,1\n", "line 1: a column without name"),
        ("name,full\nm,1\n", "line 1: columns name, full; accepted: method"),
        ("method\nm\n", "line 1: no column of numbers"),
        ("method,nme,year\nm,1,2\n", "line 1, column 'year': neither a measure nor"),
        ("method,fr00,nme\nm,1,2\n", "line 1, column 'fr00': neither a measure nor"),
        ("method,metric,nme\nm,nme,2\n", "line 1, column 'nme': a measure beside"),
        ("method,metric,full\nm,mae,2\n", "line 2, column 'metric': 'mae'"),
        ("method,pose\nm,1\n", "line 2, column 'pose': 'pose' is no subset of 300w test"),
        ("method,norm,full\nm,eyes,1\n", "line 2, column 'norm': 'eyes'; accepted: inter_ocular"),
        ("method,faces,nme\nm,0,1\n", "line 2, column 'faces': '0'"),
        ("method,dataset,nme\nm,300v,1\n", "line 2, column 'dataset': data set '300v': unknown"),
        ("method,dataset,nme\nm,300w dev,1\n", "line 2, column 'dataset': no split 'dev' of 300w"),
        ('method,full\n"m,1\n', "line 2: unexpected end of data"),
        ("reference,change\na,1\n", "line 1: no column 'table'"),
        ("table,row,column,reference,change,source\na,b,c,d,much,e\n",
         "line 2, column 'change': 'much'"),
        ("table,row,column,reference,change,source\na,b,c,d,5,e\n", "line 2: cell of table a"),
    ],
)  # fmt: skip
def test_bad_files_get_one_message_with_file_line_and_column(tmp_path, text, message):
    path = write(tmp_path, text, "t_300w.csv")
    with pytest.raises(InputError) as error:
        audit([path])
    assert str(path) in str(error.value)
    assert message in str(error.value)


def test_files_that_are_no_text_or_not_there(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(InputError, match="is not UTF-8 text"):
        audit([tmp_path / "a.csv"])
    with pytest.raises(InputError, match="cannot be read"):
        audit([tmp_path / "none.csv"])
    (tmp_path / "b").mkdir()
    same = [write(tmp_path, "method,nme\nm,1\n"), write(tmp_path / "b", "method,nme\nm,1\n")]
    with pytest.raises(InputError, match="another table of this name"):
        audit(same)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dataset": "300v"}, "^--dataset: data set '300v': unknown"),
        ({"dataset": "300w dev"}, "^--dataset: no split 'dev'"),
        ({"norm": "eyes"}, "^--norm: 'eyes'"),
        ({"partitions": ["full"]}, "not a partition"),
        ({"partitions": ["full=common"]}, "not a partition"),
        ({"partitions": ["full=common+common"]}, "not a partition"),
        ({"partitions": ["full=common+rest"]}, "'rest': unknown"),
        ({"partitions": ["full=common+helen"]}, "the parts have 884 faces, full 689"),
    ],
)
def test_options_that_are_wrong_name_themselves(tmp_path, options, message):
    path = write(tmp_path, "method,full,common,helen\nm,1,1,1\n", "300w.csv")
    with pytest.raises(InputError, match=message):
        audit([path], **options)


def test_printed_numbers_are_exact_intervals():
    number = parse("4.10")
    assert number.rounded == Interval(Fraction("4.095"), Fraction("4.105"))
    assert parse(".5132").unit == Fraction(1, 10**4)
    assert parse("20").rounded == Interval(Fraction("19.5"), Fraction("20.5"))
    assert [parse(t) for t in ("", "4,1", "1e2", "\u0663", "1.2.3", "--1", "inf")] == [None] * 7


@given(st.integers(1, 500), st.fractions(0, 100), st.fractions(0, 5))
def test_counts_are_all_and_only_those_in_the_interval(number, low, width):
    inside = [k for k in range(number + 1) if low <= Fraction(100 * k, number) <= low + width]
    assert list(counts(Interval(low, low + width), number)) == inside


# The command line


def test_the_json_has_exactly_the_documented_keys(cli):
    result = cli("audit", "--json")
    assert (result.code, result.err) == (0, "")
    findings = json.loads(result.out)
    assert all(list(f) == ["table", "row", "column", "rule", "verdict", "proof"] for f in findings)
    assert {f["verdict"] for f in findings} == {"ok", "marginal", "suspect", "impossible"}
    assert all(f["proof"] and "\n" not in f["proof"] for f in findings)
    assert cli("audit", "--format", "json").out == result.out
    assert cli("audit", "--out", "audit.json").code == 0
    assert Path("audit.json").read_text(encoding="utf-8") == result.out


def test_the_gate_is_asked_for(cli, tmp_path):
    clean = write(tmp_path, "method,common,challenging,full\nm,3.28,7.58,4.12\n", "300w.csv")
    cut = write(tmp_path, "method,fr10\nm,0.39\nn,0.78\n", "cofw.csv")  # 4/507 = 0.789
    assert cli("audit").code == 0
    assert cli("audit", "--fail-on", "impossible").code == 1
    assert cli("audit", clean, "--fail-on", "marginal").code == 0
    assert cli("audit", cut, "--fail-on", "suspect").code == 0
    assert cli("audit", cut, "--fail-on", "marginal").code == 1
    wrong = cli("audit", write(tmp_path, "method,nme\nm,x\n", "bad.csv"))
    assert wrong.code == 2
    assert "bad.csv, line 2, column 'nme': 'x'" in " ".join(wrong.err.split())


@pytest.mark.parametrize("ending", ["md", "html", "csv", "tex"])
def test_what_is_wrong_stands_in_every_form(cli, tmp_path, ending):
    path = tmp_path / f"audit.{ending}"
    assert cli("audit", "--out", path).code == 0
    text = path.read_text(encoding="utf-8")
    for part in ("CPM+SBR", "4.1175 to 4.1275", "80/206 = 38.8350"):
        assert part in text


def test_what_is_ok_is_shown_when_asked_for(cli):
    short, long = cli("audit").out, cli("audit", "--all").out
    assert "DCFE" not in short
    assert "DCFE" in long


def test_counts_of_the_first_table_are_those_of_the_findings(paper):
    first, *others = tables(paper)
    assert sum(row[1] for row in first.rows) == len(paper)
    wrong = [f for f in paper if f.verdict != "ok"]
    assert sum(len(table.rows) for table in others) == len(wrong)
    assert sum(len(t.rows) for t in tables(paper, everything=True)[1:]) == len(paper)
