"""The leaderboard: every run under a folder, none of the broken ones, incomplete ones unranked."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest
from doubles import Shifted, make_dataset

from alignbench import InputError, evaluate, load_run, parse_measure
from alignbench.stats import Bootstrap
from reports import summary
from reports.pages import leaderboard


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    dataset = replace(make_dataset(12), official={"full": 12})
    folder = tmp_path_factory.mktemp("template") / "run"
    evaluate(Shifted(dataset, 2.0), dataset, bootstrap=Bootstrap(100), out=folder)
    return folder


@pytest.fixture
def stored(template, tmp_path):
    """Put a copy of a run into the store, of another name, AUC or data set."""

    def put(name, auc=0.5, /, **changes):
        folder = tmp_path / "store" / "deep" / name
        shutil.copytree(template, folder)
        record = json.loads((folder / "run.json").read_text())
        record["model"]["name"] = name
        record["dataset"] |= changes
        (folder / "run.json").write_text(json.dumps(record))
        rows = json.loads((folder / "metrics.json").read_text())
        for row in rows:
            row["value"] = auc if row["metric"] == "auc" else row["value"]
        (folder / "metrics.json").write_text(json.dumps(rows))
        return folder

    return put


def test_runs_stand_by_their_auc_with_the_numbers_of_their_metrics(stored, tmp_path):
    for name, auc in (("worst", 0.1), ("best", 0.9), ("between", 0.5)):
        stored(name, auc)
    board = leaderboard.read_board(tmp_path)
    assert [entry.record.model.name for entry in board.entries] == ["best", "between", "worst"]
    (table,) = leaderboard.tables(board)
    assert [row[0] for row in table.rows] == ["1", "2", "3"]
    for entry, row in zip(board.entries, table.rows, strict=True):
        run = load_run(entry.folder)
        for text, cell in zip(("nme", "fr@0.10", "auc@0.10"), row[5:8], strict=True):
            wanted = run.row(parse_measure(text))
            assert (cell.value, cell.low, cell.high) == (
                wanted.value, wanted.ci_low, wanted.ci_high,
            )  # fmt: skip


def test_an_incomplete_run_has_no_rank_however_good_it_is(stored, tmp_path):
    stored("whole", 0.1)
    stored("part", 0.9, complete=False, incomplete=["12 of 20 faces annotated"])
    (table,) = leaderboard.tables(leaderboard.read_board(tmp_path))
    assert [(row[0], row[1]) for row in table.rows] == [("1", "whole"), ("–", "part")]
    assert any("12 of 20 faces annotated" in note for note in table.notes)


def test_data_sets_are_never_mixed(stored, tmp_path):
    stored("a")
    stored("b", name="other")
    tables = leaderboard.tables(leaderboard.read_board(tmp_path))
    assert [table.title.split()[0] for table in tables] == ["made", "other"]


@pytest.mark.parametrize("damage", ["no metrics", "half", "other rows", "no record"])
def test_a_damaged_run_is_told_and_the_others_stay(stored, tmp_path, damage):
    stored("good")
    bad = stored("bad")
    metrics, record = bad / "metrics.json", bad / "run.json"
    if damage == "no metrics":
        metrics.unlink()
    elif damage == "half":
        metrics.write_text(metrics.read_text()[:100])
    elif damage == "other rows":
        rows = json.loads(metrics.read_text())
        metrics.write_text(json.dumps([row for row in rows if row["metric"] != "auc"]))
    else:
        record.write_text("{}")
    board = leaderboard.read_board(tmp_path)
    assert [entry.record.model.name for entry in board.entries] == ["good"]
    assert len(board.broken) == 1
    assert "bad" in board.broken[0]


def test_a_run_in_two_of_the_folders_stands_once(stored, tmp_path):
    folder = stored("one")
    board = leaderboard.read_board(tmp_path, folder.parent, folder)
    assert len(board.entries) == 1


def test_an_interval_is_called_what_it_is(stored):
    new, old = stored("new"), stored("old")
    record = json.loads((old / "run.json").read_text())
    del record["statistics"]["shares"]  # as runs were stored before
    (old / "run.json").write_text(json.dumps(record))
    for folder, said in ((new, "of FR Wilson's, else by bootstrap"), (old, "images: bootstrap")):
        (table,) = leaderboard.tables(leaderboard.read_board(folder))
        assert said in table.notes[0]
        assert said in summary.report([load_run(folder)], "md")


def test_an_unfinished_run_is_no_run(stored, tmp_path):
    hidden = stored("good") / ".unfinished"
    hidden.mkdir()
    (hidden / "run.json").write_text("{}")
    assert leaderboard.read_board(tmp_path).broken == ()


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InputError, match="is not there"):
        leaderboard.read_board(tmp_path / "nowhere")
