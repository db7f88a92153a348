"""Runs: resume, keys, folders, what is missing, same bytes for the same inputs."""

from __future__ import annotations

import errno
import json
import os
import re
import threading
import time
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from importlib.metadata import EntryPoint

import cv2
import numpy as np
import pytest
from doubles import (
    FILES,
    QUICK,
    Killed,
    Shifted,
    contents,
    make_dataset,
    record_without_timings,
)
from layouts import write_wflw

from alignbench import (
    Batch,
    InputError,
    Predictor,
    evaluate,
    load_dataset,
    load_predictor,
    load_run,
    parse_measure,
    plugins,
    threads,
)
from alignbench.geometry import tight_boxes
from alignbench.io import files
from alignbench.io.files import WriteError, lock_folder, sha256
from alignbench.io.images import ArrayImages
from alignbench.markups import COFW29, IBUG68, WFLW98
from alignbench.runs import store
from alignbench.runs.run import RESULTS
from reports.figures import style as figure_files


def test_the_same_inputs_give_the_same_bytes_whatever_the_batch_size(tmp_path):
    dataset = make_dataset(40)
    for name, size in (("a", 32), ("b", 32), ("c", 7)):
        evaluate(Shifted(dataset), dataset, batch_size=size, bootstrap=QUICK, out=tmp_path / name)
    assert contents(tmp_path / "a") == contents(tmp_path / "b") == contents(tmp_path / "c")
    assert record_without_timings(tmp_path / "a") == record_without_timings(tmp_path / "c")


def test_a_killed_run_goes_on_where_it_stopped_and_ends_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr("alignbench.runs.predict._PART_SECONDS", 0)
    dataset = make_dataset(40)
    evaluate(Shifted(dataset), dataset, batch_size=4, bootstrap=QUICK, out=tmp_path / "whole")
    with pytest.raises(Killed):
        evaluate(
            Shifted(dataset, breaks_after=6), dataset, batch_size=4, bootstrap=QUICK,
            out=tmp_path / "cut",
        )  # fmt: skip
    assert [entry.name for entry in (tmp_path / "cut").iterdir()] == [".unfinished"]
    assert json.loads((tmp_path / "cut/.unfinished/run.json").read_text())["status"] == "running"
    with pytest.raises(InputError, match="the run is not finished"):
        load_run(tmp_path / "cut")
    again = Shifted(dataset)
    seen = []
    run = evaluate(
        again, dataset, batch_size=4, bootstrap=QUICK, out=tmp_path / "cut",
        progress=lambda done, total: seen.append(done),
    )  # fmt: skip
    assert sum(again.batches) == 16
    assert seen[0] == 24
    assert run.record.timings["resumed_faces"] == 24
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")
    assert record_without_timings(tmp_path / "cut") == record_without_timings(tmp_path / "whole")
    assert not (tmp_path / "cut/.unfinished").exists()


def test_an_interrupted_run_loses_nothing(tmp_path):
    dataset = make_dataset(40)
    cut = Shifted(dataset, breaks_after=6)
    cut.ending = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        evaluate(cut, dataset, batch_size=4, bootstrap=QUICK, out=tmp_path / "run")
    again = Shifted(dataset)
    run = evaluate(again, dataset, batch_size=4, bootstrap=QUICK, out=tmp_path / "run")
    assert sum(again.batches) == 16
    np.testing.assert_array_equal(run.points, dataset.points + 2.0)


@pytest.mark.parametrize("damage", ["cut", "empty", "shape", "none", "long"])
def test_a_damaged_part_is_predicted_again(tmp_path, monkeypatch, damage):
    monkeypatch.setattr("alignbench.runs.predict._PART_SECONDS", 0)
    dataset = make_dataset(40)
    with pytest.raises(Killed):
        evaluate(
            Shifted(dataset, breaks_after=6), dataset, batch_size=4, bootstrap=QUICK, out=tmp_path
        )
    part = tmp_path / ".unfinished/00000008.npy"
    if damage == "cut":
        part.write_bytes(part.read_bytes()[:100])
    elif damage == "empty":
        part.write_bytes(b"")
    else:
        shape = {"shape": (4, 68, 2), "none": (0, 98, 2), "long": (100, 98, 2)}[damage]
        np.save(part, np.zeros(shape))
    again = Shifted(dataset)
    run = evaluate(again, dataset, batch_size=4, bootstrap=QUICK, out=tmp_path)
    assert sum(again.batches) == 32
    np.testing.assert_array_equal(run.points, dataset.points + 2.0)


def test_a_finished_run_is_read_back_and_fresh_runs_it_again(tmp_path):
    dataset = make_dataset(10)
    first = evaluate(Shifted(dataset), dataset, bootstrap=QUICK, out=tmp_path)
    idle = Shifted(dataset)
    again = evaluate(idle, dataset, bootstrap=QUICK, out=tmp_path)
    assert idle.batches == []
    assert again.metrics == first.metrics
    np.testing.assert_array_equal(again.points, first.points)
    evaluate(idle, dataset, bootstrap=QUICK, out=tmp_path, fresh=True)
    assert idle.batches == [10]


def test_reading_a_run_back_gives_what_was_written(tmp_path):
    dataset = make_dataset(10, visible=True)
    first = evaluate(Shifted(dataset), dataset, bootstrap=QUICK, out=tmp_path)
    again = load_run(tmp_path / "run.json")
    assert again.record == first.record
    assert again.metrics == first.metrics
    assert again.ids == first.ids
    assert again.faces.equals(first.faces)
    for norm in ("inter_ocular", "box"):
        np.testing.assert_array_equal(again.errors(norm, "even"), first.errors(norm, "even"))


