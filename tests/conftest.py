"""Shared fixtures: real data where it is, an isolated cache, the command line in-process."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings

# Several tests and their processes share the cores: threads that have nothing to do sleep instead
# of keeping a core from the others. PyTorch reads it when it is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

settings.register_profile(
    "alignbench", deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
# The same examples every time, and none made smaller: all that counts is whether one fails.
settings.register_profile(
    "mutation", settings.get_profile("alignbench"), derandomize=True, database=None,
    phases=[Phase.explicit, Phase.generate],
)  # fmt: skip
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
    """Caches and data folders of this session alone: synthetic faces are drawn once, here."""
    home = tmp_path_factory.mktemp("home")
    os.environ["XDG_CACHE_HOME"] = str(home / "cache")
    os.environ["XDG_DATA_HOME"] = str(home / "data")
    os.environ.pop("ALIGNBENCH_DATA", None)


@pytest.fixture(scope="session", autouse=True)
def shipped_models() -> None:
    """Models of these modules count as shipped ones: their runs are resumed and read back."""
    from alignbench.predictors import identity

    identity._our_packages().update({"doubles", "test_runner", "test_arrays"})


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
    monkeypatch.setattr("alignbench.predictors.identity._is_command_line", lambda: True)

    def call(*arguments: object) -> Result:
        monkeypatch.setattr(sys, "argv", ["alignbench", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as stop:
            main()
        return Result(int(stop.value.code or 0), *capsys.readouterr())

    return call
