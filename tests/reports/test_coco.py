"""COCO keypoints of a run: alignbench and COCO's own reader get the same landmarks back."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from doubles import QUICK, SAMPLE, ArrayImages, Shifted, make_dataset

from alignbench import evaluate, load_dataset, load_predictor, load_run
from alignbench.markups import IBUG68
from reports.coco import ground_truth, results


def write(folder, run, dataset):
    for name, content in (("r", results(run)), ("t", ground_truth(run, dataset))):
        (folder / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")


def shifted(dataset, pixels):
    """A model of 68 points; a landmark that is not annotated gets some place."""
    predictor = Shifted(replace(dataset, points=np.nan_to_num(dataset.points, nan=1.0)), pixels)
    predictor.markup = IBUG68
    return predictor


@pytest.fixture
def crowd():
    """Two faces an image, some landmarks occluded and some not annotated."""
    blank = np.zeros((150, 160, 3), np.uint8)
    images = ArrayImages([blank] * 12, [f"im/{k // 2}.png" for k in range(12)])
    dataset = make_dataset(12, IBUG68, images=images, visible=True)
    dataset.points[3, 5] = np.nan
    return dataset


def test_alignbench_reads_the_same_numbers_back(crowd, tmp_path):
    predictor = shifted(crowd, 2.0)
    predictor.truth["face2"] = np.full_like(crowd.points[0], np.nan)
    run = evaluate(predictor, crowd, bootstrap=QUICK)
    write(tmp_path, run, crowd)
    dataset = load_dataset(f"coco:{tmp_path / 't.json'}")
    assert dataset.ids == crowd.ids
    np.testing.assert_array_equal(dataset.points, crowd.points)
    visible = np.where(np.isnan(crowd.points[:, :, 0]), False, crowd.visible)
    np.testing.assert_array_equal(dataset.visible & ~np.isnan(crowd.points[:, :, 0]), visible)
    back = evaluate(load_predictor(f"saved:{tmp_path / 'r.json'}"), dataset, bootstrap=QUICK)
    assert back.record.missed == 1
    np.testing.assert_array_equal(back.points, run.points)
    np.testing.assert_array_equal(back.errors("inter_ocular"), run.errors("inter_ocular"))
    own = evaluate(load_predictor(f"saved:{tmp_path / 'r.json'}"), crowd, bootstrap=QUICK)
    np.testing.assert_array_equal(own.errors("inter_ocular"), run.errors("inter_ocular"))


def test_the_command_writes_files_that_run_again(cli):
    done = cli("run", "--model", "linear", "--dataset", *SAMPLE, "--bootstrap", "200", "--out", "a")
    assert done.code == 0, done.err
    done = cli("predictions", "a", "--out", "r.json", "--truth", "deep/t.json")
    assert done.code == 0 and "Landmarks written to deep/t.json" in done.err
    truth = json.loads(Path("deep/t.json").read_text())
    assert all(image["width"] > 0 and image["height"] > 0 for image in truth["images"])
    command = ("run", "--model", "saved:r.json", "--dataset", "coco:deep/t.json")
    assert cli(*command, "--bootstrap", "200", "--out", "b").code == 0
    first, again = load_run("a"), load_run("b")
    norm = first.record.dataset.normalisers[0]
    np.testing.assert_array_equal(first.errors(norm), again.errors(norm))


def test_what_is_no_json_file_and_several_runs_are_refused(cli):
    assert "unknown ending '.txt'" in cli("predictions", "a", "--out", "r.txt").err
    assert cli("predictions", "nowhere", "--out", "r.json").code == 2
    assert not Path("r.json").exists()


def test_cocos_own_reader_and_evaluation_take_both(crowd, tmp_path):
    coco = pytest.importorskip("pycocotools.coco", reason="pycocotools is not installed")
    cocoeval = pytest.importorskip("pycocotools.cocoeval", reason="pycocotools is not installed")
    dataset = replace(crowd, visible=None)
    run = evaluate(shifted(dataset, 0.0), dataset, bootstrap=QUICK)
    write(tmp_path, run, dataset)
    truth = coco.COCO(str(tmp_path / "t.json"))
    predicted = truth.loadRes(str(tmp_path / "r.json"))
    assert sorted(image["file_name"] for image in truth.imgs.values()) == sorted(
        set(dataset.images.sources())
    )
    assert {(i["width"], i["height"]) for i in truth.imgs.values()} == {(160, 150)}
    keypoints = [face["keypoints"] for face in predicted.anns.values()]
    np.testing.assert_array_equal(np.reshape(keypoints, (12, 68, 3))[:, :, :2], run.points)
    (category,) = truth.cats.values()
    assert len(category["keypoints"]) == len(set(category["keypoints"])) == 68
    ends = np.array(category["skeleton"])
    assert (ends.min(), ends.max()) == (1, 68) and [1, 2] in category["skeleton"]
    judge = cocoeval.COCOeval(truth, predicted, "keypoints")
    judge.params.kpt_oks_sigmas = np.full(68, 0.05)
    judge.evaluate()
    judge.accumulate()
    judge.summarize()
    assert judge.stats[0] == pytest.approx(1)  # AP
