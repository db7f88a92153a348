"""Recipes: what is trained, on what and how, as a short TOML file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from alignbench.datasets.base import FULL
from alignbench.errors import InputError, unknown
from alignbench.geometry import BoxSide, Rounding
from alignbench.io.files import require_regular
from alignbench.io.notation import parse_toml
from baselines.losses import FocalReading
from baselines.model import MODELS

Share = Annotated[float, Field(ge=0, le=1)]
Amount = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, strict=True)


class CropChanges(_Part):
    """What differs from the model's own crop; keys as in :class:`Crop`."""

    boxes: str | None = None
    scale: Positive | None = None
    of: BoxSide | None = None
    rounding: Rounding | None = None
    size: int | None = Field(default=None, ge=16, le=4096)
    border: int | None = Field(default=None, ge=0, le=255)


class Targets(_Part):
    """Maps a network learns, in pixels of the map, and how landmarks are read from its own.

    ``sigma`` of a landmark's Gaussian, whose middle is the landmark itself if ``subpixel``, else
    the pixel that holds it; ``boundary_sigma`` of a boundary; ``decoder`` as in
    :class:`alignbench.predictors.settings.Output`.
    """

    sigma: Positive = 1.75
    subpixel: bool = False
    boundary_sigma: Positive = 1.0
    decoder: Literal["argmax", "quarter", "parabola", "soft-argmax"] = "quarter"


class Augmentation(_Part):
    """How far each face is changed, each time it is seen; see ``augmentation.py``.

    ``rotation`` in degrees, ``scale`` a share, ``shift`` in pixels of a window of 256 (and in
    proportion of another), ``flip`` a probability. The others are off by default: ``brightness``,
    ``contrast`` and ``colour`` are shares, ``blur`` the largest sigma in pixels of a window of
    256, ``noise`` the largest standard deviation in grey values, ``erase`` the probability that a
    rectangle is painted over.
    """

    rotation: Amount = 30.0
    scale: float = Field(default=0.15, ge=0, lt=1)
    shift: Amount = 25.0
    flip: Share = 0.5
    brightness: Share = 0.0
    contrast: Share = 0.0
    colour: Share = 0.0
    blur: Amount = 0.0
    noise: Amount = 0.0
    erase: Share = 0.0


class Optimiser(_Part):
    """Adam or RMSprop, and its learning rate over the training.

    ``clip`` is the largest norm of the gradient, 0 for any. The rate rises from 0 over the share
    ``warmup`` of the steps; then it stays (``constant``), is multiplied by ``factor`` at each of
    ``milestones``, shares of the training (``step``), or falls to 0 along half a cosine wave
    (``cosine``; with a warm-up, the one-cycle policy).
    """

    name: Literal["adam", "rmsprop"] = "adam"
    lr: Positive = 1e-4
    weight_decay: Amount = 0.0
    clip: Amount = 0.0
    schedule: Literal["constant", "step", "cosine"] = "constant"
    milestones: Annotated[tuple[Share, ...], Field(strict=False)] = ()
    factor: Positive = 0.1
    warmup: Share = 0.0


class Loss(_Part):
    """Weights in the loss.

    PropNet: ``focal`` reading of its factor, ``beta`` of the boundaries. LAB: ``regressor``, of
    the landmarks.
    """

    focal: FocalReading = "none"
    beta: Amount = 0.5
    regressor: Amount = 1.0


class Adversarial(_Part):
    """LAB's second stage: further epochs against a discriminator.

    ``lr`` is that of both, ``weight`` the adversarial loss's; ``theta``, in pixels of the window,
    and ``delta`` as in :func:`baselines.losses.boundary_effectiveness`.
    """

    epochs: int = Field(default=10, ge=1)
    lr: Positive = 1e-4
    weight: Amount = 1.0
    theta: Positive = 1.5
    delta: Share = 0.8


class Initial(_Part):
    """Weights to begin with: a file, or the name of one that is shipped.

    Tensors whose names begin with one of ``anew`` are drawn at random all the same.
    """

    weights: str
    anew: Annotated[tuple[str, ...], Field(strict=False)] = ()


class Recipe(_Part):
    """A recipe.

    Attributes
    ----------
    about
        One line for lists.
    model
        ``propnet``, ``awing`` or ``lab``; options of its network in ``network``.
    dataset, split, subset
        What is trained on.
    validation
        Another split; or a share of the training images, which is then not trained on.
    markup
        The data set's where it is None; 98 points can be trained as 68.
    epochs, batch_size, seed, precision
        ``batch_size`` is that of all processes together; ``bf16`` computes the network in it.
    """

    about: str = ""
    model: str
    dataset: str
    split: str = "train"
    subset: str = FULL
    validation: str | Annotated[float, Field(gt=0, lt=1)] = "test"
    markup: str | None = None
    epochs: int = Field(default=60, ge=1)
    batch_size: int = Field(default=16, ge=2)
    seed: int = Field(default=0, ge=0, lt=2**63)
    precision: Literal["fp32", "bf16"] = "fp32"
    network: dict[str, Any] = {}
    crop: CropChanges = CropChanges()
    targets: Targets = Targets()
    augmentation: Augmentation = Augmentation()
    optimiser: Optimiser = Optimiser()
    loss: Loss = Loss()
    adversarial: Adversarial | None = None
    initial: Initial | None = None