def test_other_files_are_never_overwritten(tmp_path):
    (tmp_path / "thesis.tex").write_text("all my work")
    dataset = make_dataset(4)
    with pytest.raises(InputError, match=r"holds thesis.tex but no run"):
        evaluate(Shifted(dataset), dataset, bootstrap=QUICK, out=tmp_path)
    evaluate(Shifted(dataset), dataset, bootstrap=QUICK, out=tmp_path / "run")
    with pytest.raises(InputError, match=r"holds thesis.tex but no run"):
        evaluate(Shifted(dataset), dataset, bootstrap=QUICK, out=tmp_path, fresh=True)
    (tmp_path / "run" / "notes.txt").write_text("mine")
    evaluate(Shifted(dataset, 3), dataset, bootstrap=QUICK, out=tmp_path / "run", fresh=True)
    assert (tmp_path / "run" / "notes.txt").read_text() == "mine"
    assert [p.name for p in tmp_path.iterdir() if p.is_file()] == ["thesis.tex"]


def test_two_runs_do_not_write_one_folder(tmp_path):
    dataset = make_dataset(4)
    with (
        lock_folder(tmp_path / "run", "run"),
        pytest.raises(InputError, match="another run is writing here"),
    ):
        evaluate(Shifted(dataset), dataset, bootstrap=QUICK, out=tmp_path / "run")


def test_a_run_that_another_process_finishes_first_is_read_back(tmp_path, monkeypatch):
    real = store.lock_folder

    @contextmanager
    def slow(folder, what):
        monkeypatch.setattr(store, "lock_folder", real)
        evaluate(Shifted(dataset), dataset, bootstrap=QUICK, out=folder)
        with real(folder, what):
            yield

    dataset = make_dataset(4)
    monkeypatch.setattr(store, "lock_folder", slow)
    second = Shifted(dataset)
    assert evaluate(second, dataset, bootstrap=QUICK, out=tmp_path / "run").read_back
    assert not second.batches


def test_a_run_that_fails_early_leaves_nothing(tmp_path):
    dataset = make_dataset(10)
    with pytest.raises(Killed):
        evaluate(Shifted(dataset, breaks_after=0), dataset, out=tmp_path / "deep" / "run")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("last", range(8))
def test_a_disk_that_fills_up_spoils_no_finished_run(tmp_path, monkeypatch, last):
    dataset = make_dataset(6)
    old = evaluate(Shifted(dataset), dataset, bootstrap=QUICK, out=tmp_path)
    before = contents(tmp_path)
    real, written = store.write_atomic, []

    def full(path, data):
        if len(written) == last:
            raise WriteError(path, "cannot be written (No space left on device)")
        written.append(path)
        real(path, data)

    for module in (store, figure_files):
        monkeypatch.setattr(module, "write_atomic", full)
    with pytest.raises(InputError, match="No space left"):
        evaluate(Shifted(dataset, 3), dataset, bootstrap=QUICK, out=tmp_path, fresh=True)
    assert contents(tmp_path) == before
    assert load_run(tmp_path).metrics == old.metrics


def test_a_disk_full_at_a_plug_ins_file_leaves_a_run_that_is_made_whole(tmp_path, monkeypatch):
    def full(path, data):
        raise WriteError(path, "cannot be written (No space left on device)")

    dataset = make_dataset(6)
    options = {"bootstrap": QUICK, "out": tmp_path}
    with monkeypatch.context() as patched, pytest.raises(WriteError):
        patched.setattr(figure_files, "write_atomic", full)
        evaluate(Shifted(dataset), dataset, **options)
    evaluate(Shifted(dataset), dataset, **options)
    assert {entry.name for entry in tmp_path.iterdir()} == {*FILES, "run.json"}


@pytest.mark.parametrize("held", [False, True])
def test_what_a_run_killed_at_its_very_end_leaves_is_cleared_away(tmp_path, held):
    dataset = make_dataset(6)
    options = {"bootstrap": QUICK, "out": tmp_path}
    evaluate(Shifted(dataset), dataset, **options)
    whole = {entry.name for entry in tmp_path.iterdir()}
    (tmp_path / ".lock").touch()
    (tmp_path / ".unfinished").mkdir()
    for name in ("run.json", "00000000.npy", ".ced.png.draft"):
        (tmp_path / ".unfinished" / name).write_bytes((tmp_path / "run.json").read_bytes())
    with lock_folder(tmp_path, "run") if held else nullcontext():
        assert evaluate(Shifted(dataset), dataset, **options).read_back
        left = {entry.name for entry in tmp_path.iterdir()} - whole
        assert left == ({".lock", ".unfinished"} if held else set())


def test_a_folder_that_cannot_be_locked_gives_its_run_and_takes_no_other(tmp_path, monkeypatch):
    def refused(self, timeout):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    dataset = make_dataset(6)
    options = {"bootstrap": QUICK, "out": tmp_path}
    evaluate(Shifted(dataset), dataset, **options)
    (tmp_path / ".lock").touch()
    monkeypatch.setattr(files.FileLock, "acquire", refused)
    assert evaluate(Shifted(dataset), dataset, **options).read_back
    with pytest.raises(InputError, match=r"cannot be written \(Read-only file system\)"):
        evaluate(Shifted(dataset, 3), dataset, **options, fresh=True)


