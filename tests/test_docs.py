"""What the documents show is run."""

from __future__ import annotations

import re
import shlex
import tomllib
from inspect import signature
from pathlib import Path

import numpy as np
import pytest
from doubles import make_dataset
from layouts import points, pts_text, write_image

from alignbench import evaluate, load_predictor, plugins
from alignbench.predictors.settings import Crop, CropSettings, Input, Output
from baselines.training.recipe import MODELS

ROOT = Path(__file__).parents[1]


DOCUMENTS = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in (ROOT / "README.md", *(ROOT / "docs").glob("*.md"))
}


def blocks(name: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", DOCUMENTS[name], re.DOTALL)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty working folder, whose modules can be imported."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_the_onnx_settings_shown_are_valid_and_all_there_are():
    (text,) = blocks("docs/models.md", "toml")
    shown = tomllib.loads(text)
    CropSettings.model_validate(shown)
    for table, model in (("crop", Crop), ("input", Input), ("output", Output)):
        assert set(shown[table]) == set(model.model_fields)
    assert set(shown) == set(CropSettings.model_fields)


@pytest.mark.parametrize(
    ("document", "name"), [("README.md", "centre"), ("docs/models.md", "Mine")]
)
def test_the_python_model_shown_runs(document, name, folder):
    module = f"shown_{name.lower()}"
    (folder / f"{module}.py").write_text(blocks(document, "python")[0])
    run = evaluate(load_predictor(f"{module}:{name}"), make_dataset(4))
    assert np.isfinite(run.points).all()


def test_the_network_shown_runs_on_any_back_end(folder):
    (folder / "shown_net.py").write_text(blocks("docs/models.md", "python")[1])
    for backend in ("eager", "channels-last"):
        predictor = load_predictor("shown_net:load", backend=backend, device="cpu")
        assert predictor.describe()["execution"]["backend"] == backend
        assert np.isfinite(evaluate(predictor, make_dataset(4)).points).all()


def test_the_complexity_shown_is_what_the_command_prints(cli):
    printed = cli("complexity", "--format", "md").out
    rows = [line for line in printed.splitlines() if line.startswith("|")]
    assert len(rows) == 8
    assert "\n".join(rows) in DOCUMENTS["docs/networks.md"]


def test_the_saving_shown_gives_weights_that_run(folder):
    exec(blocks("docs/networks.md", "python")[0], {})  # our own document
    predictor = load_predictor("propnet", "mine.safetensors", device="cpu")
    assert predictor.variant == "stacks=1,width=32"


def test_every_option_of_the_networks_is_in_their_document():
    for model in MODELS.values():
        for option in signature(model.network).parameters:
            assert f"`{option}`" in DOCUMENTS["docs/networks.md"], f"{model.name}: {option}"


def test_the_fitting_shown_runs(folder):
    exec(blocks("docs/models.md", "python")[2], {})  # our own document
    for name in ("linear", "mean-shape"):
        weights = folder / f"{name.replace('-', '_')}.safetensors"
        assert load_predictor(name, weights).markup.landmarks == 98


def test_the_readme_has_its_two_commands():
    for mark in ("<!-- first command -->", "<!-- test command -->"):
        assert re.search(rf"{mark}\n```sh\n[^\n]+\n```", DOCUMENTS["README.md"])


def test_the_commands_for_own_data_run(folder, cli):
    for k, (name, face) in enumerate(zip(("ann/01", "bob/02"), points(2, 68), strict=True)):
        write_image(folder / f"faces/{name}{('.jpg', '.png')[k]}", k)
        (folder / f"faces/{name}.pts").write_text(pts_text(face))
    (commands,) = re.findall(
        r"<!-- own data -->\n```sh\n(.*?)```", DOCUMENTS["README.md"], re.DOTALL
    )
    show, verify, run, doctor = (shlex.split(x, comments=True)[1:] for x in commands.splitlines())
    for words in (show, verify, run):
        result = cli(*words)
        assert result.code == 0, result.err
    assert (folder / "sheet.png").exists()
    # Its exit status says what it found: noise has no face that the model could find.
    assert "propnet-mini on pts:faces test" in cli(*doctor).out


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_link_leads_somewhere_and_every_measured_table_is_filled(name):
    for link in re.findall(r"\]\(([^)#:]+)\)", DOCUMENTS[name]):
        assert ((ROOT / name).parent / link).exists(), link
    assert not re.findall(r"<!-- ([^>]*): begin -->\s*<!-- \1: end -->", DOCUMENTS[name])


STRANGER = ROOT / "tests" / "stranger"


@pytest.fixture
def stranger(tmp_path, monkeypatch):
    """The package of docs/extending.md as if it were installed."""
    settings = tomllib.loads((STRANGER / "pyproject.toml").read_text())["project"]
    info = tmp_path / "site" / "strangers_faces-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Name: {settings['name']}\nVersion: {settings['version']}\n")
    lines = []
    for group, entries in settings["entry-points"].items():
        lines += [f"[{group}]", *(f"{name} = {value}" for name, value in entries.items())]
    (info / "entry_points.txt").write_text("\n".join(lines))
    monkeypatch.syspath_prepend(STRANGER)
    monkeypatch.syspath_prepend(info.parent)
    plugins.entry_points.cache_clear()
    yield settings["entry-points"]
    plugins.entry_points.cache_clear()


def test_the_package_shown_is_the_one_of_the_tests():
    shown = [
        code.partition("\n")[::2]
        for language in ("toml", "python")
        for code in blocks("docs/extending.md", language)
    ]
    files = [STRANGER / "pyproject.toml", *(STRANGER / "strangers_faces").glob("[a-z]*.py")]
    assert {name.removeprefix("# "): code for name, code in shown} == {
        path.relative_to(STRANGER).as_posix(): path.read_text() for path in files
    }


def test_the_package_shown_adds_one_of_everything(stranger, cli):
    (commands,) = blocks("docs/extending.md", "sh")
    results = [cli(*shlex.split(line)[1:]) for line in commands.splitlines()]
    assert [result.code for result in results] == [0] * 7, [result.err for result in results]
    _, ran, _, worst, _, compared, listed = (result.out for result in results)
    assert "Between@0.01,0.05 %" in ran
    assert "Boxes: square; leak: ground-truth landmarks" in ran
    assert "INCOMPLETE" not in ran
    assert len(re.findall(r"\| (?:wobble|predictions) +\|", worst)) == 4
    assert "A = wobble, B = predictions on ellipses test" in compared
    assert Path("histogram.svg").read_text().startswith("<?xml")
    for entries in stranger.values():
        assert set(entries) <= set(re.findall(r"[\w-]+", listed))
    assert "broken" not in listed
