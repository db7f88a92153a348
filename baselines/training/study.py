"""Studies: variants of a recipe, each trained with several seeds and run on the same faces."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

import torch
from pydantic import Field, ValidationError

from alignbench import Dataset, Run, evaluate, load_dataset, load_predictor
from alignbench.exceptions import InputError, blame
from baselines.model import Table
from baselines.shipped import read_toml
from baselines.training.data import attributes
from baselines.training.folder import WEIGHTS
from baselines.training.loop import Progress, Say
from baselines.training.recipe import Recipe, first_mistake, read_recipe
from baselines.training.setup import set_up
from baselines.training.start import train


class Study(Table):
    """A study, as its TOML file has it.

    ``recipe`` is a file or the name of a shipped one, ``dataset`` and ``split`` what every variant
    is run on; without ``dataset``, the recipe's. Each variant is trained with the seeds 0 to
    ``seeds`` - 1. ``common`` is the ``key=value`` that all variants change, ``variants`` what each
    of them changes besides.
    """

    about: str = ""
    recipe: str
    dataset: str | None = None
    split: str = "test"
    seeds: int = Field(default=2, ge=1)
    common: list[str] = Field(default_factory=list)
    variants: dict[str, list[str]] = Field(min_length=1)


@dataclass(frozen=True)
class Trial:
    """One training of a study: variant, seed, and what it changes."""

    variant: str
    seed: int
    overrides: tuple[str, ...]

    @property
    def name(self) -> str:
        """Its name in tables."""
        return f"{self.variant}, seed {self.seed}"

    @property
    def folder(self) -> str:
        """Its folder within the study's folders."""
        plain = re.sub(r"[^\w.+-]+", "-", self.variant)[:100]
        return f"{plain}/seed{self.seed}"


def shipped_studies() -> dict[str, str]:
    """Studies of this package: name to one line."""
    return {name: read_study(name).about for name in _studies()}


def read_study(study: str | Path) -> Study:
    """A study from a TOML file, or a shipped one by its name.

    Raises InputError if there is no such study, or a key is unknown, missing or has a value it
    cannot have.
    """
    content = read_toml("study", study, _studies())
    try:
        return Study.model_validate(content)
    except ValidationError as error:
        raise first_mistake(error, study, list(Study.model_fields)) from error


def _studies() -> dict[str, Traversable]:
    folder = files("baselines").joinpath("studies")
    return {file.name.removesuffix(".toml"): file for file in folder.iterdir()}


def trials(study: Study, seeds: int | None = None, overrides: Sequence[str] = ()) -> list[Trial]:
    """The trainings of a study.

    Raises InputError if two variants would share a folder.
    """
    folders: dict[str, str] = {}
    for variant in study.variants:
        folder = Trial(variant, 0, ()).folder
        if not variant.strip(" .") or folder in folders:
            problem = "has nothing but blanks and dots"
            if folder in folders:
                problem = f"would have the folder of {folders[folder]!r}"
            raise InputError(f"variant {variant!r}", problem, "a name with other letters or digits")
        folders[folder] = variant
    return [
        Trial(variant, seed, (*study.common, *changes, f"seed={seed}", *overrides))
        for seed in range(seeds or study.seeds)
        for variant, changes in study.variants.items()
    ]


def _check(study: Study, todo: Sequence[Trial], faces: Dataset) -> None:
    """Raise InputError if any trial cannot be trained or run, before the first one is trained."""
    first = None
    for trial in todo:
        with blame(trial.name), torch.device("meta"):
            _, recipe = read_recipe(study.recipe, trial.overrides)
            setup = set_up(recipe, faces.markup, faces.boxes is not None)
            attributes(faces, setup.method.attributes)
        subject = (recipe.model, _dataset(study, recipe), recipe.markup)
        first = first or subject
        if subject != first:
            raise InputError(
                trial.name, f"changes model, data set or mark-up to {subject}",
                f"{first}, as in all trials", "Make it a study of its own.",
            )  # fmt: skip


def _dataset(study: Study, recipe: Recipe) -> str:
    """The data set that the variants are run on.

    Raises InputError if the recipe has several and the study does not choose.
    """
    if study.dataset is None and len(recipe.datasets) > 1:
        raise InputError(
            "key dataset", f"the recipe has several: {recipe.trained_on}",
            "one to run the variants on", "Name it in the study.",
        )  # fmt: skip
    return study.dataset or recipe.datasets[0]


def run_study(
    study: str | Path,
    out: str | Path,
    *,
    seeds: int | None = None,
    overrides: Sequence[str] = (),
    data_root: str | Path | None = None,
    device: str = "auto",
    progress: Progress = lambda done, total, words: None,
    say: Say = lambda line: None,
) -> list[Run]:
    """Train every variant of a study and run it; called again, it goes on where it stopped.

    Parameters
    ----------
    out
        Folder: ``trained/VARIANT/SEED`` has the trainings, ``runs/VARIANT/SEED`` their runs.
    seeds
        Trainings of each variant; the study's own number where it is None.
    overrides
        ``key=value`` that all variants change, after everything else.
    data_root, device, progress, say
        As :func:`baselines.training.train` takes them.

    Raises InputError if the study, a recipe or the data is wrong, or a training diverges.
    """
    content = read_study(study)
    todo = trials(content, seeds, overrides)
    _, recipe = read_recipe(content.recipe, todo[0].overrides)
    faces = load_dataset(_dataset(content, recipe), data_root, content.split)
    _check(content, todo, faces)
    runs = []
    for number, trial in enumerate(todo, start=1):
        say(f"{number} of {len(todo)}: {trial.name}")
        folder = Path(out, "trained", trial.folder)
        train(
            content.recipe, overrides=trial.overrides, out=folder, data_root=data_root,
            device=device, progress=progress, say=say,
        )  # fmt: skip
        predictor = load_predictor(recipe.model, folder / WEIGHTS, device=device)
        runs.append(
            evaluate(
                predictor,
                faces,
                name=trial.name,
                out=Path(out, "runs", trial.folder),
                progress=False,
            )
        )
    return runs