def test_an_image_deleted_half_way_is_named_and_put_back_the_run_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr("alignbench.runs.predict._PART_SECONDS", 0)
    write_wflw(tmp_path, 40)
    dataset = load_dataset("wflw", tmp_path)
    gone = tmp_path / "WFLW_images/0--Parade/35.jpg"
    kept = gone.read_bytes()

    class Deleting(Shifted):
        needs_images = True

        def predict(self, batch):
            if "cut" in self.__dict__ and len(self.batches) == 2:
                self.cut.unlink()
            return super().predict(batch)

    options = {"batch_size": 2, "bootstrap": QUICK}
    evaluate(Deleting(dataset), dataset, **options, out=tmp_path / "whole")
    deleting = Deleting(dataset)
    deleting.cut = gone
    with pytest.raises(InputError, match=r"35.jpg: image cannot be read .*Put the file there"):
        evaluate(deleting, dataset, **options, out=tmp_path / "run")
    gone.write_bytes(kept)
    again = Deleting(dataset)
    evaluate(again, dataset, **options, out=tmp_path / "run")
    assert sum(again.batches) < 40
    assert contents(tmp_path / "run") == contents(tmp_path / "whole")


def test_a_fresh_run_that_was_killed_is_gone_on_with(tmp_path, monkeypatch):
    monkeypatch.setattr("alignbench.runs.predict._PART_SECONDS", 0)
    dataset = make_dataset(40)
    options = {"batch_size": 4, "bootstrap": QUICK, "out": tmp_path}
    evaluate(Shifted(dataset), dataset, **options)
    with pytest.raises(Killed):
        evaluate(Shifted(dataset, 3, breaks_after=6), dataset, **options, fresh=True)
    # The finished run can still be had, and so can the new one.
    assert evaluate(Shifted(dataset), dataset, **options).read_back
    with pytest.raises(InputError, match="holds another run"):
        evaluate(Shifted(dataset, 4), dataset, **options)
    again = Shifted(dataset, 3)
    run = evaluate(again, dataset, **options)
    assert sum(again.batches) == 16
    np.testing.assert_array_equal(run.points, dataset.points + 3)
    assert not (tmp_path / ".unfinished").exists()


def test_a_damaged_unfinished_record_hides_no_finished_run(tmp_path):
    dataset = make_dataset(4)
    evaluate(Shifted(dataset), dataset, bootstrap=QUICK, out=tmp_path)
    (tmp_path / ".unfinished").mkdir()
    (tmp_path / ".unfinished/run.json").write_text("")
    assert evaluate(Shifted(dataset), dataset, bootstrap=QUICK, out=tmp_path).read_back
    evaluate(Shifted(dataset, 3), dataset, bootstrap=QUICK, out=tmp_path, fresh=True)
    assert not (tmp_path / ".unfinished").exists()


def test_another_programs_run_json_is_not_ours_to_replace(tmp_path):
    dataset = make_dataset(4)
    (tmp_path / "run.json").write_text('{"theirs": 1}')
    (tmp_path / "metrics.json").write_text("theirs")
    for fresh in (False, True):
        with pytest.raises(InputError, match=r"run.json: not a record of this version's schema"):
            evaluate(Shifted(dataset), dataset, bootstrap=QUICK, out=tmp_path, fresh=fresh)
    assert (tmp_path / "metrics.json").read_text() == "theirs"


@pytest.mark.parametrize(
    "record",
    [
        lambda record: b"",
        lambda record: record[: len(record) // 2],
        lambda record: record.replace(b'"schema_version": 2', b'"schema_version": 1'),
    ],
    ids=["empty", "cut", "older"],
)
def test_fresh_replaces_a_run_whose_record_is_damaged(tmp_path, record):
    dataset = make_dataset(4)
    options = {"bootstrap": QUICK, "out": tmp_path}
    evaluate(Shifted(dataset), dataset, **options)
    (tmp_path / "run.json").write_bytes(record((tmp_path / "run.json").read_bytes()))
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"run\.json: not a record"):
        evaluate(Shifted(dataset), dataset, **options)
    run = evaluate(Shifted(dataset, 3), dataset, **options, fresh=True)
    assert load_run(tmp_path).metrics == run.metrics
    assert (tmp_path / "notes.txt").read_text() == "mine"


def register_run_files(monkeypatch, write):
    """Have ``write(folder)`` be the one plug-in that adds files to runs."""
    registered, load = plugins.entry_points, plugins.load

    def is_run_files(group, name="written"):
        return group == plugins.RUN_FILES

    monkeypatch.setattr(
        plugins, "entry_points", lambda g: {"written": None} if is_run_files(g) else registered(g)
    )
    monkeypatch.setattr(
        plugins, "load",
        lambda g, name: (lambda run, folder: write(folder)) if is_run_files(g) else load(g, name),
    )  # fmt: skip


