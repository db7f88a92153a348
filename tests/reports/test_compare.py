"""Comparisons of runs: paired by face, signs, letters, gates, and what is refused."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from doubles import ArrayImages, make_dataset
from scipy import stats as scipy_stats

from alignbench import (
    InputError,
    Measure,
    Predictor,
    evaluate,
    load_dataset,
    load_predictor,
    parse_measure,
)
from alignbench.markups import COFW29, WFLW98
from alignbench.stats import Bootstrap
from alignbench.stats.paired import signed_rank
from reports.compare import compare, gate_table, judge, pair, parse_gate, tables
from reports.compare.comparison import _differences, smaller_is_better
from reports.compare.pairing import TIE, merge_ties
from reports.tables import render

QUICK = Bootstrap(300)
FACES = 60


class Noisy(Predictor):
    """The truth, each face moved by some pixels of its own; NaN for a face it misses."""

    markup = WFLW98
    needs_images = False

    def __init__(self, dataset, pixels, name):
        self.markup = dataset.markup
        moved = dataset.points + np.asarray(pixels, np.float64)[:, None, None]
        self.points = dict(zip(dataset.ids, moved, strict=True))
        self.name = name

    def predict(self, batch):
        return np.stack([self.points[name] for name in batch.ids])

    def describe(self):
        total = float(np.nansum([points.sum() for points in self.points.values()]))
        return {"source": "noisy", "total": total}


def data(faces=FACES, images=None, **changes):
    return replace(make_dataset(faces, images=images), **changes)


def pixels(seed=0, typical=4.0, faces=FACES):
    return np.random.default_rng(seed).lognormal(np.log(typical), 0.7, faces)


def run_of(moved, name="model", dataset=None, **options):
    dataset = dataset or data(len(moved))
    return evaluate(Noisy(dataset, moved, name), dataset, bootstrap=QUICK, **options)


BASE = pixels()
A, B = run_of(BASE, "first"), run_of(BASE * 1.3 + pixels(1, 0.5), "second")
C = run_of(pixels(2), "third")
FEW_MISSED = run_of(np.where(np.arange(FACES) < 3, np.nan, BASE))
"""Misses every face of the subset few."""


def difference(result, measure, subset="full", pairs=(0, 1)):
    (one,) = (
        x
        for x in result.differences
        if (x.measure.name, x.subset, (x.first, x.second)) == (measure, subset, pairs)
    )
    return one


def test_differences_are_those_of_the_runs_and_their_own_intervals_stand_beside():
    result = compare([A, B], bootstrap=QUICK)
    for measure in result.measures:
        for subset in A.subsets:
            rows = [run.row(measure, subset) for run in (A, B)]
            one = difference(result, measure.name, subset)
            assert one.value == pytest.approx(rows[0].value - rows[1].value)
            assert one.low <= one.value <= one.high
            levels = [x for x in result.levels if (x.subset, x.measure) == (subset, measure)]
            assert [x.value for x in levels] == pytest.approx([row.value for row in rows])
            if measure.name != "fr":
                stored = [(row.ci_low, row.ci_high) for row in rows]
                np.testing.assert_allclose([(x.low, x.high) for x in levels], stored, atol=1e-6)


def test_tests_are_scipys_where_each_face_has_its_image():
    dataset = data(images=ArrayImages([None] * FACES))
    runs = [run_of(moved, dataset=dataset) for moved in (BASE, BASE * 1.2 + pixels(3, 0.3))]
    result = compare(runs, bootstrap=QUICK)
    one, two = (100 * run.errors("inter_ocular") for run in runs)
    assert difference(result, "nme").p == pytest.approx(scipy_stats.ttest_rel(one, two).pvalue)
    assert result.faces[0].p == pytest.approx(scipy_stats.wilcoxon(one - two).pvalue)
    fails = [errors > 10 for errors in (one, two)]
    alone = [int((a & ~b).sum()) for a, b in (fails, fails[::-1])]
    assert sum(alone) > 0
    expected = scipy_stats.binomtest(alone[0], sum(alone)).pvalue
    assert difference(result, "fr").p == pytest.approx(expected)


@pytest.mark.parametrize("faces", [49, 50, 51, 300, 2500])
def test_signed_ranks_are_scipys(faces):
    differences = np.round(np.random.default_rng(faces).normal(0.1, 1, faces), 1)  # many are equal
    expected = scipy_stats.wilcoxon(differences).pvalue
    assert signed_rank(differences, np.arange(faces)) == pytest.approx(expected, rel=1e-9)


def test_swapping_the_runs_flips_every_sign():
    forward, back = (compare(runs, bootstrap=QUICK) for runs in ([A, B], [B, A]))
    for one, two in zip(forward.differences, back.differences, strict=True):
        assert (one.value, one.p, one.holm) == pytest.approx((-two.value, two.p, two.holm))
        assert (one.low, one.high) == pytest.approx((-two.high, -two.low), abs=1e-9)
    for one, two in zip(forward.faces, back.faces, strict=True):
        assert (one.wins, one.ties, one.losses) == (two.losses, two.ties, two.wins)
        assert (one.shift, one.low, one.high) == pytest.approx((-two.shift, -two.high, -two.low))


def test_twice_the_error_is_twice_the_difference_at_the_same_p():
    doubled = [run_of(2 * moved) for moved in (BASE, pixels(2))]
    once, twice = compare([A, C], bootstrap=QUICK), compare(doubled, bootstrap=QUICK)
    one, two = difference(once, "nme"), difference(twice, "nme")
    assert two.p == pytest.approx(one.p)
    for field in ("value", "low", "high", "detectable"):
        assert getattr(two, field) == pytest.approx(2 * getattr(one, field))
    assert twice.faces[0].shift == pytest.approx(2 * once.faces[0].shift)


def test_faces_on_which_the_runs_agree_make_the_difference_smaller_but_not_the_failures_p():
    more = [run_of(np.concatenate([moved, np.full(FACES, 2.0)])) for moved in (BASE, 2 * BASE)]
    few, many = compare([A, run_of(2 * BASE)], bootstrap=QUICK), compare(more, bootstrap=QUICK)
    assert difference(many, "fr").p == pytest.approx(difference(few, "fr").p)
    assert abs(difference(many, "fr").value) < abs(difference(few, "fr").value)
    assert many.faces[0].ties == FACES


def test_a_run_is_no_different_from_itself():
    result = compare([A, A], bootstrap=QUICK)
    for one in result.differences:
        assert (one.value, one.p, one.holm) == (0, 1, 1)
        assert one.low <= 0 <= one.high
        if one.measure.name != "fr":
            assert (one.low, one.high) == (0, 0)
    for one in result.faces:
        assert (one.wins, one.losses, one.shift, one.p) == (0, 0, 0, 1)
    for text in ("nme > 0", "nme < 0", "fr@0.10 > 0 @95%", "auc@0.10 < -0 @50%", "nme > 0 @99%"):
        (verdict,) = judge(parse_gate(text), [A, A], bootstrap=QUICK)
        assert not verdict.tripped, text


def test_what_rounding_leaves_is_no_difference():
    assert _differences(np.array([0.1 + 0.2, 0.3])) == [0]
    assert _differences(np.array([0.3 + 1e-9, 0.3])) > 0


def test_errors_that_float_noise_tells_apart_tie():
    """As of the same weights with another number of threads: 1e-6 pixels or so."""
    noise = 1e-6 * np.random.default_rng(7).normal(1, 1, FACES)
    moved = np.where(np.arange(FACES) < 5, 3.0, 0.0)
    for others, ties in (([noise], FACES), ([noise, moved], FACES - 5)):
        runs = [A, *(run_of(BASE + change) for change in others)]
        result = compare(runs, bootstrap=QUICK)
        (first,) = [x for x in result.faces if (x.subset, x.second) == ("full", 1)]
        assert (first.wins, first.ties, first.losses) == (0, FACES, 0)
        assert (first.shift, first.low, first.high, first.p) == (0, 0, 0, 1)
        for measure in ("nme", "auc"):
            one = difference(result, measure)
            assert (one.value, one.low, one.high, one.p) == (0, 0, 0, 1)
        last = result.faces[len(runs) - 2]
        assert (last.wins + last.losses, last.ties) == (FACES - ties, ties)
    # Each run's own numbers stay as its tables have them.
    values = [x.value for x in result.levels if (x.subset, x.measure.name) == ("full", "nme")]
    for run, value in zip(runs, values, strict=True):
        assert value == pytest.approx(run.row(parse_measure("nme")).value, rel=1e-14)
    assert values[0] != values[1]


def test_ties_end_beyond_a_millionth():
    missed = [np.inf, np.inf, 0.3]
    errors = np.array([[0.5, 0.5 + 0.9 * TIE, 0.5 + 1.8 * TIE], [0.2, 0.2 + 1.1 * TIE, 0.1]]).T
    merged = merge_ties(np.column_stack([errors, missed]))
    assert merged.tolist() == [[0.5, 0.2, np.inf], [0.5, 0.2 + 1.1 * TIE, np.inf], [0.5, 0.1, 0.3]]


def test_faces_of_one_image_count_as_one():
    alike = [np.repeat(pixels(seed, typical, 20), 3) for seed, typical in ((4, 4.0), (5, 6.0))]
    result = []
    for images in (np.repeat(np.arange(20), 3), np.arange(FACES)):
        dataset = data(images=ArrayImages([None] * FACES, [str(k) for k in images]))
        runs = [run_of(moved, dataset=dataset) for moved in alike]
        result.append(compare(runs, subsets=["full"], bootstrap=Bootstrap(2000)))
    together, apart = result
    for one, two in zip(together.differences, apart.differences, strict=True):
        assert one.value == pytest.approx(two.value)
        assert (one.high - one.low) / (two.high - two.low) == pytest.approx(3**0.5, rel=0.15)
        assert one.p > two.p
    assert together.faces[0].p > apart.faces[0].p
    for one, two in zip(together.levels, apart.levels, strict=True):
        assert one.high - one.low > 1.1 * (two.high - two.low)


def test_missed_faces_fail_add_nothing_to_auc_and_are_left_out_of_nme():
    missing = BASE.copy()
    missing[:5] = np.nan
    result = compare([run_of(missing), A], bootstrap=QUICK)
    assert (result.missed, result.seen) == ((5, 0), FACES - 5)
    nme, fr, auc = (difference(result, name) for name in ("nme", "fr", "auc"))
    assert (nme.faces, nme.value) == (FACES - 5, 0)
    assert fr.faces == auc.faces == FACES
    assert fr.value == pytest.approx(100 * (A.errors("inter_ocular")[:5] <= 0.1).sum() / FACES)
    assert auc.value < 0
    assert (result.faces[0].wins, result.faces[0].losses) == (0, 5)
    back = compare([A, run_of(missing)], bootstrap=QUICK)
    assert (difference(back, "nme").faces, difference(back, "nme").value) == (FACES - 5, 0)
    text = render(tables(result), "md")
    assert f"NME is over the {FACES - 5} faces that no run missed" in text


def test_a_subset_of_which_nothing_was_found_is_compared_by_its_failures():
    result = compare([FEW_MISSED, A], bootstrap=QUICK)
    nme, fr, auc = (difference(result, name, "few") for name in ("nme", "fr", "auc"))
    assert (nme.faces, fr.faces) == (0, 3)
    assert np.isnan([nme.value, nme.low, nme.p, nme.holm]).all()
    assert np.isfinite([fr.value, fr.low, fr.p, fr.holm, auc.value, auc.low]).all()
    assert np.isnan(next(x for x in result.faces if x.subset == "few").p)
    assert "–" in render(tables(result), "md")


def test_faces_of_one_run_only_are_counted_and_left_out():
    limited = run_of(BASE, "short", limit=25)
    result = compare([limited, B], bootstrap=QUICK)
    assert result.pairing.left_out == [0, FACES - 25]
    assert difference(result, "nme").faces == 25
    expected = (A.errors("inter_ocular")[:25] - B.errors("inter_ocular")[:25]).mean()
    assert difference(result, "nme").value == pytest.approx(100 * expected)
    text = render(tables(result), "md")
    assert "Compared on the 25 faces all runs have; left out: short 0, second 35." in text
    assert "short: INCOMPLETE: limited to the first 25 faces." in text


def test_order_of_faces_does_not_matter():
    dataset = data()
    mixed = np.random.default_rng(0).permutation(FACES)
    other = run_of((BASE * 1.3 + pixels(1, 0.5))[mixed], "second", dataset.take(mixed))
    one, two = (compare([A, run], bootstrap=QUICK) for run in (B, other))
    assert [x.value for x in one.differences] == pytest.approx([x.value for x in two.differences])


MOVED = make_dataset(FACES).points.copy()
MOVED[7, WFLW98.normalisers["inter_ocular"][0][0]] += 1.0
FLIPPED = {**data().subsets, "even": np.arange(FACES) % 2 == 1}


@pytest.mark.parametrize(
    ("runs", "message"),
    [
        ([A], "1 runs; accepted: two or more"),
        ([A, run_of(BASE, dataset=data(name="other"))], "data set made and other"),
        ([A, run_of(BASE, dataset=data(split="train"))], "split test and train"),
        ([A, run_of(BASE, dataset=make_dataset(FACES, COFW29))], "mark-up wflw98 and cofw29"),
        ([A, run_of(BASE, dataset=data(points=MOVED))], "fingerprint of the truth"),
        (
            [A, run_of(BASE, dataset=data(points=MOVED), limit=30)],
            "annotation of face face7 differs",
        ),
        (
            [A, run_of(BASE, dataset=data(subsets=FLIPPED), limit=30)],
            "annotation of face face0 differs",
        ),
        (
            [A, run_of(BASE, dataset=data(ids=tuple(f"x{k}" for k in range(FACES))))],
            "no face is in all of them",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_runs_on_other_truth_are_refused(runs, message):
    with pytest.raises(InputError, match=message):
        pair(runs)


def test_an_unknown_subset_or_normaliser_is_refused():
    with pytest.raises(InputError, match=r"subset of made 'evn'.*Did you mean 'even'"):
        compare([A, B], subsets=["evn"], bootstrap=QUICK)
    with pytest.raises(InputError, match="normaliser 'eyes': unknown"):
        compare([A, B], normaliser="eyes", bootstrap=QUICK)


def test_which_way_is_better():
    names = ("nme", "fr@0.10", "fr@1", "auc@0.10", "auc@1")
    assert [smaller_is_better(parse_measure(name)) for name in names] == [
        True, True, True, False, False
    ]  # fmt: skip
    result = compare([A, B], bootstrap=QUICK)
    assert [difference(result, name).better(0.95) for name in ("nme", "auc")] == [0, 0]
    back = compare([B, A], bootstrap=QUICK)
    assert [difference(back, name).better(0.95) for name in ("nme", "auc")] == [1, 1]


def test_several_runs_have_letters_and_a_matrix():
    worse = run_of(BASE * 3, "fourth")
    runs = [worse, A, C, B]
    result = compare(runs, subsets=["full"], bootstrap=QUICK)
    assert len(result.tests) == 6 * 4
    for measure in result.measures:
        letters = [set(x.letters) for x in result.levels if x.measure == measure]
        values = [x.value for x in result.levels if x.measure == measure]
        best = (np.argmin if smaller_is_better(measure) else np.argmax)(values)
        assert "a" in letters[best]
        for one in result.differences:
            if one.measure == measure:
                assert bool(letters[one.first] & letters[one.second]) == (one.holm >= 0.05)
    assert not {x.letters for x in result.levels[:1]} & {x.letters for x in result.levels[1:4]}
    first, matrix, *_ = tables(result)
    assert [row[0] for row in first.rows] == [
        ["fourth", "first", "third", "second"][x.run]
        for x in sorted(result.levels[:4], key=lambda x: x.value)
    ]
    assert matrix.columns == ("Model", "fourth", "first", "third", "second")
    one = difference(result, "nme", pairs=(0, 2))
    assert matrix.rows[0][3] == f"{one.value:.2f} [{one.low:.2f}, {one.high:.2f}]"
    assert matrix.rows[2][1] == ("<0.001" if one.holm < 1e-3 else f"{one.holm:.3f}")


def test_a_pair_is_the_same_beside_others_but_for_the_correction():
    alone, among = (compare(runs, bootstrap=QUICK) for runs in ([A, B], [A, B, C]))
    for name in ("nme", "fr", "auc"):
        one, two = difference(alone, name), difference(among, name)
        fields = ("value", "low", "high", "p", "detectable")
        assert [getattr(one, f) for f in fields] == pytest.approx(
            [getattr(two, f) for f in fields], nan_ok=True
        )
        assert one.holm <= two.holm


def test_the_better_run_is_bold_where_the_corrected_test_says_so():
    result = compare([A, B], bootstrap=QUICK)
    for row, one in zip(tables(result)[0].rows, result.differences, strict=True):
        assert [cell.best for cell in row[3:5]] == [one.better(0.95) == k for k in (0, 1)]
    assert len({one.better(0.95) for one in result.differences}) > 1


@pytest.mark.parametrize("form", ["terminal", "md", "latex", "html"])
def test_every_form_has_every_difference(form):
    comparison = compare([A, B], bootstrap=QUICK)
    gates = gate_table(judge(parse_gate("nme > 0.05 @95%"), [A, B], bootstrap=QUICK))
    text = re.sub(r"\s+", " ", render([gates, *tables(comparison)], form))
    for one in comparison.differences:
        assert f"{abs(one.value):.{one.measure.digits}f}" in text  # LaTeX has its own minus
    assert "passed" in text


def test_a_csv_file_has_full_precision():
    result = compare([A, B, C], bootstrap=QUICK)
    rows = list(csv.DictReader(io.StringIO(render(tables(result), "csv"))))
    assert len(rows) == 3 * len(A.subsets) * 4
    row = next(r for r in rows if (r["run_b"], r["subset"], r["metric"]) == ("third", "few", "fr"))
    one = difference(result, "fr", "few", (0, 2))
    assert float(row["difference"]) == one.value
    assert (row["norm"], row["threshold"], row["detectable"]) == ("inter_ocular", "0.1", "")
    shift = next(r for r in rows if r["metric"] == "shift")
    assert int(shift["a_nearer"]) + int(shift["ties"]) + int(shift["b_nearer"]) == FACES


@pytest.mark.parametrize(
    ("text", "measure", "subset", "above", "limit", "confidence"),
    [
        ("nme > +0.05 @95%", "nme", "full", True, 0.05, 0.95),
        ("fr@0.10>1", "fr@0.10", "full", True, 1.0, None),
        (" auc(inter_pupil)@0.08 [even] < -.01@ 99.5 % ", "auc(inter_pupil)@0.08", "even", False,
         -0.01, 0.995),
        ("nme[few]<-2.", "nme", "few", False, -2.0, None),
    ],
)  # fmt: skip
def test_gates_parse(text, measure, subset, above, limit, confidence):
    gate = parse_gate(text)
    assert (str(gate.measure), gate.subset, gate.above) == (measure, subset, above)
    assert (gate.limit, gate.confidence) == (limit, confidence)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nme", "not a gate; accepted: MEASURE"),
        *(
            (f"nme {rest}", "not a gate")
            for rest in (">= 1", "> 1 %", "> 5 < 3", "> 1 @95", "> one", "> \u0661")
        ),
        ("nme > 1 @0%", "confidence 0%"),
        ("nme > 1 @100%", "confidence 100%"),
        ("nmee > 1", "unknown.*Did you mean 'nme'"),
        ("fr > 1", "without threshold; accepted: fr@0.10"),
    ],
)
def test_what_is_no_gate_is_refused(text, message):
    with pytest.raises(InputError, match=message):
        parse_gate(text)


def test_a_gate_with_a_confidence_asks_the_whole_interval():
    one = difference(compare([B, A], bootstrap=QUICK), "nme")
    assert 0 < one.low < one.value < one.high
    cases = [
        (f"nme > {one.value - 1e-6:.9f}", True),
        (f"nme > {one.value + 1e-6:.9f}", False),
        (f"nme > {one.low - 1e-6:.9f} @95%", True),
        (f"nme > {one.low + 1e-6:.9f} @95%", False),
        (f"nme < {one.value + 1e-6:.9f}", True),
        (f"nme < {one.high + 1e-6:.9f} @95%", True),
        (f"nme < {one.high - 1e-6:.9f} @95%", False),
        (f"nme > {one.low - 1e-6:.9f} @99.9%", False),
    ]
    for text, trips in cases:
        (verdict,) = judge(parse_gate(text), [B, A], bootstrap=QUICK)
        assert verdict.tripped is trips, text
        assert verdict.difference.value == one.value


def test_a_gate_holds_the_first_run_against_every_other():
    verdicts = judge(parse_gate("nme > 0.1"), [A, B, run_of(BASE / 2, "fine")], bootstrap=QUICK)
    assert [(v.baseline, v.tripped) for v in verdicts] == [("second", False), ("fine", True)]


def test_a_gate_that_cannot_be_judged_does_not_pass():
    with pytest.raises(InputError, match="0 faces of few count, too few to tell"):
        judge(parse_gate("nme [few] > 1"), [FEW_MISSED, A], bootstrap=QUICK)
    one_image = data(images=ArrayImages([None] * FACES, ["one"] * FACES))
    runs = [run_of(BASE, dataset=one_image), run_of(2 * BASE, dataset=one_image)]
    with pytest.raises(InputError, match="too few to tell"):
        judge(parse_gate("nme > 1 @95%"), runs, bootstrap=QUICK)


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    for name, moved in (("one", BASE), ("two", BASE * 1.3)):
        run_of(moved, name, out=folder / name)
    return folder


def test_the_command_compares_and_gates(cli, stored):
    quick = ("--bootstrap", 300)
    fine = cli("compare", stored / "one", stored / "two", *quick, "--fail-if", "nme > 0")
    assert fine.code == 0, fine.err
    assert "A = one, B = two on made test, normaliser inter_ocular" in fine.out
    worse = cli(
        "compare", stored / "two", stored / "one", *quick, "--format", "md",
        "--fail-if", "nme > +0.05 @95%", "--fail-if", "auc@0.08 > 0",
    )  # fmt: skip
    assert worse.code == 1
    assert "**Gates: 1 of 2 failed**" in worse.out
    (said,) = worse.err.splitlines()
    assert re.search(
        r"gate 'nme > \+0.05 @95%' failed against one: nme on full \(60 faces\) "
        r"changed by \+\d\.\d+ % "
        r"\[\+\d\.\d+, \+\d\.\d+\] \(95 % interval\)",
        said,
    )


def test_the_command_takes_its_options(cli, stored):
    both = stored / "one", stored / "two"
    done = cli("compare", *both, "--bootstrap", 300, "--norm", "box", "--subset", "even",
               "--threshold", "0.05", "--confidence", "0.9", "--out", "made/a.md")  # fmt: skip
    assert done.code == 0, done.err
    assert "Comparison written to made/a.md" in done.err
    text = Path("made/a.md").read_text()
    for part in ("normaliser box", "| even ", "FR@0.05", "90 % intervals", "p \\< 0.1"):
        assert part in text
    assert "| full " not in text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--fail-if", "nme >> 3"), "gate 'nme >> 3': not a gate; accepted: MEASURE"),
        (("--threshold", "8"), "--threshold: 8.0; accepted: 1e-06 to 1"),
        (("--confidence", "95"), "--confidence: 95.0"),
        (("--subset", "all"), "subset of made 'all': unknown; accepted: even, few, full"),
    ],
)
def test_wrong_use_is_one_message_and_status_2(cli, stored, options, message):
    result = cli("compare", stored / "one", stored / "two", "--bootstrap", 300, *options)
    assert result.code == 2
    assert message in result.err
    assert result.out == ""


def test_real_predictions_on_cofw68(shared):
    dataset = load_dataset("cofw68", root=shared)
    files = ("CFSS_CFOW68.txt", "TCDCN_CFOW68.txt", "RCPR-occ_300w.txt")
    result = compare(
        [
            evaluate(load_predictor(f"saved:{shared / 'cofw68' / 'predictions' / name}"), dataset,
                     bootstrap=QUICK)
            for name in files
        ],
        bootstrap=Bootstrap(2000),
    )  # fmt: skip
    nme = difference(result, "nme")
    assert nme.value == pytest.approx(6.2831 - 7.6551, abs=1e-4)
    assert nme.low > -2 and nme.high < -1
    levels = result.levels
    letters = {m.name: [x.letters for x in levels if x.measure == m] for m in result.measures}
    assert letters == {"nme": ["a", "b", "c"], "fr": ["a", "b", "b"], "auc": ["a", "b", "b"]}


@dataclass(frozen=True)
class Lost(Measure):
    """A stranger's share of faces, in another unit than percent."""

    name: ClassVar[str] = "lost"
    title: ClassVar[str] = "Lost"
    unit: ClassVar[str] = "of 1"
    whole: ClassVar[float | None] = 1.0

    def per_face(self, errors):
        return np.greater(errors, self.threshold).astype(np.float64)


def test_a_strangers_share_has_the_intervals_of_a_failure_rate():
    runs = [A, B]
    ours = compare(runs, measures=[parse_measure("fr@0.05")], bootstrap=QUICK)
    theirs = compare(runs, measures=[Lost(None, 0.05)], bootstrap=QUICK)
    for one, other in ((ours.levels, theirs.levels), (ours.differences, theirs.differences)):
        for a, b in zip(one, other, strict=True):
            assert (a.value, a.low, a.high) == pytest.approx(
                (100 * b.value, 100 * b.low, 100 * b.high)
            )
    assert "Lost@0.05 of 1" in render(tables(theirs), "md")
