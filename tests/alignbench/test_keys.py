"""The key of a run: what changes it, so that no stored run is taken for another, and what may not.

A table: whatever may change a number is a miss, all else a hit.
"""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from layouts import write_image, write_wflw

from alignbench import Dataset, InputError, evaluate, load_dataset, load_predictor, parse_measure
from alignbench import threads as threads_
from alignbench.predictors.crop import CropPredictor
from alignbench.predictors.settings import Crop, CropSettings, Input, Output
from alignbench.runs import plan
from alignbench.stats import Bootstrap
from baselines import linear

FACES = 6


@dataclass
class Asked:
    """A run that is asked for."""

    home: Path
    data: Path
    weights: Path
    changes: dict[str, Any]
    settings: CropSettings
    options: dict[str, Any]
    monkeypatch: pytest.MonkeyPatch

    def dataset(self) -> Dataset:
        return replace(load_dataset("wflw", self.data), **self.changes)

    def run(self):
        """With a stored model of its own weights, whose crop is another, stated one."""
        stored = load_predictor("linear", self.weights)
        model = CropPredictor("it", self.settings, stored._network, stored._identity)
        return evaluate(model, self.dataset(), **self.options)


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """A data set, weights and a finished run."""
    home = tmp_path_factory.mktemp("stored")
    write_wflw(home / "data", FACES)
    linear.save(home / "weights.safetensors", load_dataset("wflw", home / "data"))
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr("alignbench.runs.store._write_run_files", lambda run, folder: None)
        assert not asked_in(home, monkeypatch).run().read_back
    return home


def asked_in(home, monkeypatch):
    settings = CropSettings(
        markup="wflw98", crop=Crop(boxes="rect", scale=1.2, size=24), input=Input(colour="grey"),
        output=Output(kind="points"),
    )  # fmt: skip
    options = {"bootstrap": Bootstrap(200), "out": home / "run", "boxes": "rect"}
    weights = home / "weights.safetensors"
    return Asked(home, home / "data", weights, {}, settings, options, monkeypatch)


@pytest.fixture
def asked(tmp_path, stored, monkeypatch):
    """The same run asked for again, of copies that can be changed."""
    home = tmp_path / "copy"
    shutil.copytree(stored, home)
    monkeypatch.setattr("alignbench.runs.store._write_run_files", lambda run, folder: None)
    return asked_in(home, monkeypatch)


def setting(part, **changes):
    """Another value in a part of the settings, ``crop`` or ``input``."""

    def change(asked):
        block = getattr(asked.settings, part).model_copy(update=changes)
        asked.settings = asked.settings.model_copy(update={part: block})

    return change


def one_pixel(asked):
    path = asked.data / "WFLW_images/0--Parade/3.jpg"
    image = cv2.imread(str(path))
    image[5, 5] ^= 1
    cv2.imwrite(str(path), image)


def one_weight(asked):
    content = bytearray(asked.weights.read_bytes())
    content[-1] ^= 1
    asked.weights.write_bytes(content)


def moved_boxes(asked):
    asked.changes["boxes"] = asked.dataset().boxes + 1e-6


def moved_landmark(asked):
    points = asked.dataset().points.copy()
    points[0, 0, 0] += 1e-6
    asked.changes["points"] = points


def detections(asked, shift=0.0):
    data = asked.dataset()
    rows = [",".join([name, *(f"{x + shift:.3f}" for x in box)]) for name, box in
            zip(data.ids, data.boxes, strict=True)]  # fmt: skip
    path = asked.home / "boxes.csv"
    path.write_text("id,x_min,y_min,x_max,y_max\n" + "\n".join(rows) + "\n")
    asked.options["boxes"] = f"detector:{path}"


def no_third_image(asked):
    (asked.data / "WFLW_images/0--Parade/3.jpg").unlink()


def option(**changes):
    return lambda asked: asked.options.update(changes)


MISSES = {
    "image bytes": one_pixel,
    "an image less": no_third_image,
    "annotation: a landmark": moved_landmark,
    "annotation: boxes": moved_boxes,
    "box protocol": option(boxes="tight"),
    "box scale": option(box_scale=1.1),
    "boxes from a file": detections,
    "model: its name": option(name="other"),
    "model: an option": lambda asked: asked.monkeypatch.setattr(
        CropPredictor, "describe", lambda self: {"source": "another"}
    ),
    "weights: the last bit": one_weight,
    "preprocessing: crop": setting("crop", scale=1.3),
    "preprocessing: border": setting("crop", border=128),
    "preprocessing: colour": setting("input", scale=1 / 128),
    "code version": lambda asked: asked.monkeypatch.setattr(plan, "__version__", "next"),
    "protocol: faces": option(limit=3),
    "protocol: measures": option(measures=[parse_measure("nme")]),
    "protocol: bootstrap samples": option(bootstrap=Bootstrap(300)),
    "protocol: seed": option(bootstrap=Bootstrap(200, seed=1)),
}


@pytest.mark.parametrize("change", MISSES)
def test_what_may_change_a_number_is_a_miss(asked, change):
    MISSES[change](asked)
    with pytest.raises(InputError, match=r"holds another run .*this one has key"):
        asked.run()


def test_every_box_of_a_file_is_part_of_the_key(asked):
    asked.options["out"] = asked.home / "boxed"
    detections(asked)
    assert not asked.run().read_back
    assert asked.run().read_back
    detections(asked, 0.001)
    with pytest.raises(InputError, match="holds another run"):
        asked.run()


def moved_data(asked):
    shutil.move(asked.data, asked.home / "elsewhere")
    asked.data = asked.home / "elsewhere"


def moved_weights(asked):
    asked.weights = asked.weights.rename(asked.home / "renamed.safetensors")


def moved_run(asked):
    asked.options["out"] = asked.options["out"].rename(asked.home / "kept")


def another_image_beside(asked):
    write_image(asked.data / "WFLW_images/0--Parade/100.jpg", 100)


def another_day(asked):
    now = time.time()
    asked.monkeypatch.setattr(time, "time", lambda: now + 1e7)


HITS = {
    "nothing": lambda asked: None,
    "batch size": option(batch_size=1),
    "threads": lambda asked: asked.monkeypatch.setattr(threads_, "_limit", 1),
    "time": another_day,
    "folder of the data": moved_data,
    "folder and name of the weights": moved_weights,
    "folder of the run": moved_run,
    "a file no face is in": another_image_beside,
    "the machine": lambda asked: asked.monkeypatch.setattr(
        plan, "environment", lambda: {"processor": "another"}
    ),
}


@pytest.mark.parametrize("change", HITS)
def test_what_changes_no_number_is_a_hit(asked, change):
    HITS[change](asked)
    run = asked.run()
    assert run.read_back
    assert np.isfinite(run.points).all()