_TABLES: dict[str, type[BaseModel]] = {
    "crop": CropChanges,
    "targets": Targets,
    "augmentation": Augmentation,
    "optimiser": Optimiser,
    "loss": Loss,
    "adversarial": Adversarial,
    "initial": Initial,
}
_USED_BY = {
    "targets.sigma": ("propnet", "awing"),
    "targets.subpixel": ("propnet", "awing"),
    "targets.decoder": ("propnet", "awing"),
    "loss.focal": ("propnet",),
    "loss.beta": ("propnet",),
    "loss.regressor": ("lab",),
    "adversarial": ("lab",),
}
"""Keys that mean something to some of the models only."""


def shipped() -> dict[str, str]:
    """Recipes of this package: name to one line."""
    return {name: _parse(found.read_text("utf-8"), name).about for name, found in _recipes()}


def read_recipe(recipe: str | Path, overrides: Sequence[str] = ()) -> tuple[str, Recipe]:
    """Name and content of a recipe.

    Parameters
    ----------
    recipe
        A TOML file, or the name of one that is shipped, such as ``propnet/wflw``.
    overrides
        ``key=value`` with a dotted key, the value as in TOML: ``network.stacks=1``.

    Raises
    ------
    InputError
        If there is no such recipe, or a key is unknown or has a value it cannot have.
    """
    found = dict(_recipes())
    if str(recipe) in found:
        return str(recipe), _parse(found[str(recipe)].read_text("utf-8"), recipe, overrides)
    path = Path(recipe)
    if path.suffix != ".toml":
        raise unknown("recipe", str(recipe), found, "Or give a .toml file.")
    require_regular(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(path, f"cannot be read ({error})") from error
    return path.stem, _parse(text, path, overrides)


def complete(recipe: Recipe) -> dict[str, Any]:
    """Every key of a recipe that means something to its model, as JSON."""
    content = recipe.model_dump(mode="json", exclude_none=True)
    for key, users in _USED_BY.items():
        if recipe.model not in users:
            table, _, name = key.rpartition(".")
            (content[table] if table else content).pop(name, None)
    return content


def _recipes() -> Iterator[tuple[str, Traversable]]:
    folders = (folder for folder in files("baselines").joinpath("recipes").iterdir())
    for folder in sorted(folders, key=lambda entry: entry.name):
        for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
            yield f"{folder.name}/{file.name.removesuffix('.toml')}", file


def _parse(text: str, where: object, overrides: Sequence[str] = ()) -> Recipe:
    try:
        content = parse_toml(text)
    except ValueError as error:
        raise InputError(where, f"not TOML ({error})", "TOML as in docs/training.md") from error
    changed = {_override(content, override) for override in overrides}
    try:
        recipe = Recipe.model_validate(content)
    except ValidationError as error:
        raise _error(where, changed, error) from error
    if recipe.model not in MODELS:
        raise unknown(f"{'--set' if 'model' in changed else where}, model", recipe.model, MODELS)
    given = {f"{table}.{key}" for table in _TABLES for key in content.get(table, ())}
    for key in sorted(given | content.keys()):
        if recipe.model not in (users := _USED_BY.get(key, (recipe.model,))):
            raise InputError(
                f"{'--set' if key in changed else where}, key {key}",
                f"means nothing to model {recipe.model!r}, only to {', '.join(users)}",
                remedy="Leave it out.",
            )
    return recipe


def _override(content: dict[str, Any], override: str) -> str:
    """Change one value; gives its dotted key."""
    key, equals, text = (part.strip() for part in override.partition("="))
    if not equals or not key:
        raise InputError(f"--set {override!r}", "no key and value", "key=value")
    try:
        value = parse_toml(f"value = {text}")["value"]
    except ValueError:
        value = text  # a text without its quotes
    *tables, last = key.split(".")
    place: Any = content
    for table in tables:
        place = place.setdefault(table, {})
        if not isinstance(place, dict):
            raise InputError(f"--set {override!r}", f"{table} is no table", ", ".join(_keys()))
    place[last] = value
    return key


def _keys() -> list[str]:
    """Every key there is, dotted."""
    tables = [f"{table}.{key}" for table, part in _TABLES.items() for key in part.model_fields]
    return [*(key for key in Recipe.model_fields if key not in _TABLES), *tables]


def _error(where: object, changed: set[str], error: ValidationError) -> InputError:
    """The first thing wrong with a recipe."""
    first = error.errors()[0]
    # Of a choice of types pydantic names the one it tried last, which is no key.
    parts = [str(part) for part in first["loc"]]
    known = {*_keys(), *_TABLES}
    dotted = ".".join(parts)
    if first["type"] == "extra_forbidden":
        return unknown(f"{'--set' if dotted in changed else where}, key", dotted, _keys())
    while dotted not in known and len(parts) > 1:
        parts.pop()
        dotted = ".".join(parts)
    place = f"{'--set' if dotted in changed else where}, key {dotted}"
    if first["type"] == "missing":
        return InputError(place, "is missing", remedy="docs/training.md shows every key.")
    return InputError(place, f"{first['msg']}, found {first['input']!r}")


def differing(before: Mapping[str, Any], now: Mapping[str, Any]) -> str | None:
    """The first dotted key at which two recipes, as JSON, differ, with both values; or None."""
    for key in dict.fromkeys([*before, *now]):
        old, new = before.get(key), now.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            if (inner := differing(old, new)) is not None:
                return f"{key}.{inner}"
        elif old != new:
            return f"{key} ({old!r} there, {new!r} now)"
    return None
