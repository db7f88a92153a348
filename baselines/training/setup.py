"""From a recipe to a network, its crop and what it learns."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import as_file, files
from importlib.resources.abc import Traversable
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_type_hints

import torch
from torch import nn

from alignbench.datasets.base import FULL
from alignbench.exceptions import InputError, unknown
from alignbench.io.files import sha256
from alignbench.markups import Markup
from alignbench.predictors.settings import CropSettings
from baselines import checkpoints, options
from baselines.model import STRIDE, Method, Model
from baselines.training.recipe import MODELS, Coarse, Recipe


@dataclass(frozen=True)
class Setup:
    """A network, the options it was made with, how it sees faces, and what it learns."""

    model: Model
    options: Mapping[str, Any]
    network: nn.Module
    settings: CropSettings
    method: Method


def set_up(recipe: Recipe, markup: Markup, boxed: bool) -> Setup:
    """What a recipe trains; its weights are drawn by the recipe's seed.

    Parameters
    ----------
    boxed
        Whether the data set annotates boxes; if not, tight boxes are the default.

    Raises InputError if an option is unknown, or network, mark-up and window do not fit
    together.
    """
    model = MODELS[recipe.model]
    chosen = _options(recipe, model, markup)
    settings = _settings(recipe, model, chosen, boxed)
    _check_window(model, chosen, settings, settings.crop.size, "crop.size")
    if recipe.coarse is not None:
        _check_coarse(recipe.coarse, recipe.epochs, settings.crop.size, chosen)
        _check_window(model, chosen, settings, recipe.coarse.size, "coarse.size")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        network = options.build(model.network, chosen, "key network")
    method = model.method(network, markup, recipe.targets, recipe.loss)
    return Setup(model, chosen, network, settings, method)


def _options(recipe: Recipe, model: Model, markup: Markup) -> dict[str, Any]:
    """Options of the network; its mark-up is the data set's, its side the window's."""
    if "markup" in recipe.network:
        raise InputError(
            "key network.markup", "is not a key of [network]", "markup, without a table"
        )
    hints = get_type_hints(model.network.__init__)
    # TOML has no null.
    written = {
        name: None if value == "none" and NoneType in get_args(hints.get(name)) else value
        for name, value in recipe.network.items()
    }
    size = recipe.crop.size
    if "side" in inspect.signature(model.network).parameters and size is not None:
        written.setdefault("side", size)
    chosen = options.check(written, model.network, "key network")
    if size is not None and chosen.get("side", size) != size:
        raise InputError("key network.side", f"{chosen['side']}", f"{size}, which is crop.size")
    return chosen | {"markup": markup.name}


def _settings(recipe: Recipe, model: Model, chosen: Mapping[str, Any], boxed: bool) -> CropSettings:
    usual = model.settings(chosen)
    crop: dict[str, Any] = {} if boxed else {"boxes": "tight"}
    crop |= recipe.crop.model_dump(exclude_none=True)
    # None for a model without maps. Only the decoder dark needs the sigma of the targets.
    decoder = getattr(recipe.targets, "decoder", None)
    needed = {"decoder", "sigma"} if decoder == "dark" else {"decoder"}
    output = recipe.targets.model_dump(include=needed)
    part = "" if recipe.subset == FULL else f", {recipe.subset}"
    return usual.model_copy(
        update={
            "crop": usual.crop.model_copy(update=crop),
            "output": usual.output.model_copy(update=output),
            "notes": (f"Trained on {recipe.trained_on} {recipe.split}{part}.",),
        }
    )


def _check_coarse(coarse: Coarse, epochs: int, size: int, chosen: Mapping[str, Any]) -> None:
    """Raise InputError where no epoch has the final size, or the coarse size is no smaller."""
    if "side" in chosen:
        raise InputError("table [coarse]", "this network takes one size alone", "no such table")
    if coarse.size >= size:
        raise InputError(
            "key coarse.size", f"{coarse.size}, with crop.size {size}", f"less than {size}"
        )
    if coarse.epochs >= epochs:
        raise InputError(
            "key coarse.epochs", f"{coarse.epochs} of {epochs} epochs", f"less than {epochs}"
        )


def _check_window(
    model: Model, chosen: Mapping[str, Any], settings: CropSettings, size: int, key: str
) -> None:
    """Raise InputError where the network cannot take a window of ``size``; computes nothing."""
    channels = 1 if settings.input.colour == "grey" else 3
    with torch.device("meta"):
        network = options.build(model.network, chosen, "key network").eval()
        try:
            network(torch.empty(2, channels, size, size))
        except RuntimeError as error:
            deepest = STRIDE * 2 ** chosen.get("depth", 4)
            raise InputError(
                f"key {key}", f"this network cannot take a window of {size} pixels",
                f"a multiple of {deepest}", "Or take a smaller network.depth.",
            ) from error  # fmt: skip


def load_initial(setup: Setup, recipe: Recipe, first: Path | None) -> str | None:
    """Fill the network with the recipe's initial weights; gives the sha256 of their file.

    ``first`` is the file of ``initial.recipe``, or None if ``initial.weights`` names the file.
    Raises InputError if there is no such file, or a tensor of it that is not to be drawn anew
    is missing, unknown or of another shape.
    """
    if recipe.initial is None:
        return None
    shipped = files("baselines").joinpath("weights")
    weighed = [Path(entry.name) for entry in shipped.iterdir()]
    names = [path.stem for path in weighed if path.suffix == ".safetensors"]
    weights, anew = recipe.initial.weights or "", recipe.initial.anew
    file: Traversable = first or Path(weights)
    if not file.is_file():
        if weights not in names:
            raise unknown("key initial.weights", weights, names, "Or give a file of weights.")
        file = shipped.joinpath(f"{weights}.safetensors")
    drawn, model = setup.network.state_dict(), setup.model.name
    with as_file(file) as path:
        stored, digest = checkpoints.read(path), sha256(path)
    if stored.model not in (None, model):
        raise InputError(path, f"holds weights of {stored.model!r}", f"weights of {model!r}")
    for prefix in anew:
        if not any(name.startswith(prefix) for name in drawn):
            parts = {".".join(name.split(".")[:3]) for name in drawn}
            raise unknown("key initial.anew", prefix, parts)
    kept = {name: t for name, t in stored.state.items() if not name.startswith(anew)}
    again = {name: t for name, t in drawn.items() if name.startswith(anew)}
    checkpoints.fill(setup.network, kept | again, path)
    return digest
