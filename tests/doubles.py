"""Stand-ins for data sets, images and models, shared by the tests."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from alignbench import Dataset, Predictor
from alignbench.io.images import ArrayImages
from alignbench.markups import WFLW98, Markup
from alignbench.stats import Bootstrap

QUICK = Bootstrap(200)
SAMPLE = ("synthetic", "--split", "sample")
"""The data set of the command line's tests: 60 drawn faces, behind ``--dataset``."""
FILES = ["metrics.json", "predictions.npz", "faces.csv", "breakdown.csv", "ced.svg", "ced.png"]


class Killed(BaseException):
    """The process is gone: nothing but what was kept before is left."""


class Shifted(Predictor):
    """The truth, some pixels off; counts its batches and can break after some."""

    name = "shifted"
    markup = WFLW98
    needs_images = False
    ending: BaseException = Killed()

    def __init__(self, dataset, pixels=2.0, breaks_after=None):
        self.truth = dict(zip(dataset.ids, dataset.points, strict=True))
        self.pixels, self.left, self.batches = pixels, breaks_after, []

    def predict(self, batch):
        if self.left is not None:
            if not self.left:
                raise self.ending
            self.left -= 1
        self.batches.append(len(batch.ids))
        return np.stack([self.truth[name] for name in batch.ids]) + self.pixels

    def describe(self):
        return {"source": "shifted", "pixels": self.pixels}


_ONE_COLUMN = r"""\documentclass{article}
"""
_TWO_COLUMNS = r"""\documentclass[10pt,twocolumn,letterpaper]{article}
\setlength{\textwidth}{6.875in}\setlength{\textheight}{8.875in}\setlength{\columnsep}{0.3125in}
"""
"""The columns of CVPR's template: 237 points each, 497 for both."""


def compile_latex(body, folder, *, two_columns=False):
    """The log of pdflatex, and the text of its pages if pdftotext is there.

    With two columns no table is scaled down: one that is too wide is an overfull box. The test is
    skipped where pdflatex or siunitx is not installed.
    """
    if shutil.which("pdflatex") is None:
        pytest.skip("no pdflatex is installed")
    found = subprocess.run(["kpsewhich", "siunitx.sty"], capture_output=True, check=False)
    if found.returncode:
        pytest.skip("LaTeX has no siunitx (texlive-science)")
    head = _TWO_COLUMNS if two_columns else _ONE_COLUMN
    head += "\\usepackage{booktabs,graphicx,siunitx}\n\\pagestyle{empty}\n"
    if two_columns:
        head += "\\renewcommand{\\resizebox}[3]{#3}\n"
    (folder / "t.tex").write_text(f"{head}\\begin{{document}}\n{body}\n\\end{{document}}\n")
    done = subprocess.run(
        ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "t.tex"],
        cwd=folder, capture_output=True, text=True, errors="replace", check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:]
    if shutil.which("pdftotext") is None:
        return done.stdout, None
    text = subprocess.run(
        ["pdftotext", "-layout", "t.pdf", "-"], cwd=folder, capture_output=True, check=True
    ).stdout.decode()
    return done.stdout, text


def contents(folder):
    return {name: (folder / name).read_bytes() for name in FILES}


def record_without_timings(folder):
    record = json.loads((folder / "run.json").read_text())
    assert record.pop("timings")["seconds"] > 0
    return record


def torchrun(folder, *arguments, script=("-m", "alignbench")):
    """Run a command by two processes in a folder; gives exit status and output."""
    environment = {k: v for k, v in os.environ.items() if k not in ("RANK", "WORLD_SIZE")}
    launch = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")
    return subprocess.run(
        [sys.executable, *launch, *script, *map(str, arguments)],
        cwd=folder, capture_output=True, text=True, env=environment, timeout=300, check=False,
    )  # fmt: skip


def make_dataset(
    faces: int = 12,
    markup: Markup = WFLW98,
    seed: int = 0,
    images: ArrayImages | None = None,
    visible: bool = False,
) -> Dataset:
    """A data set of random faces, about 100 pixels wide, with two overlapping subsets."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(20, 120, (faces, markup.landmarks, 2))
    return Dataset(
        name="made",
        split="test",
        markup=markup,
        ids=tuple(f"face{k}" for k in range(faces)),
        points=points,
        visible=rng.random((faces, markup.landmarks)) < 0.7 if visible else None,
        boxes=np.concatenate([points.min(axis=1) - 3, points.max(axis=1) + 3], axis=1),
        subsets={
            "full": np.ones(faces, np.bool_),
            "even": np.arange(faces) % 2 == 0,
            "few": np.arange(faces) < 3,
        },
        images=images or ArrayImages([np.full((150, 150, 3), 90, np.uint8)] * faces),
        official={"full": faces},
        normalisers=("inter_ocular",),
        threshold=0.10,
    )


def mean_of_frontal(points):
    """The mean face (98, 2) in units of the outer eye distance, its eyes' middle at 0."""
    left, right = (points[:, corner[0]] for corner in WFLW98.normalisers["inter_ocular"])
    across = right - left
    middle, length = (left + right) / 2, np.linalg.norm(across, axis=1)
    axis = across / length[:, None]
    down = np.stack([-axis[:, 1], axis[:, 0]], axis=1)
    away = points - middle[:, None]
    upright = np.stack(
        [(away * axis[:, None]).sum(2), (away * down[:, None]).sum(2)], axis=-1
    ) / length[:, None, None]  # fmt: skip
    tip = WFLW98.chains["nose_bridge"][-1]
    frontal = upright[np.abs(upright[:, tip, 0]) < 0.08]
    mirrored = frontal[:, WFLW98.flip_order] * [-1, 1]
    return np.concatenate([frontal, mirrored]).mean(axis=0)
