"""What the documents show is executed, or marked with the reason why it is not."""

from __future__ import annotations

import importlib
import importlib.util
import re
import shlex
import sys
import tomllib
from inspect import signature
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
import typer
from documents import DOCUMENTS, ROOT, Block, blocks
from layouts import points, pts_text, write_image

import alignbench
from alignbench import evaluate, load_dataset, load_predictor, plugins
from alignbench.cli import app
from alignbench.cli.mount import make_command
from alignbench.predictors.settings import Crop, CropSettings, Input, Output
from baselines.training.recipe import MODELS

EXECUTED = ("sh", "python")
NEEDS = {"GPU", "cofw68", "data", "network", "time"}
CHECKS = {"doctor", "verify", "--fail-if", "--fail-on"}
"""Words of commands whose exit status is 1 where they find something."""
ADDS_COMMANDS = "docs/how-to/extend.md"

ALL = [block for document in DOCUMENTS for block in blocks(document)]


def commands(block: Block) -> list[list[str]]:
    """The words of each command of a block."""
    lines = block.text.replace("\\\n", " ").splitlines()
    return [words for line in lines if (words := shlex.split(line, comments=True))]


def is_executed(block: Block) -> bool:
    return block.language in EXECUTED and not block.needs and not block.tested


@pytest.fixture(scope="module")
def workshop(tmp_path_factory):
    """The folder in which the blocks are executed: runs of two models, and somebody's faces."""
    folder = tmp_path_factory.mktemp("workshop")
    for k, (name, face) in enumerate(zip(("ann/01", "bob/02"), points(2, 68), strict=True)):
        write_image(folder / f"faces/{name}{('.jpg', '.png')[k]}", k)
        (folder / f"faces/{name}.pts").write_text(pts_text(face))
    faces = load_dataset("synthetic", split="sample")
    for model in ("propnet-mini", "awing-mini"):
        evaluate(load_predictor(model), faces, out=folder / "runs" / model)
    return folder


@pytest.fixture
def execute(workshop, cli, monkeypatch):
    """Execute blocks in their order, as a reader does who begins with the first one."""
    monkeypatch.chdir(workshop)
    monkeypatch.syspath_prepend(workshop)

    def call(parts: list[Block]) -> str:
        variables, printed = {"__name__": "__main__"}, []
        for block in parts:
            if block.file:
                Path(block.file).write_text(block.text, encoding="utf-8")
                sys.modules.pop(block.file.removesuffix(".py"), None)
                importlib.invalidate_caches()
            elif block.language == "python":
                exec(compile(block.text, str(block), "exec"), variables)  # our own document
            else:
                printed += [run(words, block) for words in commands(block)]
        return "".join(printed)

    def run(words: list[str], block: Block) -> str:
        if words[0] == "export":
            monkeypatch.setenv(*words[1].split("="))
            return ""
        assert words[0] == "alignbench", f"{block}: {words[0]} is not executed; mark the block"
        result = cli(*words[1:])
        monkeypatch.chdir(workshop)
        assert result.code in (0, 1)[: 1 + bool(CHECKS & set(words))], f"{block}: {result.err}"
        return result.out

    yield call
    plt.close("all")


@pytest.mark.parametrize("block", ALL, ids=str)
def test_every_block_is_executed_or_says_why_not(block):
    assert block.language in ("", "toml", *EXECUTED)
    assert block.language == "sh" or not re.search("^alignbench ", block.text, re.MULTILINE)
    assert set(block.needs) <= NEEDS
    assert not block.tested or f"test_{block.tested}" in globals()
    if is_executed(block) and block.language == "sh":
        assert {words[0] for words in commands(block)} <= {"alignbench", "export"}


@pytest.mark.parametrize(
    "document", [name for name in DOCUMENTS if any(map(is_executed, blocks(name)))]
)
def test_what_is_shown_runs(document, execute):
    execute([block for block in blocks(document) if is_executed(block) or block.file])


@pytest.mark.real_data
@pytest.mark.parametrize(
    "document",
    [name for name in DOCUMENTS if any("cofw68" in block.needs for block in blocks(name))],
)
def test_what_is_shown_of_cofw68_runs(document, execute, workshop, shared):
    if not (workshop / "data").exists():
        (workshop / "data").symlink_to(shared)
    printed = execute([block for block in blocks(document) if block.needs == ("cofw68",)])
    if document == "README.md":
        shown = re.findall(r"^\| (?:CFSS|RCPR|TCDCN) .*\|$", DOCUMENTS[document], re.MULTILINE)
        assert len(shown) == 3
        for row in shown:
            assert row.replace(" ", "") in printed.replace(" ", "")


def named_commands(document: str) -> list[list[str]]:
    """The words of every command of a document, of those in the text and in every block."""
    text = re.sub(r"^```.*?^```$", "", DOCUMENTS[document], flags=re.MULTILINE | re.DOTALL)
    spans = re.findall(r"`(alignbench [^`]+)`", " ".join(text.split()))
    shown = [words for block in blocks(document, "sh") for words in commands(block)]
    return [*map(shlex.split, spans), *(words for words in shown if words[0] == "alignbench")]