def test_files_of_plug_ins_go_with_their_run(tmp_path, monkeypatch):
    """Also in sub-folders; what the user put there, or changed, stays."""
    plots = ["a.svg", "plots/b.svg", "plots/deep/c.svg", "plots/edited.svg", "plots/00000000.npy"]

    def write(folder):
        for name in plots:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text("drawn")

    dataset = make_dataset(4)
    options = {"bootstrap": QUICK, "out": tmp_path}
    register_run_files(monkeypatch, write)
    for pixels in (2.0, 3.0):  # with the same files, and without
        evaluate(Shifted(dataset, pixels), dataset, **options, fresh=True)
        assert all((tmp_path / name).read_text() == "drawn" for name in plots)
        assert not (tmp_path / ".unfinished").exists()
    (tmp_path / "plots/mine.txt").write_text("mine")
    (tmp_path / "plots/edited.svg").write_text("mine")
    plots.clear()
    evaluate(Shifted(dataset), dataset, **options, fresh=True)
    rest = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")}
    assert rest == {*RESULTS, "run.json", "plots", "plots/mine.txt", "plots/edited.svg"}


def test_a_record_cannot_have_files_elsewhere_removed(tmp_path):
    dataset = make_dataset(4)
    options = {"bootstrap": QUICK, "out": tmp_path / "run"}
    evaluate(Shifted(dataset), dataset, **options)
    (tmp_path / "thesis.tex").write_text("all my work")
    record = json.loads((tmp_path / "run/run.json").read_text())
    for name in ("../thesis.tex", str(tmp_path / "thesis.tex"), "\0"):
        record["files"][name] = sha256(tmp_path / "thesis.tex")
    (tmp_path / "run/run.json").write_text(json.dumps(record))
    evaluate(Shifted(dataset), dataset, **options, fresh=True)
    assert (tmp_path / "thesis.tex").exists()


@pytest.mark.parametrize("before", [False, True], ids=["new", "fresh"])
@pytest.mark.parametrize("last", range(8))
def test_a_run_killed_while_it_writes_is_run_again(tmp_path, monkeypatch, last, before):
    """Killed after each of its writes in turn: what is left never blocks or spoils the next."""
    dataset = make_dataset(6)
    evaluate(Shifted(dataset), dataset, bootstrap=QUICK, out=tmp_path / "whole")
    if before:
        evaluate(Shifted(dataset, 9), dataset, bootstrap=QUICK, out=tmp_path / "cut")
    real, written = store.write_atomic, []

    def dying(path, data):
        if len(written) == last:
            path.with_name(f".{path.name}.draft").write_bytes(b"half of a")
            raise Killed
        written.append(path)
        real(path, data)

    for module in (store, figure_files):
        monkeypatch.setattr(module, "write_atomic", dying)
    with pytest.raises(Killed):
        evaluate(Shifted(dataset), dataset, bootstrap=QUICK, out=tmp_path / "cut", fresh=before)
    monkeypatch.undo()
    evaluate(Shifted(dataset), dataset, bootstrap=QUICK, out=tmp_path / "cut", fresh=before)
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")
    assert not list((tmp_path / "cut").glob(".*.draft"))


def edit(folder, name, change, reseal=True):
    """Edit a file of a run; ``reseal`` also edits the hash in its record, as a liar would."""
    path = folder / name
    path.write_bytes(change(path.read_bytes()))
    if reseal:
        record = json.loads((folder / "run.json").read_text())
        record["files"][name] = sha256(path)
        (folder / "run.json").write_text(json.dumps(record))


def replaced(old, new):
    return lambda content: re.sub(old, new, content, count=1)


def column(name, row, value):
    """Another value in a column of faces.csv."""

    def change(content):
        lines = [line.split(",") for line in content.decode().splitlines()]
        lines[row + 1][lines[0].index(name)] = value
        return "\n".join(map(",".join, lines)).encode()

    return change


@pytest.mark.parametrize("name", ["metrics.json", "faces.csv", "breakdown.csv", "predictions.npz"])
def test_an_edited_or_missing_file_is_named(tmp_path, name):
    evaluate(Shifted(make_dataset(4)), make_dataset(4), bootstrap=QUICK, out=tmp_path)
    edit(tmp_path, name, lambda content: content + b" ", reseal=False)
    with pytest.raises(InputError, match=f"{name}: is not the file that the run wrote"):
        load_run(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(InputError, match=f"{name}: cannot be read"):
        load_run(tmp_path)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("metrics.json", lambda _: b"null", "not a list of rows"),
        ("metrics.json", lambda _: b"[]", "not a list of rows"),
        ("metrics.json", lambda _: b'[{"subset": 1}]', "damaged"),
        ("metrics.json", replaced(rb'"value": \d', b'"value": 7'), "by faces.csv"),
        ("metrics.json", replaced(rb'"value": [\d.]+', b'"value": NaN'), "damaged"),
        ("metrics.json", replaced(rb'"ci_low": ', b'"ci_low": 9'), "interval"),
        ("metrics.json", replaced(rb"(?s)\[\n\{.*?\},\n", b"[\n"), "rows are missing, surplus"),
        ("metrics.json", replaced(rb'"faces": 4', b'"faces": 5'), "5 faces of full, but faces.csv"),
        ("faces.csv", lambda _: b"id,image\n", "columns"),
        ("faces.csv", lambda _: b"", "damaged"),
        ("faces.csv", lambda content: b"\n".join(content.split(b"\n")[:3]), "2 faces, but the"),
        ("faces.csv", column("box", 1, "nan"), "faces lack errors, but the record says 0"),
        ("faces.csv", column("box", 1, ""), "faces lack errors, but the record says 0"),
        ("faces.csv", column("box", 1, "-0.1"), "infinite or negative"),
        ("faces.csv", column("box", 1, "inf"), "infinite or negative"),
        ("faces.csv", column("id", 1, "face0"), "id 'face0' occurs twice"),
        ("faces.csv", column("even", 1, "2"), "neither 0 nor 1"),
        ("faces.csv", column("id", 1, "another"), "its ids are not those"),
        ("predictions.npz", lambda _: b"", "damaged"),
        ("predictions.npz", lambda _: b"PK\x03\x04", "damaged"),
        ("breakdown.csv", replaced(rb"landmark,97", b"part,97"), "landmarks under"),
        ("breakdown.csv", replaced(rb"(landmark,0,\w+,\d+,)", rb"\1-"), "infinite or negative"),
    ],
)
def test_a_run_that_contradicts_itself_is_refused(tmp_path, name, change, message):
    evaluate(Shifted(make_dataset(4)), make_dataset(4), bootstrap=QUICK, out=tmp_path)
    edit(tmp_path, name, change)
    with pytest.raises(InputError, match=message):
        load_run(tmp_path)


