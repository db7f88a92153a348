"""Recipes: what is trained, on what and how, as a short TOML file."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, create_model, model_validator

from alignbench.datasets.base import FULL
from alignbench.exceptions import InputError, unknown
from alignbench.geometry import BoxSide, Rounding
from alignbench.io.notation import parse_toml
from baselines.awing.predictor import AWING
from baselines.checkpoints import Storage
from baselines.lab.predictor import LAB
from baselines.model import Model, SecondStage, Table
from baselines.propnet.predictor import PROPNET
from baselines.shipped import read_toml, recipe_files
from baselines.training.augmentation import Amount, Augmentation, Share

MODELS = {model.name: model for model in (PROPNET, AWING, LAB)}
"""The models that a recipe can train, by name."""
Positive = Annotated[float, Field(gt=0)]


class CropChanges(Table):
    """Table ``[crop]``: what differs from the model's own crop; keys as in :class:`Crop`."""

    boxes: str | None = None
    scale: Positive | None = None
    of: BoxSide | None = None
    rounding: Rounding | None = None
    size: int | None = Field(default=None, ge=16, le=4096)
    border: int | None = Field(default=None, ge=0, le=255)


class Coarse(Table):
    """Table ``[coarse]``: the first ``epochs`` see a window of ``size`` pixels, which is faster.

    Progressive resizing, as in EfficientNetV2 (Tan and Le, ICML 2021).
    """

    epochs: int = Field(ge=1)
    size: int = Field(ge=16, le=4096)


class Optimiser(Table):
    """Table ``[optimiser]``: Adam or RMSprop, and its learning rate over the training.

    ``clip`` is the largest norm of the gradient, 0 for any. The rate rises from 0 over the share
    ``warmup`` of the steps; then it stays (``constant``), is multiplied by ``factor`` at each of
    ``milestones``, shares of the training (``step``), or falls to 0 along half a cosine wave
    (``cosine``; with a warm-up, the one-cycle policy). ``average`` is the decay of the exponential
    moving average of the weights, which is then what is validated and saved; 0 for none.
    """

    name: Literal["adam", "rmsprop"] = "adam"
    lr: Positive = 1e-4
    weight_decay: Amount = 0.0
    clip: Amount = 0.0
    schedule: Literal["constant", "step", "cosine"] = "constant"
    milestones: Annotated[tuple[Share, ...], Field(strict=False)] = ()
    factor: Positive = 0.1
    warmup: Share = 0.0
    average: float = Field(default=0.0, ge=0, lt=1)

    def rate(self, step: int, steps: int) -> float:
        """Learning rate of a step, counted from 0, in a training of ``steps`` steps.

        It depends on nothing else, so that a checkpoint need not hold it.
        """
        warmup = self.warmup * steps
        if step < warmup:
            return self.lr * (step + 1) / (math.floor(warmup) + 1)
        if self.schedule == "step":
            return self.lr * self.factor ** sum(step / steps >= at for at in self.milestones)
        if self.schedule == "cosine":
            left = (step - warmup) / max(1, steps - warmup)
            return self.lr * (1 + math.cos(math.pi * left)) / 2
        return self.lr


class Initial(Table):
    """Table ``[initial]``: the weights to begin with.

    ``weights`` is a file, or the name of shipped ones; or ``recipe`` is a recipe that is trained
    first. Tensors whose names begin with one of ``anew`` are drawn at random all the same.
    """

    weights: str | None = None
    recipe: str | None = None
    anew: Annotated[tuple[str, ...], Field(strict=False)] = ()

    @model_validator(mode="after")
    def _one_of_two(self) -> Initial:
        if (self.weights is None) == (self.recipe is None):
            raise ValueError("one of weights and recipe is needed, not both")
        return self


class Recipe(Table):
    """A recipe.

    Attributes
    ----------
    about
        One line for lists.
    model
        ``propnet``, ``awing`` or ``lab``; options of its network in ``network``.
    dataset, split, subset
        What is trained on; ``dataset`` may be a list of several, which become one.
    validation
        Another split; or a share of the training images, which then are not trained on. Of
        several data sets it is that of each.
    markup
        The data set's own where it is None, that of the first one of several; 98 points can be
        trained as 68.
    epochs, batch_size, seed, precision
        ``batch_size`` is that of all processes together; with ``bf16`` the network is computed
        in it.
    batch_norm
        Whether the statistics of batch normalisation are those of each process's part of a batch
        or of the whole batch.
    storage
        Type of the weights in their file.
    targets, loss, adversarial
        Tables of the model.
    """

    about: str = ""
    model: str
    dataset: str | Annotated[tuple[str, ...], Field(strict=False, min_length=1)]
    split: str = "train"
    subset: str = FULL
    validation: str | Annotated[float, Field(gt=0, lt=1)] = "test"
    markup: str | None = None
    epochs: int = Field(default=60, ge=1)
    batch_size: int = Field(default=16, ge=2)
    seed: int = Field(default=0, ge=0, lt=2**63)
    precision: Literal["fp32", "bf16"] = "fp32"
    batch_norm: Literal["process", "batch"] = "process"
    storage: Storage = "float32"
    network: dict[str, Any] = Field(default_factory=dict)
    crop: CropChanges = CropChanges()
    coarse: Coarse | None = None
    targets: Table = Table()
    augmentation: Augmentation = Augmentation()
    optimiser: Optimiser = Optimiser()
    loss: Table = Table()
    adversarial: SecondStage | None = None
    initial: Initial | None = None

    @property
    def datasets(self) -> tuple[str, ...]:
        """Names of the data sets."""
        return (self.dataset,) if isinstance(self.dataset, str) else self.dataset

    @property
    def trained_on(self) -> str:
        """The data sets in words."""
        return " + ".join(self.datasets)

    @property
    def all_epochs(self) -> int:
        """Epochs of both stages."""
        return self.epochs + (self.adversarial.epochs if self.adversarial else 0)


