"""Runs: resume, keys, folders, what is missing, same bytes for the same inputs."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from conftest import ArrayImages, make_dataset

from alignbench import InputError, Predictor, evaluate, load_dataset, load_predictor, load_run
from alignbench.markups import IBUG68, WFLW98
from alignbench.runs import runner
from alignbench.stats import Bootstrap

QUICK = Bootstrap(200)
FILES = ["metrics.json", "predictions.npz", "faces.csv", "breakdown.csv", "ced.svg", "ced.png"]


class Shifted(Predictor):
    """The truth, some pixels off; counts its batches and can break after some."""

    name = "shifted"
    markup = WFLW98
    needs_images = False

    def __init__(self, dataset, pixels=2.0, breaks_after=None):
        self.truth = dict(zip(dataset.ids, dataset.points, strict=True))
        self.pixels, self.left, self.batches = pixels, breaks_after, []

    def predict(self, batch):
        if self.left is not None:
            if not self.left:
                raise RuntimeError("killed")
            self.left -= 1
        self.batches.append(len(batch.ids))
        return np.stack([self.truth[name] for name in batch.ids]) + self.pixels

    def describe(self):
        return {"source": "shifted", "pixels": self.pixels}


def contents(folder):
    return {name: (folder / name).read_bytes() for name in FILES}


def record_without_timings(folder):
    record = json.loads((folder / "run.json").read_text())
    assert record.pop("timings")["seconds"] > 0
    return record


def test_the_same_inputs_give_the_same_bytes_whatever_the_batch_size(tmp_path):
    dataset = make_dataset(40)
    for name, size in (("a", 32), ("b", 32), ("c", 7)):
        evaluate(Shifted(dataset), dataset, batch_size=size, bootstrap=QUICK, out=tmp_path / name)
    assert contents(tmp_path / "a") == contents(tmp_path / "b") == contents(tmp_path / "c")
    assert record_without_timings(tmp_path / "a") == record_without_timings(tmp_path / "c")


def test_a_killed_run_goes_on_where_it_stopped_and_ends_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(runner, "_PART_SECONDS", 0)
    dataset = make_dataset(40)
    evaluate(Shifted(dataset), dataset, batch_size=4, bootstrap=QUICK, out=tmp_path / "whole")
    with pytest.raises(RuntimeError, match="killed"):
        evaluate(
            Shifted(dataset, breaks_after=6), dataset, batch_size=4, bootstrap=QUICK,
            out=tmp_path / "cut",
        )  # fmt: skip
    assert json.loads((tmp_path / "cut/run.json").read_text())["status"] == "running"
    assert not (tmp_path / "cut/metrics.json").exists()
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
    assert not (tmp_path / "cut/parts").exists()


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


@pytest.mark.parametrize(
    "change",
    [
        {"predictor": {"pixels": 3.0}},
        {"dataset": {"points": 0.5}},
        {"boxes": "tight"},
        {"box_scale": 1.1},
        {"limit": 5},
        {"bootstrap": Bootstrap(300)},
        {"bootstrap": Bootstrap(200, seed=1)},
        {"measures": ["nme"]},
    ],
    ids=str,
)
def test_the_key_changes_with_whatever_may_change_a_number(tmp_path, change):
    from alignbench import parse_measure

    dataset = make_dataset(10)
    base = evaluate(Shifted(dataset), dataset, bootstrap=QUICK, out=tmp_path)
    options = {"bootstrap": QUICK, **change}
    predictor = Shifted(dataset, **options.pop("predictor", {}))
    if "dataset" in options:
        dataset = replace(dataset, points=dataset.points + options.pop("dataset")["points"])
    if "measures" in options:
        options["measures"] = [parse_measure(text) for text in options["measures"]]
    with pytest.raises(
        InputError, match=f"holds another run .*key {base.record.key}; this one has"
    ):
        evaluate(predictor, dataset, out=tmp_path, **options)


def test_image_bytes_are_part_of_the_key():
    class Looking(Shifted):
        needs_images = True

    dataset = make_dataset(3)
    other = replace(dataset, images=ArrayImages([np.full((150, 150, 3), 91, np.uint8)] * 3))
    keys = {evaluate(Looking(d), d, bootstrap=QUICK).record.key for d in (dataset, other)}
    assert len(keys) == 2


def test_other_files_are_never_overwritten(tmp_path):
    (tmp_path / "thesis.tex").write_text("all my work")
    dataset = make_dataset(4)
    with pytest.raises(InputError, match="holds files but no run"):
        evaluate(Shifted(dataset), dataset, bootstrap=QUICK, out=tmp_path)
    evaluate(Shifted(dataset), dataset, bootstrap=QUICK, out=tmp_path / "run")
    (tmp_path / "parts").mkdir()
    with pytest.raises(InputError, match="holds files but no run"):
        evaluate(Shifted(dataset), dataset, bootstrap=QUICK, out=tmp_path, fresh=True)
    assert (tmp_path / "parts").is_dir()
    (tmp_path / "parts").rmdir()
    (tmp_path / "run" / "notes.txt").write_text("mine")
    evaluate(Shifted(dataset, 3), dataset, bootstrap=QUICK, out=tmp_path / "run", fresh=True)
    assert (tmp_path / "run" / "notes.txt").read_text() == "mine"
    assert [p.name for p in tmp_path.iterdir() if p.is_file()] == ["thesis.tex"]


def test_two_runs_do_not_write_one_folder(tmp_path):
    from alignbench.runs.store import locked

    dataset = make_dataset(4)
    with locked(tmp_path / "run"), pytest.raises(InputError, match="another run is writing here"):
        evaluate(Shifted(dataset), dataset, bootstrap=QUICK, out=tmp_path / "run")


def test_a_run_that_fails_early_leaves_nothing(tmp_path):
    dataset = make_dataset(10)
    with pytest.raises(RuntimeError):
        evaluate(Shifted(dataset, breaks_after=0), dataset, out=tmp_path / "deep" / "run")
    assert not (tmp_path / "deep" / "run").exists()


@pytest.mark.parametrize("last", range(8))
def test_a_run_killed_while_it_writes_is_run_again(tmp_path, monkeypatch, last):
    """Killed after each of its writes in turn: what is left never blocks or spoils the next."""
    from alignbench.runs import store

    dataset = make_dataset(6)
    evaluate(Shifted(dataset), dataset, bootstrap=QUICK, out=tmp_path / "whole")
    real, written = store.write_atomic, []

    def dying(path, data):
        if len(written) == last:
            path.with_name(f".{path.name}.draft").write_bytes(data[:10])
            raise KeyboardInterrupt
        written.append(path)
        real(path, data)

    for module in (store, __import__("reports.ced").ced):
        monkeypatch.setattr(module, "write_atomic", dying)
    with pytest.raises(KeyboardInterrupt):
        evaluate(Shifted(dataset), dataset, bootstrap=QUICK, out=tmp_path / "cut")
    monkeypatch.undo()
    evaluate(Shifted(dataset), dataset, bootstrap=QUICK, out=tmp_path / "cut")
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")
    assert not list((tmp_path / "cut").glob(".*.draft"))


def test_a_damaged_record_says_so(tmp_path):
    dataset = make_dataset(4)
    evaluate(Shifted(dataset), dataset, bootstrap=QUICK, out=tmp_path)
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(InputError, match="damaged record"):
        load_run(tmp_path)
    with pytest.raises(InputError, match=r"no run: run.json is not there"):
        load_run(tmp_path / "nowhere")


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
    with pytest.raises(InputError, match=r"image missing for 2 of 6 faces \(first: face1\)"):
        evaluate(looking, dataset, require_complete=True)
    none = make_dataset(2, images=ArrayImages([None, None]))
    with pytest.raises(InputError, match="no image is there"):
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
    with pytest.raises(InputError, match=r"wflw98 .98 points. where the data set has cofw29"):
        from alignbench.markups import COFW29

        evaluate(Many(), make_dataset(2, COFW29))


@pytest.mark.parametrize(
    ("points", "message"),
    [
        (np.zeros((2, 68, 2)), r"gave landmarks of shape \(2, 68, 2\); accepted: \(2, 98, 2\)"),
        (np.full((2, 98, 2), np.inf), "face face0: gave a landmark that is not finite"),
        (np.where(np.arange(98)[None, :, None] == 4, np.nan, np.zeros((2, 98, 2))), "not finite"),
    ],
)
def test_what_a_model_gives_is_checked(points, message):
    dataset = make_dataset(2)
    wrong = Shifted(dataset)
    wrong.predict = lambda batch: points
    with pytest.raises(InputError, match=message):
        evaluate(wrong, dataset)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"boxes": "square"}, "box protocol 'square': unknown"),
        ({"boxes": "detector"}, "shifted has no detector of its own"),
        ({"boxes": "detector:nowhere.csv"}, "nowhere.csv: cannot be read"),
        ({"box_scale": 0}, "--box-scale: 0; accepted: a factor above 0"),
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
    from alignbench import Batch

    expected = shape.predict(Batch(["face2"], [], np.array([[-40.0, -30, 160, 170]])))
    np.testing.assert_allclose(run.points[1], expected[0])
    path.write_text("id,x_min,y_min,x_max,y_max\nface2,10,20,10,120\n")
    with pytest.raises(InputError, match="line 2: empty box"):
        evaluate(shape, dataset, boxes=f"detector:{path}")
    path.write_text("id,x,y,w,h\n")
    with pytest.raises(InputError, match="line 1: header 'id,x,y,w,h'"):
        evaluate(shape, dataset, boxes=f"detector:{path}")
    path.write_text("id,x_min,y_min,x_max,y_max\nface2,10,twenty,10,120\n")
    with pytest.raises(InputError, match="line 2, field 2: found 'twenty'"):
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


def test_a_run_asked_for_what_it_has_not_says_what_it_has():
    from alignbench import parse_measure

    dataset = make_dataset(4)
    run = evaluate(Shifted(dataset), dataset, bootstrap=QUICK)
    with pytest.raises(InputError, match=r"has no auc.inter_ocular.@0.07; accepted: nme"):
        run.row(parse_measure("auc@0.07"))
    with pytest.raises(InputError, match=r"subset of made 'evn'.*Did you mean 'even'"):
        run.row(parse_measure("nme"), "evn")
    with pytest.raises(InputError, match="normaliser 'eyes': unknown"):
        run.errors("eyes")


def test_a_broken_run_file_plug_in_warns_and_loses_nothing(monkeypatch, tmp_path):
    from importlib.metadata import EntryPoint

    from alignbench import plugins

    real = plugins.registered
    broken = {"plot": EntryPoint("plot", "no_such_module:draw", plugins.RUN_FILES)}
    monkeypatch.setattr(
        plugins, "registered", lambda g: broken if g == plugins.RUN_FILES else real(g)
    )
    dataset = make_dataset(4)
    with pytest.warns(UserWarning, match=r"no plot written: .*no module 'no_such_module'"):
        evaluate(Shifted(dataset), dataset, bootstrap=QUICK, out=tmp_path / "run")
    assert load_run(tmp_path / "run").record.status == "complete"


def test_stated_threads_do_not_change_results(tmp_path):
    from alignbench import threads

    dataset = load_dataset("demo")
    before = threads.count()
    try:
        for count in (1, 2):
            threads.limit(count)
            evaluate(
                load_predictor("linear"), dataset, limit=30, bootstrap=QUICK,
                out=tmp_path / str(count),
            )  # fmt: skip
    finally:
        threads.limit(before)
    assert contents(tmp_path / "1") == contents(tmp_path / "2")