@pytest.mark.parametrize("content", [b"{}", b"{", b"\xff"])
def test_a_damaged_record_is_named(tmp_path, content):
    (tmp_path / "run.json").write_bytes(content)
    with pytest.raises(InputError, match=r"run\.json: not a record"):
        load_run(tmp_path)


def test_what_is_no_run_says_so(tmp_path):
    with pytest.raises(InputError, match=r"no run: run.json is missing"):
        load_run(tmp_path / "nowhere")
    (tmp_path / "notes.md").write_text("x")
    with pytest.raises(InputError, match=r"notes.md: not a run; accepted: a folder"):
        load_run(tmp_path / "notes.md")


def test_faces_without_image_are_left_out_and_counted():
    pictures = [np.zeros((150, 150, 3), np.uint8)] * 6
    pictures[1] = pictures[4] = None
    dataset = make_dataset(6, images=ArrayImages(pictures))
    looking = load_predictor("mean-shape")
    looking.needs_images = True
    run = evaluate(looking, dataset, bootstrap=QUICK)
    assert run.record.dataset.faces == 4
    assert run.record.dataset.images_missing == 2
    assert not run.record.dataset.complete
    assert run.record.dataset.incomplete == ("image missing for 2 of 6 faces",)
    blind = evaluate(load_predictor("mean-shape"), dataset, bootstrap=QUICK)
    assert blind.record.dataset.complete
    assert blind.record.dataset.faces == 6
    with pytest.raises(InputError, match=r"image missing for 2 of 6 faces \(first: image 1\)"):
        evaluate(looking, dataset, require_complete=True)
    none = make_dataset(2, images=ArrayImages([None, None]))
    with pytest.raises(InputError, match="has no image"):
        evaluate(looking, none)


def test_a_short_or_limited_list_is_labelled():
    dataset = replace(make_dataset(6), official={"full": 9, "even": 3})
    record = evaluate(Shifted(dataset), dataset, limit=4, bootstrap=QUICK).record.dataset
    assert record.incomplete == ("6 of 9 faces annotated", "limited to the first 4 faces")
    assert (record.faces, record.official, record.limit) == (4, 9, 4)
    whole = evaluate(Shifted(make_dataset(6)), make_dataset(6), limit=99, bootstrap=QUICK)
    assert whole.record.dataset.complete


def test_98_points_are_converted_for_a_68_point_set():
    dataset = make_dataset(5, IBUG68)

    class Many(Shifted):
        def __init__(self):
            pass

        def predict(self, batch):
            return np.repeat(np.arange(98.0)[None, :, None], len(batch.ids), 0).repeat(2, 2)

        def describe(self):
            return {"source": "many"}

    run = evaluate(Many(), dataset, bootstrap=QUICK)
    assert run.points.shape == (5, 68, 2)
    assert run.points[0, 1].tolist() == [2, 2]  # every second jaw point
    assert run.record.protocol.conversion == "wflw98 -> ibug68"
    few = evaluate(Many(), make_dataset(2, COFW29), bootstrap=QUICK)
    assert few.record.protocol.conversion == "wflw98 -> cofw29"
    assert few.points[0, 2].tolist() == [37.5, 37.5]  # between the inner ends of a brow's edges
    assert run.record.protocol.approximate == few.record.protocol.approximate == ()

    class Fewer(Many):
        markup = IBUG68

    with pytest.raises(InputError, match=r"ibug68 .68 points. where the data set has cofw29"):
        evaluate(Fewer(), make_dataset(2, COFW29))


def raising(*_):
    return 1 / 0


@pytest.mark.parametrize(
    ("give", "message"),
    [
        (np.zeros((2, 68, 2)), r"gave landmarks of shape \(2, 68, 2\); accepted: landmarks of"),
        (raising, r"faces face0 to face1: raised ZeroDivisionError: .*test_runner.py, line \d+"),
    ],
)
def test_what_a_model_gives_is_checked(give, message):
    dataset = make_dataset(2)
    wrong = Shifted(dataset)
    wrong.predict = give if callable(give) else lambda batch: give
    with pytest.raises(InputError, match=message):
        evaluate(wrong, dataset, bootstrap=QUICK)


