"""A package of somebody else, built, installed, used and uninstalled: tests/stranger/."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

STRANGER = Path(__file__).parent / "stranger"
RUNS = ("wobbling", "stored")
DATA = ("--dataset", "ellipses", "--data-root", "faces")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """An empty working folder, and beside it the package as pip installs it."""
    place = tmp_path_factory.mktemp("stranger")
    shutil.copytree(STRANGER, place / "source")  # the build leaves files
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation",
         "--target", place / "site", place / "source"],
        check=True,
    )  # fmt: skip
    (place / "work").mkdir()
    return place / "work"


@pytest.fixture
def command(folder):
    """Run ``alignbench ...`` in a process of its own, with the package or without it."""

    def call(*arguments, installed=True, code=0):
        path = [str(folder.parent / "site")] if installed else []
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(path), "COLUMNS": "100"}
        done = subprocess.run(
            [sys.executable, "-m", "alignbench", *map(str, arguments)], cwd=folder,
            env=environment, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == code, done.stderr
        return done.stdout + done.stderr

    return call


def test_everything_it_brings_works(command, folder):
    assert "Eight faces" in command("draw-ellipses", "--out", "faces")
    options = (*DATA, "--measure", "between@0.01,0.05")
    table = command("run", "--model", "wobble:4", *options, "--out", RUNS[0])
    assert "Between@0.01,0.05 %" in table
    assert "Boxes: square" in table
    model = "saved:faces/predictions.lm"
    assert "Between" in command("run", "--model", model, *options, "--out", RUNS[1])
    assert "Face" in command("report", *RUNS, "--table", "worst", "--faces", "2")
    assert "wobble" in command("report", *RUNS, "--format", "md")
    assert "A - B" in command("compare", *RUNS)
    command("ced", *RUNS, "--out", "ced.svg")
    command("figure", "histogram", *RUNS, "--bins", "4", "--out", "histogram.svg")
    command("figure", "landmarks", *RUNS, "--data-root", "faces", "--out", "landmarks.svg")
    command("report", *RUNS, "--table", "page", "--data-root", "faces", "--out", "page.html")
    for name in ("ced.svg", "histogram.svg", "landmarks.svg", "page.html"):
        assert (folder / name).stat().st_size > 1000
    names = command("list")
    for name in ("face106", "ellipses", "between", "square", "wobble", "lm", "worst", "histogram",
                 "draw-ellipses"):  # fmt: skip
        assert name in names
    assert "broken" not in names


def test_its_runs_outlive_it(command, folder):
    refused = command("run", "--model", "wobble", "--dataset", "ellipses", installed=False, code=2)
    assert "unknown" in refused
    table = command("report", *RUNS, "--format", "md", installed=False)
    assert table.count("Between@0.01,0.05 %") == 1
    command("run", "--model", "wobble:2", *DATA, "--out", "without")  # asks for no such measure
    assert "–" in command("report", RUNS[0], "without", "--format", "md", installed=False)
    assert "A - B" in command("compare", *RUNS, installed=False)
    command("ced", *RUNS, "--out", "after.svg", installed=False)
    after = ("--no-ellipses", "--out", "landmarks-after.svg")
    command("figure", "landmarks", *RUNS, *after, installed=False)
    page = command("report", *RUNS, "--table", "page", "--out", "after.html", installed=False)
    assert "Traceback" not in page
    assert (folder / "after.svg").read_bytes() == (folder / "ced.svg").read_bytes()
