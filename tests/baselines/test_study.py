"""Studies: variants trained with several seeds and run."""

from __future__ import annotations

import json

import pytest
import torch

from alignbench import InputError, load_run, threads
from alignbench.markups import IBUG68, WFLW98
from alignbench.synthetic.write import write
from baselines import options
from baselines.training.recipe import MODELS, read_recipe
from baselines.training.setup import _options, set_up
from baselines.training.study import read_study, run_study, shipped_studies, trials
from reports.paper.ablation import _VARIANTS
from reports.paper.model import published_rows

STUDY = """
recipe = "propnet-mini/synthetic"
seeds = 1
common = ["epochs=1", "batch_size=4", "validation=0.3", "crop.size=64", "network.stacks=1",
          "network.width=16", "network.depth=1", "network.attention_depth=1"]
[variants]
plain = ["network.propagation=false"]
"with PM" = []
"""


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    folder = tmp_path_factory.mktemp("faces")
    with threads.temporary_limit(1):
        write(folder, {"train": 12, "test": 4}, 3, lambda *_: None)
    return folder


def test_every_trial_of_the_shipped_studies_builds_its_network():
    for name, about in shipped_studies().items():
        assert about
        study = read_study(name)
        networks = {}
        for trial in trials(study):
            _, recipe = read_recipe(study.recipe, trial.overrides)
            assert recipe.seed == trial.seed
            if trial.seed > 0:
                continue
            markup = IBUG68 if recipe.dataset == "300w" else WFLW98
            with torch.device("meta"):
                setup = set_up(recipe, markup, boxed=True)
            networks[trial.variant] = str((dict(setup.options), recipe.targets, recipe.loss))
        folders = [trial.folder for trial in trials(study)]
        assert len(set(folders)) == len(folders)
        assert len(set(networks.values())) == len(networks), "two variants are the same"


CHANGES = {
    "without PM": {},
    "with PM": {"propagation": True},
    "BB": {},
    "MHM": {"block": "multi-view"},
    "BL": {},
    "BL+AC-2": {"anti_aliasing": 2},
    "BL+AC-3": {"anti_aliasing": 3},
    "BL+AC-5": {"anti_aliasing": 5},
    "AWing": {},
    "Focal Wing": {"focal": "printed"},
}
"""By variant as the paper prints it, what it changes in the baseline."""


@pytest.mark.parametrize("name", ["propnet-ablation", "propnet-wflw"])
def test_studies_have_every_row_of_tables_4_to_7(name):
    study = read_study(name)
    made = {}
    for trial in trials(study, seeds=1):
        _, recipe = read_recipe(study.recipe, trial.overrides)
        made[trial.variant] = all_options(recipe) | {"focal": recipe.loss.focal}
    rows = [(int(row["table"]), row["variant"]) for row in published_rows("tables4_7_ablation")]
    assert {printed for _, printed in rows} == set(CHANGES)
    for number, printed in rows:
        variant, *_ = _VARIANTS[number][printed]
        assert made[variant] == made["BL"] | CHANGES[printed]
    assert made["BL"].items() >= {
        "propagation": False, "block": "bottleneck", "pooling": "max", "anti_aliasing": None,
        "anti_aliased_stem": False, "focal": "none",
    }.items()  # fmt: skip


def all_options(recipe):
    """All options of the network that a recipe makes."""
    model = MODELS[recipe.model]
    return options.complete(_options(recipe, model, WFLW98), model.network)


def test_the_study_of_the_papers_size_has_its_networks():
    study = read_study("propnet-wflw")
    (first, *_) = trials(study)
    _, recipe = read_recipe(study.recipe, first.overrides)
    assert (recipe.dataset, recipe.split, recipe.epochs) == ("wflw", "train", 120)
    made = all_options(recipe)
    assert (made["stacks"], made["width"], made["depth"]) == (4, 256, 4)


def test_command_trains_runs_and_goes_on(cli, faces, tmp_path):
    (tmp_path / "study.toml").write_text(STUDY)
    call = ("ablation", "study.toml", "--data-root", faces, "--threads", 1)
    first = cli(*call)
    assert first.code == 0, first.err
    assert "with PM, seed 0" in first.out
    assert "2 of 2: with PM, seed 0" in first.err
    folder = tmp_path / "ablation/study"
    runs = [load_run(folder / "runs" / place / "seed0") for place in ("plain", "with-PM")]
    assert [run.record.model.name for run in runs] == ["plain, seed 0", "with PM, seed 0"]
    weights = (folder / "trained/plain/seed0/weights.safetensors").read_bytes()
    more = cli(*call, "--seeds", 2)
    assert more.code == 0, more.err
    assert "finished before" in more.err
    assert (folder / "trained/plain/seed0/weights.safetensors").read_bytes() == weights
    assert (folder / "trained/plain/seed1/weights.safetensors").read_bytes() != weights
    seed = json.loads((folder / "trained/plain/seed1/training.json").read_text())["recipe"]["seed"]
    assert seed == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("recipe = 1\n[variants]\na=[]", r"key recipe: .*found 1"),
        ('recipe = "propnet-mini/synthetic"\n[variants]', "key variants"),
        ('recipe = "x"\nseed = 3\n[variants]\na=[]', "Did you mean 'seeds'"),
        ('recipe = "propnet-mini/sintetic"\n[variants]\na=[]', "propnet-mini/synthetic"),
        ('recipe = "propnet-mini/synthetic"\n[variants]\na=["epoch=3"]', "Did you mean 'epochs'"),
        ("recipe = ", "not TOML"),
    ],
)
def test_bad_studies(cli, tmp_path, text, said):
    import re

    (tmp_path / "bad.toml").write_text(text)
    result = cli("ablation", "bad.toml")
    assert result.code == 2
    assert re.search(said, result.err), result.err
    assert not (tmp_path / "ablation").exists()


def test_a_recipe_of_several_data_sets_needs_one_to_run_on(tmp_path):
    several = STUDY.replace("common = [", 'common = [\'dataset=["synthetic", "wflw"]\', ')
    (tmp_path / "study.toml").write_text(several)
    with pytest.raises(InputError, match="key dataset: the recipe has several"):
        run_study(tmp_path / "study.toml", tmp_path / "out")


def test_unknown_study():
    with pytest.raises(InputError, match="Did you mean 'propnet-ablation'"):
        read_study("propnet-ablatio")