@pytest.mark.parametrize(
    ("attribute", "value", "message"),
    [
        ("name", "", "has no name"),
        ("markup", "wflw98", "markup is 'wflw98'; accepted: None or a Markup"),
        ("boxes", "square", "box protocol 'square'"),
        ("describe", lambda: {"x": np.float32(1)}, "describe.*raised TypeError"),
        ("describe", lambda: {"notes": "one text"}, "notes are not a list of texts"),
        ("describe", raising, r"describe.*raised ZeroDivisionError"),
        ("prepare", raising, r"model 'shifted'.*raised ZeroDivisionError"),
        ("decoding", 3, "model 'shifted'"),
    ],
)
def test_a_predictor_that_is_none_is_refused(attribute, value, message):
    dataset = make_dataset(2)
    wrong = Shifted(dataset)
    setattr(wrong, attribute, value)
    with pytest.raises(InputError, match=message):
        evaluate(wrong, dataset, bootstrap=QUICK)


def test_describing_a_predictor_twice_gives_the_same_key():
    dataset = make_dataset(2)
    model = Shifted(dataset)
    identity = {"source": "x", "notes": ["Mind this."]}
    model.describe = lambda: identity
    first, second = (evaluate(model, dataset, bootstrap=QUICK).record for _ in range(2))
    assert first.key == second.key
    assert second.model.notes == ("Mind this.",)


def test_a_name_is_the_runs_not_the_models():
    dataset = make_dataset(2)
    model = Shifted(dataset)
    run = evaluate(model, dataset, name="mine", bootstrap=QUICK)
    assert run.record.model.name == "mine"
    assert model.name == "shifted"


def test_linear_gives_the_same_bytes_in_any_batch(tmp_path):
    dataset = load_dataset("synthetic", split="sample")
    for size in (1, 7, 32):
        evaluate(
            load_predictor("linear"), dataset, limit=40, batch_size=size, bootstrap=QUICK,
            out=tmp_path / str(size),
        )  # fmt: skip
    assert contents(tmp_path / "1") == contents(tmp_path / "7") == contents(tmp_path / "32")


def test_measures_named_twice_are_taken_once():
    dataset = make_dataset(2)
    asked = [parse_measure(text) for text in ("nme", "nme", "nme(box)", "fr@0.1", "fr@0.10")]
    run = evaluate(Shifted(dataset), dataset, bootstrap=QUICK, measures=asked)
    rows = [(r.subset, r.norm, r.metric, r.threshold) for r in run.metrics]
    assert len(rows) == len(set(rows)) == 3 * 4 * 2


def test_a_zero_normaliser_is_found_before_any_work(tmp_path):
    dataset = make_dataset(3)
    dataset.points[2, 72] = dataset.points[2, 60]
    idle = Shifted(dataset)
    with pytest.raises(InputError, match="face face2: normaliser inter_ocular is zero"):
        evaluate(idle, dataset, out=tmp_path / "deep" / "run")
    assert idle.batches == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"boxes": "square"}, "box protocol 'square': unknown"),
        ({"boxes": "detector"}, "shifted has no detector of its own"),
        ({"boxes": "detector:nowhere.csv"}, "nowhere.csv: cannot be read"),
        ({"box_scale": 0}, "--box-scale: 0; accepted: a factor of 0.001 to 1000"),
        ({"limit": 0}, "--limit: 0; accepted: 1 or more"),
        ({"batch_size": 0}, "--batch-size: 0"),
    ],
)
def test_wrong_options_are_refused(options, message):
    dataset = make_dataset(2)
    with pytest.raises(InputError, match=message):
        evaluate(Shifted(dataset), dataset, **options)


def test_stored_predictions_take_no_boxes(tmp_path):
    dataset = make_dataset(2)
    np.savez(tmp_path / "p.npz", ids=np.array(dataset.ids), points=dataset.points)
    saved = load_predictor(f"saved:{tmp_path}/p.npz")
    with pytest.raises(InputError, match="takes no boxes"):
        evaluate(saved, dataset, boxes="rect")
    with pytest.raises(InputError, match="takes no boxes"):
        evaluate(saved, dataset, box_scale=1.2)


def test_rect_is_refused_where_no_boxes_are_annotated():
    dataset = replace(make_dataset(2), boxes=None)
    with pytest.raises(InputError, match="made annotates no boxes; accepted: tight"):
        evaluate(Shifted(dataset), dataset, boxes="rect")
    assert evaluate(Shifted(dataset), dataset, bootstrap=QUICK).record.protocol.boxes == "tight"


