"""The leaderboard: every run under a folder, none of the broken ones, incomplete ones unranked."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest
from doubles import Shifted, make_dataset

from alignbench import InputError, evaluate, load_run, parse_measure
from alignbench.io.files import sha256
from alignbench.stats import Bootstrap
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
        write_metrics(folder, rows)
        return folder

    return put


def write_metrics(folder, rows):
    """Write rows, and their hash into the record."""
    (folder / "metrics.json").write_text(json.dumps(rows))
    record = json.loads((folder / "run.json").read_text())
    record["files"]["metrics.json"] = sha256(folder / "metrics.json")
    (folder / "run.json").write_text(json.dumps(record))


def test_runs_stand_by_their_auc(stored, tmp_path):
    for name, auc in (("worst", 0.1), ("best", 0.9), ("between", 0.5)):
        stored(name, auc)
    board = leaderboard.read_board(tmp_path)
    assert [entry.record.model.name for entry in board.entries] == ["best", "between", "worst"]
    (table,) = leaderboard.tables(board)
    assert [row[0] for row in table.rows] == ["1", "2", "3"]
    assert [row[7].value for row in table.rows] == [0.9, 0.5, 0.1]


def test_numbers_and_how_they_were_made_are_those_of_the_run(template):
    run = load_run(template)
    (table,) = leaderboard.tables(leaderboard.read_board(template))
    for text, cell in zip(("nme", "fr@0.10", "auc@0.10"), table.rows[0][5:8], strict=True):
        row = run.row(parse_measure(text))
        assert (cell.value, cell.low, cell.high) == (row.value, row.ci_low, row.ci_high)
    assert "FR: Wilson interval. NME and AUC: bootstrap, 100 samples." in table.notes[1]


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


DAMAGES = {
    "missing": lambda folder, rows: (folder / "metrics.json").unlink(),
    "cut": lambda folder, rows: (folder / "metrics.json").write_text("[{"),
    "edited": lambda folder, rows: (folder / "metrics.json").write_text(json.dumps(rows) + " "),
    "no record": lambda folder, rows: (folder / "run.json").write_text("{}"),
    "incomplete": lambda folder, rows: write_metrics(
        folder, [row for row in rows if row["metric"] != "auc"]
    ),
    "not finite": lambda folder, rows: write_metrics(
        folder, [row | {"value": float("nan")} for row in rows]
    ),
    "out of range": lambda folder, rows: write_metrics(
        folder, [row | {"value": 101.0} for row in rows]
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_run_is_named_and_the_others_stay(stored, tmp_path, damage):
    stored("good")
    bad = stored("bad")
    DAMAGES[damage](bad, json.loads((bad / "metrics.json").read_text()))
    board = leaderboard.read_board(tmp_path)
    assert [entry.record.model.name for entry in board.entries] == ["good"]
    assert len(board.broken) == 1
    assert "bad" in board.broken[0]


def test_a_run_in_two_of_the_folders_stands_once(stored, tmp_path):
    folder = stored("one")
    board = leaderboard.read_board(tmp_path, folder.parent, folder)
    assert len(board.entries) == 1


def test_an_unfinished_run_is_no_run(stored, tmp_path):
    hidden = stored("good") / ".unfinished"
    hidden.mkdir()
    (hidden / "run.json").write_text("{}")
    assert leaderboard.read_board(tmp_path).broken == ()


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InputError, match="is not there"):
        leaderboard.read_board(tmp_path / "nowhere")
