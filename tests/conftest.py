"""Shared fixtures: real data where it is, an isolated cache, the command line in-process."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, settings

from alignbench import Dataset
from alignbench.arrays import Bools, Bytes, Ints
from alignbench.markups import WFLW98, Markup

settings.register_profile(
    "alignbench", deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
# The same examples every time, and none made smaller: all that counts is whether one fails.
settings.register_profile(
    "mutation",
    settings.get_profile("alignbench"),
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
)
settings.load_profile("alignbench")

SHARED = Path(
    os.environ.get("ALIGNBENCH_TEST_DATA", Path(__file__).parents[2] / "shared" / "data")
).resolve()


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder of the research-only data; the test is skipped where it is absent."""
    if not (SHARED / "wflw").is_dir():
        pytest.skip(f"research-only data is not there (ALIGNBENCH_TEST_DATA, else {SHARED})")
    return SHARED


@pytest.fixture(scope="session", autouse=True)
def user_folders(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Caches and data folders of this session alone: the demo set is drawn once, here."""
    home = tmp_path_factory.mktemp("home")
    os.environ["XDG_CACHE_HOME"] = str(home / "cache")
    os.environ["XDG_DATA_HOME"] = str(home / "data")
    os.environ.pop("ALIGNBENCH_DATA", None)


@dataclass(frozen=True)
class Result:
    """What a command gave."""

    code: int
    out: str
    err: str


@pytest.fixture
def cli(monkeypatch, capsys, tmp_path):
    """Run the command line in this process, in an empty folder: ``cli("run", "--model", ...)``."""
    from alignbench.cli import main

    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> Result:
        monkeypatch.setattr(sys, "argv", ["alignbench", *map(str, arguments)])
        capsys.readouterr()
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        out, err = capsys.readouterr()
        return Result(code, out, err)

    return call


class ArrayImages:
    """Images in memory, for tests."""

    def __init__(self, images: list[Bytes | None], sources: list[str] | None = None) -> None:
        self._images = images
        self._sources = sources or [str(k) for k in range(len(images))]

    def available(self) -> Bools:
        return np.array([image is not None for image in self._images], dtype=np.bool_)

    def read(self, index: int) -> Bytes:
        image = self._images[index]
        assert image is not None
        return image

    def location(self, index: int) -> str:
        return f"image {self._sources[index]}"

    def sources(self) -> list[str]:
        return self._sources

    def digest(self) -> str:
        return str(hash(tuple(i.tobytes() for i in self._images if i is not None)))

    def take(self, indices: Ints) -> ArrayImages:
        return ArrayImages([self._images[i] for i in indices], [self._sources[i] for i in indices])


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