def test_boxes_from_a_detectors_file(tmp_path):
    dataset = make_dataset(3)
    path = tmp_path / "boxes.csv"
    path.write_text("id,x_min,y_min,x_max,y_max\nface2,10,20,110,120\nface0,1,2,3,4\n")
    shape = load_predictor("mean-shape")
    run = evaluate(shape, dataset, boxes=f"detector:{path}", box_scale=2, bootstrap=QUICK)
    assert run.ids == ("face0", "face2")
    assert run.record.missed == 1
    assert run.record.protocol.leak == "none"
    assert run.record.protocol.box_scale == 2
    assert "1 of 3 faces have no detected box: missed." in run.record.dataset.notes
    expected = shape.predict(Batch(["face2"], [], np.array([[-40.0, -30, 160, 170]])))
    np.testing.assert_allclose(run.points[1], expected[0])
    # Names are compared with the whole data set's, however few of its faces are run.
    limited = evaluate(shape, dataset, boxes=f"detector:{path}", limit=1, bootstrap=QUICK)
    assert limited.ids == ("face0",)
    np.testing.assert_allclose(
        limited.points[0], shape.predict(Batch(["face0"], [], np.array([[1.0, 2, 3, 4]])))[0]
    )
    path.write_text("id,x_min,y_min,x_max,y_max\nface2,10,20,10,120\n")
    with pytest.raises(InputError, match="face 'face2': empty box"):
        evaluate(shape, dataset, boxes=f"detector:{path}")
    path.write_text("id,x,y,w,h\n")
    with pytest.raises(InputError, match=r"line 1: header 'id,x,y,w,h'.*x_max is x"):
        evaluate(shape, dataset, boxes=f"detector:{path}")
    corners = tight_boxes(dataset.points)
    low, size = corners[:, None, :2], (corners[:, 2:] - corners[:, :2])[:, None]
    dataset = replace(dataset, points=60 + 100 * (dataset.points - low) / size)
    corners = tight_boxes(dataset.points)
    sides = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)
    for boxes, count in ((corners, 0), (sides, 1)):
        rows = zip(dataset.ids, boxes.tolist(), strict=True)
        lines = [",".join(map(str, [name, *box])) for name, box in rows]
        path.write_text("\n".join(["id,x_min,y_min,x_max,y_max", *lines]))
        run = evaluate(shape, dataset, boxes=f"detector:{path}", bootstrap=QUICK)
        notes = [note for note in run.record.dataset.notes if "not width and height" in note]
        assert len(notes) == count
    path.write_text("id,x_min,y_min,x_max,y_max\nface2,1,2,3,4\nface2,1,2,3,5\n")
    with pytest.raises(InputError, match=r"rows of the file 2, faces of the data set 1.*one box a"):
        evaluate(shape, dataset, boxes=f"detector:{path}")
    path.write_text("id,x_min,y_min,x_max,y_max\nface2,10,twenty,10,120\n")
    with pytest.raises(InputError, match="line 2, field 3: found 'twenty'"):
        evaluate(shape, dataset, boxes=f"detector:{path}")


def test_images_are_handed_over_in_order_and_in_rgb():
    pictures = [np.full((150, 150, 3), k, np.uint8) for k in range(50)]
    dataset = make_dataset(50, images=ArrayImages(pictures))
    seen = []

    class Looking(Shifted):
        needs_images = True

        def predict(self, batch):
            seen.extend(int(picture[0, 0, 0]) for picture in batch.images)
            return super().predict(batch)

    evaluate(Looking(dataset), dataset, batch_size=8, bootstrap=QUICK)
    assert seen == list(range(50))


