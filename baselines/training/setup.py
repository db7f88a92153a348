"""From a recipe to a network, its crop and what it learns."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_type_hints

import torch
from torch import nn

from alignbench.arrays import Floats
from alignbench.boxes import choose_boxes
from alignbench.datasets.base import FULL, Dataset
from alignbench.errors import InputError, unknown
from alignbench.io.files import sha256
from alignbench.markups import Markup
from alignbench.predictors.crop import CropPredictor
from alignbench.predictors.settings import CropSettings
from baselines import checkpoints, options
from baselines.model import MODELS, Model
from baselines.training.methods import METHODS, STRIDE, Method
from baselines.training.recipe import Initial, Recipe


@dataclass(frozen=True)
class Setup:
    """A network, the options it was made with, how it sees faces, and what it learns."""

    model: Model
    options: Mapping[str, Any]
    network: nn.Module
    settings: CropSettings
    method: Method


def set_up(recipe: Recipe, markup: Markup, boxed: bool) -> Setup:
    """What a recipe trains, with weights drawn by its seed, or on the meta device inside of it.

    Parameters
    ----------
    boxed
        Whether the data set annotates boxes; without, the tight ones are the default.

    Raises
    ------
    InputError
        If model or an option is unknown, or network and window do not fit together.
    """
    model = MODELS[recipe.model]
    chosen = _options(recipe, model, markup)
    settings = _settings(recipe, model, chosen, boxed)
    where = "key network"
    _fits(options.build, model, chosen, settings)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        network = options.build(model.network, chosen, where)
    method = METHODS[model.name](recipe, markup, network)
    return Setup(model, chosen, network, settings, method)


def _options(recipe: Recipe, model: Model, markup: Markup) -> dict[str, Any]:
    """Options of the network; its mark-up is the data set's, its side the window's."""
    if "markup" in recipe.network:
        raise InputError("key network.markup", "stands elsewhere", "markup, without a table")
    hints = get_type_hints(model.network.__init__)
    # TOML has no word for nothing.
    given = {
        name: None if value == "none" and NoneType in get_args(hints.get(name)) else value
        for name, value in recipe.network.items()
    }
    size = recipe.crop.size
    if "side" in inspect.signature(model.network).parameters and size is not None:
        given.setdefault("side", size)
    chosen = options.checked(given, model.network, "key network")
    if size is not None and chosen.get("side", size) != size:
        raise InputError("key network.side", f"{chosen['side']}", f"{size}, which is crop.size")
    return chosen | {"markup": markup.name}


def _settings(recipe: Recipe, model: Model, chosen: Mapping[str, Any], boxed: bool) -> CropSettings:
    own = model.settings(chosen)
    changes: dict[str, Any] = {} if boxed else {"boxes": "tight"}
    changes |= recipe.crop.model_dump(exclude_none=True)
    output = own.output
    if output.kind == "heatmaps":
        output = output.model_copy(update={"decoder": recipe.targets.decoder})
    part = "" if recipe.subset == FULL else f", {recipe.subset}"
    return own.model_copy(
        update={
            "crop": own.crop.model_copy(update=changes),
            "output": output,
            "notes": (f"Trained on {recipe.dataset} {recipe.split}{part}.",),
        }
    )


def _fits(build: Any, model: Model, chosen: Mapping[str, Any], settings: CropSettings) -> None:
    """Raise InputError where the network cannot take its window; computes nothing."""
    size = settings.crop.size
    channels = 1 if settings.input.colour == "grey" else 3
    with torch.device("meta"):
        network = build(model.network, chosen, "key network").eval()
        try:
            network(torch.empty(2, channels, size, size))
        except RuntimeError as error:
            deepest = STRIDE * 2 ** chosen.get("depth", 4)
            raise InputError(
                "key crop.size", f"{size} does not go through this network",
                f"a multiple of {deepest}", "Or take a smaller network.depth.",
            ) from error  # fmt: skip


def boxes_of(dataset: Dataset, settings: CropSettings) -> Floats:
    """The boxes (N, 4) that a run of the trained network will be given.

    Raises
    ------
    InputError
        If the data set annotates no boxes and the recipe asks for them, or for a detector's.
    """

    def nothing(pixels: Any) -> Any:
        raise NotImplementedError

    predictor = CropPredictor("training", settings, nothing, {})
    return choose_boxes(dataset, dataset, predictor, None, 1.0).boxes


def load_initial(network: nn.Module, wanted: Initial, model: str) -> str:
    """Fill a network with weights to begin with; gives the sha256 of their file.

    Raises
    ------
    InputError
        If there is no such file, or a tensor of it that is not to be drawn anew is missing, left
        over or of another shape.
    """
    shipped = files("baselines").joinpath("weights")
    names = [entry.name.removesuffix(".safetensors") for entry in shipped.iterdir()]
    path = Path(wanted.weights)
    if path.is_file():
        _fill(network, path, wanted, model)
        return sha256(path)
    if wanted.weights not in names:
        raise unknown("key initial.weights", wanted.weights, names, "Or give a file of weights.")
    with as_file(shipped.joinpath(f"{wanted.weights}.safetensors")) as file:
        _fill(network, file, wanted, model)
        return sha256(file)


def _fill(network: nn.Module, path: Path, wanted: Initial, model: str) -> None:
    stored = checkpoints.read(path)
    if stored.model not in (None, model):
        raise InputError(path, f"holds weights of {stored.model!r}", f"weights of {model!r}")
    own = network.state_dict()
    for prefix in wanted.anew:
        if not any(name.startswith(prefix) for name in own):
            parts = {".".join(name.split(".")[:3]) for name in own}
            raise unknown("key initial.anew", prefix, parts)

    def anew(name: str) -> bool:
        return name.startswith(wanted.anew)

    kept = {name: tensor for name, tensor in stored.state.items() if not anew(name)}
    drawn = {name: tensor for name, tensor in own.items() if anew(name)}
    checkpoints.fill(network, kept | drawn, path)