def _schema(model: Model) -> type[Recipe]:
    """Recipes of one model, with its own tables."""
    stage: Any = model.second_stage and model.second_stage | None
    return create_model(
        "Recipe",
        __base__=Recipe,
        targets=(model.targets, model.targets()),
        loss=(model.loss, model.loss()),
        adversarial=(stage or None, None),
    )


SCHEMAS = {name: _schema(model) for name, model in MODELS.items()}
_TABLES: dict[str, type[Table]] = {
    "crop": CropChanges, "coarse": Coarse, "augmentation": Augmentation, "optimiser": Optimiser,
    "initial": Initial,
}  # fmt: skip


def _keys(name: str | None) -> list[str]:
    """Every key of a recipe of a model; a key in a table is ``TABLE.KEY``."""
    if name is None:
        return list(Recipe.model_fields)
    model = MODELS[name]
    tables = {**_TABLES, "targets": model.targets, "loss": model.loss}
    if stage := model.second_stage:
        tables["adversarial"] = stage
    plain = [key for key in Recipe.model_fields if key != "adversarial" or stage]
    dotted = [f"{table}.{key}" for table, part in tables.items() for key in part.model_fields]
    return plain + dotted


def read_recipe(recipe: str | Path, overrides: Sequence[str] = ()) -> tuple[str, Recipe]:
    """Name and content of a recipe: a TOML file, or the name of a shipped one.

    Raises InputError if there is no such recipe, or a key is unknown or has a value it cannot
    have.

    Parameters
    ----------
    overrides
        ``key=value`` with a dotted key, the value as in TOML: ``network.stacks=1``.
        ``TABLE=none`` leaves a table out: ``coarse=none``.
    """
    recipes = recipe_files()
    content = read_toml("recipe", recipe, recipes)
    changed = {_override(content, override) for override in overrides}
    model = content.get("model")
    if isinstance(model, str) and model not in MODELS:
        raise unknown(f"{'--set' if 'model' in changed else recipe}, model", model, MODELS)
    model = model if isinstance(model, str) else None
    if model:
        _check_use(content, model, recipe, changed)
    try:
        valid = SCHEMAS.get(model, Recipe).model_validate(content)  # type: ignore[arg-type]
    except ValidationError as error:
        raise first_mistake(error, recipe, _keys(model), changed) from error
    return str(recipe) if str(recipe) in recipes else Path(recipe).stem, valid


def complete(recipe: Recipe) -> dict[str, Any]:
    """Every key of a recipe, as JSON."""
    return recipe.model_dump(mode="json", exclude_none=True)


def _check_use(content: Mapping[str, Any], model: str, where: object, changed: set[str]) -> None:
    """Raise InputError for a key that only other models have."""
    tables = [key for key, table in content.items() if isinstance(table, dict)]
    written = {*content, *(f"{table}.{key}" for table in tables for key in content[table])}
    for key in sorted(written - set(_keys(model))):
        if users := [name for name in MODELS if key in _keys(name)]:
            raise InputError(
                f"{'--set' if key in changed else where}, key {key}",
                f"is not a key for model {model!r}, only for {', '.join(users)}",
                remedy="Leave it out.",
            )


def _override(content: dict[str, Any], override: str) -> str:
    """Change one value; gives its dotted key."""
    where = f"--set {override!r}"
    if not override.isprintable():
        raise InputError(where, "holds a line break or another control character", "key=value")
    key, equals, text = (part.strip() for part in override.partition("="))
    if not equals or not key:
        raise InputError(where, "no key and value", "key=value")
    *tables, last = key.split(".")
    place: Any = content
    for table in tables:
        place = place.setdefault(table, {})
        if not isinstance(place, dict):
            raise InputError(where, f"{table} is no table", ", ".join(Recipe.model_fields))
    if text == "none" and isinstance(place.get(last), dict):
        del place[last]
        return key
    try:
        place[last] = parse_toml(f"value = {text}")["value"]
    except ValueError:
        place[last] = text  # a text without its quotes
    return key


def first_mistake(
    error: ValidationError, where: object, keys: Sequence[str], changed: Collection[str] = ()
) -> InputError:
    """The first thing wrong with a recipe or study of these keys."""
    first = error.errors()[0]
    parts = [str(part) for part in first["loc"]]
    dotted = ".".join(parts)
    if first["type"] == "extra_forbidden":
        return unknown(f"{'--set' if dotted in changed else where}, key", dotted, keys)
    # Where several types are accepted, pydantic adds the last one that it tried, which is no key.
    while dotted not in keys and len(parts) > 1:
        parts.pop()
        dotted = ".".join(parts)
    place = f"{'--set' if dotted in changed else where}, key {dotted}"
    if first["type"] == "missing":
        return InputError(place, "is missing", remedy="docs/reference/recipes.md shows every key.")
    return InputError(place, f"{first['msg']}, found {first['input']!r}")