def test_a_measure_the_run_did_not_store_is_computed_the_same(tmp_path):
    pictures = ArrayImages([None] * 30, [str(k // 3) for k in range(30)])
    dataset = make_dataset(30, images=pictures)
    asked = [parse_measure(text) for text in ("auc@0.07", "fr(box)@0.02", "nme")]
    evaluate(Shifted(dataset), dataset, bootstrap=QUICK, measures=asked, out=tmp_path / "a")
    evaluate(Shifted(dataset), dataset, bootstrap=QUICK, measures=asked[2:], out=tmp_path / "b")
    stored, other = load_run(tmp_path / "a"), load_run(tmp_path / "b")
    assert stored.record.statistics.clusters == 10
    for measure in asked:
        for subset in ("full", "even", "few"):
            want, got = stored.row(measure, subset), other.row(measure, subset)
            assert got.faces == want.faces
            for field in ("value", "ci_low", "ci_high"):
                assert getattr(got, field) == pytest.approx(getattr(want, field), abs=1e-6)
    with pytest.raises(InputError, match=r"subset of made 'evn'.*Did you mean 'even'"):
        other.row(parse_measure("nme"), "evn")
    with pytest.raises(InputError, match="normaliser 'eyes': unknown"):
        other.row(parse_measure("nme(eyes)"))


@pytest.mark.parametrize(
    ("value", "message"),
    [("no_such_module:draw", "no module 'no_such_module'"), ("operator:concat", "TypeError")],
)
def test_a_broken_run_file_plug_in_warns_and_loses_nothing(monkeypatch, tmp_path, value, message):
    real = plugins.entry_points
    broken = {"plot": EntryPoint("plot", value, plugins.RUN_FILES)}
    monkeypatch.setattr(
        plugins, "entry_points", lambda g: broken if g == plugins.RUN_FILES else real(g)
    )
    dataset = make_dataset(4)
    with pytest.warns(UserWarning, match=rf"no plot written: .*{message}"):
        evaluate(Shifted(dataset), dataset, bootstrap=QUICK, out=tmp_path / "run")
    assert load_run(tmp_path / "run").record.status == "complete"


def test_stated_threads_do_not_change_results(tmp_path, monkeypatch):
    dataset = load_dataset("synthetic", split="sample")
    monkeypatch.setattr(threads, "_limit", None)
    before = cv2.getNumThreads()
    try:
        for count in (1, 2):
            threads.limit(count)
            assert threads.count() == count
            evaluate(
                load_predictor("linear"), dataset, limit=30, bootstrap=QUICK,
                out=tmp_path / str(count),
            )  # fmt: skip
    finally:
        cv2.setNumThreads(before)
    assert contents(tmp_path / "1") == contents(tmp_path / "2")


class Stepping(Predictor):
    """Three steps; the network waits until the next batch is being made ready."""

    name = "stepping"
    markup = WFLW98
    needs_images = False

    def __init__(self, batches=4, breaks_in=None):
        self.ready = [threading.Event() for _ in range(batches + 1)]
        self.ready[batches].set()  # nothing comes after the last
        self.finished = [threading.Event() for _ in range(batches)]
        self.count, self.breaks_in = 0, breaks_in
        self.threads = {"preprocess": set(), "forward": set(), "postprocess": set()}

    def note(self, step):
        self.threads[step].add(threading.get_ident())
        if step == self.breaks_in:
            raise RuntimeError("broken step")

    def preprocess(self, batch):
        self.note("preprocess")
        self.ready[self.count].set()
        self.count += 1
        return self.count - 1, len(batch.ids)

    def forward(self, inputs):
        self.note("forward")
        batch, faces = inputs
        assert self.ready[batch + 1].wait(10), "the next batch was not made ready meanwhile"
        if batch > 1:
            assert self.finished[batch - 2].wait(10), "the batch before was not finished meanwhile"
        return batch, faces

    def postprocess(self, outputs):
        self.note("postprocess")
        batch, faces = outputs
        self.finished[batch].set()
        return np.full((faces, WFLW98.landmarks, 2), 50.0 + batch)

    def describe(self):
        return {"source": "stepping"}


class Unsteady(Predictor):
    """The truth in three steps, of which the last breaks once, on one batch."""

    name = "unsteady"
    markup = WFLW98
    needs_images = False

    def __init__(self, dataset, breaks_on=None):
        self.truth = dict(zip(dataset.ids, dataset.points, strict=True))
        self.breaks_on = breaks_on

    def preprocess(self, batch):
        return batch.ids

    def forward(self, inputs):
        return inputs

    def postprocess(self, outputs):
        if self.breaks_on in outputs:
            raise RuntimeError("once")
        return np.stack([self.truth[name] for name in outputs])

    def describe(self):
        return {"source": "unsteady"}


@pytest.mark.parametrize("face", [0, 9, 17, 39])
def test_what_breaks_late_leaves_no_landmark_on_another_face(tmp_path, monkeypatch, face):
    monkeypatch.setattr("alignbench.runs.predict._PART_SECONDS", 0)
    dataset = make_dataset(40)
    options = {"batch_size": 4, "bootstrap": QUICK, "out": tmp_path}
    with pytest.raises(InputError, match="once"):
        evaluate(Unsteady(dataset, f"face{face}"), dataset, **options)
    run = evaluate(Unsteady(dataset), dataset, **options)
    np.testing.assert_array_equal(run.points, dataset.points)


class Detecting(Shifted):
    """Notes whether its detector is called while it predicts."""

    busy = beside = False

    def detect(self, image):
        self.beside |= self.busy
        return np.array([[0.0, 0, 149, 149]])

    def predict(self, batch):
        self.busy = True
        time.sleep(0.02)
        self.busy = False
        return super().predict(batch)


def test_a_detector_is_not_called_while_the_model_predicts():
    dataset = make_dataset(24)
    predictor = Detecting(dataset)
    predictor.needs_images = True
    evaluate(predictor, dataset, boxes="detector", batch_size=4, bootstrap=QUICK)
    assert not predictor.beside


def test_the_next_batch_is_made_ready_while_the_network_computes():
    predictor = Stepping()
    run = evaluate(predictor, make_dataset(16), batch_size=4, bootstrap=QUICK)
    assert run.points[:, 0, 0].tolist() == np.repeat([50.0, 51, 52, 53], 4).tolist()
    assert predictor.threads["forward"] == {threading.get_ident()}
    assert len(set.union(*predictor.threads.values())) == 3


@pytest.mark.parametrize("step", ["preprocess", "forward", "postprocess"])
def test_a_step_that_breaks_is_one_message_and_leaves_no_thread(step):
    before = threading.active_count()
    with pytest.raises(InputError, match=r"model 'stepping', faces face0 to face3.*broken step"):
        evaluate(Stepping(breaks_in=step), make_dataset(16), batch_size=4, bootstrap=QUICK)
    assert threading.active_count() == before


def test_a_limit_that_cuts_nothing_is_none():
    dataset = make_dataset(6)
    keys = {
        limit: evaluate(Shifted(dataset), dataset, bootstrap=QUICK, limit=limit).record.key
        for limit in (None, 5, 6, 1000)
    }
    assert keys[None] == keys[6] == keys[1000] != keys[5]


def test_a_subset_may_not_be_called_as_a_column():
    dataset = make_dataset(6)
    subsets = {**dataset.subsets, "box": np.ones(6, np.bool_)}
    with pytest.raises(InputError, match="the subset 'box' has the name of another"):
        evaluate(Shifted(dataset), replace(dataset, subsets=subsets), bootstrap=QUICK)


def test_a_model_may_give_the_same_array_every_time():
    dataset = make_dataset(9)

    class Reusing(Shifted):
        def predict(self, batch):
            if not hasattr(self, "out"):
                self.out = np.zeros((1, 98, 2))
            self.out[:] = super().predict(batch)
            return self.out

    run = evaluate(Reusing(dataset), dataset, batch_size=1, bootstrap=QUICK)
    np.testing.assert_array_equal(run.points, dataset.points + 2.0)


def test_a_batch_is_at_most_all_faces():
    dataset = make_dataset(3)
    run = evaluate(Shifted(dataset), dataset, batch_size=10**12, bootstrap=QUICK)
    assert len(run.points) == 3


def test_fresh_refuses_a_fifo_in_place_of_a_record_at_once(tmp_path):
    os.mkfifo(tmp_path / "run.json")
    faces = make_dataset(3)
    with pytest.raises(InputError, match=r"run\.json"):
        evaluate(Shifted(faces), faces, out=tmp_path, fresh=True)