@pytest.mark.parametrize("document", [name for name in DOCUMENTS if name != ADDS_COMMANDS])
def test_every_command_and_option_named_exists(document):
    for words in named_commands(document):
        command, rest = make_command("alignbench", app), words[1:]
        while hasattr(command, "list_commands") and rest and rest[0][0].islower():
            context = typer.Context(command)
            if command.name == "report":  # --table names its part; without it, runs do not
                part = rest[rest.index("--table") + 1] if "--table" in rest else "summary"
                part = "site" if "--all" in rest else "all" if part.isdigit() else part
                rest = [part, *(word for word in rest if word not in ("--all", "--table"))]
            command = command.get_command(context, rest.pop(0))
        if not hasattr(command, "list_commands"):
            options = {name for one in command.params for name in (*one.opts, *one.secondary_opts)}
            if "--format" in options:  # --json is short for that of JSON
                options.add("--json")
            used = {word.partition("=")[0] for word in rest if word.startswith("--")}
            assert used <= options | {"--help"}, f"{document}: {shlex.join(words)}"


def test_the_readme_has_its_two_commands():
    for mark in ("<!-- first command -->", "<!-- test command -->"):
        assert re.search(rf"{mark}\n```sh\n[^\n]+\n```", DOCUMENTS["README.md"])


def test_the_commands_for_own_data_are_the_same_in_readme_and_guide():
    pattern = re.compile(r"<!-- own data -->\n```sh\n(.*?)```", re.DOTALL)
    (shown,) = pattern.findall(DOCUMENTS["README.md"])
    assert pattern.findall(DOCUMENTS["docs/how-to/own-data.md"]) == [shown]


def test_the_onnx_settings_shown_are_valid_and_all_there_are():
    (block,) = blocks("docs/how-to/onnx-model.md", "toml")
    shown = tomllib.loads(block.text)
    CropSettings.model_validate(shown)
    for table, model in (("crop", Crop), ("input", Input), ("output", Output)):
        assert set(shown[table]) == set(model.model_fields)
    assert set(shown) == set(CropSettings.model_fields)


def test_every_option_of_the_networks_is_in_their_document():
    for model in MODELS.values():
        for option in signature(model.network).parameters:
            assert f"`{option}`" in DOCUMENTS["docs/reference/networks.md"], (
                f"{model.name}: {option}"
            )


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_link_leads_somewhere_and_every_measured_table_is_filled(name):
    for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", DOCUMENTS[name]):
        assert ((ROOT / name).parent / link).exists(), link
    assert not re.findall(r"<!-- ([^>]*): begin -->\s*<!-- \1: end -->", DOCUMENTS[name])


def test_the_summary_of_trust_agrees_with_its_notes():
    notes, summary = (DOCUMENTS[f"docs/explanation/{name}.md"] for name in ("trust-notes", "trust"))
    total, found = re.search(r"([\d,]+) mutants, ([\d,]+) found", notes).groups()
    assert f"{found} of {total} small faults" in summary
    assert f"{re.search(r'all[*]{2} [|] [*]{2}([0-9,]+)', notes)[1]} executions" in summary


# The site. `tox -e docs` builds it; what does not need mkdocs is tested here.

SITE = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")


def test_every_document_is_in_the_navigation():
    for document in DOCUMENTS:
        if document.startswith("docs/"):
            assert re.search(rf"\b{re.escape(document.removeprefix('docs/'))}$", SITE, re.MULTILINE)


def test_every_public_name_is_in_the_reference():
    shown = "".join(text for name, text in DOCUMENTS.items() if "/reference/api" in name)
    for name in set(alignbench.__all__) - {"__version__"}:
        assert re.search(rf"^::: alignbench\.{name}$", shown, re.MULTILINE), name


@pytest.fixture(scope="module")
def hooks():
    spec = importlib.util.spec_from_file_location("hooks", ROOT / "docs" / "theme" / "hooks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_command_line_reference_has_every_command_with_its_options(hooks):
    text = "\n".join(hooks.render_commands())
    for name in plugins.entry_points(plugins.COMMANDS):
        assert f"## alignbench {name.replace('.', ' ')}\n" in text
    for part in ("figure worst", "report --table page"):
        assert f"## alignbench {part}\n" in text
    assert "| `--require-complete` | Refuse a data set" in text
    assert "alignbench run --model propnet-mini --dataset synthetic\n" in text


STRANGER = ROOT / "tests" / "stranger"


@pytest.fixture
def stranger(tmp_path, monkeypatch):
    """The package of docs/how-to/extend.md as if it were installed."""
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
        block.text.partition("\n")[::2]
        for block in blocks("docs/how-to/extend.md", "toml", "python")
    ]
    files = [STRANGER / "pyproject.toml", *(STRANGER / "strangers_faces").glob("[a-z]*.py")]
    assert {name.removeprefix("# "): code for name, code in shown} == {
        path.relative_to(STRANGER).as_posix(): path.read_text() for path in files
    }


def test_the_package_shown_adds_one_of_everything(stranger, cli):
    (commands,) = blocks("docs/how-to/extend.md", "sh")
    results = [cli(*shlex.split(line)[1:]) for line in commands.text.splitlines()]
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
